"""One connection of a packet capture: pairs requests and the responses to them, however much is missing."""

from dataclasses import dataclass, field

from ltkm_inspect.capture.exchanges import ConnectionInfo, Owner, exchange_of, may_be_ours, place, response_gap
from ltkm_inspect.capture.http1 import HttpMessage, HttpReader, protocol_of
from ltkm_inspect.capture.http_head import RequestHead, ResponseHead
from ltkm_inspect.packets import PacketTime, TcpConnection, distance
from ltkm_inspect.packets.tcp import DROPPED, ENDED, FINISHED, RESET, REUSED
from ltkm_inspect.traffic import Gap, ours
from ltkm_inspect.wire import count

MOST_WAITING = 1000
"""How many requests of a connection may wait for their responses."""
LARGEST = 64 << 20
"""How many octets of a body are kept."""
_UNLIKELY = 1 << 20
"""How many octets of the body of a request are kept that is ours only if the response is."""
_ABOUT = 1000
"""Octets of memory that an exchange takes beside its bodies."""
_ENDS = {
    FINISHED: "the connection was closed",
    RESET: "the connection was reset",
}
"""How a connection ended that did not end well, in words."""
_LOST = {
    ENDED: "the capture ended before it was complete",
    REUSED: "the end of the connection was not captured",
    DROPPED: "too many connections were open, so the rest was not read (--limit connections=)",
}
"""Why a capture does not have the rest of an exchange."""


@dataclass(slots=True, eq=False)
class _Turn:
    """A request and its response, as far as they came."""

    request: HttpMessage | None
    response: HttpMessage | None = None
    kept: int = _ABOUT
    """Octets in memory."""
    gaps: list[Gap] = field(default_factory=list)
    is_given: bool = False
    """It was given out, or dropped: what still comes of it does not count."""

    @property
    def first(self) -> PacketTime:
        """The packet with the first octet of what there is."""
        message = self.request or self.response
        assert message is not None
        return message.first


