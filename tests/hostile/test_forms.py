"""The table of hostile forms: it holds what the codec knows, every form can be looked at, and no cost explodes."""

import pytest

from ltkm_inspect.mikey import PAYLOADS, GeneralExtension
from ltkm_inspect.mikey.codes import EXTENSION_TYPES, KEY_ID_TYPES, KEY_TYPES, SRTP_PARAMETERS
from ltkm_inspect.traffic import Exchange
from tests.hostile import _headers, _steps
from tests.hostile._form import octets_of
from tests.hostile._growth import LARGEST_EXPONENT
from tests.hostile._messages import payload_variants
from tests.hostile._steps import exponent, look
from tests.hostile._table import selected, table

COUNTED = [
    name
    for name in table()
    if name.endswith(" in the root") or (name.startswith(("payload", "key data", "header map")) and "," not in name)
]
"""The forms whose steps are counted: each payload, and each element, in what they can be repeated most often in."""
SOME = 12
"""Of so many forms of one kind one is always looked at, and every one in `make sweep` and `make hostile`."""
KINDS = sorted({name.partition(",")[0].partition(":")[0] for name in table()})


def test_every_payload_has_a_form() -> None:
    for number, kind in PAYLOADS.items():
        assert f"payload {number} {kind.label}" in table()


def test_every_extension_key_id_policy_parameter_and_key_type_has_a_form() -> None:
    found = [payload for _, payload in payload_variants(GeneralExtension) if isinstance(payload, GeneralExtension)]
    assert {payload.type for payload in found} > set(EXTENSION_TYPES.names)
    names = "\n".join(table())
    for what, codes in {"KeyId": KEY_ID_TYPES, "SrtpParameter": SRTP_PARAMETERS}.items():
        for number in sorted(codes.names)[1:]:  # the first is that of the form without a number
            assert f"{what}, type {number}\n" in names
    for number in sorted(KEY_TYPES.names)[1:]:
        assert f"key data, type {number}\n" in names


def test_every_header_field_that_is_asked_for_has_forms() -> None:
    assert {"Authorization", "Www-Authenticate", "Authentication-Info", "Content-Type"} <= set(_headers.names())
    for name in _headers.names():
        assert f"header {name}: commas" in table()


@pytest.mark.parametrize("every", [SOME, pytest.param(1, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_can_be_looked_at(kind: str, every: int) -> None:
    forms = [form for form in table().values() if form.name.partition(",")[0].partition(":")[0] == kind]
    for form in forms[::every]:
        if "bomb" not in form.name:
            exchange = form.make(2)
            look(exchange)
            assert octets_of(exchange) >= form.unit, form.name


@pytest.mark.parametrize(
    "name",
    # that payloads do not cost more than their number is held by tests/engine/test_growth.py for each type as well
    [pytest.param(name, marks=pytest.mark.sweep if name.startswith("payload") else ()) for name in COUNTED],
)
def test_steps_are_in_proportion_to_what_is_repeated(name: str) -> None:
    assert exponent(table()[name]) <= LARGEST_EXPONENT


def test_what_looks_at_everything_for_everything_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_at_pairs(exchange: Exchange) -> None:
        assert exchange.response is not None
        count = (exchange.response.body or b"").count(b"<!---->")
        for _ in range(count):
            for _ in range(count):
                pass

    monkeypatch.setattr(_steps, "look", look_at_pairs)
    monkeypatch.setattr(_steps, "NOTHING", 0)
    assert exponent(table()["document: a comment in the root"]) > LARGEST_EXPONENT


def test_words_select_forms_by_their_names() -> None:
    assert [form.name for form in selected(["MESSAGE: CLEAN"])] == ["message: clean, many"]
    assert selected(["no such form"]) == []
    assert exponent(table()["header Host: one long token"]) == 0
