"""An exchange and the subjects that rules look at in it: document, items and LTKMs, each knowing what encloses it."""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from ltkm_inspect import document as xml
from ltkm_inspect import mikey
from ltkm_inspect.coding import Decoded
from ltkm_inspect.exchange.http import Request, Response
from ltkm_inspect.wire import Span

MSK_REQUEST_TYPE = "msk-request"
REGISTRATION_TYPES = frozenset({"register", "deregister"})
"""Values of `requesttype` that belong to other procedures (3GPP TS 33.246 G.2.1, G.2.2)."""

_RESPONSE = f"{{{xml.MSK_RESPONSE_NS}}}Response"
_MSK = f"{{{xml.MSK_RESPONSE_NS}}}MSK"
_KEY_DOMAIN_ID = f"{{{xml.MSK_RESPONSE_NS}}}keyDomainID"
_MSK_ID = f"{{{xml.MSK_RESPONSE_NS}}}MSKID"
_RESPONSE_CODE = f"{{{xml.MSK_RESPONSE_NS}}}ResponseCode"
_ROOT = f"{{{xml.MSK_RESPONSE_NS}}}mbmsMSKResponse"
_LTKM = f"{{{xml.ORDERQUERIES_NS}}}LTKM"
_LATER_LTKM = frozenset(f"{{{namespace}}}LTKM" for namespace in xml.LATER_ORDERQUERIES_NS)
_SUCCESS = re.compile(r"(?:HTTP/1\.[01]\s+)?200(?!\d).*|OK", re.I | re.S)
_XML_SPACE = " \t\r\n"
_ELEMENTS = "{*}*"
_OWN_NAMES = frozenset({"keyDomainID", "MSKID", "ResponseCode", "MSK", "Response"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one response is looked at; None means all of it."""

    octets: int | None = None
    ltkms: int | None = None


@dataclass(frozen=True, eq=False)
class Exchange:
    """One HTTP request with its response."""

    request: Request
    response: Response | None = None
    """None where the connection ended before one came."""
    id: str = ""
    error: str | None = None
    """What ended the connection, where it did not end well."""
    client: str = ""
    """Address and port of the client as the proxy saw it; behind NAT many terminals share the address."""
    server: str = ""
    connection: str = ""
    """What tells one TCP connection of a client from another."""
    started: float | None = None
    """Seconds since 1970 UTC at which the request began."""
    ended: float | None = None
    host_rewritten: bool = False
    """The proxy put its own upstream into Host, so that Host says nothing about the terminal."""
    raw: bool = True
    """False where the source keeps no octets as sent (HAR)."""
    limits: Limits = field(default=Limits())

    @property
    def terminal(self) -> str:
        """The terminal: its B-TID from the credentials, else its TCP connection."""
        credentials = self.request.credentials
        b_tid = credentials.get("username") if credentials else None
        return b_tid or self.connection or self.client

    @property
    def asks_for_msk(self) -> bool:
        """The request is one of the LTKM request procedure, by its request type or its media type."""
        return MSK_REQUEST_TYPE in self.request.request_types or (
            self.request.media_type.name == xml.MSK_REQUEST_TYPE and not self.registers
        )

    @property
    def registers(self) -> bool:
        """The request registers or deregisters, which is another procedure."""
        return bool(REGISTRATION_TYPES.intersection(self.request.request_types))

    @cached_property
    def is_msk(self) -> bool:
        """The exchange is one of the LTKM request procedure, or a response that carries an LTKM nevertheless."""
        if self.asks_for_msk:
            return True
        if self.response is None:
            return False
        if self.response.media_type.name == xml.MSK_RESPONSE_TYPE:
            return True
        return self.registers and self.document is not None and bool(self.document.ltkms)

    @cached_property
    def content(self) -> Decoded | None:
        """The response body without its content coding, as far as the limit allows; None without a body."""
        if self.response is None or not self.response.body:
            return None
        return self.response.decoded(self.limits.octets)

    @cached_property
    def document(self) -> "Document | None":
        """The XML body of the response; None where it has none that could be an MSK response."""
        content = self.content
        if self.response is None or content is None or content.octets is None or content.problem or content.truncated:
            return None
        media = self.response.media_type
        if media.name.startswith("multipart/"):
            return None
        expected = media.name in (xml.MSK_RESPONSE_TYPE, xml.MSK_REQUEST_TYPE)
        if not expected and not _like_xml(content.octets):
            return None
        document = Document(self, xml.read(content.octets, media.charset))
        # An error page or another procedure's document is none of ours, unless something in it is.
        ours = expected or document.is_msk_response or document.ltkms or (self.asks_for_msk and self.response.status == 200)
        return document if ours else None

    @cached_property
    def requested(self) -> xml.Xml | None:
        """The XML body of the request; None where no body was captured."""
        if self.request.body is None:
            return None
        decoded = self.request.decoded(self.limits.octets)
        return xml.read(decoded.octets or b"", self.request.media_type.charset)


def _like_xml(octets: bytes) -> bool:
    start = octets[:64].removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    start = start.replace(b"\0", b"").lstrip().lower()
    return start.startswith(b"<") and not start.startswith((b"<!doctype html", b"<html"))


@dataclass(frozen=True, eq=False)
class Document:
    """The XML body of a response."""

    exchange: Exchange = field(repr=False)
    xml: xml.Xml

    @property
    def root(self) -> Any:
        """The root element, of the recovered tree where the document is not well-formed; None where there is none."""
        return self.xml.root

    @property
    def is_msk_response(self) -> bool:
        """The root element is the one of an MBMS MSK response (3GPP TS 26.346 11.8.1)."""
        return self.root is not None and self.root.tag == _ROOT

    @cached_property
    def items(self) -> tuple["Item", ...]:
        """The `<Response>` elements under the root, in document order."""
        if self.root is None:
            return ()
        namespace = self.root.tag.rpartition("}")[0].lstrip("{")
        own = f"{{{namespace}}}Response" if namespace else "Response"
        elements = [element for element in self.root if element.tag in (_RESPONSE, own)]
        return tuple(Item(self, number, element) for number, element in enumerate(elements, 1))

    @cached_property
    def ltkms(self) -> tuple["Ltkm", ...]:
        """Every element that carries an LTKM or seems meant to, wherever it stands, in document order."""
        if self.root is None:
            return ()
        items = {item.element: item for item in self.items}
        counts: dict[Item | None, int] = {}
        found = []
        for element in self.root.iter(_ELEMENTS):
            if not _is_candidate(element):
                continue
            item = next((items[above] for above in element.iterancestors() if above in items), None)
            counts[item] = counts.get(item, 0) + 1
            found.append(Ltkm(self, item, counts[item], element))
        return tuple(found)

    @cached_property
    def has_ltkm(self) -> bool:
        """At least one LTKM is in the document by its exact name, a later release's namespace included."""
        return any(ltkm.is_named for ltkm in self.ltkms)


@dataclass(frozen=True, eq=False)
class Item:
    """One `<Response>` of the document: an MSK, its response code, and the LTKMs that go with it."""

    document: Document = field(repr=False)
    number: int
    """Place among the items, from 1."""
    element: Any = field(repr=False)

    def children(self, local: str) -> list[Any]:
        """Return the child elements of that name in the namespace of the MSK response."""
        return list(self.element.findall(f"{{{xml.MSK_RESPONSE_NS}}}{local}"))

    @cached_property
    def ltkms(self) -> tuple["Ltkm", ...]:
        """Every LTKM anywhere in this item, in document order."""
        return tuple(ltkm for ltkm in self.document.ltkms if ltkm.item is self)

    @property
    def code(self) -> str | None:
        """The text of its response code as written; None without one."""
        element = self.element.find(_RESPONSE_CODE)
        return None if element is None else text_of(element)

    @property
    def outcome(self) -> "Outcome":
        """How its response code reads."""
        return read_code(self.code)

    @cached_property
    def key_domain_id(self) -> xml.Base64 | None:
        """What its keyDomainID element holds; None without one."""
        return self._identifier(_KEY_DOMAIN_ID)

    @cached_property
    def msk_id(self) -> xml.Base64 | None:
        """What its MSKID element holds; None without one."""
        return self._identifier(_MSK_ID)

    def _identifier(self, name: str) -> xml.Base64 | None:
        element = self.element.find(f"{_MSK}/{name}")
        return None if element is None else xml.base64_octets(text_of(element))


class Outcome(Enum):
    """How a response code reads, in the light of the literal `200 OK` of the change request."""

    SUCCESS = "200 OK"
    PADDED = "200 OK within white space"
    NEAR_MISS = "almost 200 OK"
    OTHER = "another code"
    MISSING = "no code"

    @property
    def is_success(self) -> bool:
        """The item counts as successful."""
        return self in (Outcome.SUCCESS, Outcome.PADDED)


def read_code(code: str | None) -> Outcome:
    """Return how a response code reads: only `200 OK`, give or take white space around it, is the successful one."""
    if code is None:
        return Outcome.MISSING
    if code == "200 OK":
        return Outcome.SUCCESS
    trimmed = code.strip(_XML_SPACE)
    if trimmed == "200 OK":
        return Outcome.PADDED
    return Outcome.NEAR_MISS if _SUCCESS.fullmatch(trimmed) else Outcome.OTHER


@dataclass(frozen=True, eq=False)
class Ltkm:
    """An element that carries an LTKM, or seems meant to, and the message in it."""

    document: Document = field(repr=False)
    item: Item | None = field(repr=False)
    """The item it stands in at any depth; None outside every item."""
    number: int
    """Place among the LTKMs of its item (or of those outside every item), from 1."""
    element: Any = field(repr=False)

    @property
    def exchange(self) -> Exchange:
        """The exchange that it came in."""
        return self.document.exchange

    @property
    def namespace(self) -> str:
        """The namespace of its element, empty for none."""
        return str(self.element.tag).rpartition("}")[0].removeprefix("{")

    @property
    def name(self) -> str:
        """The local name of its element."""
        return str(self.element.tag).rpartition("}")[2]

    @property
    def is_exact(self) -> bool:
        """Its element has the name that the change request defines."""
        return bool(self.element.tag == _LTKM)

    @property
    def is_named(self) -> bool:
        """Its element has that name, or the same in the namespace of a later release."""
        return self.is_exact or self.element.tag in _LATER_LTKM

    @property
    def is_child_of_response(self) -> bool:
        """Its element is a child of `<Response>`."""
        return self.item is not None and self.element.getparent() is self.item.element

    @cached_property
    def base64(self) -> xml.Base64:
        """Its text as octets, or why the text is not base64."""
        return xml.base64_octets(text_of(self.element))

    @property
    def octets(self) -> bytes | None:
        """The octets of its message, None where the text is not base64."""
        return self.base64.octets

    @cached_property
    def message(self) -> mikey.Message | None:
        """Its octets as a MIKEY message; None where there are none."""
        return mikey.decode(self.octets) if self.octets else None

    @cached_property
    def spans(self) -> dict[str, Span]:
        """The octets of every field of its message, by field path."""
        return mikey.spans(self.octets) if self.octets else {}


def text_of(element: Any) -> str:
    """Return the text of an element without that of its child elements; comments are passed over."""
    if not len(element):
        return element.text or ""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def _is_candidate(element: Any) -> bool:
    name = element.tag.rpartition("}")[2]
    if name.lower() == "ltkm":
        return True
    text = element.text
    # Base64 of the octets 01 00, version and data type of an LTKM, begins like this.
    if not text or name in _OWN_NAMES or not text.lstrip(_XML_SPACE).startswith("AQ"):
        return False
    octets = xml.base64_octets(text).octets
    if octets is None or octets[:2] != b"\x01\x00":
        return False
    message = mikey.decode(octets)
    return message.problem is None and bool(message.payloads)
