"""Tells whether a fault damages what a proxy has already forwarded when the response comes."""

from contextlib import suppress
from functools import cache

from ltkm_inspect.context import Context
from ltkm_inspect.engine.injection import inject
from ltkm_inspect.fault import FAULTS, Application
from ltkm_inspect.reference import DATAGRAM_REFERENCES, KEYS, events
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Event, Exchange


def reaches_back(before: Event, after: Event) -> bool:
    """Tell whether two forms of an exchange differ in the request, in the connection, or in its time."""
    if not isinstance(before, Exchange) or not isinstance(after, Exchange):
        return False
    return (after.request, after.connection, after.started) != (before.request, before.connection, before.started)


@cache
def only_in_recordings(id: str) -> str:
    """Return why a fault can only be put into recordings; empty if it need not be.

    Its clean reference shows what it changes.
    """
    fault = FAULTS[id]
    if fault.reference in DATAGRAM_REFERENCES:
        return "is about datagrams, which are only changed in recordings"
    *earlier, last = events(fault.reference)
    session = Session()
    for event in earlier:
        session.take(event, KEYS)
    with suppress(ValueError):  # a fault that needs a value is judged when it is put in
        if reaches_back(last, inject(last, [Application(fault)], Context(keys=KEYS, session=session))):
            return "damages the request, which the server has already answered"
    return ""
