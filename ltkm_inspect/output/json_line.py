"""Data as one line of JSON that every reader takes, whatever text from the wire is in it."""

import json
import re
from collections.abc import Mapping
from typing import Any

quoted = json.encoder.encode_basestring_ascii
"""Encodes a text, in which `to_json` also looks for half a surrogate pair."""
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
_ESCAPE = re.compile(r"\\u(?:(d[89ab]..\\ud[c-f]..)|(d[89a-f]..)|....)|\\.")


def kind_of(record: Mapping[str, Any]) -> str:
    """Return what a record is: `run`, `exchange`, `datagram`, `missing`, `heartbeat`, `session` or `summary`."""
    return str(record["schema"]).split("/")[1]


def is_event(record: Mapping[str, Any]) -> bool:
    """Tell whether a record of JSON Lines is of an event: an exchange or a datagram."""
    return kind_of(record) in ("exchange", "datagram")


def to_json(data: Any, levels: int = 0) -> str:
    """Return data as one line of ASCII; ValueError for a number that JSON does not know.

    Half a surrogate pair is no text to a JSON reader: an octet that was not UTF-8 is written as `\\xNN`, any other
    half as `\\uNNNN`, both as text. What is in the first levels of objects and lists is encoded piece by piece: no
    other thread gets its turn while the encoder is busy.
    """
    if levels and isinstance(data, dict):
        return f"{{{','.join([f'{to_json(name)}:{to_json(value, levels - 1)}' for name, value in data.items()])}}}"
    if levels and isinstance(data, list | tuple):
        return f"[{','.join([to_json(value, levels - 1) for value in data])}]"
    text = _encode(data)
    return _ESCAPE.sub(_whole, text) if "\\ud" in text else text


def _whole(match: re.Match[str]) -> str:
    half = match[2]
    if half is None:
        return match[0]
    number = int(half, 16)
    return f"\\\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\\\u{half}"
