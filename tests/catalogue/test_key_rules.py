"""Rules that take keys: what proves a key, what a forged message does to the session, and the edges of key data."""

from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FaultError, parse_application
from ltkm_inspect.finding import Answer, Level, Report
from ltkm_inspect.keys import KeyRing, Subscriber
from ltkm_inspect.keys.protection import encrypt
from ltkm_inspect.mikey import Interval, KeyData, KeyDataChain
from ltkm_inspect.reference import AGAIN, BSM, FIRST, KEYS, MRK, MUK, TERMINAL, Grant
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange

GO = Settings(debug=True)
WRONG = bytes(range(0xC0, 0xE0))


def ring(muk: bytes = MUK, mrk: bytes = MRK, *more: bytes) -> KeyRing:
    return KeyRing((Subscriber(TERMINAL.b_tid, BSM, (muk, *more), mrk),))


def reports(exchanges: list[Exchange], keys: KeyRing = KEYS) -> list[Report]:
    context = Context(GO, keys, Session())
    return [inspect(exchange, context) for exchange in exchanges]


def delivered(grant: Grant = FIRST, nc: int = 1, *entries: KeyData) -> Exchange:
    """Build an exchange whose LTKM carries these key data sub-payloads, protected with the terminal's MUK."""
    message = reference.ltkm(grant)
    if entries:
        message = encrypt(message, MUK, KeyDataChain(entries).encode())
    item = (grant, "200 OK", message)
    return reference.exchange([grant.msk_id], [item], nc=nc, at=nc * 600, id=f"k{nc}")


def flipped(exchange: Exchange) -> Exchange:
    return inject(exchange, [parse_application("flip-mac")], Context(keys=KEYS))


def test_without_a_key_ring_no_keyed_rule_says_anything() -> None:
    (report,) = reports([flipped(delivered())], KeyRing())
    assert [finding.line for finding in report.findings] == []
    assert report.outcomes["mac-invalid"].answer is Answer.NOT_APPLICABLE
    assert report.outcomes["key-unproven"].reason == "there is no key ring"


def test_a_b_tid_that_is_not_in_the_ring_is_not_applicable_with_its_name() -> None:
    keys = KeyRing((Subscriber("somebody@else.net", BSM, (MUK,), MRK),))
    (report,) = reports([delivered()], keys)
    assert list(report.rules) == []
    assert TERMINAL.b_tid in report.outcomes["mac-invalid"].reason


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (KeyRing((Subscriber("somebody@else.net", BSM, (MUK,), MRK),)), "the key ring has no entry for this terminal"),
        (KeyRing((Subscriber(TERMINAL.b_tid, BSM),)), "the entry for this terminal in the key ring has no"),
        (KeyRing((Subscriber("*", BSM),)), "the wildcard entry in the key ring has no"),
    ],
)
def test_what_the_ring_lacks_is_said_of_muk_and_mrk(keys: KeyRing, why: str) -> None:
    (report,) = reports([delivered()], keys)
    for id, key in (("mac-invalid", "MUK"), ("request-digest-wrong", "MRK")):
        reason = report.outcomes[id].reason
        assert reason.startswith(f"no {key} for ")
        assert why in reason
        assert reason.endswith(("; add it", f"; add one with its {key}"))


def test_a_wrong_muk_is_a_doubt_about_the_ring_and_not_about_the_message() -> None:
    (report,) = reports([delivered()], ring(muk=WRONG))
    assert list(report.rules) == ["key-unproven"]
    assert f"MAC does not verify with the MUK of {TERMINAL.b_tid}" in report.findings[0].line


def test_a_wrong_mrk_is_a_doubt_about_the_ring_and_silences_rspauth() -> None:
    (report,) = reports([delivered()], ring(mrk=WRONG))
    assert list(report.rules) == ["key-unproven"]
    assert report.outcomes["response-digest-wrong"].answer is Answer.NOT_APPLICABLE


def test_a_muk_that_verified_something_before_makes_a_wrong_mac_a_violation() -> None:
    first, second = reports([delivered(), flipped(delivered(AGAIN, 2))])
    assert list(first.rules) == []
    assert list(second.rules) == ["mac-invalid"]


def test_another_ltkm_of_the_same_document_proves_the_muk_too() -> None:
    both = reference.reference("several-keys")[-1]
    (report,) = reports([flipped(both)])
    assert list(report.rules) == ["mac-invalid"]


def test_of_several_muks_the_one_that_fits_counts() -> None:
    (report,) = reports([delivered()], ring(WRONG, MRK, MUK))
    assert list(report.rules) == []
    assert report.outcomes["mac-invalid"].answer is Answer.PASSED


def test_a_forged_message_does_not_advance_the_counter() -> None:
    forged = flipped(delivered(replace(AGAIN, counter=0x1000), 2))
    _, _, third = reports([delivered(), forged, delivered(AGAIN, 3)])
    assert list(third.rules) == []
    _, _, without = reports([delivered(), forged, delivered(AGAIN, 3)], KeyRing())
    assert list(without.rules) == ["counter-backward"]


def test_the_digest_in_a_har_is_not_judged() -> None:
    exchange = inject(delivered(), [parse_application("keep-digest")], Context(keys=KEYS))
    (report,) = reports([replace(exchange, raw=False)])
    assert "HAR" in report.outcomes["response-digest-wrong"].reason
    assert list(report.rules) == []


