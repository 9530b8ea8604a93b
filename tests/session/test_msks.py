"""What one MSK is delivered with: to one terminal or two, within the hours that count and beyond."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Finding, Level, Report
from ltkm_inspect.keys import KeyRing, key_check_value
from ltkm_inspect.reference import FIRST, KEYS, OTHER_TERMINAL, SECOND, STARTED, STREAMING, TERMINAL, Grant
from ltkm_inspect.session import Session, SessionSettings
from ltkm_inspect.traffic import Exchange

HOUR = 3600.0
ONE, TWO = TERMINAL, OTHER_TERMINAL
OLD_KEY, NEW_KEY = FIRST.msk, bytes(range(0xB0, 0xC0))
OLD, NEW = (f"the key with check value {key_check_value(key)}" for key in (OLD_KEY, NEW_KEY))
OTHER_RAND = bytes(range(16))


class Trial:
    """Deliveries to two terminals, each with the next counter and nonce count."""

    def __init__(self, keys: KeyRing = KEYS, settings: SessionSettings | None = None) -> None:
        self.context = Context(Settings(debug=True), keys, Session(settings))
        self.number = 0

    def deliver(self, who: reference.ReferenceTerminal, grant: Grant = FIRST, **changes: Any) -> Report:
        """Return the report of a delivery, `at` so many seconds into the trial."""
        self.number += 1
        at = changes.pop("at", 600.0 * self.number)
        sent = replace(grant, **{"counter": 40 + self.number, "csb_id": 0x1000 + self.number, **changes})
        return inspect(self.exchange(who, sent, at), self.context)

    def exchange(self, who: reference.ReferenceTerminal, sent: Grant, at: float) -> Exchange:
        items = [(sent, "200 OK", reference.ltkm(sent, who))]
        id = str(self.number)
        return reference.exchange([sent.msk_id], items, terminal=who, nc=self.number, at=at, id=id)


def rules(reports: Iterable[Report]) -> list[list[tuple[str, Level]]]:
    return [[(finding.rule, finding.level) for finding in report.findings] for report in reports]


def noted(report: Report, rule: str) -> list[Finding]:
    return [note for note in report.notes if note.rule == rule]


W, V = Level.WARNING, Level.VIOLATION


@pytest.mark.parametrize("other", [ONE, TWO], ids=["the same terminal", "another terminal"])
def test_the_first_rand_stays_the_reference(other: reference.ReferenceTerminal) -> None:
    trial = Trial(KeyRing())
    said = [
        trial.deliver(ONE),
        trial.deliver(other, rand=OTHER_RAND),
        trial.deliver(ONE),
        trial.deliver(other, rand=OTHER_RAND),
    ]
    assert rules(said) == [[], [("rand-changed", W)], [], [("rand-changed", W)]]


@pytest.mark.parametrize(("csb_id", "hint"), [(0x1001, "the CSB ID is the same"), (0x2002, "")])
def test_another_rand_with_the_same_csb_id_is_said_to_be_so(csb_id: int, hint: str) -> None:
    trial = Trial()
    trial.deliver(ONE, csb_id=0x1001)
    (finding,) = trial.deliver(TWO, rand=OTHER_RAND, csb_id=csb_id).findings
    assert (finding.rule, finding.hint) == ("rand-changed", hint)


CHANGES: dict[str, Any] = {"rand-changed": {"rand": OTHER_RAND}, "msk-key-changed": {"msk": NEW_KEY}}


@pytest.mark.parametrize("rule", CHANGES)
@pytest.mark.parametrize(
    ("hours", "apart", "is_broken"), [(24.0, 24.0, True), (24.0, 24.1, False), (48.0, 24.1, True), (1.0, 1.1, False)]
)
def test_deliveries_are_compared_for_some_hours(rule: str, hours: float, apart: float, is_broken: bool) -> None:
    trial = Trial(settings=SessionSettings(msk_hours=hours))
    trial.deliver(ONE, at=0)
    report = trial.deliver(TWO, at=apart * HOUR, **CHANGES[rule])
    assert [*report.rules] == ([rule] if is_broken else [])


def test_a_reference_counts_as_long_as_it_is_delivered_and_a_bad_one_takes_its_place_afterwards() -> None:
    trial = Trial()
    said = [trial.deliver(ONE, at=hour * HOUR) for hour in (0, 20)]
    said += [trial.deliver(TWO, at=hour * HOUR, rand=OTHER_RAND) for hour in (40, 43, 66)]
    assert rules(said) == [[], [], [("rand-changed", W)], [("rand-changed", W)], []]


def with_another_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the BSM send another policy from here on."""
    changed = [(number, "0063" if number == 13 else value) for number, value in reference.STREAMING_POLICY]
    monkeypatch.setattr(reference.exchanges, "STREAMING_POLICY", tuple(changed))


