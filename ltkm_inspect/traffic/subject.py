"""An exchange and the subjects that rules look at in it: document, items and LTKMs, each knowing what encloses it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from ltkm_inspect import document as msk
from ltkm_inspect import mikey
from ltkm_inspect.coding import DecodedBody
from ltkm_inspect.digest import Directives, a_tid_of, is_b_tid
from ltkm_inspect.kept import cached_property
from ltkm_inspect.traffic.gap import Gap
from ltkm_inspect.traffic.http import Request, Response
from ltkm_inspect.wire import Span

MSK_REQUEST_TYPE = "msk-request"
BOOTSTRAPPING = "3gpp-bootstrapping"
"""What the realm of every kind of bootstrapping begins with, in lower case."""
REGISTRATION_TYPES = frozenset({"register", "deregister"})
"""Values of `requesttype` that belong to other procedures (3GPP TS 33.246 G.2.1, G.2.2)."""

_ROOT = f"{{{msk.MSK_RESPONSE_NS}}}mbmsMSKResponse"
_SUCCESS = re.compile(r"(?:HTTP/1\.[01]\s+)?200(?!\d).*|OK", re.I | re.S)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one exchange is looked at; None means all of it."""

    octets: int | None = None
    """Octets of a body without its content coding."""
    ltkms: int | None = None
    """LTKMs of a response."""
    payloads: int | None = None
    """Payloads of a message, with the key IDs and parameters in them; what follows is not decoded."""
    findings: int | None = None
    """Findings of one rule and level that are kept of an exchange; the rest is counted."""
    directives: int | None = None
    """Directives of a digest header, in all its fields together; what follows is not read."""
    tags: int | None = None
    """Tags and attributes of a body; a document with more is not parsed, as its tree takes much memory."""

    def tags_beyond(self, octets: bytes | None) -> int:
        """Return how many tags and attributes a body has that is not parsed for having too many; 0 for any other."""
        if octets is None or self.tags is None or len(octets) <= self.tags:
            return 0
        found = octets.count(b"<") + octets.count(b"=")
        return found if found > self.tags else 0


OFFLINE = Limits(octets=64 << 20)
"""How much of a response is looked at where it comes from a file."""


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
    faults: tuple[str, ...] = ()
    """The faults that were put into it, as typed, in their order: it is not what the server sent."""
    limits: Limits = field(default=Limits())
    capture: str = ""
    """What tells the capture that it comes from, a file, from others of the run."""
    is_replayed: bool = False
    """mitmproxy replayed the request or the response, so that the same octets before are no doing of the peers."""
    gaps: tuple[Gap, ...] = ()
    """What the capture lacks of it or damaged, in the order of the capture."""

    @property
    def damage(self) -> tuple[Gap, ...]:
        """What the capture damaged: it is incomplete because of that, and nobody else is to be blamed."""
        return tuple(gap for gap in self.gaps if gap.is_damage)

    @property
    def lacks(self) -> tuple[Gap, ...]:
        """What the capture does not keep."""
        return tuple(gap for gap in self.gaps if not gap.is_damage)

    def unknown(self, part: str) -> Gap | None:
        """Return why a part of the exchange (`response.status`) is not known from the capture; None where it is."""
        return next((gap for gap in self.gaps if gap.covers(part)), None)

    def __post_init__(self) -> None:
        """Let no more of the digest headers be read than the limits allow."""
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

    @cached_property
    def terminal(self) -> str:
        """The terminal: its B-TID from the credentials, else its TCP connection."""
        credentials = self.request.credentials
        b_tid = credentials.get("username") if credentials else None
        return b_tid or self.connection or self.client

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
    def may_be_bootstrapped(self) -> bool:
        """A realm, a user name or an identity in an LTKM looks like one of GBA or AKMA, or there is none of them."""
        asked = self.request.credentials
        told = [asked] if asked is not None else []
        realms = [text for each in (*told, *self.challenges) if (text := each.get("realm"))]
        names = [text for each in told if (text := each.get("username"))]
        ltkms = () if self.document is None else self.document.ltkms[: self.limits.ltkms]
        names += [
            identity.value.decode("utf-8", "replace")
            for ltkm in ltkms
            if ltkm.message is not None
            for identity in ltkm.message.of(mikey.Identity)[1:]
        ]
        if any(BOOTSTRAPPING in realm.lower() for realm in realms):
            return True
        return not (realms or names) or any(is_b_tid(name) or a_tid_of(name) is not None for name in names)

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
        """The request is one of the LTKM request procedure, by its request type or its media type."""
        return MSK_REQUEST_TYPE in self.request.request_types or (
            self.request.media_type.name == msk.MSK_REQUEST_TYPE and not self.registers
        )

    @cached_property
    def registers(self) -> bool:
        """The request registers or deregisters, which is another procedure."""
        return bool(REGISTRATION_TYPES.intersection(self.request.request_types))

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
    def is_msk(self) -> bool:
        """The exchange is one of the LTKM request procedure, or a response that carries an LTKM nevertheless.

        So is one that cannot be looked at because the program fails: the check then says so, and nothing is lost.
        """
        try:
            return self.asks_for_msk or self._responds_with_msk
        except Exception:
            return True

    @property
    def _responds_with_msk(self) -> bool:
        if self.response is None:
            return False
        if self.response.media_type.name == msk.MSK_RESPONSE_TYPE:
            return True
        return self.registers and self.document is not None and bool(self.document.ltkms)

    @cached_property
    def content(self) -> DecodedBody | None:
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
        if self.limits.tags_beyond(content.octets):
            return None
        media = self.response.media_type
        if media.name.startswith("multipart/"):
            return None
        expected = media.name in (msk.MSK_RESPONSE_TYPE, msk.MSK_REQUEST_TYPE)
        if not expected and not _like_xml(content.octets):
            return None
        document = Document(self, msk.read(content.octets, media.charset))
        # An error page or another procedure's document is none of ours, unless something in it is.
        ours = (
            expected
            or document.is_msk_response
            or document.ltkms
            or (self.asks_for_msk and self.response.status == 200)
        )
        return document if ours else None

    @cached_property
    def request_content(self) -> DecodedBody | None:
        """The request body without its content coding, as far as the limit allows; None where none was captured."""
        return None if self.request.body is None else self.request.decoded(self.limits.octets)

    @cached_property
    def _asking(self) -> "_RequestDocument | None":
        content = self.request_content
        if content is None or content.truncated or self.limits.tags_beyond(content.octets):
            return None
        octets = content.octets or b""
        read = _read_asking if len(octets) > _SHORT else _read_short_asking
        return read(octets, self.request.media_type.charset)

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


