"""An event of the traffic: what an HTTP exchange and a datagram have in common."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ltkm_inspect.digest import Directives, a_tid_of, is_b_tid
from ltkm_inspect.mikey import Identity
from ltkm_inspect.traffic.gap import Gap
from ltkm_inspect.wire import Span, plain

if TYPE_CHECKING:
    from ltkm_inspect.keys import KeyRing, Subscriber
    from ltkm_inspect.traffic.document import Document
    from ltkm_inspect.traffic.ltkm import Ltkm, Replacement

BOOTSTRAPPING = "3gpp-bootstrapping"
"""What the realm of every kind of bootstrapping begins with, in lower case."""


class Direction(Enum):
    """Which way an event goes."""

    BOTH = "both ways"
    TO_TERMINAL = "to the terminal"
    FROM_TERMINAL = "from the terminal"


@plain
@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one event is looked at, and how much of a packet capture is kept in memory; None means all of it."""

    octets: int | None = None
    """Octets of a body without its content coding."""
    ltkms: int | None = None
    """LTKMs of a response."""
    payloads: int | None = None
    """Payloads of a message, with the key IDs and parameters in them; what follows is not decoded."""
    findings: int | None = None
    """Findings of one rule and level that are kept of an event; the rest is counted."""
    directives: int | None = None
    """Directives of a digest header, in all its fields together; what follows is not read."""
    tags: int | None = None
    """Tags and attributes of a body; a document with more is not parsed, as its tree takes much memory."""
    connections: int | None = 20_000
    """TCP connections of a packet capture that are open at the same time."""
    reassembly: int | None = 64 << 20
    """Octets of a packet capture that wait in memory for others before or behind them."""

    def tags_beyond(self, octets: bytes | None) -> int:
        """Return how many tags and attributes a body has that is not parsed for having too many; 0 for any other."""
        if octets is None or self.tags is None or len(octets) <= self.tags:
            return 0
        found = octets.count(b"<") + octets.count(b"=")
        return found if found > self.tags else 0


