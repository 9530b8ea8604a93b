"""Two captures of the same procedure: what changed is told, what differs every time is not."""

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.diff import Comparison, compared, json_text, text_lines
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.mikey import GeneralExtension, Identity, Kemac, Message, Rand, Timestamp
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.reference import FIRST, KEYS, OTHER_TERMINAL, SECOND, TERMINAL, Grant, ReferenceTerminal, ltkm
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.recorded import exchanges


def of(
    *grants: Grant, terminal: ReferenceTerminal = TERMINAL, change: Any = None, code: str = "200 OK", **more: Any
) -> Exchange:
    """Return an exchange that delivers these keys, each message changed."""
    items = [(grant, code, (change or (lambda message: message))(ltkm(grant, terminal))) for grant in grants]
    return reference.exchange([grant.msk_id for grant in grants], items, terminal=terminal, **more)


def reports(exchanges: Iterable[Exchange]) -> list[Report]:
    context = Context(session=Session())
    return [inspect(each, context) for each in exchanges]


def diff(a: Iterable[Exchange], b: Iterable[Exchange], **more: Any) -> Comparison:
    return compared(reports(a), reports(b), **more)


def fields(comparison: Comparison) -> list[tuple[str, str | None, str | None]]:
    """Return path and both values of every field that differs."""
    return [
        (each.what, each.a, each.b)
        for step in comparison.differing
        for each in step.differences
        if each.kind == "field"
    ]


def findings(comparison: Comparison) -> list[tuple[str, str]]:
    """Return the rule of every finding that came (+) or went (-)."""
    return [
        ("+" if each.a is None else "-", each.what)
        for step in comparison.differing
        for each in step.differences
        if each.kind == "finding"
    ]


def another_time(grant: Grant) -> Grant:
    """Return a grant with all that a BSM makes anew for each message."""
    return replace(grant, counter=grant.counter + 77, csb_id=grant.csb_id + 9, rand=bytes(reversed(grant.rand)))


FRESH: dict[str, Any] = {"nonce": "0123456789abcdef0123456789abcdef", "nc": 3, "at": 1e6, "id": "another"}


def test_the_same_procedure_at_another_time_does_not_differ() -> None:
    a = [of(FIRST, SECOND, next_nonce="1" * 32), *reference.reference("challenged")]
    b = [
        of(another_time(FIRST), another_time(SECOND), next_nonce="2" * 32, **FRESH),
        *reference.reference("challenged"),
    ]
    assert diff(a, b).differing == []
    assert list(text_lines(diff(a, b)))[-1] == "summary: 0 findings only in B, 0 only in A, 0 fields differ"


def test_with_all_what_differs_every_time_is_shown_too_but_no_key() -> None:
    clear = clear_text()
    comparison = diff([of(FIRST, change=clear)], [of(another_time(FIRST), change=clear, **FRESH)], everything=True)
    shown = {path for path, _, _ in fields(comparison)}
    assert {
        "T.value",
        "RAND.value",
        "HDR.csb_id",
        "Authentication-Info.rspauth",
        "request.Authorization.nonce",
    } <= shown
    assert FIRST.msk.hex() not in json_text(comparison, "a", "b")


def clear_text(grant: Grant = FIRST) -> Any:
    """Return a change that leaves the key of a message unencrypted."""

    def change(message: Message) -> Message:
        kemac = message.payloads[-1]
        assert isinstance(kemac, Kemac)
        return replace(
            message, payloads=(*message.payloads[:-1], replace(kemac, encr_alg=0, encr_data=grant.plaintext))
        )

    return change


def test_of_a_key_in_the_clear_type_and_validity_are_compared_and_the_key_is_not() -> None:
    longer = replace(FIRST, seq_u=b"\x0f\xfe", msk=bytes(16))
    comparison = diff([of(FIRST, change=clear_text(FIRST))], [of(longer, change=clear_text(longer))])
    assert [path for path, _, _ in fields(comparison)] == ["KEMAC.key_data[1].validity.valid_to"]


