"""The LTKMs in an array of JSON objects, as `export json` writes it."""

import json
from collections.abc import Iterator
from typing import Any

from ltkm_inspect.intake.given import Given


def from_array(octets: bytes, source: str) -> Iterator[Given]:
    """Yield the message of every object, whose octets stand in hex in its field `octets`."""
    try:
        objects = json.loads(octets)
    except (ValueError, RecursionError):
        yield Given(source, None, "expected an array of LTKMs, got something that is no JSON")
        return
    for number, each in enumerate(objects if isinstance(objects, list) else [], 1):
        found, problem = _octets(each)
        yield Given(f"{source}, LTKM {number}", found, problem)


def _octets(each: Any) -> tuple[bytes | None, str]:
    found = each.get("octets") if isinstance(each, dict) else None
    if not isinstance(found, str):
        return None, "expected an object with octets, got none"
    try:
        return bytes.fromhex(found), ""
    except ValueError:
        return None, "expected octets in hex, got something else"
