"""Tells whether a fault damages what a proxy has already forwarded when the response comes."""

from contextlib import suppress
from functools import cache

from ltkm_inspect.context import Context
from ltkm_inspect.engine.injection import inject
from ltkm_inspect.fault import FAULTS, Application
from ltkm_inspect.reference import KEYS, reference
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange


def reaches_back(before: Exchange, after: Exchange) -> bool:
    """Tell whether two forms of an exchange differ in the request or in the connection."""
    return after.request != before.request or after.connection != before.connection


@cache
def is_for_recordings(id: str) -> bool:
    """Tell whether a fault can only be put into recordings. Its clean reference shows what it changes."""
    fault = FAULTS[id]
    *earlier, last = reference(fault.reference)
    session = Session()
    for exchange in earlier:
        session.take(exchange, KEYS)
    with suppress(ValueError):  # a fault that needs a value is judged when it is put in
        return reaches_back(last, inject(last, [Application(fault)], Context(keys=KEYS, session=session)))
    return False
