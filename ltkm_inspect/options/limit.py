"""The option `limit`: how much of one event is checked."""

import re
from typing import TYPE_CHECKING

from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.options.words import OptionError, did_you_mean
from ltkm_inspect.wire import printable

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.traffic import Limits


def parse_limit(text: str, *, live: bool = True) -> "Limits":
    """Parse `body=1MiB,ltkms=200,…`, where each part is a number from 1 or `none`; OptionError otherwise.

    A part that is left out keeps its default: that of the addon, or else that of the command line. `1MiB,200` is the
    short form of the first two parts.
    """
    from ltkm_inspect.traffic import Limits

    option = DEFAULTS["limit"]
    default = str(option.default if live else option.check_default)
    parts = _limit_parts(default) | _limit_parts(text)
    return Limits(parts.pop("body"), **parts)


def _limit_parts(text: str) -> dict[str, int | None]:
    """Return the parts of a limit that are typed, by their names."""
    words = text.split(",")
    if len(words) == 2 and "=" not in text:
        words = [f"{part}={word}" for part, word in zip(_UNITS_OF_PARTS, words, strict=False)]
    found: dict[str, int | None] = {}
    for word in words:
        name, equals, value = (each.strip() for each in word.partition("="))
        name = name.lower()
        if not equals or name not in _UNITS_OF_PARTS:
            parts = ", ".join(f"{part}=" for part in _UNITS_OF_PARTS)
            reason = f"expected a number after one of {parts}, or 1MiB,200, got {printable(word.strip()) or 'nothing'}"
            raise OptionError("limit", reason + did_you_mean(name, _UNITS_OF_PARTS))
        if name in found:
            raise OptionError("limit", f"{name} appears twice")
        found[name] = _octets(value) if _UNITS_OF_PARTS[name] == "octets" else _count(name, value)
    return found


def _octets(text: str) -> int | None:
    size = _SIZE.fullmatch(text)
    if not size:
        raise OptionError("limit", f"expected octets like 1048576, 512KiB, 1MiB or none, got {printable(text)}")
    return int(size[1]) * _UNITS[(size[2] or "").lower()] if size[1] else None


def _count(part: str, text: str) -> int | None:
    if not _COUNT.fullmatch(text):
        raise OptionError(
            "limit", f"expected a number of {_UNITS_OF_PARTS[part]} from 1 or none, got {printable(text)}"
        )
    return None if text.lower() == "none" else int(text)


_UNITS_OF_PARTS = {"body": "octets", "ltkms": "LTKMs"} | {
    part: part for part in ("payloads", "findings", "directives", "tags", "connections")
}
_UNITS_OF_PARTS["reassembly"] = "octets"
"""What the parts are counted in."""
_SIZE = re.compile(r"0*([1-9][0-9]{0,15})\s*([KMG]iB)?|none", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"0*[1-9][0-9]{0,15}|none", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