def test_a_digest_over_the_decoded_body_is_explained_and_not_accepted() -> None:
    plain = delivered()
    assert plain.response is not None
    headers = plain.response.headers.put("Content-Encoding", "gzip")
    coded = replace(plain.response, headers=headers).with_content(plain.response.body or b"")
    (report,) = reports([replace(plain, response=coded)])
    assert list(report.rules) == ["response-digest-wrong"]
    assert report.findings[0].hint == "correct for the body without its content coding"


TEK = KeyData(2, 2, bytes(range(16)), None, Interval(b"\0\0", b"\x0f\xff"))


@pytest.mark.parametrize(
    ("entry", "rules", "notes"),
    [
        (TEK, [], set()),
        (replace(TEK, validity=Interval(b"\xd0\0\0\0", b"\xd0\1\x51\x80")), [], {"key-limits-are-times"}),
        (replace(TEK, validity=Interval(b"\xd0\0\0\0", b"\xff" * 4)), [], {"key-limits-are-times"}),
        (replace(TEK, validity=Interval(b"\0\5", b"\0\4")), [], {"key-invalidated"}),
        (replace(TEK, validity=Interval(b"\0\0", b"\xff\xfe")), [], set()),
        (replace(TEK, validity=Interval(b"\0\0", b"\xff\xff")), ["key-sequence-exhausted"], set()),
        (replace(TEK, validity=Interval(b"", b"")), ["key-validity-malformed"], set()),
        (replace(TEK, validity=Interval(b"\0\0\0", b"\0\0\1")), ["key-validity-malformed"], set()),
        (replace(TEK, type=0), ["key-type-wrong"], set()),
        (replace(TEK, key=b""), [], {"key-update-alone"}),
        (replace(TEK, key=b"\x55" * 16), ["key-weak"], set()),
        (replace(TEK, key=bytes(range(32))), [], set()),
        (replace(TEK, key=bytes(range(15))), ["key-weak"], set()),
    ],
)
def test_what_key_data_says(entry: KeyData, rules: list[str], notes: set[str]) -> None:
    (report,) = reports([delivered(FIRST, 1, entry)])
    assert list(report.rules) == rules
    mine = {"key-limits-are-times", "key-invalidated", "key-update-alone"}
    assert {note.rule for note in report.notes} & mine == notes


@pytest.mark.parametrize(
    ("seq_l", "seq_u", "is_noted"),
    [
        ("d0000000", "d0015180", False),
        ("d0015180", "d0000000", True),
        ("ffffff00", "00000100", False),
        ("00000100", "ffffff00", True),
        ("00000200", "00000100", True),
        ("00000000", "d0015180", False),
        ("d0000000", "00000000", True),
        ("ff00", "0100", True),
    ],
)
def test_limits_that_are_times_are_compared_across_the_end_of_an_era(seq_l: str, seq_u: str, is_noted: bool) -> None:
    limits = Interval(bytes.fromhex(seq_l), bytes.fromhex(seq_u))
    (report,) = reports([delivered(FIRST, 1, KeyData(2, 2, bytes(range(16)), validity=limits))])
    assert ("key-invalidated" in {note.rule for note in report.notes}) is is_noted


@pytest.mark.parametrize(("bcast", "level"), [(True, Level.WARNING), (False, Level.VIOLATION)])
def test_a_second_key_may_belong_to_an_attribute_of_bcast(bcast: bool, level: Level) -> None:
    key = KeyData(2, 2, bytes(range(16)), validity=Interval(b"\0\0", b"\0\1"))
    (report,) = reports([delivered(replace(FIRST, bcast=bcast), 1, key, key)])
    assert [(finding.rule, finding.level) for finding in report.findings] == [("key-data-not-single", level)]


def test_an_update_of_a_key_that_was_delivered_before_is_no_note() -> None:
    update = replace(TEK, key=b"")
    _, second = reports([delivered(), delivered(AGAIN, 2, update)])
    assert "key-update-alone" not in {note.rule for note in second.notes}


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        (TEK, "the same key and validity"),
        (replace(TEK, validity=Interval(b"\1\0", b"\x1f\xff")), "the same key with another validity"),
        (replace(TEK, key=bytes(range(1, 17))), "another key"),
        (replace(TEK, key=b"", validity=Interval(b"\1\0", b"\x1f\xff")), "only another validity"),
    ],
)
def test_with_keys_the_note_tells_what_a_second_delivery_changes(entry: KeyData, hint: str) -> None:
    _, second = reports([delivered(FIRST, 1, TEK), delivered(AGAIN, 2, entry)])
    (note,) = (each for each in second.notes if each.rule == "msk-delivered-again")
    assert note.hint == f"{hint}; delivered before with counter {FIRST.counter}"


def test_a_fault_on_key_data_without_keys_says_what_it_takes() -> None:
    with pytest.raises(FaultError, match="there is no key ring"):
        inject(delivered(), [parse_application("weaken-key")], Context())


def test_no_report_or_object_shows_a_key() -> None:
    context = Context(GO, KEYS, Session())
    shown = []
    for exchange in (delivered(), flipped(delivered(AGAIN, 2))):
        report = inspect(exchange, context)
        step = context.session.look(exchange, KEYS) if context.session is not None else None
        shown += [
            repr(report),
            repr(step),
            repr(step.openings if step else ""),
            *(each.line for each in report.findings),
        ]
    text = "\n".join(shown).lower()
    for secret in (MUK, MRK, FIRST.msk):
        assert secret.hex() not in text
        assert repr(secret).lower()[2:-1] not in text
