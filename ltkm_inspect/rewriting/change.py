"""What faults made of an exchange."""

from dataclasses import dataclass

from ltkm_inspect.engine import Injection
from ltkm_inspect.fault import Application
from ltkm_inspect.traffic import Exchange


@dataclass(frozen=True, slots=True)
class Change:
    """What faults made of an exchange."""

    faults: tuple[Application, ...]
    injection: Injection[Exchange]

    @property
    def before(self) -> Exchange:
        """The exchange as it was."""
        return self.injection.before

    @property
    def after(self) -> Exchange:
        """The exchange as it is now."""
        return self.injection.after

    @property
    def names(self) -> tuple[str, ...]:
        """All faults that are in the exchange now, as typed."""
        return (*self.before.faults, *map(str, self.faults))
