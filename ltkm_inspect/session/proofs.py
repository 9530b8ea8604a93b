"""The register of proofs: which keys of the key ring have verified something."""

from collections.abc import Mapping

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary


def _keys(event: EventSummary) -> Mapping[bytes, bool]:
    return event.proofs


def _after(known: bool | None, proves: bool, settings: SessionSettings) -> bool | None:
    return known or proves or None


PROOFS = Register("proofs", _keys, _after)
"""True for a key that has verified something, by its keyed hash."""
