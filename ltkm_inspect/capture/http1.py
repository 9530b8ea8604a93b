"""HTTP messages that one side of a connection sends, by h11; also behind holes, once a message begins again."""

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import h11

from ltkm_inspect.capture.http_head import Fields, Head, RequestHead, ResponseHead, head_of, plain_head
from ltkm_inspect.packets import PacketTime

MOST_HEAD = 1 << 18
"""How many octets the start line and header fields of a message may have."""
_KEPT = 4096
"""How many octets of a message are kept whose head cannot be read."""
_WITHOUT_BODY = frozenset({204, 304})
_TOO_LARGE = 431
"""The status for a head that is too large (RFC 6585 §5)."""
_LINES = ("a request line of HTTP/1", "a status line of HTTP/1")
_ROLES = (h11.SERVER, h11.CLIENT)
"""Who reads what a side sends."""
_HEADS = (h11.Request, h11.Response)
_ASKED = h11.Request(method="GET", target="/", headers=[("Host", "-")])
_SWITCHING = b"101"
"""The status behind which another protocol follows (RFC 9110 §15.2.2)."""
_REQUEST = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|CONNECT|PATCH|TRACE) [!-~\x80-\xff]").match
_RESPONSE = re.compile(rb"HTTP/1\.[01] [1-9]\d\d[ \r\n]").match
_TLS = re.compile(rb"[\x14-\x17]\x03[\0-\4]").match
_ANY_REQUEST = re.compile(
    rb"[!#-'*+.^_`|~0-9A-Za-z-]{1,24} [!-~\x80-\xff]+(?: HTTP/1\.\d\r?\n| ?[HTP/1.\d]{0,8}\r?\Z)"
).match
_START = (
    re.compile(rb"[!#-'*+.^_`|~0-9A-Za-z-]{1,24} ?\Z").match,
    re.compile(rb"H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[01](?: (?:\d(?:\d\d?)?)?)?)?)?)?)?)?)?)?\Z").match,
)
"""Whether octets may be the first ones of a start line, by the side that sends them."""


def side_of(octets: bytes) -> int | None:
    """Return which side of a connection begins a message with these octets: 0 asks; None where none begins.

    The records of TLS, which begin no message, are told as well, so that somebody says that they were not read.
    """
    if _RESPONSE(octets) is not None:
        return 1
    return 0 if _REQUEST(octets) is not None or _TLS(octets) is not None else None


def protocol_of(octets: bytes) -> str:
    """Return the protocol of a connection that begins with these octets, if it is one that others than HTTP/1 are."""
    if _TLS(octets) is not None:
        return "tls"
    return "http2" if octets.startswith(b"PRI * HTTP/2") else ""


@dataclass(slots=True, eq=False)
class HttpMessage:
    """A request or a response, as far as it was captured."""

    first: PacketTime
    """The packet with its first octet."""
    head: Head | None = None
    """None while its head is not complete, or where that was lost."""
    body: list[bytes] | None = field(default_factory=list)
    """Without transfer coding; None where nobody wants it, or part of it was lost."""
    size: int = 0
    """Octets of the body that were kept."""
    length: int | None = None
    """How many it has, where the head says so."""
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    last: PacketTime | None = None
    """The packet that ends it; None while it goes on."""
    is_complete: bool = False
    """All of it came, though not all may have been captured."""
    loss: tuple[PacketTime, str, str] | None = None
    """The packet behind the first hole in it, which part that hides, and why."""
    problem: str = ""
    """Why it is no HTTP message."""
    begin: bytes = b""
    """The first octets, while its head is not complete."""
    number: int = 0
    """The sequence number of its first octet."""
    ordinal: int = 1
    """Which one it is of the messages that begin in the same packet."""

    @property
    def fields(self) -> Fields:
        """The header fields; none without a head."""
        return () if self.head is None else self.head.fields


