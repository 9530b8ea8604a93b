"""B-TIDs, Key Domain IDs, MSK IDs and TS as logs spell them, each in one form that can be compared."""

import re
from binascii import Error, a2b_base64
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from ltkm_inspect.matching.times import read_iso

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""
_SIGNS = re.compile(r"0[xX]|[\s:/._,;-]+")
_RAND = 16
"""The octets of the RAND that a B-TID is made of (3GPP TS 33.220 4.5.2)."""


class BTid(NamedTuple):
    """A B-TID in one form, whatever its spelling."""

    name: str
    """What precedes the `@`; of one that is made of a RAND its octets in hex."""
    realm: str
    """What follows the `@`, in lower case; empty without one."""


def b_tid_of(text: str) -> BTid:
    """Return a B-TID that may be in quotes, percent-encoded, without realm, or with its RAND in base64 or hex."""
    text = text.strip().strip("\"'<>").strip()
    text = unquote(text) if "%" in text else text
    name, _, realm = text.rpartition("@") if "@" in text else (text, "", "")
    digits = name.rstrip("=")
    if len(digits) == 22 and re.fullmatch(r"[0-9A-Za-z+/_-]{22}", digits):
        name = _base64(digits + "==").hex()
    elif len(name) == 2 * _RAND and re.fullmatch(r"[0-9A-Fa-f]{32}", name):
        name = name.lower()
    return BTid(name, realm.lower().rstrip("."))


type MskId = tuple[bytes | None, bytes]
"""Key Domain ID, None if it is not said, and MSK ID."""


@dataclass(frozen=True, slots=True)
class CellReading[V]:
    """One way to read the cells of a column."""

    name: str
    """For people: `hex`."""
    read: Callable[[str], V]
    """Returns what a text says; ValueError for any other text."""


def _base64(text: str) -> bytes:
    try:
        return a2b_base64(text.translate(str.maketrans("-_", "+/")), strict_mode=True)
    except Error:
        raise ValueError from None


def _octets(octets: bytes) -> MskId:
    if len(octets) not in (4, 7):
        raise ValueError
    return (octets[:-4] or None), octets[-4:]


def _msk_hex(text: str) -> MskId:
    digits = _SIGNS.sub("", text)
    if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,8}", text):  # a number without its zeros in front
        digits = digits.rjust(8, "0")
    return _octets(bytes.fromhex(digits))


def _msk_base64(text: str) -> MskId:
    return _octets(b"".join(map(_base64, re.split(r"[\s:,;|]+", text))))


def _msk_decimal(text: str) -> MskId:
    return None, int(text).to_bytes(4) if 0 <= int(text) < 1 << 32 else _refuse()


def _msk_pair(text: str) -> MskId:
    group, number = re.split(r"\s*[/:., ]\s*", text, maxsplit=1)
    return None, int(group).to_bytes(2) + int(number).to_bytes(2)


def _refuse() -> bytes:
    raise ValueError


MSK_READINGS = (
    CellReading("hex", _msk_hex),
    CellReading("base64", _msk_base64),
    CellReading("decimal", _msk_decimal),
    CellReading("Key Group and Key Number in decimal", _msk_pair),
)


def _domain_hex(text: str) -> bytes:
    octets = bytes.fromhex(_SIGNS.sub("", text))
    return octets if len(octets) == 3 else _refuse()


def _domain_base64(text: str) -> bytes:
    octets = _base64(text)
    return octets if len(octets) == 3 else _refuse()


DOMAIN_READINGS = (
    CellReading("hex", _domain_hex),
    CellReading("base64", _domain_base64),
    CellReading("decimal", lambda text: int(text).to_bytes(3)),
)


def _ts_decimal(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 20:
        return int(text)
    if text[:2] in ("0x", "0X"):
        return _ts_hex(text)
    found = re.fullmatch(r"(\d{1,20})(?:[.,]0+)?", text, re.ASCII)  # a spreadsheet writes 17.0
    if found is None or int(found[1]) >= 1 << 64:
        raise ValueError
    return int(found[1])


def _ts_hex(text: str) -> int:
    digits = _SIGNS.sub("", text)
    if not re.fullmatch(r"[0-9A-Fa-f]{1,16}", digits):
        raise ValueError
    return int(digits, 16)


def _ts_time(text: str) -> int:
    return (int(read_iso(text)) + _NTP_EPOCH) % (1 << 32)


def _ts_base64(text: str) -> int:
    octets = _base64(text)
    return int.from_bytes(octets) if len(octets) in (4, 8) else int(_refuse())


BY_TIME = "time (as NTP seconds)"
"""The reading of TS that compares nothing but whole seconds."""
TS_READINGS = (
    CellReading("decimal", _ts_decimal),
    CellReading("hex", _ts_hex),
    CellReading(BY_TIME, _ts_time),
    CellReading("base64", _ts_base64),
)


def likeliest[V](
    readings: Sequence[CellReading[V]], samples: Sequence[str], known: Collection[object]
) -> CellReading[V]:
    """Return the way to read these texts that gives most values which the capture has, then reads most texts."""

    def rank(reading: CellReading[V]) -> tuple[int, int]:
        hits = read = 0
        for text in samples:
            try:
                value = reading.read(text)
            except (ValueError, OverflowError):
                continue
            read += 1
            hits += value in known
        return hits, read

    return max(readings, key=rank)
