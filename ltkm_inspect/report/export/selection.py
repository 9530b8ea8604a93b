"""Which LTKMs are exported: of some keys, of some terminals, or only those that something is wrong with."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ltkm_inspect.exchange import Exchange
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.options import OptionError
from ltkm_inspect.report.export.entry import Entry
from ltkm_inspect.wire import printable

type Pair = tuple[bytes | None, bytes | None]

_HEX = r"(?:0x)?([0-9a-f]{%d})"
_MSK = re.compile(rf"{_HEX % 6}(?:/{_HEX % 4}(?:/{_HEX % 4})?)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Msk:
    """A Key Domain ID with the beginning of an MSK ID: nothing, the Key Group, or Group and Number."""

    key_domain: bytes
    msk_id: bytes = b""

    def fits(self, pair: Pair) -> bool:
        """Tell whether a Key Domain ID and MSK ID are among those meant."""
        domain, msk_id = pair
        return domain == self.key_domain and (msk_id or b"").startswith(self.msk_id)


@dataclass(frozen=True, slots=True)
class Selection:
    """What an LTKM must be like to be exported; by default any is."""

    msks: tuple[Msk, ...] = ()
    terminals: frozenset[str] = frozenset()
    """B-TIDs, or addresses with or without a port."""
    flawed: bool = False

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return not (self.msks or self.terminals or self.flawed)

    def takes(self, entry: Entry) -> bool:
        """Tell whether an LTKM is exported: by the identifiers of its item or of its message, terminal and verdict."""
        if self.msks and not any(msk.fits(pair) for msk in self.msks for pair in (entry.pair, entry.own_pair)):
            return False
        return self._is_of(entry.exchange) and not (self.flawed and not entry.findings)

    def takes_document(self, report: Report) -> bool:
        """Tell whether the document of an exchange is exported: by any of its items, terminal and verdict."""
        document = report.exchange.document
        if document is None or not self._is_of(report.exchange):
            return False
        pairs = [pair for pair in document.pairs if pair is not None]
        if self.msks and not any(msk.fits(pair) for msk in self.msks for pair in pairs):
            return False
        return not (self.flawed and report.worst is Level.OFF)

    def _is_of(self, exchange: Exchange) -> bool:
        if not self.terminals:
            return True
        address = exchange.client.rpartition(":")[0]
        return not self.terminals.isdisjoint((exchange.terminal, exchange.client, address, address.strip("[]")))


def parse_selection(msks: Iterable[str] = (), terminals: Iterable[str] = (), flawed: bool = False) -> Selection:
    """Return the selection that these words ask for; OptionError says which of them means nothing."""
    return Selection(tuple(map(_parse_msk, msks)), frozenset(terminals), flawed)


def _parse_msk(text: str) -> Msk:
    found = _MSK.fullmatch(text.strip())
    if found is None:
        wanted = "Key Domain, or Key Domain/Group, or Key Domain/Group/Number, in 6, 4 and 4 hex digits"
        raise OptionError("msk", f"expected {wanted}, got {printable(text) or 'nothing'}")
    return Msk(bytes.fromhex(found[1]), bytes.fromhex((found[2] or "") + (found[3] or "")))
