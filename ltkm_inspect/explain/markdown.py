"""The little Markdown that pages are made of, kept readable in a terminal."""

import re
from collections.abc import Iterable
from textwrap import fill

WIDTH = 100
"""How many characters wide the running text of a page is."""


def wrap(text: str, first: str = "", later: str = "") -> str:
    """Return running text in lines of at most WIDTH characters."""
    return fill(
        text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def bullets(texts: Iterable[str]) -> str:
    """Return a list with a bullet for each text."""
    return "\n".join(wrap(text, first="- ", later="  ") for text in texts)


def code(lines: Iterable[str]) -> str:
    """Return lines as they are, in a block of code."""
    return "\n".join(f"    {line}" for line in lines)


def section(heading: str, parts: Iterable[str]) -> list[str]:
    """Return a heading with its parts, or nothing where there is no part."""
    body = list(parts)
    return [heading, *body] if body else []


def join(parts: Iterable[str]) -> str:
    """Return the parts as a whole text, an empty line between any two."""
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table with that head; the cells may hold any text."""
    lines = [head, ["---"] * len(head), *([escape(cell.replace("|", "\\|")) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Escape what Markdown would take for an HTML tag, outside code."""
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in re.split(r"(`[^`]*`)", text))
