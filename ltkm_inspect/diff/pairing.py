"""Which exchange or datagram of one capture is to be compared with which of the other."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from ltkm_inspect.diff.facts import msk_name
from ltkm_inspect.finding import Report
from ltkm_inspect.traffic import Datagram, DatagramKind, Exchange


@dataclass(frozen=True, slots=True)
class CapturedExchange:
    """An exchange of a capture, with whose it is and what it asks for."""

    report: Report = field(repr=False)
    terminal: str
    """B-TID of the exchange, or that of the other exchanges on its connection; empty where there is none."""
    asked: tuple[str, ...]
    """The MSKs that it asks for, or is answered with, in order."""
    authenticated: bool
    datagram: DatagramKind | None = None
    """The kind of a datagram; None for an exchange."""


@dataclass(frozen=True, slots=True)
class ExchangePair:
    """Two exchanges that are one step of the procedure; None where a capture has no such."""

    a: CapturedExchange | None
    b: CapturedExchange | None
    number: int
    """Which of several alike, from 1."""
    by_terminal: bool
    """They have the same B-TID; else they were paired by MSK ID and order alone."""


def steps(reports: Iterable[Report]) -> list[CapturedExchange]:
    """Return the exchanges of a capture as steps."""
    kept = list(reports)
    owners: dict[str, set[str]] = {}
    for report in kept:
        if isinstance(report.event, Exchange):
            owners.setdefault(report.event.connection, set()).add(report.event.b_tid)
    return [_step(report, owners) for report in kept]


def _step(report: Report, owners: dict[str, set[str]]) -> CapturedExchange:
    if isinstance(report.event, Datagram):
        datagram = report.event
        pair = datagram.message.pair if datagram.message is not None else None
        return CapturedExchange(report, datagram.idr, () if pair is None else (msk_name(pair),), True, datagram.kind)
    exchange = report.exchange
    terminal = exchange.b_tid
    if not terminal and exchange.connection:
        known = owners[exchange.connection] - {""}
        terminal = known.pop() if len(known) == 1 else ""
    document = exchange.document
    answered = [pair for pair in document.pairs if pair is not None] if document is not None else []
    asked = tuple(map(msk_name, exchange.requested_pairs or answered))
    return CapturedExchange(report, terminal, asked, exchange.credentials is not None)


def paired(a: Sequence[CapturedExchange], b: Sequence[CapturedExchange]) -> list[ExchangePair]:
    """Pair the steps of two captures: by terminal and MSKs, and of several alike by order.

    A B-TID changes at each bootstrapping, so a terminal that is in one capture only may be any of the other: its
    exchanges are paired by MSKs and order. Steps of A come in their order, then those that only B has.
    """
    common = {step.terminal for step in a} & {step.terminal for step in b} - {""}
    alike: defaultdict[tuple[object, ...], tuple[list[CapturedExchange], list[CapturedExchange]]]
    alike = defaultdict(lambda: ([], []))
    for side, found in enumerate((a, b)):
        for step in found:
            alike[_key(step, common)][side].append(step)
    pairs = [
        ExchangePair(first, second, number, (first or second).terminal in common)
        for sides in alike.values()
        for number, (first, second) in enumerate(zip_longest(*sides), 1)
    ]
    order = {id(step): index for index, step in enumerate((*a, *b))}
    return sorted(pairs, key=lambda pair: order[id(pair.a or pair.b)])


def _key(step: CapturedExchange, common: set[str]) -> tuple[object, ...]:
    terminal = step.terminal if step.terminal in common else None
    return terminal, step.authenticated, step.datagram, tuple(sorted(step.asked))
