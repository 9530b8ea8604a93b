"""Tells of a fault whether it damages what a proxy has handed on before the response comes."""

from contextlib import suppress
from functools import cache

from ltkm_inspect.context import Context
from ltkm_inspect.engine.injection import inject
from ltkm_inspect.fault import FAULTS, Application
from ltkm_inspect.reference import KEYS, reference
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange


def reaches_back(before: Exchange, after: Exchange) -> bool:
    """Tell whether an exchange differs from another one in its request, or in the connection that it came over."""
    return after.request != before.request or after.connection != before.connection


@cache
def is_for_recordings(id: str) -> bool:
    """Tell whether a fault is one that only a recording can be damaged by, judged by the reference it is proved on."""
    fault = FAULTS[id]
    *earlier, last = reference(fault.reference)
    session = Session()
    for exchange in earlier:
        session.take(exchange, KEYS)
    with suppress(ValueError):  # one that takes a value to do anything is judged when it is put in
        return reaches_back(last, inject(last, [Application(fault)], Context(keys=KEYS, session=session)))
    return False
