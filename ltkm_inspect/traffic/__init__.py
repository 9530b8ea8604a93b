"""HTTP exchanges as plain data, and the subjects in them that rules look at."""

from ltkm_inspect.traffic.gap import Gap
from ltkm_inspect.traffic.http import USUAL_TARGET, Headers, MediaType, Request, Response, split_target
from ltkm_inspect.traffic.subject import OFFLINE, CodeKind, Document, Exchange, Item, Limits, Ltkm, read_code

__all__ = [
    "OFFLINE",
    "USUAL_TARGET",
    "CodeKind",
    "Document",
    "Exchange",
    "Gap",
    "Headers",
    "Item",
    "Limits",
    "Ltkm",
    "MediaType",
    "Request",
    "Response",
    "read_code",
    "split_target",
]
