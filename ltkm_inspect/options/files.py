"""The options that name files: reports, key ring, names, baseline and the key of redacted names."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ltkm_inspect.options.table import AS_IT_HAPPENS, REPORT_FORMATS, REPORT_SUFFIXES
from ltkm_inspect.options.words import OptionError, did_you_mean
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.toml_file import TomlError, TomlFile

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.baseline import BaselineFile
    from ltkm_inspect.keys import KeyRing, RingFile
    from ltkm_inspect.names import NamesFile


REDACTION_KEY = 32
"""How many octets the key of redacted names has."""
NO_RING = "expected a key ring, a TOML file with [[subscribers]], got "


class ReportTarget(NamedTuple):
    """A report that is asked for."""

    format: str
    path: Path
    """As typed: its strftime codes are not filled in."""
    appends: bool = False
    """It goes on in a file that exists, instead of overwriting it."""


def parse_report(text: str) -> ReportTarget:
    """Parse `[format=][+]PATH`; OptionError for a format or strftime code that is not known, or an empty path.

    Without a format, the end of the path says which one is meant. A path whose name begins like a format is written
    with the format: `jsonl=a=b`. Like the paths of mitmproxy, one that begins with `+` is appended to.
    """
    head, equals, rest = text.partition("=")
    named = bool(equals) and head.isascii() and head.isalpha()
    path = rest if named else text
    appends, path = path.startswith("+"), path.removeprefix("+")
    if not path.strip():
        raise OptionError("report", f"expected a path, got {'only a format' if named else 'nothing'}")
    if "\0" in path:
        raise OptionError("report", f"expected a path, got {printable(path)}")
    format = head if named else _format_by_suffix(path)
    if format not in REPORT_FORMATS:
        suffixes = ", ".join(suffixes[0] for suffixes in REPORT_SUFFIXES.values())
        expected = f"a path that ends in {suffixes}, or FORMAT=PATH with a format of {', '.join(REPORT_FORMATS)}"
        meant = _format_by_suffix(f".{format}")  # xml=PATH: the suffix was taken for the format
        close = f"; did you mean {meant}?" if meant else did_you_mean(format, REPORT_FORMATS) if format else ""
        raise OptionError("report", f"expected {expected}, got {printable(text)}{close}")
    if appends and format != AS_IT_HAPPENS:
        why = f"expected a path without +, because only {AS_IT_HAPPENS} is appended to, got +{printable(path)}"
        raise OptionError("report", why)
    for code in re.findall("%(?:[-_0^#]*[EO]?.)?", path):
        if code != "%%" and time.strftime(code) == code:
            raise OptionError("report", f"expected codes of strftime, or %% for a percent sign, got {printable(code)}")
    return ReportTarget(format, Path(path).expanduser(), appends)


def _format_by_suffix(path: str) -> str:
    """Return the format that the end of a path means; nothing for an end that means none."""
    return next((name for name, suffixes in REPORT_SUFFIXES.items() if path.lower().endswith(suffixes)), "")


def key_ring(path: str, current: "RingFile | None" = None) -> "RingFile | None":
    """Return the key ring file of that path, None for an empty one; OptionError where it cannot be used.

    The current one is returned where the path is still the same.
    """
    return _kept(path, current, ring_file)


def ring_file(path: Path) -> "RingFile":
    """Return the key ring file of that path; OptionError where it cannot be used, or is a file of another kind."""
    from ltkm_inspect.keys import RingFile

    return _read("keys", NO_RING, path, RingFile)


def names_file(path: str, ring: "KeyRing", current: "NamesFile | None" = None) -> "NamesFile | None":
    """Return the file of names of that path, None for an empty one; OptionError where it cannot be used.

    It may not give a terminal another name than the key ring. The current one is returned where the path is the same.
    """
    from ltkm_inspect.names import NamesFile

    file = _kept(path, current, lambda wanted: _read("names", "expected a file of names, got ", wanted, NamesFile))
    if file is not None:
        for line in file.content.conflicts(ring):
            raise OptionError("names", f"{printable(str(file.path))}: {line}")
    return file


def baseline_file(path: str, current: "BaselineFile | None" = None) -> "BaselineFile | None":
    """Return the baseline of that path, None for an empty one; OptionError where it cannot be used.

    The current one is returned where the path is the same.
    """
    from ltkm_inspect.baseline import BaselineFile

    return _kept(path, current, lambda wanted: _read("baseline", "expected a baseline, got ", wanted, BaselineFile))


def redaction_key(path: str, current: TomlFile[bytes] | None = None) -> TomlFile[bytes] | None:
    """Return the file of that path with the key of redacted names, None for an empty path; OptionError as the others.

    The current one is returned where the path is the same.
    """

    def read(wanted: Path) -> TomlFile[bytes]:
        return TomlFile(wanted, "a redaction key", _redaction_key, private=True)

    return _kept(path, current, lambda wanted: _read("redact_key_file", "expected a redaction key, got ", wanted, read))


def _redaction_key(octets: bytes) -> tuple[bytes, list[str]]:
    """Return the key that a file has, without warnings."""
    digits = re.sub(r"\s", "", octets.decode("latin-1"))
    is_hex = re.fullmatch(r"[0-9A-Fa-f]*", digits) is not None
    if not is_hex or len(digits) != 2 * REDACTION_KEY:
        expected, got = f"{2 * REDACTION_KEY} hex digits", str(len(digits)) if is_hex else "other text"
        raise TomlError(f"expected {expected}, got {got}; to make a key: openssl rand -hex {REDACTION_KEY}")
    return bytes.fromhex(digits), []


def _kept[F: TomlFile[Any]](path: str, current: F | None, read: Callable[[Path], F]) -> F | None:
    """Return the current file if the path is still the same, else what is read; None for an empty path."""
    if not path.strip():
        return None
    wanted = Path(os.path.expanduser(path))
    return current if current is not None and current.path == wanted else read(wanted)


def _read[F](option: str, expected: str, path: Path, read: Callable[[Path], F]) -> F:
    """Return what is read; OptionError where the file cannot be used: `expected` if its kind is known to be another."""
    try:
        return read(path)
    except TomlError as error:
        other = _other_kind(path)
        raise OptionError(option, f"{printable(str(path))}: {expected}{other}" if other else str(error)) from None


def _other_kind(path: Path) -> str:
    """Return the kind of a file that is certainly no TOML; empty if it may be one, or cannot be read."""
    from ltkm_inspect.input.kind import CAPTURE, DOCUMENT, FLOWS, HAR, HTML, RECORDS, kind_of_file

    kind = kind_of_file(str(path))
    return kind.name if kind in (CAPTURE, DOCUMENT, FLOWS, HAR, HTML, RECORDS) and kind is not None else ""