OFFLINE = Limits(octets=64 << 20)
"""How much of a response is looked at where it comes from a file."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Event:  # no ABC: whether an event is of another class would take Python code to tell, some 15 times for each
    """One event of the traffic, in the order of its capture."""

    id: str = ""
    client: str = ""
    """Address and port of the terminal as the proxy saw it; behind NAT many terminals share the address."""
    server: str = ""
    connection: str = ""
    """What tells one connection of a terminal from another."""
    started: float | None = None
    """Seconds since 1970 UTC at which it began."""
    ended: float | None = None
    direction: Direction = Direction.BOTH
    faults: tuple[str, ...] = ()
    """The faults that were put into it, as typed, in their order: it is not what the server sent."""
    limits: Limits = field(default=Limits())
    capture: str = ""
    """What tells the capture that it comes from, a file, from others of the run."""
    is_replayed: bool = False
    """mitmproxy replayed it, so that the same octets before are no doing of the peers."""
    gaps: tuple[Gap, ...] = ()
    """What the capture lacks of it or damaged, in the order of the capture."""

    error: str | None = None
    """What ended the connection, where it did not end well."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Take the fields to another process, but nothing that was worked out of them, such as a tree of elements."""
        return _event, (type(self), *[getattr(self, name) for name in self.__dataclass_fields__])

    @property
    @abstractmethod
    def method(self) -> str:
        """What is done: the method of a request, or `UDP`."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it goes to."""

    @property
    def status(self) -> int | None:
        """The status of the response; None without one."""
        return None

    @property
    @abstractmethod
    def is_ours(self) -> bool:
        """It belongs to the delivery of LTKMs, and so is checked."""

    @property
    @abstractmethod
    def terminal(self) -> str:
        """The terminal: its B-TID, else its connection."""

    @property
    @abstractmethod
    def was_delivered(self) -> bool:
        """It reached the terminal as a whole, and is one that a terminal takes LTKMs from."""

    @property
    @abstractmethod
    def ltkms(self) -> "tuple[Ltkm, ...]":
        """Its LTKMs, in order."""

    @abstractmethod
    def without_content(self) -> Self:
        """Return the event without its octets, in which there is least to stumble over."""

    @abstractmethod
    def blank(self) -> Self:
        """Return an event of which only the id is known."""

    @property
    def unchangeable(self) -> str:
        """Why it cannot be changed without breaking more than was asked for; empty where it can."""
        return ""

    @property
    def unreadable(self) -> str:
        """Why nothing in it can be located and replaced; empty if it can."""
        return ""

    @abstractmethod
    def replaced_octets(self, replacement: "Replacement") -> tuple[Span, int]:
        """Return which octets something is put in the place of, and how many it has itself."""

    @abstractmethod
    def changed(self, changes: "Iterable[Replacement]") -> Self:
        """Return the event with these changes; ValueError where it cannot have them."""

    @property
    def checked_ltkms(self) -> "tuple[Ltkm, ...]":
        """Those of its LTKMs that the limits allow to be looked at."""
        return self.ltkms if self.limits.ltkms is None else self.ltkms[: self.limits.ltkms]

    @property
    def judged_ltkms(self) -> "tuple[Ltkm, ...]":
        """Those of them that rules look at: none in a document that is not well-formed."""
        document = self.document
        return self.checked_ltkms if document is None or document.xml.well_formed else ()

    @property
    def event(self) -> Self:
        """Itself, so that every subject names the event that it is in in the same way."""
        return self

    @property
    def document(self) -> "Document | None":
        """The MSK response document in it; None in an event without one."""
        return None

    @property
    def authorization(self) -> Directives | None:
        """The directives of its digest credentials; None where there are none."""
        return None

    @property
    def b_tid(self) -> str:
        """The user name of its digest credentials; empty without one."""
        return (self.authorization.get("username") or "") if self.authorization is not None else ""

    def subscriber_in(self, keys: "KeyRing") -> "Subscriber | None":
        """Return the terminal as a key ring knows it; None if it does not, or the event does not name the terminal."""
        return keys.find_by_credentials(self.authorization)

    @property
    def challenges(self) -> tuple[Directives, ...]:
        """The digest challenges in it."""
        return ()

    @property
    def requested_pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Key Domain ID and MSK ID of every MSK that it asks for and that can be read, in order."""
        return ()

    @property
    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Key Domain ID and MSK ID of each key in its items, its LTKMs and its request, if they have 3 and 4 octets."""
        items = self.document.items if self.document is not None else ()
        messages = (ltkm.message for ltkm in self.ltkms)
        found = [item.pair for item in items] + [each.pair for each in messages if each is not None]
        for pair in filter(None, (*found, *self.requested_pairs)):
            if tuple(map(len, pair)) == (3, 4):
                yield pair

    @property
    def damage(self) -> tuple[Gap, ...]:
        """What the capture damaged: it is incomplete because of that, and nobody else is to be blamed."""
        return tuple(gap for gap in self.gaps if gap.is_damage)

    @property
    def lacks(self) -> tuple[Gap, ...]:
        """What the capture does not keep."""
        return tuple(gap for gap in self.gaps if not gap.is_damage)

    def unknown(self, part: str) -> Gap | None:
        """Return why a part of the event (`response.status`) is not known from the capture; None where it is."""
        return next((gap for gap in self.gaps if gap.covers(part)), None)

    @cached_property
    def may_be_bootstrapped(self) -> bool:
        """A realm, a user name or an identity in an LTKM looks like one of GBA or AKMA, or there is none of them."""
        told = [self.authorization] if self.authorization is not None else []
        realms = [text for each in (*told, *self.challenges) if (text := each.get("realm"))]
        names = [text for each in told if (text := each.get("username"))]
        names += [
            identity.value.decode("utf-8", "replace")
            for ltkm in self.checked_ltkms
            if ltkm.message is not None
            for identity in ltkm.message.of(Identity)[1:]
        ]
        if any(BOOTSTRAPPING in realm.lower() for realm in realms):
            return True
        return not (realms or names) or any(is_b_tid(name) or a_tid_of(name) is not None for name in names)


def _event(kind: type[Event], *values: Any) -> Event:
    """Return an event with these values of its fields, which have been limited already."""
    event = object.__new__(kind)
    event.__dict__.update(zip(kind.__dataclass_fields__, values, strict=True))
    return event
