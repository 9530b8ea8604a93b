"""The content view LTKM: an MSK request or response as a tree of named fields, with what is wrong beside each."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from mitmproxy import contentviews, http
from mitmproxy.flow import Flow

from ltkm_inspect import document as msk
from ltkm_inspect.engine import inspect
from ltkm_inspect.exchange import Exchange, Headers, Limits, Request, Response
from ltkm_inspect.finding import Report
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.flows import exchange_of, is_foreign
from ltkm_inspect.proxy.outline import request_lines, response_lines, text_lines

_TYPES = frozenset({msk.MSK_RESPONSE_TYPE, msk.MSK_REQUEST_TYPE})
_OURS = 2.0
_CANNOT = -1.0
_AROUND = ("request", "response")  # what the paths of findings about request and response begin with


class LtkmView(contentviews.Contentview):
    """Shows MSK requests and responses; for any octets it returns some text and never raises."""

    name = "LTKM"
    syntax_highlight = "yaml"

    def __init__(self, configuration: Callable[[], Configuration] = Configuration) -> None:
        """Take a function that returns what the options ask for at the time of showing."""
        self._configuration = configuration

    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:
        """Return the tree of a document; where it cannot be made, the reason and the text of the body."""
        try:
            return "\n".join(self._lines(data, metadata)) + "\n"
        except Exception as error:  # in mitmdump a view that raises is replaced without a word
            shown = [f"# this body cannot be shown as a tree: {type(error).__name__}", *text_lines(data)]
            return "\n".join(shown) + "\n"

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:
        """Return 2 for the body of an MSK exchange, -1 for everything else."""
        if not data:
            return _CANNOT
        if metadata.content_type in _TYPES:
            return _OURS
        try:
            return _OURS if self._is_msk(metadata.flow) else _CANNOT
        except Exception:
            return _CANNOT

    def _is_msk(self, flow: Flow | None) -> bool:
        if not isinstance(flow, http.HTTPFlow) or is_foreign(flow):
            return False
        return exchange_of(flow, self._configuration().limits).is_msk

    def _lines(self, data: bytes, metadata: contentviews.Metadata) -> Iterator[str]:
        configuration = self._configuration()
        flow = metadata.flow
        if isinstance(flow, http.HTTPFlow):
            exchange = exchange_of(flow, configuration.limits)
            is_request = metadata.http_message is flow.request
            exchange = _with_request(exchange, data) if is_request else _with_response(exchange, data)
            report = inspect(exchange, configuration.context, remember=False)  # to look is not to deliver
        else:
            exchange = _alone(data, metadata.content_type, configuration.limits)
            is_request = exchange.response is None
            report = _of_the_body(inspect(exchange, replace(configuration.context, session=None)))
        lines = request_lines(report) if is_request else response_lines(report, data, configuration.keys)
        veil = configuration.veil(exchange)
        return map(veil.text, lines) if veil else lines


def _of_the_body(report: Report) -> Report:
    """Return the report without what it says of the exchange around a body that came alone."""
    findings = tuple(each for each in report.findings if not each.place.path.startswith(_AROUND))
    notes = tuple(each for each in report.notes if not each.place.path.startswith(_AROUND))
    return replace(report, findings=findings, notes=notes)


def _alone(data: bytes, content_type: str | None, limits: Limits) -> Exchange:
    """Return a document without the exchange that it came in, as the exchange that it may have come in."""
    request = Request("POST", "http", "", 80, "/?requesttype=msk-request")
    if content_type == msk.MSK_REQUEST_TYPE:
        return Exchange(replace(request, headers=_typed(content_type), body=data), limits=limits)
    return Exchange(request, Response(200, "OK", headers=_typed(msk.MSK_RESPONSE_TYPE), body=data), limits=limits)


def _typed(content_type: str) -> Headers:
    return Headers(((b"Content-Type", content_type.encode()),))


def _with_request(exchange: Exchange, data: bytes) -> Exchange:
    """Return the exchange with the request body that is to be shown, which may be newer than the flow's."""
    request, limit = exchange.request, exchange.limits.octets
    if request.body == data or request.decoded(limit).octets == data[:limit]:
        return exchange
    return replace(exchange, request=replace(request, headers=request.headers.without("Content-Encoding"), body=data))


def _with_response(exchange: Exchange, data: bytes) -> Exchange:
    """Return the exchange with the response body that is to be shown, which may be newer than the flow's."""
    response, limit = exchange.response, exchange.limits.octets
    if response is None:
        return replace(exchange, response=Response(200, "OK", headers=_typed(msk.MSK_RESPONSE_TYPE), body=data))
    if response.body == data or response.decoded(limit).octets == data[:limit]:
        return exchange
    return replace(
        exchange, response=replace(response, headers=response.headers.without("Content-Encoding"), body=data)
    )