@pytest.mark.parametrize("other", [ONE, TWO], ids=["the same terminal", "another terminal"])
def test_another_policy_of_one_msk_is_a_warning_whoever_gets_it(
    other: reference.ReferenceTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial()
    trial.deliver(ONE, STREAMING)
    with monkeypatch.context() as patch:
        with_another_policy(patch)
        bad = trial.deliver(other, STREAMING)
    good = trial.deliver(ONE, STREAMING)
    assert rules([bad, good]) == [[("policy-changed", W)], []]


def test_a_new_msk_with_a_new_policy_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial()
    trial.deliver(ONE, STREAMING)
    with_another_policy(monkeypatch)
    report = trial.deliver(TWO, STREAMING, msk_id=b"\x24\xcb\x44\x01", rand=OTHER_RAND)
    (note,) = noted(report, "policy-renewed")
    assert (note.got, note.hint) == ("0063 instead of 000a for parameter 13", "the previous MSK ID is 24cb4400")
    assert rules([report]) == [[]]


def test_a_key_that_is_replaced_is_a_warning_once_and_one_that_comes_back_a_violation() -> None:
    trial = Trial()
    order = [(ONE, OLD_KEY), (TWO, NEW_KEY), (ONE, NEW_KEY), (TWO, NEW_KEY), (TWO, OLD_KEY), (ONE, NEW_KEY)]
    said = [trial.deliver(who, msk=key) for who, key in order]
    key = "msk-key-changed"
    assert rules(said) == [[], [(key, W)], [], [], [(key, V)], [(key, V)]]
    first, second = said[1].findings[0], said[4].findings[0]
    assert (first.expected, first.got) == (f"{OLD} as before", NEW)
    assert (second.expected, second.got) == (f"{NEW} as before", OLD)
    for secret in (OLD_KEY, NEW_KEY):
        assert secret.hex() not in first.line


def test_a_delivery_that_was_overtaken_brings_no_key_back() -> None:
    trial = Trial()
    late = [(TWO, NEW_KEY, 7200.0), (ONE, OLD_KEY, 600.0), (ONE, OLD_KEY, 1200.0), (TWO, NEW_KEY, 7300.0)]
    said = [trial.deliver(who, msk=key, at=at, counter=40 + int(at)) for who, key, at in late]
    assert rules(said) == [[], [("msk-key-changed", W)], [], []]


def test_without_keys_nothing_is_said_of_a_key() -> None:
    trial = Trial(KeyRing())
    assert rules([trial.deliver(ONE), trial.deliver(TWO, msk=NEW_KEY)]) == [[], []]


def test_a_message_whose_mac_fails_delivers_nothing_to_compare_with() -> None:
    trial = Trial()
    trial.deliver(ONE)
    forged = replace(ONE, muk=bytes(32))
    assert "mac-invalid" in trial.deliver(forged, rand=OTHER_RAND, msk=NEW_KEY, msk_id=SECOND.msk_id).rules
    assert rules([trial.deliver(TWO, SECOND)]) == [[]]


def test_another_validity_for_another_terminal_is_a_note() -> None:
    trial = Trial()
    trial.deliver(ONE)
    same, other = trial.deliver(TWO), trial.deliver(ONE, seq_u=b"\x1f\xff")
    assert not noted(same, "validity-unlike")
    (note,) = noted(other, "validity-unlike")
    assert (note.got, note.hint) == ("SEQ 0000 to 1fff", "SEQ 0000 to 0fff for another terminal")
    again = trial.deliver(ONE, seq_u=b"\x2f\xff")
    assert not noted(again, "validity-unlike")  # an update for the same terminal


@pytest.mark.parametrize(("csb_id", "is_noted"), [(0x1001, False), (0x1002, True)])
def test_one_rand_for_two_msks_is_a_note_where_the_csb_ids_differ(csb_id: int, is_noted: bool) -> None:
    trial = Trial(KeyRing())
    trial.deliver(ONE, csb_id=0x1001)
    report = trial.deliver(TWO, SECOND, rand=FIRST.rand, csb_id=csb_id)
    assert [note.got for note in noted(report, "rand-shared")] == [
        "also used for MSK ID 24cb4400 of Key Domain b8709d"
    ] * is_noted
    assert rules([report]) == [[]]


def test_two_keys_of_one_msk_in_one_document_are_compared() -> None:
    first, second = (
        replace(FIRST, counter=50 + n, csb_id=n, rand=rand) for n, rand in enumerate((FIRST.rand, OTHER_RAND))
    )
    items = [(grant, "200 OK", reference.ltkm(grant)) for grant in (first, second)]
    report = inspect(reference.exchange([FIRST.msk_id], items), Context(Settings(debug=True), session=Session()))
    assert "rand-changed" in report.rules


@pytest.mark.parametrize(("rand", "is_broken"), [(bytes(16), True), (b"\x41" * 20, True), (bytes(15) + b"\1", False)])
def test_a_rand_of_equal_octets_is_a_warning(rand: bytes, is_broken: bool) -> None:
    assert rules([Trial(KeyRing()).deliver(ONE, rand=rand)]) == [[("rand-constant", W)] if is_broken else []]


def test_a_replay_brings_no_key_back_for_the_deliveries_after_it() -> None:
    trial = Trial()
    trial.number = 1
    old = trial.exchange(ONE, replace(FIRST, counter=41), 0)
    inspect(old, trial.context)
    trial.deliver(ONE, at=HOUR, msk=NEW_KEY)
    later = replace(old, started=STARTED + 2 * HOUR, ended=STARTED + 2 * HOUR)
    again = inspect(replace(later, id="again", client="192.0.2.10:50009", connection="b"), trial.context)
    assert "ltkm-replayed" in again.rules
    assert trial.deliver(TWO, at=3 * HOUR, msk=NEW_KEY).findings == ()


def test_an_ltkm_that_the_terminal_discards_brings_no_old_key_back() -> None:
    trial = Trial()
    trial.deliver(ONE, msk=OLD_KEY, counter=41)
    trial.deliver(ONE, msk=NEW_KEY, counter=42)
    discarded = trial.deliver(ONE, msk=OLD_KEY, counter=41)
    after = trial.deliver(ONE, msk=NEW_KEY, counter=43)
    again = trial.deliver(ONE, msk=OLD_KEY, counter=44)
    key_rule = "msk-key-changed"
    said = [[level for rule, level in found if rule == key_rule] for found in rules([discarded, after, again])]
    assert said == [[], [], [V]]
