"""Law 4: clean references trip nothing, every fault trips what it declares and no more, every rule has its fault."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest

from ltkm_inspect import reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError
from ltkm_inspect.finding import Answer, Level, Problem, Report
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import OpenedLtkm, Session
from ltkm_inspect.traffic import Event, Exchange, Headers

load()
SETTINGS = Settings(debug=True)
KEYS = {"with keys": reference.KEYS, "without keys": KeyRing()}
NAMES = [*reference.REFERENCES, *reference.DATAGRAM_REFERENCES]
FINDINGS = [rule.id for rule in RULES.values() if rule.level is not Level.NOTE]


def reports(events: Iterable[Event], context: Context) -> list[Report]:
    """Inspect events as one session, in their order."""
    context = replace(context, session=Session())
    return [inspect(event, context) for event in events]


def informed_late(exchange: Event) -> Event:
    """Return the exchange with its Authentication-Info in the trailer, where RFC 7615 allows it as well."""
    response = exchange.response if isinstance(exchange, Exchange) else None
    if response is None or response.authentication_info_text is None:
        return exchange
    assert isinstance(exchange, Exchange)
    info = Headers(((b"Authentication-Info", response.authentication_info_text.encode()),))
    return replace(exchange, response=replace(response.without_info(), trailers=info))


@cache
def damaged(id: str, keys: str, *, late: bool = False) -> tuple[Event, ...]:
    """Return the session of a fault: the reference it names, its last event damaged."""
    fault = FAULTS[id]
    *before, last = reference.events(fault.reference)
    context = Context(SETTINGS, KEYS[keys], Session())
    for event in before:
        inspect(event, context)
    return (*before, inject(informed_late(last) if late else last, [Application(fault)], context))


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_clean_reference_trips_no_rule(name: str, keys: str) -> None:
    for report in reports(reference.events(name), Context(SETTINGS, KEYS[keys])):
        assert [finding.line for finding in report.findings] == []


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_trips_the_rules_it_declares_and_no_others(id: str, keys: str) -> None:
    fault = FAULTS[id]
    if fault.on is OpenedLtkm and not KEYS[keys]:
        with pytest.raises(FaultError, match="there is no key ring"):
            damaged(id, keys)
        return
    trips = {rule for rule in fault.trips if KEYS[keys] or not RULES[rule].is_keyed}
    *before, last = reports(damaged(id, keys), Context(SETTINGS, KEYS[keys]))
    assert [finding.line for report in before for finding in report.findings] == []
    assert set(last.rules) == trips, [finding.line for finding in last.findings]
    for rule in trips:
        assert last.outcomes[rule].answer is Answer.BROKEN


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_trips_the_same_where_authentication_info_is_in_the_trailer(id: str) -> None:
    report = reports(damaged(id, "with keys", late=True), Context(SETTINGS, reference.KEYS))[-1]
    assert set(report.rules) == FAULTS[id].trips, [finding.line for finding in report.findings]


@pytest.mark.parametrize("id", [fault.id for fault in FAULTS.values() if fault.reference == "download"])
def test_a_fault_trips_the_same_where_the_terminal_authenticates_by_akma(id: str) -> None:
    context = Context(SETTINGS, reference.KEYS, Session())
    (clean,) = reference.reference("akma")
    report = reports([inject(clean, [Application(FAULTS[id])], context)], context)[-1]
    assert set(report.rules) == FAULTS[id].trips, [finding.line for finding in report.findings]


IN_DATAGRAMS = {"download": "push", "streaming": "streaming-push", "plain-message": "plain-push"}
"""The references that are one LTKM in a response, with the same LTKM in a push."""
OF_EXCHANGES = {
    "bsm-identity-mismatch",
    "terminal-identity-mismatch",
    "key-domain-mismatch",
    "msk-id-mismatch",
    "verification-requested",
}
"""Rules that compare an LTKM with its item or its request, or say that it must not ask for an answer over UDP."""
OF_ANOTHER_KIND = {
    "add-mtk-id": set[str](),  # it is an STKM then
    "replace-data-type": {"verification-malformed"},
    "zero-key-number": {"pull-has-key"},
}
"""The rules that faults break which make another kind of datagram of a push."""


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(
    "id", [fault.id for fault in FAULTS.values() if fault.kind.is_inside and fault.reference in IN_DATAGRAMS]
)
def test_a_fault_in_a_message_trips_the_same_in_a_push(id: str, keys: str) -> None:
    fault, context = FAULTS[id], Context(SETTINGS, KEYS[keys], Session())
    if fault.on is OpenedLtkm and not KEYS[keys]:
        return
    before, clean = reference.events(IN_DATAGRAMS[fault.reference])
    inspect(before, context)
    report = inspect(inject(clean, [Application(fault)], context), context)
    trips = OF_ANOTHER_KIND.get(id, fault.trips - OF_EXCHANGES)
    assert set(report.rules) == {rule for rule in trips if KEYS[keys] or not RULES[rule].is_keyed}


@pytest.mark.parametrize("name", ["push-after-response", "response-after-push", "push-after-push"])
@pytest.mark.parametrize(
    "id", [fault.id for fault in FAULTS.values() if fault.kind.is_inside and fault.reference == "renewal"]
)
def test_a_fault_that_compares_ltkms_trips_the_same_whichever_way_they_come(id: str, name: str) -> None:
    fault, context = FAULTS[id], Context(SETTINGS, reference.KEYS, Session())
    *before, last = reference.events(name)
    for event in before:
        inspect(event, context)
    assert set(inspect(inject(last, [Application(fault)], context), context).rules) == fault.trips


@pytest.mark.parametrize("id", FINDINGS)
def test_every_rule_but_a_note_is_tripped_by_a_fault(id: str) -> None:
    assert [fault.id for fault in FAULTS.values() if id in fault.trips]


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_names_a_reference_and_rules_that_exist(id: str) -> None:
    fault = FAULTS[id]
    assert fault.reference in NAMES
    assert fault.trips
    assert fault.trips <= set(RULES)


@pytest.mark.parametrize("is_keyed", [False, True])
def test_the_loop_holds_for_a_rule_as_it_is(is_keyed: bool) -> None:
    """That it holds for each rule is what the tests above say; here it is how the next test looks at it."""
    assert not loop_breaks(next(id for id in FINDINGS if RULES[id].is_keyed is is_keyed))


@pytest.mark.parametrize("id", FINDINGS)
@pytest.mark.parametrize("fires", [False, True], ids=["never", "always"])
def test_the_loop_notices_a_rule_that_fires_never_or_always(id: str, fires: bool) -> None:
    def check(subject: object, context: Context) -> object:
        return iter([Problem("", "mutant")] if fires else [])

    needs = tuple(need for need in RULES[id].needs if need.keyed)  # what says that it takes keys stays
    mutant = replace(RULES[id], check=check, needs=needs, takes_context=True)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RULES, id, mutant)
        assert loop_breaks(id)


def loop_breaks(id: str) -> bool:
    """Tell whether some reference or fault no longer gives what is declared; the rule is run alone, to be quick.

    Where the rule must fire comes first, then where it must not.
    """
    keys = "with keys" if RULES[id].is_keyed else "without keys"
    context = Context(Settings(debug=True, select=frozenset({id})), KEYS[keys])
    for fault in FAULTS.values():
        if id in fault.trips and id not in tripped(damaged(fault.id, keys), context):
            return True
    if any(id in tripped(reference.events(name), context) for name in NAMES):
        return True
    others = (
        fault for fault in FAULTS.values() if id not in fault.trips and (KEYS[keys] or fault.on is not OpenedLtkm)
    )
    return any(id in tripped(damaged(fault.id, keys), context) for fault in others)


def tripped(events: Iterable[Event], context: Context) -> set[str]:
    """Return the rules that a session breaks."""
    return {rule for report in reports(events, context) for rule in report.rules}
