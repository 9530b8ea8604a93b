"""The list of documents that may be cited, and their clauses."""

from dataclasses import dataclass, replace
from enum import Enum


class Verb(Enum):
    """What a clause asks for: the default level of a rule that rests on it."""

    SHALL = "shall"
    SHOULD = "should"
    MAY = "may"


class Sure(Enum):
    """How sure it is that the document says so."""

    FOUND = "found"
    """The text was read."""
    DERIVED = "derived"
    """Follows from text that was read, without being a sentence of it."""
    RECALL_HIGH = "recall H"
    """From memory, about nine in ten: a warning at most."""
    RECALL_MIDDLE = "recall M"
    """From memory, more likely than not: a note at most, and cannot be raised."""
    RECALL_LOW = "recall L"
    """From memory, less likely than not: a note at most, and cannot be raised."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A document that may be cited; index it with a clause number to get a `Clause`."""

    key: str
    """Short name without spaces, as typed after `--select`: `RFC3830`."""
    name: str
    """Name as printed: `RFC 3830`."""
    title: str
    clause_mark: str = "§"
    quotable: bool = False
    """True where the text itself was read, so that a sentence of it may be quoted."""

    def __getitem__(self, number: str) -> "Clause":
        return Clause(self, number)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of a publication, with what it says there about one requirement."""

    publication: Publication
    number: str
    quote: str = ""
    """A sentence of the clause, word for word; only from a quotable publication."""
    says: str = ""
    """What the clause says, in our own words."""
    verb: Verb = Verb.SHALL
    sure: Sure = Sure.FOUND

    def __call__(
        self, *, quote: str = "", says: str = "", verb: Verb = Verb.SHALL, sure: Sure = Sure.FOUND
    ) -> "Clause":
        """Return this clause with what it says; ValueError for a quotation from a text that was not read."""
        if quote and not self.publication.quotable:
            raise ValueError(f"{self}: only a publication whose text was read may be quoted; use says=")
        return replace(self, quote=quote, says=says, verb=verb, sure=sure)

    def __str__(self) -> str:
        return f"{self.publication.name} {self.publication.clause_mark}{self.number}"


CR = Publication(
    "CR", "CR", "OMA BCAST Services change request: LTKMs in the MBMS MSK response", clause_mark="", quotable=True
)
RFC1982 = Publication("RFC1982", "RFC 1982", "Serial Number Arithmetic")
RFC2617 = Publication("RFC2617", "RFC 2617", "HTTP Authentication: Basic and Digest Access Authentication")
RFC3394 = Publication("RFC3394", "RFC 3394", "Advanced Encryption Standard (AES) Key Wrap Algorithm")
RFC3711 = Publication("RFC3711", "RFC 3711", "The Secure Real-time Transport Protocol (SRTP)")
RFC3830 = Publication("RFC3830", "RFC 3830", "MIKEY: Multimedia Internet KEYing")
RFC4563 = Publication("RFC4563", "RFC 4563", "The Key ID Information Type for the General Extension Payload in MIKEY")
RFC4771 = Publication("RFC4771", "RFC 4771", "Integrity Transform Carrying Roll-Over Counter for SRTP")
RFC5410 = Publication("RFC5410", "RFC 5410", "MIKEY General Extension Payload for OMA BCAST 1.0")
RFC6043 = Publication("RFC6043", "RFC 6043", "MIKEY-TICKET: Ticket-Based Modes of Key Distribution in MIKEY")
RFC7303 = Publication("RFC7303", "RFC 7303", "XML Media Types")
RFC7615 = Publication("RFC7615", "RFC 7615", "HTTP Authentication-Info and Proxy-Authentication-Info")
RFC7616 = Publication("RFC7616", "RFC 7616", "HTTP Digest Access Authentication")
RFC9110 = Publication("RFC9110", "RFC 9110", "HTTP Semantics")
RFC9111 = Publication("RFC9111", "RFC 9111", "HTTP Caching")
TS24109 = Publication("TS24109", "3GPP TS 24.109", "Bootstrapping interface (Ub) and NAF interface (Ua)", "")
TS26346 = Publication("TS26346", "3GPP TS 26.346", "MBMS; Protocols and codecs", "")
TS31102 = Publication("TS31102", "3GPP TS 31.102", "Characteristics of the USIM application", "")
TS33220 = Publication("TS33220", "3GPP TS 33.220", "Generic Bootstrapping Architecture (GBA)", "")
TS33246 = Publication("TS33246", "3GPP TS 33.246", "Security of MBMS", "")
TS33501 = Publication("TS33501", "3GPP TS 33.501", "Security architecture and procedures for 5G System", "")
TS33535 = Publication("TS33535", "3GPP TS 33.535", "Authentication and Key Management for Applications (AKMA)", "")
OMNA = Publication("OMNA", "OMNA", "OMA naming authority: registered XML namespaces", "")
XML = Publication("XML", "XML 1.0", "Extensible Markup Language (XML) 1.0")
XMLNS = Publication("XMLNS", "Namespaces in XML", "Namespaces in XML 1.0")
XSD1 = Publication("XSD1", "XML Schema 1", "XML Schema Part 1: Structures")
XSD = Publication("XSD", "XML Schema 2", "XML Schema Part 2: Datatypes")

PUBLICATIONS: dict[str, Publication] = {
    publication.key: publication for publication in list(globals().values()) if isinstance(publication, Publication)
}
"""Every publication that may be cited, by key."""
