"""A MIKEY message: header, payloads, and what could not be read; `decode` is total and `encode` its inverse."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated

from ltkm_inspect.mikey import identity_based, public_key, ticket  # noqa: F401 - their payloads register themselves
from ltkm_inspect.mikey.codes import NEXT_PAYLOADS
from ltkm_inspect.mikey.core import Kemac
from ltkm_inspect.mikey.extension import GeneralExtension, KeyId, KeyIds
from ltkm_inspect.mikey.header import FIXED_LENGTH, Header, pull_header
from ltkm_inspect.mikey.keydata import KEY_DATA
from ltkm_inspect.mikey.payload import PAYLOADS, Payload
from ltkm_inspect.mikey.policy import SecurityPolicy
from ltkm_inspect.mikey.quick import QUICK, Quick, quick_header, read_usual
from ltkm_inspect.mikey.record import Secret, record
from ltkm_inspect.wire import DecodeError, DecodeProblem, Reader, Span, Tracer

HEADER_LABEL = "HDR"
TRAILING = "trailing"
MOST_TRAILING = 1000
"""How many payloads are decoded in trailing octets, to see whether a key is among them."""


@record
@dataclass(frozen=True)  # no slots: caches its payload index in `__dict__`
class Message:
    """A MIKEY message, decoded or made by hand; what is not part of the octets is not compared."""

    header: Header | None
    """None where there are fewer than ten octets."""
    payloads: tuple[Payload, ...] = ()
    tail_type: int = 0
    """The Next payload value that ends the chain: 0, or the type of the payload that could not be read."""
    trailing: Annotated[bytes, Secret(lambda message: message.trailing_may_hold_key)] = b""
    """Octets that are not decoded: after the last payload, or from the payload that could not be read."""
    problem: DecodeProblem | None = field(default=None, compare=False)
    """Why decoding stopped before the last octet; None in a message that was read to its end, or made by hand."""
    inner_problems: tuple[DecodeProblem, ...] = field(default=(), compare=False)
    """What does not follow its layout inside payloads whose length is known; those octets are kept as they came."""
    offsets: tuple[int, ...] = field(default=(), compare=False)
    """Absolute offset of each payload; empty in a message made by hand."""
    length: int = field(default=0, compare=False)
    """How many octets were decoded; 0 in a message made by hand."""

    def encode(self) -> bytes:
        """Return the octets of the message; for a decoded message the very octets it was decoded from.

        ValueError where a value does not fit its field, which cannot happen to a decoded message.
        """
        following = [payload.payload_type for payload in self.payloads]
        following.append(self.tail_type)
        parts = [] if self.header is None else [self.header.push(following[0])]
        for payload, next_type in zip(self.payloads, following[1:], strict=True):
            if payload.chained:
                parts.append(bytes((next_type,)))
            parts.append(payload.push())
        parts.append(self.trailing)
        return b"".join(parts)

    @property
    def is_cut(self) -> bool:
        """Whether decoding stopped because there are more payloads than were to be decoded."""
        return self.problem is not None and self.problem.kind == "limit"

    @cached_property
    def trailing_may_hold_key(self) -> bool:
        """Whether the trailing octets may hold key data in the clear: then they are shown like a key, not at all."""
        if not self.trailing:
            return False
        if self.is_cut:
            return True  # what was not decoded may be anything
        if self.tail_type == Kemac.payload_type:
            return self.trailing[1:2] in (b"", b"\0")
        if self.tail_type == KEY_DATA:
            return True
        message = decode(self.trailing, MOST_TRAILING)
        return message.is_cut or any(kemac.encr_alg == 0 for kemac in message.of(Kemac))

    @cached_property
    def _by_class(self) -> dict[type[Payload], tuple[Payload, ...]]:
        """The payloads by their class; every payload class is final, so the very type is what to compare."""
        found: dict[type[Payload], list[Payload]] = {}
        for payload in self.payloads:
            found.setdefault(type(payload), []).append(payload)
        return {kind: tuple(payloads) for kind, payloads in found.items()}

    @cached_property
    def _key_ids(self) -> tuple[KeyId, ...]:
        values = (payload.value for payload in self.of(GeneralExtension))
        return tuple(key_id for value in values if type(value) is KeyIds for key_id in value.key_ids)

    def of[P: Payload](self, kind: type[P]) -> tuple[P, ...]:
        """Return the payloads of that class, in order."""
        return self._by_class.get(kind, ())  # type: ignore[return-value]

    def extensions(self, kind: int) -> tuple[GeneralExtension, ...]:
        """Return the EXT payloads of that extension type, in order."""
        return tuple([payload for payload in self.of(GeneralExtension) if payload.type == kind])

    def key_ids(self) -> tuple[KeyId, ...]:
        """Return every key ID of every Key ID information extension, in order."""
        return self._key_ids

    def key_id(self, kind: int) -> bytes | None:
        """Return the value of the key ID of that type; None unless there is exactly one."""
        values = [key_id.value for key_id in self._key_ids if key_id.type == kind]
        return values[0] if len(values) == 1 else None

    @cached_property
    def pair(self) -> tuple[bytes, bytes] | None:
        """Key Domain ID and MSK ID of the key that it is about; None unless it has exactly one of each."""
        domain, msk_id = self.key_id(0), self.key_id(1)
        return None if domain is None or msk_id is None else (domain, msk_id)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The field path of every payload: its label, with `[n]` from 1 where the label occurs more than once.

        A payload that could not be read counts as an occurrence.
        """
        labels = [payload.label for payload in self.payloads]
        once, repeated = set[str](), set[str]()
        unread = [PAYLOADS[self.tail_type].label] if self.trailing and self.tail_type in PAYLOADS else []
        for label in (*labels, *unread):
            (repeated if label in once else once).add(label)
        seen = dict.fromkeys(repeated, 0)
        for index, label in enumerate(labels):
            if label in repeated:
                seen[label] += 1
                labels[index] = f"{label}[{seen[label]}]"
        return tuple(labels)

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each payload by its field path."""
        return {path: index for index, path in enumerate(self.paths)}

    @cached_property
    def _path_by_identity(self) -> dict[int, str]:
        return dict(zip(map(id, reversed(self.payloads)), reversed(self.paths), strict=True))

    def path_of(self, payload: Payload) -> str:
        """Return the field path of one of the payloads, which is looked for by identity."""
        return self._path_by_identity[id(payload)]

    def next_payload(self, index: int) -> int | None:
        """Return the Next payload value of the payload at that index, the header's for -1; None for SIGN."""
        if index >= 0 and not self.payloads[index].chained:
            return None
        return self.payloads[index + 1].payload_type if index + 1 < len(self.payloads) else self.tail_type

    def payload_span(self, index: int) -> Span:
        """Return the span of the payload at that index in the decoded octets."""
        end = self.offsets[index + 1] if index + 1 < len(self.offsets) else self.length - len(self.trailing)
        return Span(self.offsets[index], end)

    @property
    def trailing_span(self) -> Span:
        """The span of the trailing octets of a decoded message."""
        return Span(self.length - len(self.trailing), self.length)


