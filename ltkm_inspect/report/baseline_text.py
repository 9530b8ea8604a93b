"""The entries of a baseline in words, from the records of a run."""

from collections.abc import Iterable, Mapping
from typing import Any

from ltkm_inspect.wire import count, inert

_ENTRY_WORDS = {"terminal": "terminal", "msk": "MSK", "field": "field"}


def entry_text(entry: Mapping[str, Any]) -> str:
    """Return an entry of the baseline in words, safe to print, with the line of its file if that is known."""
    named = [f"{word} {entry[part]}" for part, word in _ENTRY_WORDS.items() if entry[part] is not None]
    at = f"line {entry['line']}: " if entry["line"] else ""
    return inert(f"{at}{', '.join([str(entry['rule']), *named])}")


def idle_text(entry: Mapping[str, Any]) -> str:
    """Return why an entry of the baseline accepts nothing; empty if it does."""
    if entry["expired"]:
        fits = count(entry["findings"], "finding") + (" fits" if entry["findings"] == 1 else " fit")
        return (
            f"{entry_text(entry)}: expired on {inert(str(entry['expires']))}, so it accepts nothing any more ({fits})"
        )
    return "" if entry["findings"] else f"{entry_text(entry)}: no finding fits"


def entry_key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what distinguishes an entry from others: which findings it is about."""
    return tuple(entry[part] for part in ("rule", *_ENTRY_WORDS))


def entries_since(entries: Iterable[Mapping[str, Any]], earlier: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return entries with the findings that came after an earlier state of them."""
    before = {entry_key(entry): entry["findings"] for entry in earlier}
    return [{**entry, "findings": entry["findings"] - before.get(entry_key(entry), 0)} for entry in entries]
