"""The register of MUKs: the counter of each, and the LTKMs that it protected."""

from dataclasses import dataclass
from operator import attrgetter

from ltkm_inspect.session.ltkm import LtkmRecord, is_newer
from ltkm_inspect.session.register import SessionSettings, ltkm_register
from ltkm_inspect.wire import plain

LTKMS_OF_MUK = 16
"""How many LTKMs the register remembers per MUK, besides its counter."""


@plain
@dataclass(slots=True)
class MukHistory:
    """What one MUK protected so far."""

    counter: int | None = None
    """The newest delivered counter."""
    at: float | None = None
    """When that counter was delivered, in seconds since 1970 UTC."""
    ltkms: tuple[LtkmRecord, ...] = ()
    """The latest LTKMs, the oldest of them first."""
    number: int = 0
    """The number of all its LTKMs, including those that are not remembered."""


def _add(history: MukHistory | None, ltkm: LtkmRecord, settings: SessionSettings) -> MukHistory:
    known = history or MukHistory()
    newest = known.counter is None or is_newer(ltkm.counter, known.counter)
    counter, at = (ltkm.counter, ltkm.at) if newest else (known.counter, known.at)
    return MukHistory(counter, at, (*known.ltkms[1 - LTKMS_OF_MUK :], ltkm), known.number + 1)


MUKS = ltkm_register("muks", attrgetter("muk"), _add)
"""What a MUK protected, by IDi and IDr."""
