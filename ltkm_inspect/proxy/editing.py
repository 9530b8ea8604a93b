"""The last step of an edit in the content view: the digests fit what will be sent, and the flow says what was done."""

import logging
from collections.abc import Iterable
from dataclasses import replace

from mitmproxy import http
from mitmproxy.net import encoding

from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.engine.sealing import UnsealedPart, seal, unsealed, why_no_digest
from ltkm_inspect.mitm.change import sha256
from ltkm_inspect.mitm.flows import update
from ltkm_inspect.mitm.marking import FAULTED, ORIGINAL, mark_faults
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.marks import Marks
from ltkm_inspect.report.text import UNKNOWN, count, request_line
from ltkm_inspect.traffic import Exchange, Headers, Request, Response

logger = logging.getLogger(__name__)

EDIT = "edit"
"""What is written on an edited flow in the place of a fault, since it is no longer what was sent."""


def finish_response(
    flow: http.HTTPFlow,
    before: Exchange,
    content: bytes,
    context: Context,
    redactor: Redactor = NO_REDACTOR,
    number: int | None = None,
) -> None:
    """Sign a response with that new content and write the edit on its flow, the one of that number in the run.

    mitmproxy sets the content right after.
    """
    assert flow.response is not None
    assert before.response is not None
    # What was shown may have been read without the content coding.
    old = replace(before.response, headers=Headers(flow.response.headers.fields), body=flow.response.raw_content)
    before = replace(before, response=old)
    body = _coded(flow.response, content)
    after = seal(replace(before, response=replace(old, body=body)), before, context)
    assert after.response is not None
    # The body is mitmproxy's own to set, as it sets the length that fits it.
    update(flow, before, replace(after, response=replace(after.response, body=old.body)))
    came = None if before.faults else Marks.of(inspect(before, context, remember=False), redactor)
    mark_faults(flow, [*before.faults, EDIT], sha256(old), sha256(after.response), came, redactor)
    _log(before, _sizes("response", old, body), unsealed(after, before, context), redactor, number)


def finish_request(
    flow: http.HTTPFlow,
    before: Exchange,
    content: bytes,
    context: Context,
    redactor: Redactor = NO_REDACTOR,
    number: int | None = None,
) -> None:
    """Sign a request with that new content and write the edit on its flow, the one of that number in the run.

    mitmproxy sets the content right after.
    """
    old = replace(before.request, headers=Headers(flow.request.headers.fields), body=flow.request.raw_content)
    before = replace(before, request=old)
    asking = replace(before, response=None)
    body = _coded(flow.request, content)
    new = seal(replace(asking, request=replace(old, body=body)), asking, context).request
    update(flow, before, replace(before, request=replace(new, body=old.body)))
    digests = {key: flow.metadata.get(key) for key in (ORIGINAL, FAULTED)}  # they are about the response
    mark_faults(flow, [*before.faults, EDIT], digests[ORIGINAL], digests[FAULTED], redactor=redactor)
    for key, value in digests.items():
        if value is None:
            del flow.metadata[key]
    credentials = old.credentials
    signs_body = credentials is not None and (credentials.get("qop") or "").lower() == "auth-int"
    is_left = signs_body and new.headers == old.headers
    left = [UnsealedPart("digest", why_no_digest(asking, context), "the BSM")] if is_left else []
    _log(before, _sizes("request", old, body), left, redactor, number)


def _coded(message: http.Message, content: bytes) -> bytes:
    """Return the body as mitmproxy will set it."""
    return encoding.encode(content, message.headers.get("content-encoding") or "identity")


def _sizes(what: str, old: Request | Response, body: bytes) -> str:
    return f"{what} body {len(old.body or b'')} -> {count(len(body), 'octet')}"


def _log(before: Exchange, what: str, unsealed: Iterable[UnsealedPart], redactor: Redactor, number: int | None) -> None:
    at = f"#{UNKNOWN if number is None else number} edit: {request_line(before, redactor)}"
    logger.info("%s: %s", at, what)
    for each in unsealed:
        logger.warning("%s: %s", at, each)
