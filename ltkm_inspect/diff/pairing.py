"""Which exchange of one capture is to be compared with which of the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ltkm_inspect.diff.facts import msk_name
from ltkm_inspect.export.entry import b_tid
from ltkm_inspect.finding import Report


@dataclass(frozen=True, slots=True)
class CapturedExchange:
    """An exchange of a capture, with whose it is and what it asks for."""

    report: Report = field(repr=False)
    terminal: str
    """B-TID of the exchange, or that of the other exchanges on its connection; empty where there is none."""
    asked: tuple[str, ...]
    """The MSKs that it asks for, or is answered with, in order."""
    authenticated: bool


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
        owners.setdefault(report.exchange.connection, set()).add(b_tid(report.exchange))
    return [_step(report, owners) for report in kept]


def _step(report: Report, owners: dict[str, set[str]]) -> CapturedExchange:
    exchange = report.exchange
    terminal = b_tid(exchange)
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
    waiting: dict[tuple[object, ...], list[CapturedExchange]] = {}
    for step in reversed(b):
        waiting.setdefault(_key(step, common), []).append(step)
    seen: dict[tuple[object, ...], int] = {}
    pairs, taken = [], set[int]()
    for step in a:
        key = _key(step, common)
        seen[key] = seen.get(key, 0) + 1
        others = waiting.get(key)
        other = others.pop() if others else None
        taken.add(id(other))
        pairs.append(ExchangePair(step, other, seen[key], step.terminal in common))
    for step in b:
        if id(step) not in taken:
            key = _key(step, common)
            seen[key] = seen.get(key, 0) + 1
            pairs.append(ExchangePair(None, step, seen[key], step.terminal in common))
    return pairs


def _key(step: CapturedExchange, common: set[str]) -> tuple[object, ...]:
    terminal = step.terminal if step.terminal in common else None
    return terminal, step.authenticated, tuple(sorted(step.asked))
