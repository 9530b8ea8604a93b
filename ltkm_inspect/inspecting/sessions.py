"""The sessions of a proxy: of what the server sent, and of what terminals got, once faults may make a difference."""

import pickle
from contextlib import suppress

from ltkm_inspect.session import EventSummary, PriorState, Session

SENT, GOT, BOTH = "sent", "got", "both"
"""What an event is remembered as; `both` as long as there is no difference."""
TOGETHER = 64
"""So many events that were inspected elsewhere are remembered together, which takes less than half of the time."""


class Sessions:
    """As long as no fault is put in, what the server sent is what terminals got, and one session is for both.

    Then there are two: the server is judged by the one, and faults go by the other, as the terminals do.
    """

    def __init__(self) -> None:
        self._sent = Session()
        self._got: Session | None = None
        self._behind: list[tuple[str, EventSummary | bytes]] = []
        """What is to be remembered before anybody looks."""

    @property
    def sent(self) -> Session:
        """What the server sent."""
        self._catch_up()
        return self._sent

    @property
    def got(self) -> Session:
        """What terminals got."""
        self._catch_up()
        return self._sent if self._got is None else self._got

    @property
    def are_apart(self) -> bool:
        """There are two."""
        return self._got is not None

    def part(self) -> None:
        """From now on terminals may get something else than the server sends."""
        if self._got is None:
            self._got = self.sent.copy()

    def before(self, event: EventSummary, *, is_faulted: bool, remember: bool = True) -> PriorState:
        """Return what happened before an event; it may be remembered as sent, unless faults were put into it."""
        return (self.got if is_faulted else self.sent).follow(event, remember=remember and not is_faulted)

    def follow(self, event: EventSummary | bytes, what: str) -> None:
        """Remember an event that was sent, that terminals got, or both; it may be pickled."""
        self._behind.append((what, event))
        if len(self._behind) >= TOGETHER:
            self._catch_up()

    def _catch_up(self) -> None:
        behind, self._behind = self._behind, []
        for what, event in behind:
            with suppress(Exception):  # what cannot be compared with others is not remembered; who inspects it says so
                self._remember(pickle.loads(event) if isinstance(event, bytes) else event, what)

    def _remember(self, event: EventSummary, what: str) -> None:
        if what != GOT or self._got is None:
            self._sent.follow(event)
        if what != SENT and self._got is not None:
            self._got.follow(event)
