"""The document in the body of a request: which keys it asks for."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

from ltkm_inspect import document as msk


@dataclass(eq=False)
class RequestDocument:
    """The document of a request."""

    xml: msk.Xml

    @cached_property
    def msks(self) -> tuple[msk.MskPair, ...]:
        """Its MSK elements in document order; none without a root."""
        return () if self.xml.root is None else msk.msk_pairs(self.xml.root)

    @cached_property
    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Key Domain ID and MSK ID of every MSK that can be read, in order."""
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
        """It departs in nothing from the schema, and has in each MSK a pair that a key can have."""
        root = self.xml.root
        if root is None or not self.xml.well_formed or not self.pairs or any(msk.request_departures(root)):
            return False
        return len(self.pairs) == len(root) and all(map(_can_be_key, self.pairs))


def _can_be_key(pair: tuple[bytes, bytes]) -> bool:
    return len(pair[0]) == 3 and len(pair[1]) == 4 and pair[1][:2] != b"\0\0"


def read_request(octets: bytes, charset: str | None) -> RequestDocument:
    """Return the document in the body of a request."""
    return (_read if len(octets) > _SHORT else _read_short)(octets, charset)


def _read(octets: bytes, charset: str | None) -> RequestDocument:
    return RequestDocument(msk.read(octets, charset))


_SHORT = 2048
"""How many octets of request are worth remembering: terminals ask for the same keys in the same words."""
_read_short = lru_cache(maxsize=256)(_read)