def swapped(kind: type, other: Any) -> Any:
    """Return a change that puts another payload in the place of the first of a class."""

    def change(message: Message) -> Message:
        at = next(number for number, payload in enumerate(message.payloads) if isinstance(payload, kind))
        return replace(message, payloads=(*message.payloads[:at], *other, *message.payloads[at + 1 :]))

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            swapped(Rand, [Rand(b"x" * 8)]), ("RAND.value", "16 octets", "8 octets"), id="length-of-what-is-fresh"
        ),
        pytest.param(
            swapped(Timestamp, [Timestamp(0, b"\xe6" * 8)]), ("T.type", "2 (COUNTER)", "0 (NTP-UTC)"), id="a-code"
        ),
        pytest.param(
            swapped(Timestamp, []),
            ("payloads", "EXT(3) EXT(5) T RAND ID[1] ID[2] KEMAC", "EXT(3) EXT(5) RAND ID[1] ID[2] KEMAC"),
            id="a-payload-less",
        ),
        pytest.param(
            swapped(
                GeneralExtension,
                [GeneralExtension(77, b"new"), reference.ltkm(FIRST).payloads[0]],
            ),
            ("payloads", "EXT(3) EXT(5) T RAND ID[1] ID[2] KEMAC", "EXT(77) EXT(3) EXT(5) T RAND ID[1] ID[2] KEMAC"),
            id="an-extension-more-renames-no-other",
        ),
        pytest.param(
            swapped(Identity, [Identity(1, b"sip:bsm@home1.net")]),
            ("ID[1].type", "0 (NAI)", "1 (URI)"),
            id="an-identity",
        ),
    ],
)
def test_a_field_that_differs_is_told_with_both_values(change: Any, expected: tuple[str, str, str]) -> None:
    comparison = diff([of(FIRST)], [of(FIRST, change=change)])
    assert expected in fields(comparison)
    assert len(fields(comparison)) <= 3
    (step,) = comparison.differing
    assert all(each.spot.msk == "b8709d/24cb/4400" for each in step.differences if each.kind == "field")


def test_codes_headers_and_status_are_compared() -> None:
    a, b = of(FIRST), of(FIRST, code="400 Bad Request")
    response = b.response
    assert response is not None
    info = response.authentication_info
    assert info is not None
    without = replace(info, fields=tuple(each for each in info.fields if each.name != "rspauth"))
    headers = response.headers.put("Content-Type", "text/xml")
    b = replace(b, response=replace(response, status=202, headers=headers).with_info(without))
    found = fields(diff([a], [b]))
    assert ("response_code", "200 OK", "400 Bad Request") in found
    assert ("status", "200", "202") in found
    assert ("Content-Type", "application/mbms-msk-response+xml", "text/xml") in found
    assert ("Authentication-Info", "cnonce nc qop rspauth", "cnonce nc qop") in found
    assert not any(path.startswith("Authentication-Info.") for path, _, _ in found)


def test_findings_come_and_go_whatever_numbers_are_in_their_words() -> None:
    bad, worse = replace(FIRST, rand=b"x" * 8), replace(FIRST, rand=b"x" * 9)
    assert findings(diff([of(FIRST)], [of(bad)])) == [("+", "rand-length-wrong")]
    assert findings(diff([of(bad)], [of(FIRST)])) == [("-", "rand-length-wrong")]
    assert findings(diff([of(bad)], [of(worse)])) == []
    assert diff([of(FIRST)], [of(bad)]).worst is Level.VIOLATION
    assert diff([of(bad)], [of(FIRST)]).worst is Level.OFF


def test_what_comes_of_a_fault_that_was_put_in_does_not_count() -> None:
    bad = replace(of(replace(FIRST, rand=b"x" * 8)), faults=("shorten-rand:octets=8",))
    comparison = diff([of(FIRST)], [bad])
    assert findings(comparison) == [("+", "rand-length-wrong")]
    assert comparison.worst is Level.OFF
    assert next(text_lines(comparison)).endswith("[fault shorten-rand:octets=8]:")


def test_terminals_are_paired_by_b_tid_and_alike_requests_by_order() -> None:
    flawed = replace(SECOND, rand=b"x" * 8)
    a = [of(FIRST), of(FIRST, nc=2, at=9), of(SECOND, terminal=OTHER_TERMINAL)]
    b = [of(flawed, terminal=OTHER_TERMINAL), of(FIRST), of(replace(FIRST, rand=b"y" * 8), nc=2, at=9)]
    comparison = diff(a, b)
    assert (len(comparison.both), comparison.by_order) == (3, 0)
    told = [(each.step.terminal, each.pair.number) for each in comparison.differing]
    assert told == [(TERMINAL.b_tid, 2), (OTHER_TERMINAL.b_tid, 1)]


def test_terminals_that_bootstrapped_anew_are_paired_by_msk_and_order_and_that_is_said() -> None:
    renewed = replace(TERMINAL, b_tid="QUFBQUFBQUFBQUFBQUFBQQ==@bsf.home1.net", address="192.0.2.99:5")
    a = [of(FIRST), of(SECOND, nc=2, at=9)]
    b = [of(SECOND, terminal=renewed), of(FIRST, terminal=renewed, nc=2, at=9)]
    comparison = diff(a, b)
    assert (len(comparison.both), comparison.by_order) == (2, 2)
    assert fields(comparison) == []
    said = [line for line in text_lines(comparison) if line.startswith("summary: ")]
    assert said[0] == "summary: 2 MSK exchanges in A, 2 in B, 2 in both; 2 of these paired by MSK ID and order"
    assert "bootstrapping" in said[1]
    assert json.loads(json_text(comparison, "a", "b"))["paired_by_order"] == 2


