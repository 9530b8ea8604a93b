"""Law 4: clean references trip nothing, every fault trips what it declares and no more, every rule has its fault."""

from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.exchange import Exchange
from ltkm_inspect.fault import FAULTS, Application
from ltkm_inspect.finding import Answer, Level, Problem
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.rule import RULES

load()
SETTINGS = Settings(debug=True)
KEYS = {"with keys": reference.KEYS, "without keys": KeyRing()}


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("name", reference.REFERENCES)
def test_a_clean_reference_trips_no_rule(name: str, keys: str) -> None:
    for exchange in reference.reference(name):
        report = inspect(exchange, Context(SETTINGS, KEYS[keys]))
        assert [finding.line for finding in report.findings] == []


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_trips_the_rules_it_declares_and_no_others(id: str, keys: str) -> None:
    fault = FAULTS[id]
    context = Context(SETTINGS, KEYS[keys])
    damaged = inject(reference.reference(fault.reference)[-1], [Application(fault)], context)
    report = inspect(damaged, context)
    assert set(report.rules) == fault.trips, [finding.line for finding in report.findings]
    for rule in fault.trips:
        assert report.outcomes[rule].answer is Answer.BROKEN


FINDINGS = [rule.id for rule in RULES.values() if rule.level is not Level.NOTE]


@pytest.mark.parametrize("id", FINDINGS)
def test_every_rule_but_a_note_is_tripped_by_a_fault(id: str) -> None:
    assert [fault.id for fault in FAULTS.values() if id in fault.trips]


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_names_a_reference_and_rules_that_exist(id: str) -> None:
    fault = FAULTS[id]
    assert fault.reference in reference.REFERENCES
    assert fault.trips
    assert fault.trips <= set(RULES)


@pytest.mark.parametrize("id", FINDINGS)
@pytest.mark.parametrize("fires", [False, True], ids=["never", "always"])
def test_the_loop_notices_a_rule_that_fires_never_or_always(
    id: str, fires: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(subject: object, context: Context) -> object:
        return iter([Problem("", "mutant")] if fires else [])

    mutant = replace(RULES[id], check=check, needs=())  # type: ignore[arg-type]
    monkeypatch.setitem(RULES, id, mutant)
    assert _loop_breaks(id)


def _loop_breaks(id: str) -> bool:
    """Whether some reference or fault no longer gives what is declared; the one rule is run alone, to be quick."""
    context = Context(Settings(debug=True, select=frozenset({id})))
    for name in reference.REFERENCES:
        if any(id in inspect(exchange, context).rules for exchange in reference.reference(name)):
            return True
    return any((id in set(inspect(damaged, context).rules)) != (id in trips) for damaged, trips in _damaged())


def _damaged() -> list[tuple[Exchange, frozenset[str]]]:
    if not _DAMAGED:
        for fault in FAULTS.values():
            exchange = inject(reference.reference(fault.reference)[-1], [Application(fault)], Context(SETTINGS))
            _DAMAGED.append((exchange, fault.trips))
    return _DAMAGED


_DAMAGED: list[tuple[Exchange, frozenset[str]]] = []
