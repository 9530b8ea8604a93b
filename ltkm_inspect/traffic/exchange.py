"""An HTTP exchange: one request with its response."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ltkm_inspect import document as msk
from ltkm_inspect.coding import DecodedBody
from ltkm_inspect.digest import Directives
from ltkm_inspect.traffic import ours
from ltkm_inspect.traffic.document import Document
from ltkm_inspect.traffic.event import Event
from ltkm_inspect.traffic.http import Request, Response
from ltkm_inspect.traffic.ltkm import Ltkm, Replacement
from ltkm_inspect.traffic.request_content import RequestDocument, read_request
from ltkm_inspect.wire import Span


@dataclass(frozen=True, eq=False)
class Exchange(Event):
    """One HTTP request with its response."""

    request: Request
    response: Response | None = None
    """None where the connection ended before one came."""
    host_rewritten: bool = field(default=False, kw_only=True)
    """The proxy put its own upstream into Host, so that Host says nothing about the terminal."""
    raw: bool = field(default=True, kw_only=True)
    """False where the source keeps no octets as sent (HAR)."""

    def __post_init__(self) -> None:
        """Limit how much of the digest headers is read."""
        most = self.limits.directives
        if most is not None:
            object.__setattr__(self, "request", self.request.limited(most))
            if self.response is not None:
                object.__setattr__(self, "response", self.response.limited(most))

    def long_headers(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each digest header of which not all directives are read, and how many it has."""
        yield from self.request.long_headers()
        if self.response is not None:
            yield from self.response.long_headers()

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.request.method

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self.request.url

    @property
    def status(self) -> int | None:
        """The status of the response; None without one."""
        return None if self.response is None else self.response.status

    @property
    def authorization(self) -> Directives | None:
        """The directives of the first `Authorization: Digest`; None without one."""
        return self.request.credentials

    @cached_property
    def terminal(self) -> str:
        """The terminal: its B-TID from the credentials, else its TCP connection."""
        return self.b_tid or self.connection or self.client

    @cached_property
    def credentials(self) -> Directives | None:
        """The digest credentials of the request that are meant to prove something; None where there are none."""
        credentials = self.request.credentials
        if credentials is None or credentials.first.get("response") or credentials.first.get("nonce"):
            return credentials
        # Some clients name themselves in their first request, with nonce and response empty, in order to be challenged.
        names_itself = credentials.first.get("nonce") == "" and credentials.first.get("response") == ""
        return None if names_itself and self.response is not None and self.response.status == 401 else credentials

    @cached_property
    def authentication_info(self) -> Directives | None:
        """The directives of the Authentication-Info that ends the procedure; None without one."""
        return None if self.response is None or self.response.status == 401 else self.response.authentication_info

    @cached_property
    def challenges(self) -> tuple[Directives, ...]:
        """The digest challenges of a 401; none in any other response."""
        return self.response.challenges if self.response is not None and self.response.status == 401 else ()

    @property
    def may_have_body(self) -> bool:
        """A response to such a request, with such a status, can have a body at all (RFC 9110 §6.4.1)."""
        if self.response is None or self.request.method.upper() == "HEAD":
            return False
        return self.response.status >= 200 and self.response.status not in (204, 304)

    @cached_property
    def asks_for_msk(self) -> bool:
        """The request is one of the LTKM request procedure."""
        return ours.asks_for_msk(self.request)

    @cached_property
    def registers(self) -> bool:
        """The request registers or deregisters, which is another procedure."""
        return ours.registers(self.request)

    @property
    def may_have_lost_trailer(self) -> bool:
        """The response broke off, or announces Authentication-Info in a trailer that was not captured."""
        response = self.response
        if response is None or response.trailers.fields:
            return False
        if self.error is not None or (self.unknown("response.trailers") is not None and self._may_have_trailer):
            return True
        announced = "authentication-info" in (response.headers.get("Trailer") or "").lower()
        return announced and (not self.raw or response.body is None)

    @property
    def _may_have_trailer(self) -> bool:
        """What is known of the response leaves room for a trailer: it is in chunks, or of HTTP/2 or later."""
        assert self.response is not None
        headers = self.response.headers
        return "content-length" not in headers or "transfer-encoding" in headers or "trailer" in headers

    @cached_property
    def is_ours(self) -> bool:
        """It is one of the LTKM request procedure, or carries an LTKM nevertheless."""
        return ours.is_ours(self)

    @property
    def was_delivered(self) -> bool:
        """The response reached the terminal as a whole, and is one that a terminal takes LTKMs from."""
        return self.response is not None and self.response.status == 200 and self.error is None

    @cached_property
    def content(self) -> DecodedBody | None:
        """The response body without its content coding, as far as the limit allows; None without a body."""
        if self.response is None or not self.response.body:
            return None
        return self.response.decoded(self.limits.octets)

    @cached_property
    def document(self) -> Document | None:
        """The XML body of the response; None where it has none that could be an MSK response."""
        content = self.content
        if self.response is None or content is None or content.octets is None or content.problem or content.truncated:
            return None
        media, octets = self.response.media_type, content.octets
        if self.limits.tags_beyond(octets) or media.name.startswith("multipart/"):
            return None
        if media.name not in ours.MEDIA_TYPES and (not ours.starts_like_xml(octets) or ours.starts_like_html(octets)):
            return None
        document = Document(self, msk.read(octets, media.charset))
        return document if ours.is_our_document(self, document) else None

    @property
    def ltkms(self) -> tuple[Ltkm, ...]:
        """The LTKMs of its document, in document order."""
        return () if self.document is None else self.document.ltkms

    @cached_property
    def request_content(self) -> DecodedBody | None:
        """The request body without its content coding, as far as the limit allows; None where none was captured."""
        return None if self.request.body is None else self.request.decoded(self.limits.octets)

    @cached_property
    def _asking(self) -> RequestDocument | None:
        content = self.request_content
        if content is None or content.truncated or self.limits.tags_beyond(content.octets):
            return None
        return read_request(content.octets or b"", self.request.media_type.charset)

    def without_content(self) -> "Exchange":
        """Return the exchange without its bodies."""
        response = None if self.response is None else replace(self.response, body=b"")
        return replace(self, request=replace(self.request, body=b""), response=response)

    def blank(self) -> "Exchange":
        """Return an exchange of which only the id is known."""
        return Exchange(Request("", "", "", 0, ""), id=str(self.id), faults=self.faults)

    @property
    def unchangeable(self) -> str:
        """Why the response cannot be changed without breaking more than was asked for; empty where it can."""
        if self.response is None:
            return "the exchange has no response"
        if not self.may_have_body:
            return "a response to HEAD, or with a status like 204, has no body"
        if self.response.body is None:
            return "the response body was not captured"
        if self.content is not None and self.content.problem is not None:
            return "the content coding of the response cannot be decoded"
        return ""

    @property
    def unreadable(self) -> str:
        """Why nothing in the response can be located and replaced; empty if it can."""
        if self.document is not None and self.document.root is not None:
            return ""
        cut = self.content is not None and self.content.truncated
        return "the response is longer than the limit" if cut else "the response has no document to damage"

    def replaced_octets(self, replacement: Replacement) -> tuple[Span, int]:
        """Return the octets of the body without its content coding that go, and how many come."""
        assert self.document is not None
        assert isinstance(replacement, msk.Splice)
        xml = self.document.xml
        octets = Span(xml.octet_offset(replacement.start), xml.octet_offset(replacement.end))
        return octets, len(replacement.text.encode(xml.encoding.codec))

    def changed(self, changes: Iterable[Replacement]) -> "Exchange":
        """Return the exchange with its document changed at these places; ValueError where it cannot be edited."""
        assert self.response is not None
        assert self.document is not None
        content = self.document.xml.splice(each for each in changes if isinstance(each, msk.Splice))
        return replace(self, response=self.response.with_content(content))

    @property
    def request_document(self) -> msk.Xml | None:
        """The XML body of the request; None where no body was captured, or not all of it is looked at."""
        return None if self._asking is None else self._asking.xml

    def asks_plainly(self) -> bool:
        """Tell whether the document of an MSK request follows its schema and names keys that there can be."""
        asking = self._asking
        return asking is not None and asking.is_plain and self.asks_for_msk

    @property
    def requested_msks(self) -> tuple[msk.MskPair, ...]:
        """The MSK elements of the request in document order; none where its body is not looked at or has no root."""
        return () if self._asking is None else self._asking.msks

    @property
    def requested_pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Key Domain ID and MSK ID of every MSK that the request asks for and that can be read, in order."""
        return () if self._asking is None else self._asking.pairs