def test_a_challenge_belongs_to_the_terminal_of_its_connection() -> None:
    a = [*reference.reference("challenged"), of(FIRST, at=3)]
    b = [replace(each, connection="another") for each in a]
    assert a[0].connection == a[1].connection != ""
    comparison = diff(a, b)
    assert comparison.by_order == 0
    assert comparison.differing == []


def test_an_exchange_that_only_one_capture_has_is_told_with_its_findings() -> None:
    bad = of(replace(SECOND, rand=b"x" * 8), nc=2, at=5)
    comparison = diff([of(FIRST)], [of(FIRST), bad])
    (step,) = comparison.differing
    assert [(each.kind, each.what) for each in step.differences] == [
        ("exchange", "exchange"),
        ("finding", "rand-length-wrong"),
    ]
    assert "  + only in B" in list(text_lines(comparison))
    assert comparison.worst is Level.VIOLATION
    comparison = diff([of(FIRST), bad], [of(FIRST)])
    assert "  - only in A" in list(text_lines(comparison))
    assert comparison.worst is Level.OFF


def test_items_are_compared_by_their_msk_wherever_they_stand() -> None:
    comparison = diff([of(FIRST, SECOND)], [of(SECOND, FIRST)])
    assert fields(comparison) == [
        ("document.items", "b8709d/24cb/4400 b8709d/68c9/0001", "b8709d/68c9/0001 b8709d/24cb/4400")
    ]


def test_with_keys_the_key_that_is_delivered_is_compared() -> None:
    longer = replace(FIRST, seq_u=b"\x0f\xfe")
    assert fields(diff([of(FIRST)], [of(longer)])) == []
    assert fields(diff([of(FIRST)], [of(longer)], keys=Keys(KEYS))) == [("key.seq_u", "4095", "4094")]


def test_text_of_the_wire_is_escaped() -> None:
    hostile = replace(of(FIRST, code="\u202eok"), error="\x1b]0;owned\x07")
    said = "\n".join(text_lines(diff([of(FIRST)], [hostile])))
    assert "owned" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_with_redaction_names_stand_for_b_tids_and_addresses() -> None:
    renewed = replace(TERMINAL, b_tid="QUFBQUFBQUFBQUFBQUFBQQ==@bsf.home1.net", address="192.0.2.99:5")
    a, b = [of(FIRST)], [of(FIRST, code="500", terminal=renewed, change=swapped(Identity, []))]
    b = [replace(b[0], request=replace(b[0].request, host="192.0.2.77"), error="192.0.2.99 went away")]
    comparison = diff(a, b, everything=True)
    for redacted in (
        "\n".join(text_lines(comparison, Wording(Redaction()))),
        json_text(comparison, "a", "b", Wording(Redaction())),
    ):
        assert "identity-" in redacted
        assert "address-" in redacted
        for secret in (TERMINAL.b_tid, renewed.b_tid, "192.0.2.99", renewed.b_tid.encode().hex()):
            assert secret[:20] not in redacted


def test_the_object_of_json_says_all_that_the_text_says() -> None:
    comparison = diff([of(FIRST), of(SECOND, nc=2)], [of(replace(FIRST, rand=b"x" * 8), id="b-1")])
    found = json.loads(json_text(comparison, "a.flow", "b.flow"))
    assert found["schema"] == "ltkm-inspect/diff/1"
    assert (found["a"], found["b"]) == ({"file": "a.flow", "exchanges": 2}, {"file": "b.flow", "exchanges": 1})
    assert found["counts"] == {"came": 1, "went": 0, "fields": 1}
    first, second = found["steps"]
    assert first["b"]["id"] == "b-1"
    assert first["b"]["verdict"] == "violation"
    assert [(each["kind"], each["what"], each["msk"], each["ltkm"]) for each in first["differences"]] == [
        ("finding", "rand-length-wrong", "b8709d/24cb/4400", 1),
        ("field", "RAND.value", "b8709d/24cb/4400", 1),
    ]
    assert second["b"] is None
    assert second["msks"] == ["b8709d/68c9/0001"]


FLOWS = Path(__file__).resolve().parents[2] / "flows"
FAULTED = sorted((FLOWS / "faults").glob("*.flow"))


@cache
def recorded(path: Path) -> list[Report]:
    """Return the reports of a sample."""
    return reports(each for each in exchanges(path) if isinstance(each, Exchange))


@pytest.mark.parametrize("path", FAULTED, ids=[path.stem for path in FAULTED])
def test_whatever_is_wrong_with_an_exchange_it_is_compared(path: Path) -> None:
    faulted, trial = recorded(path), recorded(FLOWS / "trial.flow")
    assert compared(faulted, faulted).differing == []
    for a, b in ((trial, faulted), (faulted, trial)):
        comparison = compared(a, b, everything=True)
        assert comparison.a + comparison.b - len(comparison.both) == len(comparison.compared)
        assert all(line.isprintable() for line in text_lines(comparison))
        json.loads(json_text(comparison, "a", "b"))
