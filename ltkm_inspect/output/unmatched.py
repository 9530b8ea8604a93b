"""Messages about selectors that matched nothing: they name what could have been matched."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ltkm_inspect.finding import shorten
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.selection import MOST_NAMED, EventSelection, SelectionMatches, parse_terminal
from ltkm_inspect.wire import time_text

# Types only: a check puts no faults in, and starts faster without this module.
if TYPE_CHECKING:
    from ltkm_inspect.rewriting.rewriter import Rewriter


def unmatched(
    matches: SelectionMatches, selection: EventSelection, wording: Wording = PLAIN, *, has_ring: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield each option with a selector that matched no MSK exchange, and a line that names what there was instead.

    Without a key ring, no terminal has a name.
    """
    for option, text in matches.unmatched(selection):
        if option == "flow":
            seen = " to ".join(dict.fromkeys(map(str, matches.numbers))) or "none"
            yield option, f"no MSK exchange has the number {text}; numbers seen: {seen}"
            continue
        if not text:
            began = " to ".join(
                dict.fromkeys(time_text(each, "seconds") or "at an invalid time" for each in matches.times)
            )
            yield option, f"no MSK exchange began then; the exchanges began {began or 'at unknown times'}"
            continue
        is_terminal = option == "terminal"
        kind = "MSKs" if not is_terminal else "addresses" if parse_terminal(text).address else "terminals"
        shown = wording.terminal(text) if wording.redaction is not None and is_terminal else shorten(text)
        is_name = kind == "terminals" and "@" not in text
        ring = "" if has_ring or not is_name else "; names of terminals come from the key ring: add --keys"
        yield option, f"no MSK exchange matches {shown}; {_present(matches, kind, wording)}{ring}"


def _present(matches: SelectionMatches, kind: str, wording: Wording) -> str:
    found = matches.present.get(kind, {})
    hides = wording.redaction is not None and kind != "MSKs"
    names = [wording.terminal(each) if hides else wording.selector(each, shown) for each, shown in found.items()]
    if not names:
        return f"the exchanges name no {kind}"
    more = " and others" if len(names) > MOST_NAMED else ""
    return f"{kind} seen: {', '.join(names[:MOST_NAMED])}{more}"


def unmatched_orders(rewriting: "Rewriter", wording: Wording = PLAIN) -> Iterator[tuple[str, str]]:
    """Yield the same of the orders on faults, the filter among them."""
    yield from unmatched(rewriting.matches, rewriting.orders.events, wording)
    if rewriting.orders.filter and not rewriting.filtered:
        shown = shorten(rewriting.orders.filter) if wording.redaction is None else "(not shown)"
        yield "filter", f"no MSK exchange matches {shown}"