@dataclass(eq=False)
class _RequestDocument:
    """The document of a request."""

    xml: msk.Xml

    @cached_property
    def msks(self) -> tuple[msk.MskPair, ...]:
        return () if self.xml.root is None else msk.msk_pairs(self.xml.root)

    @cached_property
    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        pairs = []
        for pair in self.msks:
            if pair.key_domain_ids and pair.msk_ids:
                domain = msk.base64_octets(msk.content_text(pair.key_domain_ids[0])).octets
                msk_id = msk.base64_octets(msk.content_text(pair.msk_ids[0])).octets
                if domain is not None and msk_id is not None:
                    pairs.append((domain, msk_id))
        return tuple(pairs)

    @cached_property
    def is_plain(self) -> bool:
        """It is written as nearly all are: a plain tree, and in each MSK a pair that a key can have."""
        root = self.xml.root
        if root is None or not self.xml.well_formed or not self.pairs or not msk.is_plain_request(root):
            return False
        return len(self.pairs) == len(root) and all(map(_can_be_key, self.pairs))


def _can_be_key(pair: tuple[bytes, bytes]) -> bool:
    return len(pair[0]) == 3 and len(pair[1]) == 4 and pair[1][:2] != b"\0\0"


def _read_asking(octets: bytes, charset: str | None) -> _RequestDocument:
    return _RequestDocument(msk.read(octets, charset))


_SHORT = 2048
"""How many octets of request are worth remembering: terminals ask for the same keys in the same words."""
_read_short_asking = lru_cache(maxsize=256)(_read_asking)


def _like_xml(octets: bytes) -> bool:
    start = octets[:64].removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    start = start.replace(b"\0", b"").lstrip().lower()
    return start.startswith(b"<") and not start.startswith((b"<!doctype html", b"<html"))


