"""The JSON text of messages that are like an earlier one: only the values that differ are encoded.

To decode a message and encode its fields as JSON takes more than 100 µs. But LTKMs of one BSM are alike. They differ in
CSB ID, counter, RAND, identities, encrypted data and MAC, and the layout of the rest does not depend on these. So the
text of one message is kept with gaps for these values, under its other octets. A message with the same length and the
same other octets only differs in the gaps.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ltkm_inspect.input import InputMessage
from ltkm_inspect.mikey import Identity, Kemac, Message, Timestamp, decode, to_plain
from ltkm_inspect.mikey.core import describe_time
from ltkm_inspect.mikey.shape import CSB_ID, unshared_fields
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report.messages import MESSAGE_SCHEMA
from ltkm_inspect.wire import printable_octets

MOST = 1024
"""How many texts are kept. If more were made than were used, no more are made."""


@dataclass(frozen=True, slots=True)
class _Gap:
    """Octets that differ between messages, and the function that encodes them."""

    start: int
    end: int
    write: Callable[[bytes], str]


@dataclass(slots=True)
class _Layout:
    """The gaps of messages with one length, and the texts of the messages that have these gaps."""

    gaps: tuple[_Gap, ...]
    between: tuple[slice, ...]
    """The octets outside the gaps."""
    texts: dict[bytes, str] = field(default_factory=dict)


class Writer:
    """Encodes messages as `to_json(to_plain(message))` does, without the outer braces."""

    def __init__(self) -> None:
        """Start without texts."""
        self._layouts: dict[int, list[_Layout]] = {}
        self._kept = 0
        self._used = 0

    def text(self, octets: bytes) -> str | None:
        """Return the text of a message that is like an earlier one; None for any other."""
        for layout in self._layouts.get(len(octets), ()):
            text = layout.texts.get(b"".join([octets[part] for part in layout.between]))
            if text is not None:
                self._used += 1
                return _filled(text, layout.gaps, octets)
        return None

    def learn(self, octets: bytes) -> str | None:
        """Keep the text of a message for others like it, and return it; None if it does not decode completely."""
        if self._kept > MOST and self._used < self._kept:
            return None  # these messages are not alike
        message = decode(octets)
        if message.problem is not None or message.inner_problems or message.header is None:
            return None
        if any(kemac.encr_alg == 0 for kemac in message.of(Kemac)):
            return None  # its content is decoded, too, and may differ
        if self._kept and self._kept % MOST == 0:
            self._layouts.clear()
        self._kept += 1
        gaps, text = _template(message)
        known = self._layouts.setdefault(len(octets), [])
        layout = next((each for each in known if each.gaps == gaps), None)
        if layout is None:
            starts = (0, *(gap.end for gap in gaps))
            ends = (*(gap.start for gap in gaps), len(octets))
            layout = _Layout(gaps, tuple(map(slice, starts, ends)))
            known.append(layout)
        layout.texts[b"".join([octets[part] for part in layout.between])] = text
        return _filled(text, layout.gaps, octets)


class QuickLines:
    """The JSON lines of messages, without keys; fast for messages that are alike."""

    def __init__(self) -> None:
        self._writer = Writer()

    def line(self, source: InputMessage) -> str | None:
        """Return the result of `json_line`; None if the message does not decode completely or few are alike."""
        octets = source.octets
        if not octets:
            return None
        text = self._writer.text(octets)
        if text is None:
            text = self._writer.learn(octets)
        return (
            None
            if text is None
            else f'{{"schema":"{MESSAGE_SCHEMA}","source":{to_json(source.source)},{text},"key":null,"names":null}}'
        )


def _filled(text: str, gaps: tuple[_Gap, ...], octets: bytes) -> str:
    return text % tuple([gap.write(octets[gap.start : gap.end]) for gap in gaps])


def _template(message: Message) -> tuple[tuple[_Gap, ...], str]:
    """Return the gaps of a message, in the order of its octets, and its text with `%s` for each."""
    plain = to_plain(message)
    token = os.urandom(16).hex()  # random, so no text from the wire contains it
    gaps: list[_Gap] = []
    for holder, name, start, end, write in _differing(message, plain):
        holder[name] = token if name == "csb_id" else f"{token}."
        gaps.append(_Gap(start, end, write))
    text = to_json(plain)[1:-1].replace("%", "%%")
    return tuple(gaps), text.replace(f'"{token}"', "%s").replace(f"{token}.", "%s")


type _Place = tuple[dict[str, Any], str, int, int, Callable[[bytes], str]]


def _differing(message: Message, plain: dict[str, Any]) -> Iterator[_Place]:
    """Yield each value that differs: its place in the object and in the octets, and the function that encodes it."""
    yield plain["header"]["fields"], "csb_id", CSB_ID.start, CSB_ID.end, _number
    for payload, offset, payload_object in zip(message.payloads, message.offsets, plain["payloads"], strict=True):
        fields = payload_object["fields"]
        if isinstance(payload, Identity) and payload.value:
            start, end = offset + 4, offset + 4 + len(payload.value)
            yield fields, "value", start, end, bytes.hex
            yield fields, "value_text", start, end, _name
        elif not isinstance(payload, Timestamp) or payload.type in _TIMES:
            for name, start, end in unshared_fields(payload, offset):
                yield fields, name, start, end, bytes.hex
                if isinstance(payload, Timestamp):
                    yield fields, "value_text", start, end, _TIMES[payload.type]


def _number(octets: bytes) -> str:
    return str(int.from_bytes(octets))


def _time(kind: int) -> Callable[[bytes], str]:
    return lambda octets: _inside(describe_time(kind, octets))


@lru_cache(maxsize=1024)
def _name(octets: bytes) -> str:
    return _inside(printable_octets(octets))


def _inside(text: str) -> str:
    """Return text as JSON encodes it, without the quotation marks."""
    return json.dumps(text)[1:-1]


_TIMES = {0: _time(0), 1: _time(1), 2: _number}
