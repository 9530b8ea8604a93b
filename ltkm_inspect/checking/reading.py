"""What an open file holds, in order: MSK exchanges, other flows, damage; mitmproxy reads what is unusual."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ltkm_inspect.capture import Candidate, Damage, Passed, Source, exchange_of, scan
from ltkm_inspect.capture.damage import PackedError
from ltkm_inspect.exchange import Exchange, Limits

type Held = Exchange | Passed | Damage
"""What stands in a file, one after the other."""


def exchanges(source: Source, name: str, limits: Limits) -> Iterator[Held]:
    """Yield every MSK exchange of a file of that name just opened, what was passed between them, and damage."""
    if source.is_har:
        yield from _har(source, name, limits)
    else:
        size = source.size if source.is_plain else None
        yield from read(scan(source.read, size=size), name, limits)


def read(found: Iterable[Candidate | Held], name: str, limits: Limits) -> Iterator[Held]:
    """Yield the exchanges that a scan of the file of that name found.

    A record that cannot be read ends it, as nobody knows what follows.
    """
    flows = 0
    for each in found:
        held = _exchange(each, flows, name, limits) if isinstance(each, Candidate) else each
        yield held
        if isinstance(held, Damage) and isinstance(each, Candidate):
            return
        flows += held.flows if isinstance(held, Passed) else 1


def _exchange(candidate: Candidate, flows: int, name: str, limits: Limits) -> Held:
    if candidate.current:
        try:
            exchange = exchange_of(candidate.record, limits, capture=name)
        except (ValueError, LookupError, RecursionError):
            pass  # not as mitmproxy writes it: whether it is a flow nevertheless, only mitmproxy can tell
        else:
            return exchange or Passed(1, candidate.end)
    from ltkm_inspect.proxy import reading

    read = reading.record(candidate.record, limits)
    if isinstance(read, str):
        return Damage(candidate.offset, read, flows)
    return Passed(1, candidate.end) if read is None else replace(read, capture=name)


def _har(source: Source, name: str, limits: Limits) -> Iterator[Held]:
    from ltkm_inspect.proxy import reading

    octets = bytearray()
    try:
        while piece := source.read(1 << 20):
            octets += piece
    except PackedError as error:
        yield Damage(len(octets), str(error), 0)
        return
    for each in reading.har(bytes(octets), limits):
        yield Passed(1, 0) if each is None else replace(each, capture=name) if isinstance(each, Exchange) else each