@dataclass(eq=False)  # nothing below an exchange is frozen: that would treble what it costs to make
class Document:
    """The XML body of a response."""

    exchange: Exchange = field(repr=False)
    xml: msk.Xml = field(repr=False)

    @property
    def root(self) -> Any:
        """The root element, of the recovered tree where the document is not well-formed; None where there is none."""
        return self.xml.root

    @property
    def is_msk_response(self) -> bool:
        """The root element is the one of an MBMS MSK response (3GPP TS 26.346 11.8.1)."""
        return self.root is not None and self.root.tag == _ROOT

    @cached_property
    def structure(self) -> msk.MskItems:
        """The elements that the document is made of."""
        return msk.MskItems((), (), ()) if self.root is None else msk.msk_items(self.root)

    @cached_property
    def departures(self) -> tuple[msk.Departure, ...]:
        """Where the elements depart from the content models of the schema; none without a root."""
        return () if self.root is None or self.structure.plain else tuple(msk.response_departures(self.root))

    @cached_property
    def departures_by_kind(self) -> Mapping[str, list[msk.Departure]]:
        """The same by their kind: each rule asks for one."""
        found: dict[str, list[msk.Departure]] = {}
        for departure in self.departures:
            found.setdefault(departure.kind, []).append(departure)
        return found

    @cached_property
    def items(self) -> tuple["Item", ...]:
        """The `<Response>` elements under the root, in document order."""
        return tuple([Item(self, number, parts) for number, parts in enumerate(self.structure.items, 1)])

    @cached_property
    def identifiers(self) -> tuple[tuple[str, Any, msk.Base64], ...]:
        """Every keyDomainID and MSKID of every item: local name, element, and what its text stands for."""
        found = []
        for item in self.items:
            for name, elements in (("keyDomainID", item.parts.key_domain_ids), ("MSKID", item.parts.msk_ids)):
                for element in elements:
                    found.append((name, element, msk.base64_octets(msk.content_text(element))))
        return tuple(found)

    @cached_property
    def pairs(self) -> tuple[tuple[bytes, bytes] | None, ...]:
        """Key Domain ID and MSK ID of every item, in order; None for an item that has not exactly one of each."""
        return tuple([item.pair for item in self.items])

    @cached_property
    def _by_element(self) -> dict[Any, "Item"]:
        return {item.element: item for item in self.items}

    def item_of(self, element: Any) -> "Item | None":
        """Return the item that an element is, or is part of; None outside every item."""
        above = (self._by_element.get(each) for each in (element, *element.iterancestors()))
        return next((item for item in above if item is not None), None)

    @cached_property
    def ltkms_outside_items(self) -> tuple["Ltkm", ...]:
        """The LTKMs that stand outside every item."""
        return _ltkms(self, None, self.structure.outside)

    @cached_property
    def ltkms(self) -> tuple["Ltkm", ...]:
        """Every element that carries an LTKM or seems meant to: those outside every item, then item by item."""
        found = list(self.ltkms_outside_items)
        for item in self.items:
            found += item.ltkms
        return tuple(found)

    @cached_property
    def ltkm_elements(self) -> frozenset[Any]:
        """The elements of all LTKMs."""
        return frozenset(ltkm.element for ltkm in self.ltkms)

    @cached_property
    def copies(self) -> dict["Ltkm", "Ltkm"]:
        """The LTKMs that repeat, octet for octet, one of an earlier item, with the LTKM that they repeat."""
        first: dict[bytes, Ltkm] = {}
        found: dict[Ltkm, Ltkm] = {}
        for ltkm in self.ltkms:
            if ltkm.octets and ltkm.item is not None:
                original = first.setdefault(ltkm.octets, ltkm)
                if original.item is not ltkm.item:
                    found[ltkm] = original
        return found

    @cached_property
    def has_ltkm(self) -> bool:
        """At least one LTKM is in the document by its exact name, a later release's namespace included."""
        return any(ltkm.is_named for ltkm in self.ltkms)


