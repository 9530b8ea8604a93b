"""A datagram is an event like an exchange: the rules on what it carries are run, and no others."""

from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import Injection, injected, inspect
from ltkm_inspect.fault import FaultError, parse_application
from ltkm_inspect.finding import Answer, Report
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mikey import Message
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.report import text
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import DeliveredLtkm, KeyedEvent, OpenedLtkm, SentDatagram, Session
from ltkm_inspect.traffic import Datagram, Direction, Exchange, Limits, Ltkm

KEYS = reference.KEYS
FIRST, AGAIN = (exchange.ltkms[0].octets or b"" for exchange in reference.reference("renewal"))


def push(octets: bytes = FIRST, at: float = 0) -> Datagram:
    began = reference.STARTED + at
    return Datagram(octets, id="push", client="192.0.2.1:2269", server="198.51.100.1:2269", started=began, ended=began)


def rules_on(*subjects: type) -> set[str]:
    return {rule.id for rule in RULES.values() if rule.on in subjects}


def answered(report: Report) -> set[str]:
    """Return the rules that had a subject."""
    nothing = ("the exchange has no ", "the datagram has no ", "a datagram is not ", "an LTKM in a datagram is not ")
    return {id for id, outcome in report.outcomes.items() if not outcome.reason.startswith(nothing)}


def test_a_clean_push_trips_no_rule_with_keys_and_without() -> None:
    for keys in (KeyRing(), KEYS):
        report = inspect(push(), Context(keys=keys))
        assert report.findings == ()
        assert (report.items, report.ltkms) == (0, 1)


def test_the_rules_on_what_a_datagram_carries_are_run_and_no_others() -> None:
    report = inspect(push(), Context(keys=KEYS))
    payloads = {type(payload) for payload in report.event.ltkms[0].message.payloads}  # type: ignore[union-attr]
    carried = rules_on(KeyedEvent, SentDatagram, Ltkm, Message, DeliveredLtkm, OpenedLtkm, *payloads)
    assert answered(report) == carried
    assert rules_on(Exchange).isdisjoint(carried)
    assert report.outcomes["timestamp-not-counter"].answer is Answer.PASSED
    assert report.outcomes["mac-invalid"].answer is Answer.PASSED


def test_what_is_wrong_is_found_in_the_octets_of_the_message() -> None:
    report = inspect(push(bytes((9,)) + FIRST[1:]))
    assert [finding.rule for finding in report.findings] == ["version-unsupported"]
    (finding,) = report.findings
    assert (finding.span_of, finding.place.item, finding.place.ltkm) == ("message", None, 1)


def test_a_push_and_a_response_are_one_session() -> None:
    context = Context(session=Session())
    first, second = reference.reference("renewal")
    assert inspect(push(AGAIN, at=-60), context).findings == ()
    assert "counter-backward" in list(inspect(first, context).rules)
    assert "ltkm-replayed" in list(inspect(second, context).rules)


def test_what_a_terminal_sends_is_no_delivery() -> None:
    report = inspect(replace(push(), direction=Direction.FROM_TERMINAL))
    assert answered(report).isdisjoint(rules_on(DeliveredLtkm))


def test_a_limit_holds_for_a_datagram() -> None:
    report = inspect(replace(push(), limits=Limits(payloads=2)))
    assert [finding.rule for finding in report.findings] == ["not-checked-in-full"]


@pytest.mark.parametrize("octets", [b"", b"\0", b"no message", FIRST[:-1], FIRST + b"\0" * 40])
def test_no_datagram_makes_the_inspection_fail(octets: bytes) -> None:
    rules = set(inspect(push(octets), Context(session=Session(), keys=KEYS)).rules)
    assert rules.isdisjoint({"rule-crashed", "event-crashed"})


def put(fault: str, keys: bool = True) -> Injection[Datagram]:
    return injected(push(), [parse_application(fault)], Context(keys=KEYS) if keys else None)


@pytest.mark.parametrize("fault", ["shorten-rand", "replace-subtype", "empty-bcast"])
def test_a_fault_in_a_message_is_put_into_a_datagram(fault: str) -> None:
    done = put(fault)
    assert inspect(done.after, Context(keys=KEYS)).findings
    assert [str(edit) for edit in done.edits] == [
        f"LTKM 1: replaced octets 0–{len(FIRST) - 1} of the message with {len(done.after.octets)} octets"
    ]


def test_the_mac_of_a_changed_datagram_is_made_anew() -> None:
    done = put("shorten-rand")
    assert inspect(done.after, Context(keys=KEYS)).outcomes["mac-invalid"].answer is Answer.PASSED
    assert [each.part for each in put("shorten-rand", keys=False).unsealed] == ["MAC"]


@pytest.mark.parametrize("fault", ["strip-ltkm", "repeat-ltkm", "rename-ltkm"])
def test_a_fault_in_a_document_finds_nothing_in_a_datagram(fault: str) -> None:
    with pytest.raises(FaultError, match="the datagram has no"):
        put(fault)


def test_its_report_has_lines_and_shows_no_terminal_where_it_is_redacted() -> None:
    report = inspect(push(bytes((9,)) + FIRST[1:]))
    heading, line = text.lines(report)
    assert "UDP other datagram 198.51.100.1:2269 -> 192.0.2.1:2269: 1 LTKM" in heading
    assert "version-unsupported" in line
    redactor = Redaction().redactor(report.event)
    shown = "\n".join(text.lines(report, redactor))
    assert "192.0.2.1" not in shown
    assert reference.B_TID not in redactor.text(f"for {reference.B_TID}")
