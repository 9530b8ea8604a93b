"""The register of connections: which terminals got LTKMs over each."""

from ltkm_inspect.session.ltkm import LtkmRecord
from ltkm_inspect.session.register import SessionSettings, ltkm_register

RECEIVERS_OF_CONNECTION = 4
"""How many changes of the receiver the register remembers per connection."""


def _add(receivers: tuple[bytes, ...] | None, ltkm: LtkmRecord, settings: SessionSettings) -> tuple[bytes, ...]:
    known, receiver = receivers or (), ltkm.muk[1]
    return known if known[-1:] == (receiver,) else (*known[1 - RECEIVERS_OF_CONNECTION :], receiver)


CONNECTIONS = ltkm_register(
    "connections", lambda ltkm: (ltkm.connection, ltkm.muk[0]) if ltkm.connection else None, _add
)
"""The IDrs that received LTKMs over a connection, in turn, the latest last; by connection and IDi."""