@dataclass(eq=False)
class Item:
    """One `<Response>` of the document: an MSK, its response code, and the LTKMs that go with it."""

    document: Document = field(repr=False)
    number: int
    """Place among the items, from 1."""
    parts: msk.ResponseItem = field(repr=False)

    @property
    def element(self) -> Any:
        """Its `<Response>` element."""
        return self.parts.element

    @cached_property
    def ltkms(self) -> tuple["Ltkm", ...]:
        """Every LTKM anywhere in this item, in document order."""
        found = self.parts.candidates
        return _ltkms(self.document, self, found) if found else ()

    @cached_property
    def code(self) -> str | None:
        """The text of its response code as written; None without one."""
        return self.parts.code

    @cached_property
    def outcome(self) -> "CodeKind":
        """How its response code reads."""
        return read_code(self.code)

    @cached_property
    def key_domain_id(self) -> msk.Base64 | None:
        """What its first keyDomainID element holds; None without one."""
        elements = self.parts.key_domain_ids
        return msk.base64_octets(msk.content_text(elements[0])) if elements else None

    @cached_property
    def msk_id(self) -> msk.Base64 | None:
        """What its first MSKID element holds; None without one."""
        elements = self.parts.msk_ids
        return msk.base64_octets(msk.content_text(elements[0])) if elements else None

    @cached_property
    def pair(self) -> tuple[bytes, bytes] | None:
        """The octets of its Key Domain ID and MSK ID; None where it has not exactly one of each that can be read."""
        domain, msk_id = self.key_domain_id, self.msk_id
        if domain is None or msk_id is None or len(self.parts.key_domain_ids) > 1 or len(self.parts.msk_ids) > 1:
            return None
        if domain.octets is None or msk_id.octets is None:
            return None
        return domain.octets, msk_id.octets


class CodeKind(Enum):
    """How a response code reads, in the light of the literal `200 OK` of the change request."""

    SUCCESS = "200 OK"
    PADDED = "200 OK within white space"
    NEAR_MISS = "almost 200 OK"
    OTHER = "another code"
    MISSING = "no code"

    @property
    def is_success(self) -> bool:
        """The item counts as successful."""
        return self is CodeKind.SUCCESS or self is CodeKind.PADDED


def read_code(code: str | None) -> CodeKind:
    """Return how a response code reads: only `200 OK`, give or take white space around it, is the successful one."""
    if code is None:
        return CodeKind.MISSING
    if code == "200 OK":
        return CodeKind.SUCCESS
    trimmed = code.strip(msk.XML_SPACE)
    if trimmed == "200 OK":
        return CodeKind.PADDED
    return CodeKind.NEAR_MISS if _SUCCESS.fullmatch(trimmed) else CodeKind.OTHER


@dataclass(eq=False)
class Ltkm:
    """An element that carries an LTKM, or seems meant to, and the message in it."""

    document: Document = field(repr=False)
    item: Item | None = field(repr=False)
    """The item it stands in at any depth; None outside every item."""
    number: int
    """Place among the LTKMs of its item (or of those outside every item), from 1."""
    parts: msk.LtkmCandidate = field(repr=False)
    """The element with its name, how the name misses, and where it stands."""

    @property
    def element(self) -> Any:
        """Its element."""
        return self.parts.element

    @property
    def is_named(self) -> bool:
        """Its element has the name of the change request, or the same in the namespace of a later release."""
        return self.parts.miss is None

    @property
    def is_placed(self) -> bool:
        """It stands where the change request wants it: at the wildcard of `<Response>`."""
        return self.parts.where == "wildcard"

    @cached_property
    def base64(self) -> msk.Base64:
        """Its text as octets, or why the text is not base64."""
        return msk.base64_octets(self.parts.text)

    @property
    def octets(self) -> bytes | None:
        """The octets of its message, None where the text is not base64."""
        return self.base64.octets

    @cached_property
    def message(self) -> mikey.Message | None:
        """Its octets as a MIKEY message; None where there are none."""
        return mikey.decode(self.octets, self.document.exchange.limits.payloads) if self.octets else None

    def span(self, path: str) -> Span | None:
        """Return the octets of the field of its message with that path; None where there is no such field."""
        part = path.partition(".")[0]
        if part not in self._spans and self.octets and self.message is not None:
            self._spans[part] = mikey.part_spans(self.message, self.octets, part)
        return self._spans.get(part, {}).get(path)

    @cached_property
    def _spans(self) -> dict[str, dict[str, Span]]:
        """The spans of the fields that were asked for, by the part of the message: all of them take much memory."""
        return {}


def _ltkms(document: Document, item: Item | None, found: Iterable[msk.LtkmCandidate]) -> tuple[Ltkm, ...]:
    """Return the candidates that are LTKMs: one with another name only counts if its text is a whole MIKEY message."""
    most = document.exchange.limits.payloads
    real = [candidate for candidate in found if candidate.miss != "other-name" or _is_message(candidate.text, most)]
    return tuple([Ltkm(document, item, number, candidate) for number, candidate in enumerate(real, 1)])


def _is_message(text: str, most: int | None) -> bool:
    octets = msk.base64_octets(text).octets
    message = mikey.decode(octets, most) if octets else None
    return message is not None and (message.problem is None or message.is_cut) and bool(message.payloads)