def decode(octets: bytes, most: int | None = None) -> Message:
    """Decode a MIKEY message; never raises: what cannot be read is kept in the message, with the reason.

    `most` is how many payloads are decoded, where the key IDs and parameters in them count as well; what follows is
    trailing octets, with a problem of the kind `limit`.
    """
    return _decode(Reader(octets), most, QUICK)


def traced(octets: bytes, most: int | None = None) -> tuple[Message, list[dict[str, Span]]]:
    """Return what `decode` does, and the spans of its fields, read in the same pass.

    There is one mapping for the header and one for each payload, by the field path below it; the path of the header or
    payload itself is empty.
    """
    parts: list[dict[str, Span]] = []
    return _decode(Tracer(octets), most, {}, parts), parts


def _decode(
    reader: Reader, most: int | None, quick_ways: Mapping[int, Quick], parts: list[dict[str, Span]] | None = None
) -> Message:
    octets = reader.octets
    room = most if most is not None and len(octets) > most else None  # a payload has an octet at least
    payloads: list[Payload] = []
    offsets: list[int] = []
    inner: list[tuple[int, DecodeError]] = []
    header: Header | None = None
    error: DecodeError | None = None
    following = 0
    start = 0
    end = len(octets)
    try:
        usual = quick_header(octets) if quick_ways else None
        if usual is not None:
            header, following = usual
            start = FIXED_LENGTH
        else:
            header, following, error = pull_header(reader)
            start = reader.offset
            if parts is not None:
                parts.append(_taken(reader, 0))
        if error is not None:
            raise error.within(HEADER_LABEL)
        while following:
            if quick_ways and room is None:
                following, start = read_usual(octets, following, start, quick_ways, payloads, offsets)
                if not following:
                    break
            reader.offset = start
            kind = PAYLOADS.get(following)
            if kind is None:
                raise _no_such_payload(following, start)
            next_type = reader.uint8("next_payload") if kind.chained else 0
            payload = kind.pull(reader)
            behind = reader.offset
            if room is not None:
                room = _room_after(payload, room, most, start)
            payloads.append(payload)
            offsets.append(start)
            if parts is not None:
                parts.append(_taken(reader, start))
            if reader.problems:
                inner += [(len(payloads) - 1, problem) for problem in reader.problems]
                reader.problems.clear()
            following, start = next_type, behind
    except DecodeError as stop:
        error = stop
    trailing = octets[start:]
    if error is None and trailing:
        count = len(trailing)
        octet = "octet" if count == 1 else "octets"
        error = DecodeError(f"expected the end of the message, got {count} more {octet}", start, TRAILING, "trailing")
    message = Message(header, tuple(payloads), following, trailing, None, (), tuple(offsets), end)
    if error is None and not inner:
        return message
    return _with_problems(message, error, inner)