class Conversation:
    """Reads what both sides of a connection send as HTTP."""

    __slots__ = (
        *("_acknowledged", "_asking", "_begun", "_connection", "_first", "_info", "_is_compared", "_is_lossy"),
        *("_is_pipelined", "_orphans", "_owner", "_readers", "_seen", "_turn", "_turns"),
    )

    def __init__(self, connection: TcpConnection, first: PacketTime, owner: Owner) -> None:
        """Take a connection that was just opened."""
        self._connection = connection
        self._owner = owner
        self._first = first
        self._info: ConnectionInfo | None = None
        self._readers: tuple[HttpReader, HttpReader] | None = None
        self._turns: list[_Turn] = []
        """Requests, in order, until the exchange of each is complete."""
        self._orphans: list[_Turn] = []
        """Responses whose requests may still come: they are captured late."""
        self._turn: _Turn | None = None
        """The one whose response is being read."""
        self._asking: _Turn | None = None
        """The one whose request was begun last."""
        self._is_lossy = False
        """Messages may be missing, so that the oldest request is not always the one that is answered."""
        self._is_compared = False
        self._is_pipelined = False
        """A request was sent before the one in front of it was answered."""
        self._acknowledged: int | None = None
        """What the terminal had received when it sent the last request, as a sequence number."""
        self._begun = (0, 0)
        """The packet in which a message began last, and how many did so."""
        self._seen = False
        """The head of a message was read."""

    # What the connection tells

    def data(self, side: int, octets: bytes, packet: PacketTime) -> None:
        """Take octets of a side."""
        if self._connection.reader is None:
            return
        self._reader(side).data(octets, packet)

    def hole(self, side: int, length: int, packet: PacketTime) -> None:
        """Take note of a hole."""
        self._reader(side).hole(length, packet)

    def _reader(self, side: int) -> HttpReader:
        """Return what reads a side, which is made once something of it comes."""
        if self._readers is None:
            self._readers = HttpReader(0, self), HttpReader(1, self)
        return self._readers[side]

    def conflict(self, side: int, length: int, packet: PacketTime) -> None:
        """Take note of octets that were captured twice and differently, which may be of the message being read."""
        if self._readers is not None:
            message = self._readers[side].message
            turn = self._turn if side else self._asking
            if message is not None and turn is not None and len(turn.gaps) < 10:
                part = ("request", "response")[side]
                reason = f"{count(length, 'octet')} of the {part} differ from those captured before, which were taken"
                turn.gaps.append(Gap(place(packet, turn.first.file), reason, is_damage=True))

    def finished(self, side: int, packet: PacketTime) -> None:
        """Take note that a side sends no more."""
        if self._readers is not None:
            self._readers[side].finish(packet)

    def closed(self, reason: str, packet: PacketTime | None) -> None:
        """Give out what is not complete, as nothing more comes."""
        for turn in [*self._turns, *self._orphans]:
            self._break_off(turn, reason, packet)
        self._turns.clear()
        self._orphans.clear()
        self._readers = None  # they refer back: a million connections would wait for the garbage collection

    # What the readers tell

    def begun(self, side: int, message: HttpMessage, octets: int) -> None:
        """Find the turn of a message that begins."""
        packet = message.first.number
        self._begun = packet, self._begun[1] + 1 if packet == self._begun[0] else 1
        message.ordinal = self._begun[1]
        message.number = ((self._connection.streams[side].sequence or 0) - octets) & 0xFFFFFFFF
        if self._connection.reader is None:  # the rest of what came together with the end of HTTP
            self._turn = self._asking = None
        elif side == 0:
            self._asked(message)
        else:
            self._answered(message)

    def _asked(self, request: HttpMessage) -> None:
        received = request.first.acknowledged
        self._is_pipelined |= received == self._acknowledged
        self._acknowledged = received
        for turn in [*self._orphans]:
            response = turn.response
            assert response is not None
            self._compare_first(response, request)
            if not self._is_lossy or self._answers(response, request):
                self._orphans.remove(turn)
                turn.request = request
                self._turns.append(turn)
                self._asking = turn
                return
            if response.last is not None and distance(received, response.number) > 0:
                self._remove(turn)
                self._give(turn, request.first)
        turn = self._asking = _Turn(request)
        self._owner.keep(turn.kept)
        self._turns.append(turn)
        if len(self._turns) > MOST_WAITING:
            self._break_off(self._turns.pop(0), DROPPED, request.first)

    def _answered(self, response: HttpMessage) -> None:
        waiting = [turn for turn in self._turns if turn.response is None]
        if waiting and waiting[0].request:
            self._compare_first(response, waiting[0].request)
        if self._is_lossy:
            answered = [turn for turn in waiting if turn.request and self._answers(response, turn.request)]
            for turn in [] if self._is_pipelined else waiting:
                # it was answered by what was lost
                if turn.request and distance(response.number, turn.request.first.acknowledged) > 0:
                    reason = "the response was not captured, or cannot be told from others"
                    turn.gaps.append(response_gap(response.first, reason, turn.first.file))
                    self._remove(turn)
                    self._give(turn, response.first)
            waiting = answered
        if waiting:
            self._turn = waiting[0]
            self._turn.response = response
            return
        self._turn = _Turn(None, response)
        self._owner.keep(self._turn.kept)
        self._orphans.append(self._turn)

    def _compare_first(self, response: HttpMessage, request: HttpMessage) -> None:
        """Look whether others were in front of the first messages, where the beginning of a side was not captured."""
        if not self._is_compared and any(stream.first is None for stream in self._connection.streams):
            self._is_lossy |= response.number != request.first.acknowledged
        self._is_compared = True

    def _answers(self, response: HttpMessage, request: HttpMessage) -> bool:
        """Tell whether a response certainly answers a request, even if others of the connection were lost.

        Who sends one request at a time has received all in front of the response by then, and nothing of it.
        """
        return not self._is_pipelined and response.number == request.first.acknowledged

    def head_read(self, side: int, message: HttpMessage) -> None:
        """Decide which bodies are worth keeping."""
        self._seen = True
        head = message.head
        if side == 0:
            return
        assert isinstance(head, ResponseHead)
        turn = self._turn
        if turn is None or turn.is_given:
            message.body = None
            return
        request = turn.request
        if request is not None and isinstance(request.head, RequestHead):
            if request.head.method == b"CONNECT" and 200 <= head.status < 300:
                self._drop(turn)
                self._leave("connect")
                return
        elif self._may_come() if request is None else request.last is None:
            return  # the request, or the rest of its head, may still come
        if not may_be_ours(request, message):
            message.body = None
            if request is not None and request.body:
                freed = sum(map(len, request.body))
                request.body = None
                turn.kept -= freed
                self._owner.keep(-freed)

    def grown(self, message: HttpMessage, octets: int) -> None:
        """Count the octets of a body, and do without it where there are too many."""
        turn = self._asking if isinstance(message.head, RequestHead) else self._turn
        if turn is None or turn.is_given:
            message.body = None
            return
        turn.kept += octets
        is_unlikely = isinstance(message.head, RequestHead) and not may_be_ours(message, None)
        most = _UNLIKELY if is_unlikely else LARGEST
        if not self._owner.keep(octets) or message.size > most:
            freed = sum(map(len, message.body or ()))
            message.body = None
            turn.kept -= freed
            self._owner.keep(-freed)
            if message.loss is None:
                why = f"expected at most {most >> 20} MiB of body, got more, so it was not read"
                if message.size <= most:
                    why = "too many bodies were incomplete, so this one was not read (--limit reassembly=)"
                message.loss = message.first, "body", why

    def ended(self, side: int, message: HttpMessage) -> None:
        """Give out the exchange of a message that ends, if the other message of it has ended, too."""
        if message.problem and not self._seen and not ours.may_be_record(message.begin):
            self._leave("")
            return
        for stream in self._connection.streams:
            stream.recent.clear()
        turn = self._turn if side else self._asking
        if turn is None or turn.is_given:
            return
        response = turn.response
        if side:
            self._turn = None
        if response is None or response.last is None or (turn.request is not None and turn.request.last is None):
            return
        if turn.request is None and self._may_come():
            return
        self._remove(turn)
        self._give(turn, max(response.last, message.last or response.last))

    def _may_come(self) -> bool:
        """Tell whether the request of a response may be captured after it."""
        asks = self._connection.streams[0]
        is_behind = bool(asks.waiting) or asks.acknowledged > asks.position
        return is_behind or (self._connection.has_beginning and not self._is_lossy)

    def lost(self, side: int, packet: PacketTime) -> None:
        """Take note that messages may be missing."""
        self._is_lossy = True
        if side == 0 and not self._connection.streams[0].waiting:
            for turn in [*self._orphans]:
                # what follows is later than they are
                if turn.response is not None and turn.response.last is not None and turn.first.number < packet.number:
                    self._orphans.remove(turn)
                    self._give(turn, packet)

    def foreign(self, side: int, octets: bytes) -> None:
        """Read no more of a connection that is not of HTTP/1, or changes to another protocol."""
        protocol = protocol_of(octets)
        if side == 1 and not protocol:
            turn = next((turn for turn in self._turns if turn.response is None), None)
            fields = turn.request.fields if turn is not None and turn.request is not None else ()
            upgrade = next((value.lower() for name, value in fields if name.lower() == b"upgrade"), b"")
            protocol = {b"websocket": "websocket", b"h2c": "http2"}.get(upgrade, "")
            if turn is not None and may_be_ours(turn.request, None):
                self._remove(turn)
                self._give(turn, None, "the connection was switched to another protocol")
            elif turn is not None:
                self._drop(turn)
        self._leave(protocol)

    def method(self, message: HttpMessage) -> str:
        """Return the method that a response answers; GET where that is not known."""
        turn = self._turn
        head = turn.request.head if turn is not None and turn.request is not None else None
        return head.method.decode("ascii") if isinstance(head, RequestHead) else "GET"

    def _leave(self, protocol: str) -> None:
        """Read no more of the connection."""
        self._owner.unread(protocol)
        self._connection.ignore()
        self._readers = None
        turns = [*self._turns, *self._orphans]
        self._turns.clear()
        self._orphans.clear()
        for turn in turns:
            if self._seen:
                self._break_off(turn, FINISHED, None)
            else:
                self._drop(turn)

    def _remove(self, turn: _Turn) -> None:
        for turns in (self._turns, self._orphans):
            if turn in turns:
                turns.remove(turn)

    def _drop(self, turn: _Turn) -> None:
        """Do without a turn that is no exchange."""
        self._remove(turn)
        self._owner.keep(-turn.kept)
        turn.is_given = True

    def _break_off(self, turn: _Turn, reason: str, packet: PacketTime | None) -> None:
        """Give out an exchange that is not complete."""
        request, response = turn.request, turn.response
        error, file = None, turn.first.file
        if response is None or response.last is None:
            what = "within the response" if response is not None and response.head is not None else "before a response"
            if self._is_lossy and response is None:
                turn.gaps.append(response_gap(packet, "the response was not captured", file))
            elif reason in _ENDS:
                error = f"{_ENDS[reason]} {what}"
            elif response is None or response.head is None:
                turn.gaps.append(response_gap(packet, _LOST[reason], file, is_damage=reason == DROPPED))
            else:
                hides = ("response.body", "response.trailers")
                turn.gaps.append(Gap(place(packet, file), _LOST[reason], hides, is_damage=reason == DROPPED))
            if response is not None:
                response.body = None
        if request is not None and request.last is None:
            request.body = None
            if reason not in _ENDS and request.head is not None:
                turn.gaps.append(Gap(place(packet, file), _LOST[reason], ("request.body", "request.trailers")))
        self._give(turn, packet, error)

    # Exchanges

    def _give(self, turn: _Turn, packet: PacketTime | None, error: str | None = None) -> None:
        """Give out the exchange of a turn, if it is ours."""
        if turn.is_given:
            return
        turn.is_given = True
        self._owner.keep(-turn.kept)
        request, response = turn.request, turn.response
        if not may_be_ours(request, response):
            lost = request if request is not None and request.head is None else None
            if lost is not None and ours.may_be_record(lost.begin):
                self._owner.damaged(lost)
            elif (request is not None and request.head) or (response is not None and response.head):
                self._owner.other()
            return
        if self._info is None:
            self._info = ConnectionInfo.of(self._connection, self._first, self._owner.limits)
        gaps = turn.gaps
        if request is None or (request.head is None and request.loss is None and not request.problem):
            is_damage = self._connection.has_beginning or self._is_lossy
            reason = "the request was not captured" if is_damage else "the capture began after the request"
            gaps = [*gaps, Gap(place(turn.first, turn.first.file), reason, ("request",), is_damage=is_damage)]
        exchange = exchange_of(self._info, request, response, gaps, error=error, end=packet if error else None)
        if exchange.is_ours:
            self._owner.found(exchange)
        else:
            self._owner.other()
