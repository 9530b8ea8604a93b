"""Why nothing in a log matches: the most likely reason, in one line."""

from collections.abc import Callable, Iterable, Sequence

from ltkm_inspect.finding import shorten
from ltkm_inspect.matching.pairing import LogMatch
from ltkm_inspect.wire import printable

_NAMED = 2
"""How many values of each side are named."""


def reason_of(match: LogMatch, shown: Callable[[str], str]) -> str:
    """Return the reason why no row is a delivery in the captures; `shown` hides B-TIDs if they are to be hidden."""
    log, deliveries = match.log, match.deliveries.found
    if not deliveries:
        return "the captures have no LTKM on its way to a terminal"
    b_tids: dict[object, str] = {
        each.name: shown(text) for each, text in zip(log.known_subjects, log.b_tids, strict=True)
    }
    sides: Sequence[tuple[str, str, dict[object, str], dict[object, str], str]] = (
        (
            "b_tid",
            "B-TID",
            b_tids,
            {each.subject.name: each.b_tid for each in deliveries},
            "a B-TID changes with each bootstrapping; does the log have other terminals, or is it another column?",
        ),
        (
            "msk",
            "MSK ID",
            {each.msk: _hex(each.msk) for each in log.known_subjects},
            {each.subject.msk: _hex(each.subject.msk) for each in deliveries},
            "is it another column, or spelled in another way?",
        ),
        (
            "ts",
            "TS",
            {value: str(value) for value in {*log.values}},
            {ts: str(ts) for each in deliveries for ts in (each.ts, each.seconds)},
            "is it another column?",
        ),
    )
    for column, name, ours, theirs, question in sides:
        theirs.pop(None, None)
        if column in log.columns and not ours.keys() & theirs.keys():
            there = f"the log has {_some(ours.values())}, the captures {_some(theirs.values())}"
            how = f" (read as {log.readings.names(log.columns).get(column)})" if column != "b_tid" else ""
            return f"no {name} of the log{how} is in the captures: {there}; {question}"
    if match.near_rows:
        apart = sorted(near.apart for near in match.near_rows.values())
        return (
            f"the times of equal deliveries are {apart[0]:.0f} to {apart[-1]:.0f} seconds from where they should be: "
            f"is it another column? A larger --window allows that"
        )
    names = [name for column, name, *_ in sides if column in log.columns]
    return f"{', '.join(names)} of the log are in the captures, but never together: are they of another run?"


def _some(values: Iterable[str]) -> str:
    found = [*values]
    shown = [shorten(each, 60) for each in found[:_NAMED]]
    return ", ".join(shown) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "") if found else "none"


def _hex(octets: bytes | None) -> str:
    return "none" if octets is None else printable(octets.hex())
