"""Fills the generated parts of the pages for users, or checks that they are what would be written.

python -m tests.docs.generate --check
python -m tests.docs.generate --write

A part between `<!-- generated: NAME -->` and `<!-- end -->` is made from the code. In a `console` block the lines after
each `$ COMMAND` are what the command prints.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.docs import reference
from tests.docs.console import with_output
from tests.generated import ROOT, settle, wants_to_write

DOCS = ROOT / "docs"
CATALOGUE = DOCS / "catalogue"
"""Its pages are written by tests.samples.generate."""
PARTS: Mapping[str, Callable[[], str]] = {
    "options": reference.options,
    "rule-words": reference.rule_words,
    "command-line": reference.command_line,
    "records": reference.records,
    "rooms": reference.rooms,
    "catalogue": reference.catalogue_navigation,
}
"""What makes a generated part, by its name."""
_PART = re.compile(
    r"(?P<start>^ *(?:<!-- |# )generated: (?P<name>[a-z-]+)(?: -->)?\n)(?P<text>.*?)"
    r"(?P<end>^ *(?:<!-- |# )end(?: -->)?$)",
    re.MULTILINE | re.DOTALL,
)


def pages() -> list[Path]:
    """Return the files that have generated parts: the README, the pages of docs/ but the catalogue, and mkdocs.yml."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "mkdocs.yml"]


def filled(text: str) -> str:
    """Return a page with every generated part as it is now."""

    def part(found: re.Match[str]) -> str:
        gap = "\n" if found["start"].lstrip().startswith("<") else ""
        return f"{found['start']}{gap}{PARTS[found['name']]()}\n{gap}{found['end']}"

    return with_output(_PART.sub(part, text))


def generated() -> dict[Path, bytes]:
    """Return the octets of every page by its path."""
    return {path: filled(path.read_text("utf-8")).encode() for path in pages()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 where --check finds something out of date."""
    return settle(generated(), write=wants_to_write("tests.docs.generate", __doc__, arguments))


if __name__ == "__main__":
    sys.exit(main())