class MessageListener(Protocol):
    """Is told what becomes of the messages of a stream."""

    def begun(self, side: int, message: HttpMessage, octets: int) -> None:
        """Take note that a message begins with the last so many octets that came of the stream."""

    def head_read(self, side: int, message: HttpMessage) -> None:
        """Take note of its head; a body that nobody wants is then None."""

    def grown(self, message: HttpMessage, octets: int) -> None:
        """Take note that its body has so many octets more in memory."""

    def ended(self, side: int, message: HttpMessage) -> None:
        """Take note that it is complete, or that the rest of it was lost."""

    def lost(self, side: int, packet: PacketTime) -> None:
        """Take note that octets were lost, in which any number of messages may have been."""

    def foreign(self, side: int, octets: bytes) -> None:
        """Take note that what follows is not HTTP/1, or only the switch to another protocol."""

    def method(self, message: HttpMessage) -> str:
        """Return the method that a response answers."""


class HttpReader:
    """Reads the messages that one side sends."""

    __slots__ = ("_begin", "_begun", "_is_lost", "_listener", "_message", "_parser", "_rest", "_side")

    def __init__(self, side: int, listener: MessageListener) -> None:
        """Begin with the first octets of the stream."""
        self._side = side
        self._listener = listener
        self._message: HttpMessage | None = None
        self._parser: h11.Connection | None = None
        """Reads its head, and a body of which the head does not say how long it is."""
        self._rest = 0
        """Octets of the body that are still to come, where the head said how many it has."""
        self._begin = b""
        """Octets that do not tell yet what begins."""
        self._begun: PacketTime | None = None
        self._is_lost = False
        """Where the next message begins is not known."""

    @property
    def message(self) -> HttpMessage | None:
        """The message that is not complete."""
        return self._message

    def data(self, octets: bytes, packet: PacketTime) -> None:
        """Take the octets that follow."""
        while octets:
            message = self._message
            if message is None:
                octets = self._start(octets, packet)
            elif self._rest:
                part, octets = octets[: self._rest], octets[self._rest :]
                self._rest -= len(part)
                if message.body is not None:
                    self._body(message, part)
                if not self._rest:
                    self._end(packet, is_complete=True)
            else:
                assert self._parser is not None
                if message.head is None and len(message.begin) < _KEPT:
                    message.begin += octets[: _KEPT - len(message.begin)]
                self._parser.receive_data(octets)
                octets = self._advance(packet)

    def hole(self, length: int, packet: PacketTime) -> None:
        """Take note that so many octets are missing."""
        message = self._message
        if message is not None and length <= self._rest:
            self._lose(message, packet, "body", length)
            message.body = None
            self._rest -= length
            if not self._rest:
                self._end(packet, is_complete=True)
            return
        self._begin, self._is_lost, self._rest = b"", True, 0
        if message is not None:
            if message.head is None:
                self._lose(message, packet, "", length)
            else:
                self._lose(message, packet, "body", length)
                message.body = None
            self._end(packet, is_complete=True)
        self._listener.lost(self._side, packet)

    def finish(self, packet: PacketTime) -> None:
        """Take note that nothing follows."""
        if self._parser is not None:
            self._parser.receive_data(b"")
            self._advance(packet, at_end=True)

    def _lose(self, message: HttpMessage, packet: PacketTime, part: str, length: int) -> None:
        if message.loss is None:
            why = f"expected {length} octets in front of this packet, got none: they were not captured"
            message.loss = packet, part, why

    def _start(self, octets: bytes, packet: PacketTime) -> bytes:
        """Begin a message, if one begins; return what is to be read of it."""
        if self._is_lost:
            if side_of(octets) != self._side or _TLS(octets) is not None:
                return b""
            self._is_lost = False
        first = self._begun if self._begin and self._begun is not None else packet
        octets = (self._begin + octets).lstrip(b"\r\n")  # which some clients send behind a body (RFC 9112 §2.2)
        self._begin, self._begun = octets, first
        if not octets or _START[self._side](octets) is not None:
            return b""
        self._begin = b""
        begins = (_ANY_REQUEST if self._side == 0 else _RESPONSE)(octets)
        if protocol_of(octets) or (begins and self._side and octets[9:12] == _SWITCHING):
            self._is_lost = True
            self._listener.foreign(self._side, octets)
            return b""
        self._message = HttpMessage(first)
        self._listener.begun(self._side, self._message, len(octets))
        if begins is None:
            self._message.begin = octets[:_KEPT]
            self._fail(f"expected {_LINES[self._side]}, got other octets", packet)
            return b""
        if (plain := plain_head(self._side, octets)) is not None:
            head, end = plain
            length = self._length(self._message, head)
            if length is not None:
                self._head(self._message, head, length, packet)
                return octets[end:]
        self._parser = h11.Connection(_ROLES[self._side], max_incomplete_event_size=MOST_HEAD)
        if self._side and octets[9:10] == b"1":  # only an interim response needs a request in front of it
            self._parser.send(_ASKED)
        return octets

    def _advance(self, packet: PacketTime, *, at_end: bool = False) -> bytes:
        """Read on; return what follows the message."""
        message, parser = self._message, self._parser
        assert message is not None
        assert parser is not None
        while True:
            try:
                event: Any = parser.next_event()
            except h11.RemoteProtocolError as error:
                if not at_end:
                    self._fail(_problem(error), packet)
                return b""
            if isinstance(event, _HEADS):
                head = head_of(event)
                length = self._length(message, head)
                self._head(message, head, length, packet)
                if length is not None:
                    return parser.trailing_data[0]
            elif isinstance(event, h11.Data):
                if message.body is not None:
                    self._body(message, bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                message.trailers = tuple(event.headers.raw_items())
                rest = parser.trailing_data[0]
                self._end(packet, is_complete=True)
                return rest
            elif not isinstance(event, h11.InformationalResponse):
                return b""

    def _fail(self, problem: str, packet: PacketTime) -> None:
        """End a message that is not HTTP/1; where the next one begins is not known."""
        assert self._message is not None
        self._message.problem = problem
        self._is_lost = True
        self._end(packet, is_complete=False)
        self._listener.lost(self._side, packet)

    def _head(self, message: HttpMessage, head: Head, length: int | None, packet: PacketTime) -> None:
        """Take the head of a message whose body has so many octets."""
        message.head, message.length, message.begin = head, length, b""
        self._listener.head_read(self._side, message)
        if length is not None:
            self._rest, self._parser = length, None
            if not length:
                self._end(packet, is_complete=True)

    def _length(self, message: HttpMessage, head: Head) -> int | None:
        """Return how many octets the body has, by the head of a message; None where that does not say."""
        if isinstance(head, ResponseHead) and (
            head.status in _WITHOUT_BODY or self._listener.method(message) == "HEAD"
        ):
            return 0
        fields = {name.lower(): value for name, value in head.fields}
        if b"transfer-encoding" in fields:
            return None
        if b"content-length" in fields:
            return int(fields[b"content-length"])
        return 0 if isinstance(head, RequestHead) else None

    def _body(self, message: HttpMessage, octets: bytes) -> None:
        assert message.body is not None
        message.size += len(octets)
        message.body.append(octets)
        self._listener.grown(message, len(octets))

    def _end(self, packet: PacketTime, *, is_complete: bool) -> None:
        message = self._message
        assert message is not None
        message.last, message.is_complete = packet, is_complete
        self._message = self._parser = None
        self._listener.ended(self._side, message)


def _problem(error: h11.RemoteProtocolError) -> str:
    """Return why octets are not HTTP/1, without these."""
    if error.error_status_hint == _TOO_LARGE:
        return f"expected at most {MOST_HEAD >> 10} KiB of start line and header fields, got more"
    return str(error).partition(": bytearray(")[0]
