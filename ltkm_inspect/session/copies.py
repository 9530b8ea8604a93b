"""The register of events with the same octets: one that was captured twice is told from one that was replayed."""

from collections.abc import Mapping

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventOrigin, EventSummary

COPIES_OF_EVENT = 16
"""How many events with the same octets are remembered, the latest."""
SAME_TIME = 1.0
"""How many seconds apart one event may seem to be that was captured twice with one clock."""

type Copies = tuple[EventOrigin, ...]
"""Events with the same octets, the latest last."""


def _keys(event: EventSummary) -> Mapping[bytes, EventOrigin]:
    return {event.fingerprint: event.origin} if event.fingerprint else {}


def _after(copies: Copies | None, origin: EventOrigin, settings: SessionSettings) -> Copies:
    return (*(copies or ())[1 - COPIES_OF_EVENT :], origin)


COPIES = Register("copies", _keys, _after)
"""Events with the same octets, by their fingerprint."""


def compare(copies: Copies, event: EventOrigin, clock_skew: float) -> tuple[str | None, str | None]:
    """Return the id of an earlier event that is this very one, and of one that it repeats; None where there is none.

    What it repeats was answered, and it was answered again.
    """
    repeated = None
    for earlier in reversed(copies):
        if is_twin(earlier, event, clock_skew):
            return earlier.id, None
        if earlier.is_accepted and event.is_accepted:
            repeated = earlier.id
    return None, repeated


def is_twin(earlier: EventOrigin, event: EventOrigin, clock_skew: float) -> bool:
    """Tell whether an event is an earlier one with its octets, captured twice or replayed by mitmproxy.

    It is where both came at one time, or over one connection if their credentials count. The clocks of two captures
    may differ by `clock_skew` seconds. A time that was not captured may be any.
    """
    is_elsewhere = earlier.capture != event.capture
    # The connection in a HAR is a number that has a meaning within that HAR alone.
    is_known = bool(earlier.connection) and (bool(earlier.client) or not is_elsewhere)
    if is_known and earlier.is_counted and (earlier.connection, earlier.client) == (event.connection, event.client):
        return True
    if event.is_replayed or (earlier.is_replayed and _apart(earlier.started, event.started) >= 0):
        return True
    most = max(SAME_TIME, clock_skew) if is_elsewhere else SAME_TIME
    times = (earlier.started, event.started), (earlier.ended, event.ended)
    return all(abs(_apart(one, two)) <= most for one, two in times)


def _apart(one: float | None, other: float | None) -> float:
    """Return how many seconds the first of two times is the later one; 0 where one is not known."""
    return 0.0 if one is None or other is None else round(one - other, 6)
