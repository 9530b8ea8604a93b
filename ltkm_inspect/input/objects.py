"""The LTKMs in an array of JSON objects: as `export json` writes it, or as other programs write packets."""

import json
from collections.abc import Iterator
from typing import Any

from ltkm_inspect.input.kind import JSON
from ltkm_inspect.input.message import InputMessage
from ltkm_inspect.input.notation import within


def from_array(octets: bytes, source: str) -> Iterator[InputMessage]:
    """Yield the message of every object, which is hex in its field `octets`.

    Where no object has that field, each message that is anywhere in the array is yielded once, like those in what
    `tshark -T json -x` prints.
    """
    try:
        objects = json.loads(octets)
    except (ValueError, RecursionError):
        yield InputMessage(source, None, "expected an array of LTKMs, got text that is not JSON")
        return
    objects = objects if isinstance(objects, list) else []
    if objects and not any(isinstance(each, dict) and "octets" in each for each in objects):
        messages = dict.fromkeys(within(octets.decode("utf-8", "replace")))
        for number, message in enumerate(messages, 1):
            yield InputMessage(f"{source}, message {number}" if len(messages) > 1 else source, message)
        if not messages:
            yield InputMessage(source, None, f"expected an array of LTKMs, got {JSON}")
        return
    for number, each in enumerate(objects, 1):
        found, problem = _octets(each)
        yield InputMessage(f"{source}, LTKM {number}", found, problem)


def _octets(each: Any) -> tuple[bytes | None, str]:
    found = each.get("octets") if isinstance(each, dict) else None
    if not isinstance(found, str):
        return None, "expected an object with octets, got none"
    try:
        return bytes.fromhex(found), ""
    except ValueError:
        return None, "expected octets in hex, got something else"
