"""HTTP exchanges as plain data, and the subjects in them that rules look at."""

from ltkm_inspect.traffic.gap import Gap
from ltkm_inspect.traffic.http import USUAL_TARGET, Headers, MediaType, Request, Response, split_target
from ltkm_inspect.traffic.subject import OFFLINE, Document, Exchange, Item, Limits, Ltkm, Outcome, read_code

__all__ = [
    "OFFLINE",
    "USUAL_TARGET",
    "Document",
    "Exchange",
    "Gap",
    "Headers",
    "Item",
    "Limits",
    "Ltkm",
    "MediaType",
    "Outcome",
    "Request",
    "Response",
    "read_code",
    "split_target",
]
