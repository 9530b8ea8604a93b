"""An event of any kind with what the key ring says about it."""

from dataclasses import dataclass

from ltkm_inspect.session.event import SessionEvent
from ltkm_inspect.traffic import Event


@dataclass(eq=False)
class KeyedEvent:
    """An event whose digest and MACs were verified with the key ring, as far as it has the keys."""

    label = "session"

    step: SessionEvent

    @property
    def event(self) -> Event:
        """The event."""
        return self.step.event
