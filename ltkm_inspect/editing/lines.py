"""The lines that show a document, read as a tree: `name: value`, depth by indentation, lists by dashes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ltkm_inspect.parameter import did_you_mean
from ltkm_inspect.wire import printable

_LINE = re.compile(r"( *)(- )?([A-Za-z_][\w.\[\]-]*):(?: +(.*))?")
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")[ \t]*(.*)')
_LONGEST = 60


class EditError(ValueError):
    """A mistake in the edited text: one line for the user, with the number of the line in the text."""

    def __init__(self, line: int | None, reason: str) -> None:
        self.line = line
        self.reason = reason if reason.isprintable() else printable(reason)  # what is edited may hold anything
        super().__init__(f"line {line}: {self.reason}" if line is not None else self.reason)


@dataclass(eq=False)
class LineTree:
    """One line, and the lines below it."""

    line: int
    """Its number in the text, from 1; 0 for what encloses everything."""
    indent: int
    """The column of its dash, else of its name."""
    key: str
    value: str = ""
    """What decides, as written: quoted text with its quotation marks."""
    note: str = ""
    """The text in brackets after the value, which follows from it."""
    is_item: bool = False
    """It begins with a dash."""
    children: list["LineTree"] = field(default_factory=list)

    def all(self, key: str) -> list["LineTree"]:
        """Return the lines right below that have that name."""
        return [child for child in self.children if child.key == key]

    def one(self, key: str) -> "LineTree | None":
        """Return the line right below that has that name; EditError where there are several."""
        found = self.all(key)
        if len(found) > 1:
            raise EditError(found[1].line, f"{key} is already in line {found[0].line}")
        return found[0] if found else None


@contextmanager
def at(entry: LineTree) -> Iterator[None]:
    """Name the line of an entry in the reason for which something inside cannot be done."""
    try:
        yield
    except EditError:
        raise
    except ValueError as error:
        raise EditError(entry.line, str(error)) from None


def significant(text: str) -> list[str]:
    """Return the lines of a text that are neither blank nor comments, without white space at their ends."""
    lines = (line.rstrip() for line in text.split("\n"))
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def parse(text: str) -> LineTree:
    """Return the tree that the lines of a text make, without comments; EditError names a line that fits nowhere."""
    top = LineTree(0, -2, "")
    open_entries = [top]
    for number, written in enumerate(text.split("\n"), 1):
        line = written.rstrip()
        if not line or line.lstrip().startswith("#"):
            continue
        entry = _entry(line, number)
        while open_entries[-1].indent >= entry.indent:
            open_entries.pop()
        _put_below(open_entries[-1], entry)
        open_entries.append(entry)
    return top


def _entry(line: str, number: int) -> LineTree:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        raise EditError(number, "expected spaces as indentation, got a tab")
    match = _LINE.fullmatch(line)
    if match is None:
        raise EditError(number, f"expected `name: value`, got {_short(line.strip())}")
    spaces, dash, key, rest = match.groups()
    value, note = _value((rest or "").strip(), number)
    return LineTree(number, len(spaces), key, value, note, dash is not None)


def _value(rest: str, number: int) -> tuple[str, str]:
    """Return value and note after the colon, without a comment."""
    if rest.startswith('"'):
        match = _QUOTED.fullmatch(rest)
        if match is None:
            raise EditError(number, "the closing quotation mark is missing")
        value, behind = match.groups()
        if behind and not behind.startswith(("#", "(")):
            raise EditError(number, f"expected nothing after the quoted text, got {_short(behind)}")
        return value, "" if behind.startswith("#") else behind
    if rest.startswith("#"):
        return "", ""
    value, bracket, note = rest.partition("(")
    if not bracket or (value and not value.endswith(" ")):
        value, note = rest, ""
    if " #" in value:
        return value.partition(" #")[0].rstrip(), ""
    return value.rstrip(), bracket + note if note else ""


def _put_below(parent: LineTree, entry: LineTree) -> None:
    siblings = parent.children
    if siblings:
        wanted = siblings[0].indent
    elif parent.is_item or not parent.line:
        wanted = parent.indent + 2
    elif parent.value in ("", "[]"):
        wanted = entry.indent
    else:
        raise EditError(entry.line, f"wrong indentation: expected at most {parent.indent} spaces, got {entry.indent}")
    if entry.indent != wanted:
        raise EditError(entry.line, f"wrong indentation: expected {wanted} spaces, got {entry.indent}")
    if siblings and siblings[0].is_item != entry.is_item:
        raise EditError(entry.line, f"expected {'a' if siblings[0].is_item else 'no'} dash, like the lines next to it")
    siblings.append(entry)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def require_names(entry: LineTree, names: Iterable[str], where: str = "") -> None:
    """Raise EditError for a line right below that has none of these names."""
    known = sorted(names)
    for child in entry.children:
        if child.key not in known:
            close = did_you_mean(child.key, known)
            raise EditError(child.line, f"expected one of {', '.join(known)}{where}, got {child.key}{close}")


def require_same_totals(old: LineTree | None, new: LineTree | None) -> None:
    """Raise EditError where totals were changed, which are counted; findings may have come to differ meanwhile."""
    former = {child.key: child for child in old.children} if old is not None else {}
    for child in new.children if new is not None else ():
        known = former.get(child.key)
        if known is None or (child.value != known.value and child.key not in ("findings", "notes")):
            raise EditError(child.line, "totals cannot be edited: they are counted")
