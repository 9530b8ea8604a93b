"""The register of senders: the BM-SC that each terminal gets its LTKMs from."""

from ltkm_inspect.session.ltkm import LtkmRecord
from ltkm_inspect.session.register import SessionSettings, ltkm_register


def _add(sender: bytes | None, ltkm: LtkmRecord, settings: SessionSettings) -> bytes:
    return sender if sender == ltkm.muk[0] else ltkm.muk[0]


SENDERS = ltkm_register("senders", lambda ltkm: ltkm.muk[1], _add)
"""The IDi of the latest LTKM for a terminal, by its IDr."""