def _room_after(payload: Payload, room: int, most: int | None, start: int) -> int:
    """Return how many more payloads may follow one; DecodeError where there is no room for it itself."""
    room -= 1
    if type(payload) is SecurityPolicy:
        room -= len(payload.params)
    elif type(payload) is GeneralExtension and type(payload.value) is KeyIds:
        room -= len(payload.value.key_ids)
    if room < 0:
        raise DecodeError(f"expected at most {most} payloads, got more", start, "", "limit")
    return room


def _no_such_payload(number: int, start: int) -> DecodeError:
    if number == KEY_DATA:
        return DecodeError("expected key data only inside KEMAC, got it in the message", start, "", "misplaced")
    return DecodeError(
        f"expected a payload of known layout, got {NEXT_PAYLOADS.describe(number)}", start, "", "unknown-payload"
    )


def _with_problems(message: Message, error: DecodeError | None, inner: list[tuple[int, DecodeError]]) -> Message:
    """Return the message with its problems, under the paths that its payloads have."""
    names = message.paths
    problem = None
    if error is not None:
        if message.header is None:
            error = error.within(HEADER_LABEL)
        elif error.kind != "trailing" and not error.path.startswith(HEADER_LABEL + "."):
            error = error.within(_failed_path(message))
        problem = error.problem()
    problems = tuple(each.within(names[index]).problem() for index, each in inner)
    return replace(message, problem=problem, inner_problems=problems)


def _failed_path(message: Message) -> str:
    """Return the path of the payload that could not be read."""
    kind = PAYLOADS.get(message.tail_type)
    if kind is None:
        return NEXT_PAYLOADS.names.get(message.tail_type, "payload").replace(" ", "-")
    before = sum(payload.label == kind.label for payload in message.payloads)
    return f"{kind.label}[{before + 1}]" if before else kind.label


def _taken(reader: Reader, start: int) -> dict[str, Span]:
    """Return the spans that a tracer recorded since it was asked the last time, from that offset on."""
    assert isinstance(reader, Tracer)
    found, reader.spans = reader.spans, {}
    found[""] = Span(start, reader.offset)
    return found


def spans(octets: bytes, most: int | None = None) -> dict[str, Span]:
    """Return the absolute span of every field of the message, by field path, in the order of the octets.

    The header is `HDR`; octets that could not be decoded are `trailing`. `most` is as for `decode`.
    """
    message, parts = traced(octets, most)
    found: dict[str, Span] = {}
    for name, part in zip([HEADER_LABEL, *message.paths] if parts else [], parts, strict=True):
        found |= {f"{name}.{path}" if path else name: span for path, span in part.items()}
    if message.trailing:
        found[TRAILING] = message.trailing_span
    return dict(sorted(found.items(), key=lambda item: (item[1].start, -item[1].end)))


def part_spans(message: Message, octets: bytes, part: str) -> dict[str, Span]:
    """Return the same of one part of a message that the octets decoded to: `HDR`, the path of a payload, `trailing`."""
    tracer = Tracer(octets)
    if part == HEADER_LABEL and message.header is not None:
        tracer.inside(HEADER_LABEL, pull_header)
    elif part == TRAILING and message.trailing:
        return {TRAILING: message.trailing_span}
    elif part in message.places:
        index = message.places[part]
        payload, tracer.offset = message.payloads[index], message.offsets[index]
        tracer.inside(part, lambda reader: _trace(reader, payload))
    return tracer.spans


def _trace(reader: Reader, payload: Payload) -> None:
    if payload.chained:
        reader.uint8("next_payload")
    payload.pull(reader)
