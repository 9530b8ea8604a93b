"""The items of an MSK response, and how their response codes read."""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ltkm_inspect import document as msk
from ltkm_inspect.traffic.element import LtkmElement, elements_of
from ltkm_inspect.traffic.ltkm import Ltkm

if TYPE_CHECKING:
    from ltkm_inspect.traffic.document import Document
    from ltkm_inspect.traffic.exchange import Exchange

_SUCCESS = re.compile(r"(?:HTTP/1\.[01]\s+)?200(?!\d).*|OK", re.I | re.S)


class CodeKind(Enum):
    """How a response code reads, in the light of the literal `200 OK` of the change request."""

    SUCCESS = "200 OK"
    PADDED = "200 OK surrounded by white space"
    NEAR_MISS = "almost 200 OK"
    OTHER = "another code"
    MISSING = "no code"

    @property
    def is_success(self) -> bool:
        """The item counts as successful."""
        return self is CodeKind.SUCCESS or self is CodeKind.PADDED

    @property
    def may_be_success(self) -> bool:
        """The item is successful, or seems meant to be."""
        return self.is_success or self is CodeKind.NEAR_MISS


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
class Item:
    """One `<Response>` of the document: an MSK, its response code, and the LTKMs that go with it."""

    document: "Document" = field(repr=False)
    number: int
    """Place among the items, from 1."""
    parts: msk.ResponseItem = field(repr=False)

    @property
    def event(self) -> "Exchange":
        """The exchange that it is in."""
        return self.document.exchange

    @property
    def element(self) -> Any:
        """Its `<Response>` element."""
        return self.parts.element

    @cached_property
    def ltkm_elements(self) -> tuple[LtkmElement, ...]:
        """Every element that carries an LTKM anywhere in this item, in document order."""
        found = self.parts.candidates
        return elements_of(self.document, self, found) if found else ()

    @property
    def ltkms(self) -> tuple[Ltkm, ...]:
        """The LTKMs in these elements."""
        return tuple([each.ltkm for each in self.ltkm_elements])

    @cached_property
    def code(self) -> str | None:
        """The text of its response code as written; None without one."""
        return self.parts.code

    @cached_property
    def outcome(self) -> CodeKind:
        """How its response code reads."""
        return read_code(self.code)

    @cached_property
    def key_domain_ids(self) -> tuple[msk.Base64, ...]:
        """What its keyDomainID elements hold."""
        return tuple([msk.base64_octets(msk.content_text(each)) for each in self.parts.key_domain_ids])

    @cached_property
    def msk_ids(self) -> tuple[msk.Base64, ...]:
        """What its MSKID elements hold."""
        return tuple([msk.base64_octets(msk.content_text(each)) for each in self.parts.msk_ids])

    @property
    def key_domain_id(self) -> msk.Base64 | None:
        """What the first of its keyDomainID elements holds; None without one."""
        return self.key_domain_ids[0] if self.key_domain_ids else None

    @property
    def msk_id(self) -> msk.Base64 | None:
        """What the first of its MSKID elements holds; None without one."""
        return self.msk_ids[0] if self.msk_ids else None

    @cached_property
    def pair(self) -> tuple[bytes, bytes] | None:
        """The octets of its Key Domain ID and MSK ID; None where it has not exactly one of each that can be read."""
        domains, ids = self.key_domain_ids, self.msk_ids
        if len(domains) != 1 or len(ids) != 1 or domains[0].octets is None or ids[0].octets is None:
            return None
        return domains[0].octets, ids[0].octets
