"""The options that name files: reports, and the key ring."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ltkm_inspect.options.table import AS_IT_HAPPENS, REPORT_FORMATS
from ltkm_inspect.options.words import OptionError, blaming, did_you_mean
from ltkm_inspect.wire import printable

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.keys import RingFile


class ReportTarget(NamedTuple):
    """A report that is asked for."""

    format: str
    path: Path
    """As typed: its strftime codes are not filled in."""


def parse_report(text: str) -> ReportTarget:
    """Parse `[format=]PATH`; OptionError for a format that is not known or an empty path.

    A path whose name begins like a format is written with the format: `jsonl=a=b`.
    """
    head, equals, rest = text.partition("=")
    named = bool(equals) and head.isascii() and head.isalpha()
    if named and head not in REPORT_FORMATS:
        formats = ", ".join(f"{name}=PATH" for name in REPORT_FORMATS)
        reason = f"expected {formats} or a path, got {printable(text)}{did_you_mean(head, REPORT_FORMATS)}"
        raise OptionError("report", reason)
    path = rest if named else text
    if not path.strip():
        raise OptionError("report", "expected a path, got nothing")
    if "\0" in path:
        raise OptionError("report", f"expected a path, got {printable(path)}")
    return ReportTarget(head if named else AS_IT_HAPPENS, Path(path).expanduser())


def key_ring(path: str, current: "RingFile | None" = None) -> "RingFile | None":
    """Return the key ring file of that path, None for an empty one; OptionError where it cannot be used.

    The current one is returned where the path is still the same.
    """
    if not path.strip():
        return None
    from ltkm_inspect.keys import RingError, RingFile

    wanted = Path(os.path.expanduser(path))
    if current is not None and current.path == wanted:
        return current
    with blaming("keys", RingError):
        return RingFile(wanted)
