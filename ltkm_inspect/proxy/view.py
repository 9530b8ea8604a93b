"""The content view LTKM: an MSK request or response as a tree of named fields, with what is wrong beside each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from mitmproxy import contentviews, exceptions, http, udp
from mitmproxy.flow import Flow
from mitmproxy.utils import strutils

from ltkm_inspect import document as msk
from ltkm_inspect.editing import EditError, edit_request, edit_response, significant
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Report, shorten
from ltkm_inspect.inspecting import joined
from ltkm_inspect.mitm.flows import exchange_of, is_foreign
from ltkm_inspect.mitm.odd_flow import OddFlowError
from ltkm_inspect.mitm.size import takes_long
from ltkm_inspect.mitm.udp_flows import datagram_in
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.editing import finish_request, finish_response
from ltkm_inspect.proxy.editor import Drafts
from ltkm_inspect.proxy.rendering import Rendering
from ltkm_inspect.proxy.udp_flows import datagram_lines
from ltkm_inspect.report.outline import CUT, NO_DOCUMENT, request_lines, response_lines, text_lines
from ltkm_inspect.traffic import Datagram, Exchange, Headers, Limits, Request, Response

_TYPES = frozenset({msk.MSK_RESPONSE_TYPE, msk.MSK_REQUEST_TYPE})
_OURS = 2.0
_CANNOT = -1.0
_AROUND = ("request", "response")  # what the paths of findings about request and response begin with


class LtkmView(contentviews.InteractiveContentview):
    """Shows MSK requests and responses, and takes them back edited; it shows some text for any octets."""

    name = "LTKM"
    syntax_highlight = "yaml"

    def __init__(
        self,
        configuration: Callable[[], Configuration] = Configuration,
        renderings: Mapping[Flow, Rendering] = MappingProxyType({}),
        drafts: Drafts | None = None,
        number: Callable[[Flow], int | None] = lambda _: None,
    ) -> None:
        """Take functions that return what the options ask for and the number of a flow; what was made, and drafts."""
        self._configuration = configuration
        self._number = number
        self._renderings = renderings
        self._drafts = drafts or Drafts()

    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:
        """Return the tree of a document; where it cannot be made, the reason and the text of the body.

        mitmproxy waits for it, and all traffic with it. So what is large is taken from its rendering.
        """
        text = self._text(data, metadata)
        self._drafts.show(metadata.flow, text)
        return text

    def _text(self, data: bytes, metadata: contentviews.Metadata) -> str:
        try:
            if (datagram := self._datagram(metadata)) is not None:
                return joined(self._datagram_lines(datagram, metadata.flow))
            rendering = self._rendering(metadata.flow)
            if rendering is not None:
                is_request = metadata.http_message is metadata.flow.request  # type: ignore[union-attr]
                return rendering.texts.request if is_request else rendering.texts.response
            return joined(self._lines(data, metadata))
        except Exception as error:  # in mitmdump a view that raises is replaced without a word
            shown = [f"# this body cannot be shown as a tree: {type(error).__name__}", *text_lines(data)]
            return "\n".join(shown) + "\n"

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:
        """Return 2 for the body of an MSK exchange, -1 for everything else."""
        if not data:
            return _CANNOT
        if metadata.udp_message is not None:
            return _CANNOT if self._datagram(metadata) is None else _OURS
        if metadata.content_type in _TYPES:
            return _OURS
        try:
            return _OURS if self._is_msk(metadata.flow) else _CANNOT
        except Exception:
            return _CANNOT

    def _is_msk(self, flow: Flow | None) -> bool:
        if not isinstance(flow, http.HTTPFlow) or is_foreign(flow):
            return False
        if self._rendering(flow) is not None:
            return True
        exchange = exchange_of(flow, self._configuration().limits)
        # Of a registration only the document of the response can tell, and to read a large one takes long.
        return not (exchange.registers and takes_long(flow)) and exchange.is_ours

    def _rendering(self, flow: Flow | None) -> Rendering | None:
        """Return what was made before of a flow, None where there is nothing, or nothing that fits any more."""
        rendering = self._renderings.get(flow) if flow is not None else None
        return rendering if rendering is not None and rendering.fits(flow, self._configuration()) else None

    def reencode(self, prettified: str, metadata: contentviews.Metadata) -> bytes:
        """Return the body with what was changed in its tree; CommandError says in one line, with its number, why not.

        Digests are made anew with the keys at hand, and the edit is written on the flow; where nothing was changed the
        octets are the same. On an error nothing is changed, and the editor shows the edited text the next time.
        """
        try:
            content = self._reencode(prettified, metadata)
            self._drafts.drop(metadata.flow)
            return content
        except EditError as error:
            reason = str(error)
        except exceptions.CommandError:
            raise
        except Exception as error:  # mitmproxy would leave its menu open over any other
            reason = f"this edit cannot be encoded: {type(error).__name__}"
        raise exceptions.CommandError(f"LTKM not changed: {shorten(reason, 300)}")

    def _reencode(self, prettified: str, metadata: contentviews.Metadata) -> bytes:
        message = metadata.http_message
        if metadata.udp_message is not None:
            raise EditError(None, "a datagram cannot be edited")
        if message is None or message.raw_content is None:
            raise EditError(None, "the message no longer has a body")
        try:
            data = message.content or b""
        except ValueError:
            raise EditError(None, "the content coding of the body cannot be undone") from None
        shown = strutils.escape_control_characters(self._text(data, metadata))
        if _same(shown, prettified) or not prettified.strip():
            return data
        cut = next((line for line in shown.splitlines() if line.startswith(CUT)), None)
        if cut is not None:
            raise EditError(None, f"the body is not shown completely, so it cannot be edited: {cut.strip('# ')}")
        exchange, is_request = self._exchange(data, metadata)
        configuration = self._configuration()
        context = configuration.context
        try:
            if is_request:
                content = edit_request(shown, prettified, exchange)
            else:
                content = edit_response(shown, prettified, exchange, context)
        except EditError as error:
            self._drafts.keep(metadata.flow, shown, prettified, error)
            raise
        if content != data and isinstance(metadata.flow, http.HTTPFlow):
            finish = finish_request if is_request else finish_response
            number = self._number(metadata.flow)
            finish(metadata.flow, exchange, content, context, configuration.wording.redactor(exchange), number)
        return content

    def _exchange(self, data: bytes, metadata: contentviews.Metadata) -> tuple[Exchange, bool]:
        """Return the exchange of a body that is shown, and whether that is the body of its request."""
        limits = self._configuration().limits
        flow = metadata.flow
        if not isinstance(flow, http.HTTPFlow):
            exchange = _alone(data, metadata.content_type, limits)
            return exchange, exchange.response is None
        exchange = exchange_of(flow, limits)
        if metadata.http_message is flow.request:
            return replace(exchange, request=_with_body(exchange.request, data, limits.octets)), True
        response = exchange.response or Response(200, "OK", headers=_typed(msk.MSK_RESPONSE_TYPE), body=data)
        return replace(exchange, response=_with_body(response, data, limits.octets)), False

    def _datagram(self, metadata: contentviews.Metadata) -> Datagram | None:
        """Return the datagram whose message is to be shown; None for any other message."""
        flow, message = metadata.flow, metadata.udp_message
        if message is None or not isinstance(flow, udp.UDPFlow):
            return None
        index = next((index for index, each in enumerate(flow.messages) if each is message), None)
        with suppress(OddFlowError):
            return None if index is None else datagram_in(flow, index, self._configuration().limits)
        return None

    def _datagram_lines(self, datagram: Datagram, flow: Flow | None) -> Iterator[str]:
        configuration = self._configuration()
        report = configuration.baseline.applied(inspect(datagram, configuration.context, remember=False))
        report.number = None if flow is None else self._number(flow)
        return datagram_lines(report, datagram, configuration.keys, configuration.wording.redactor(datagram, report))

    def _lines(self, data: bytes, metadata: contentviews.Metadata) -> Iterator[str]:
        configuration = self._configuration()
        exchange, is_request = self._exchange(data, metadata)
        if isinstance(metadata.flow, http.HTTPFlow):
            report = inspect(exchange, configuration.context, remember=False)  # to look is not to deliver
            report = configuration.baseline.applied(report)
            report.number = self._number(metadata.flow)
        else:
            report = _of_the_body(inspect(exchange, replace(configuration.context, session=None)))
        redactor = configuration.wording.redactor(exchange, report)
        if is_request:
            return request_lines(report, redactor)
        return response_lines(report, data, configuration.keys, redactor)


def _same(shown: str, edited: str) -> bool:
    """Tell whether nothing but comments and blank lines was edited."""
    if significant(shown) != significant(edited):
        return False
    if NO_DOCUMENT not in shown:
        return True
    # In a body that is no document, which is shown indented, a line that begins like a comment is none.
    before, after = ([line.rstrip() for line in text.split("\n") if line[:1] == " "] for text in (shown, edited))
    return [*filter(None, before)] == [*filter(None, after)]


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


def _with_body[M: (Request, Response)](message: M, data: bytes, limit: int | None) -> M:
    """Return a message with the body that is to be shown, which may be newer than the flow's."""
    if message.body == data or message.decoded(limit).octets == data[:limit]:
        return message
    return replace(message, headers=message.headers.without("Content-Encoding"), body=data)
