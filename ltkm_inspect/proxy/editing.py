"""The last step of an edit in the content view: the digests fit what will be sent, and the flow says what was done."""

import hashlib
import logging
from dataclasses import replace

from mitmproxy import http
from mitmproxy.net import encoding

from ltkm_inspect.context import Context
from ltkm_inspect.editing import Edited
from ltkm_inspect.engine.injection import seal
from ltkm_inspect.exchange import Exchange, Request, Response
from ltkm_inspect.proxy.marking import FAULTED, ORIGINAL, mark_faults
from ltkm_inspect.report.text import asked, count

logger = logging.getLogger(__name__)

EDIT = "edit"
"""What is written on an edited flow in the place of a fault, since it is no longer what was sent."""


def finish_response(flow: http.HTTPFlow, before: Exchange, edited: Edited, context: Context) -> None:
    """Sign an edited response anew and write the edit on its flow; mitmproxy sets the body itself right after."""
    response, old = flow.response, before.response
    assert response is not None
    assert old is not None
    body = _coded(response, edited.octets)
    new = seal(replace(before, response=replace(old, body=body)), before, context).response
    assert new is not None
    flow.backup()  # type: ignore[no-untyped-call]
    if new.headers != old.headers:
        response.headers = http.Headers(new.headers.fields)
    if new.trailers != old.trailers:
        response.trailers = http.Headers(new.trailers.fields)
    mark_faults(flow, [*before.faults, EDIT], _sha256(old), hashlib.sha256(body).hexdigest())
    kept = _covers_body(before) and old.info is not None and "rspauth" in old.info.first and new.info == old.info
    _log(before, "response", old, body, kept, edited.unsealed)


def finish_request(flow: http.HTTPFlow, before: Exchange, edited: Edited, context: Context) -> None:
    """Sign an edited request anew and write the edit on its flow; mitmproxy sets the body itself right after."""
    asks = replace(before, response=None)
    body = _coded(flow.request, edited.octets)
    new = seal(replace(asks, request=replace(asks.request, body=body)), asks, context).request
    flow.backup()  # type: ignore[no-untyped-call]
    if new.headers != asks.request.headers:
        flow.request.headers = http.Headers(new.headers.fields)
    digests = {key: flow.metadata.get(key) for key in (ORIGINAL, FAULTED)}  # they are about the response
    mark_faults(flow, [*before.faults, EDIT], digests[ORIGINAL], digests[FAULTED])
    for key, value in digests.items():
        if value is None:
            del flow.metadata[key]
    kept = _covers_body(before) and new.credentials == before.request.credentials
    _log(before, "request", asks.request, body, kept, 0)


def _coded(message: http.Message, content: bytes) -> bytes:
    """Return the body as mitmproxy will set it."""
    return encoding.encode(content, message.headers.get("content-encoding") or "identity")


def _covers_body(exchange: Exchange) -> bool:
    """Tell whether the digests of an exchange cover its bodies."""
    credentials = exchange.request.credentials
    return credentials is not None and (credentials.get("qop") or "").lower() == "auth-int"


def _sha256(response: Response) -> str | None:
    return None if response.body is None else hashlib.sha256(response.body).hexdigest()


def _log(before: Exchange, what: str, old: Request | Response, body: bytes, unsigned: bool, unsealed: int) -> None:
    sizes = f"{what} body from {len(old.body or b'')} to {count(len(body), 'octet')}"
    kept = []
    if unsealed:
        kept.append(f"the MAC of {count(unsealed, 'LTKM')} was not made anew")
    if unsigned:
        kept.append("the digest was not made anew, for want of the MRK")
    level = logging.WARNING if kept else logging.INFO
    logger.log(level, "ltkm: edit: %s: %s", asked(before), "; ".join([sizes, *kept]))
