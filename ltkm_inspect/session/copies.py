"""The register of events with the same octets. It distinguishes an event that was captured twice from a replay."""

from collections.abc import Mapping

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventOrigin, EventSummary

COPIES_OF_EVENT = 16
"""How many events with the same octets the register remembers: the latest ones."""
SAME_TIME = 1.0
"""How many seconds the times of one event may differ that was captured twice with the same clock."""

type Copies = tuple[EventOrigin, ...]
"""Events with the same octets, the latest last."""


def _keys(event: EventSummary) -> Mapping[bytes, EventOrigin]:
    return {event.fingerprint: event.origin} if event.fingerprint else {}


def _after(copies: Copies | None, origin: EventOrigin, settings: SessionSettings) -> Copies:
    return (*(copies or ())[1 - COPIES_OF_EVENT :], origin)


COPIES = Register("copies", _keys, _after)
"""Events with the same octets, by their fingerprint."""


def compare(copies: Copies, event: EventOrigin, clock_skew: float) -> tuple[str | None, str | None]:
    """Return the id of an earlier event that is the same one, and the id of one that it repeats; None if there is none.

    An event only repeats another one if the server accepted both.
    """
    repeated = None
    for earlier in reversed(copies):
        if is_twin(earlier, event, clock_skew):
            return earlier.id, None
        if earlier.is_accepted and event.is_accepted:
            repeated = earlier.id
    return None, repeated


def is_twin(earlier: EventOrigin, event: EventOrigin, clock_skew: float) -> bool:
    """Tell whether two events with the same octets are one event, captured twice or replayed by mitmproxy.

    They are one event if they have the same time, or the same connection and credentials with a nonce. The clocks of
    two captures may differ by `clock_skew` seconds. A time that was not captured matches every time.
    """
    is_elsewhere = earlier.capture != event.capture
    # The connection in a HAR is a number that only has a meaning within that HAR.
    is_known = bool(earlier.connection) and (bool(earlier.client) or not is_elsewhere)
    if is_known and earlier.is_counted and (earlier.connection, earlier.client) == (event.connection, event.client):
        return True
    if event.is_replayed or (earlier.is_replayed and _apart(earlier.started, event.started) >= 0):
        return True
    most = max(SAME_TIME, clock_skew) if is_elsewhere else SAME_TIME
    times = (earlier.started, event.started), (earlier.ended, event.ended)
    return all(abs(_apart(one, two)) <= most for one, two in times)


def _apart(one: float | None, other: float | None) -> float:
    """Return how many seconds the first time is after the other; 0 if one of them is unknown."""
    return 0.0 if one is None or other is None else round(one - other, 6)
