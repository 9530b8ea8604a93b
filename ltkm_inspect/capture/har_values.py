"""Values of a HAR as exporters write them: numbers, times, versions, sizes and coded text."""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ltkm_inspect import coding
from ltkm_inspect.document import codec_of
from ltkm_inspect.traffic import Headers, MediaType, ours

_DECLARED = re.compile(r"\ufeff?<\?xml[^>]*\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


def not_expected(expected: str, got: Any) -> str:
    """Say what was expected of a value, and of what kind it is; itself it may be what must not be shown."""
    kinds = {dict: "an object", list: "a list", bool: "true or false", str: "other text", type(None): "null"}
    return f"expected {expected}, got {kinds.get(type(got), 'a number')}"


def as_number(value: Any) -> float | None:
    """Return a finite number, also one that is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < 1 << 53 else None


def time_of(value: Any) -> float:
    """Return a time as seconds since 1970 UTC; ValueError, TypeError or OverflowError where it is none.

    A time without a zone counts as UTC. Besides ISO 8601 the form of HTTP is read.
    """
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("expected a date and time")
    text = value.strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def http_version(held: Mapping[str, Any]) -> str:
    """Return what an exporter took for the HTTP version, as it is written elsewhere."""
    value = held.get("httpVersion")
    return value.upper() if isinstance(value, str) and value.isascii() and len(value) <= 16 else ""


def header_field(pair: Any) -> tuple[str | None, list[Any]]:
    """Return the name of a header field and its values; None where it has no name."""
    if isinstance(pair, dict):
        name, value = pair.get("name"), pair.get("value")
    elif isinstance(pair, list | tuple) and len(pair) == 2:
        name, value = pair
    else:
        return None, []
    if not isinstance(name, str) or not name:
        return None, []
    return name, value if isinstance(value, list) and value else [value]


def content_length(headers: Headers) -> int | None:
    """Return what Content-Length says, where it says one thing that can be."""
    value = headers.get("Content-Length")
    chunked = "chunked" in (headers.get("Transfer-Encoding") or "").lower()
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 16 and not chunked else None


def body_size(value: Any, headers: Headers) -> int | None:
    """Return the length of a body as transferred, from the entry or from Content-Length; None if neither has it."""
    number = as_number(value)
    if number is not None and number > 0:
        return int(number)
    length = content_length(headers)
    return length if length is not None else 0 if number == 0 else None


def from_base64(text: str) -> bytes | None:
    """Return the octets of base64, line ends and missing padding allowed; None for other text."""
    try:
        octets = "".join(text.split()).rstrip("=").encode("ascii")
        return base64.b64decode(octets + b"=" * (-len(octets) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None


def text_codec(text: str, headers: Headers) -> str:
    """Return the encoding that a text had on its way: that of its XML declaration, or its charset, or UTF-8."""
    declared = _DECLARED.match(text)
    charset = MediaType.of(headers.get("Content-Type")).charset
    found = (codec_of(name) for name in (declared[1] if declared else "", charset or ""))
    return next((codec for codec in found if codec is not None), "utf-8")


def is_coded(body: bytes, headers: Headers) -> bool:
    """Tell whether an exporter left the content coding on a body."""
    codings = headers.get("Content-Encoding")
    if not coding.codings(codings) or ours.starts_like_xml(body):
        return False
    decoded = coding.decode(body, codings, 1 << 16)
    return decoded.problem is None and bool(decoded.octets)
