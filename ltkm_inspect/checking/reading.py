"""What an open file holds, in order: MSK exchanges, other flows, damage; mitmproxy reads what is unusual."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ltkm_inspect.capture import (
    CandidateRecord,
    CaptureSource,
    Damage,
    DamagedEvent,
    SkippedFlows,
    exchange_of,
    har,
    scan,
)
from ltkm_inspect.traffic import Exchange, Limits

type Held = Exchange | SkippedFlows | Damage | DamagedEvent
"""The exchanges and damage in a file, in order."""


def exchanges(source: CaptureSource, name: str, limits: Limits) -> Iterator[Held]:
    """Yield every MSK exchange of a file of that name just opened, what was passed between them, and damage."""
    if source.is_har:
        for each in har.exchanges(source.read, limits, name):
            yield SkippedFlows(1, 0) if isinstance(each, Exchange) and not each.is_ours else each
    else:
        size = source.size if source.is_plain else None
        yield from read(scan(source.read, size=size), name, limits)


def read(found: Iterable[CandidateRecord | Held], name: str, limits: Limits) -> Iterator[Held]:
    """Yield the exchanges that a scan of the file of that name found, and what is damaged.

    A record of another format ends it, as all that follow may be of that one.
    """
    flows = 0
    for each in found:
        held = _exchange(each, flows, name, limits) if isinstance(each, CandidateRecord) else each
        yield held
        if isinstance(held, Damage) and isinstance(each, CandidateRecord):
            return
        flows += held.flows if isinstance(held, SkippedFlows) else 1


def numbered[H](found: Iterable[H], before: int = 0) -> Iterator[tuple[int, H]]:
    """Yield what a file holds with its ordinal among all flows of it, `before` of which came earlier."""
    for held in found:
        yield before + 1, held
        if isinstance(held, SkippedFlows):
            before += held.flows
        else:  # what follows damage is another file of the same name
            before = 0 if isinstance(held, Damage) else before + 1


def _exchange(candidate: CandidateRecord, flows: int, name: str, limits: Limits) -> Held:
    if candidate.current:
        try:
            exchange = exchange_of(candidate.record, limits, capture=name)
        except (ValueError, LookupError, RecursionError):
            pass  # not as mitmproxy writes it: whether it is a flow nevertheless, only mitmproxy can tell
        else:
            return exchange or SkippedFlows(1, candidate.end)
    from ltkm_inspect.mitm import reading

    found = reading.record(candidate, flows, limits)
    if not isinstance(found, tuple):
        return found
    return SkippedFlows(1, candidate.end) if found[1] is None else replace(found[1], capture=name)
