"""The register of RANDs: which MSK each was first used for."""

from dataclasses import dataclass
from operator import attrgetter

from ltkm_inspect.session.ltkm import LtkmRecord, Msk
from ltkm_inspect.session.register import SessionSettings, ltkm_register
from ltkm_inspect.wire import plain


@plain
@dataclass(slots=True)
class RandUse:
    """The first use of a RAND."""

    msk: Msk
    csb_id: int


def _add(use: RandUse | None, ltkm: LtkmRecord, settings: SessionSettings) -> RandUse | None:
    return RandUse(ltkm.msk, ltkm.csb_id) if use is None and ltkm.msk is not None else use


RANDS = ltkm_register("rands", attrgetter("rand"), _add)
"""The first use of a RAND, by its octets."""
