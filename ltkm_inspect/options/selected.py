"""The options that select exchanges: by the terminal, by the keys, by the time, and by the number of the flow."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from ltkm_inspect import selection
from ltkm_inspect.options.words import OptionError, blaming
from ltkm_inspect.selection import EventSelection, parse_terminals
from ltkm_inspect.wire import printable


def event_selection(
    msks: Iterable[str] = (), terminals: Iterable[str] = (), flows: Iterable[str] = (), since: str = "", until: str = ""
) -> EventSelection:
    """Return the selection that these words ask for; OptionError says which of them means nothing."""
    with blaming("msk", selection.SelectionError):
        keys = selection.parse_selection(re.sub("0[xX]", "", text) for text in msks)  # as tables have it
    with blaming("flow", selection.SelectionError):
        numbers = selection.parse_flow_numbers(flows)
    begin, end = _time("since", since), _time("until", until)
    if begin is not None and end is not None and begin > end:
        raise OptionError("until", f"expected a time after --since, got {printable(until)}")
    return EventSelection(keys, parse_terminals(terminals), begin, end, numbers)


def _time(option: str, text: str) -> float | None:
    """Return a time in seconds since 1970 UTC; None for an empty text. Without a zone it is UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise OptionError(option, f"expected a time like 2009-10-28T08:00:00Z, got {printable(text)}") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
