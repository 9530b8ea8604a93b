"""The sessions of a proxy: of what the server sent, and of what terminals got, once faults may make a difference."""

from ltkm_inspect.session import EventSummary, PriorState, Session

SENT, GOT, BOTH = "sent", "got", "both"
"""What an event is remembered as; `both` as long as there is no difference."""


class Sessions:
    """As long as no fault is put in, what the server sent is what terminals got, and one session is for both.

    Then there are two: the server is judged by the one, and faults go by the other, as the terminals do.
    """

    def __init__(self) -> None:
        self.sent = Session()
        """What the server sent."""
        self._got: Session | None = None

    @property
    def got(self) -> Session:
        """What terminals got."""
        return self.sent if self._got is None else self._got

    @property
    def are_apart(self) -> bool:
        """There are two."""
        return self._got is not None

    def part(self) -> None:
        """From now on terminals may get something else than the server sends."""
        if self._got is None:
            self._got = self.sent.copy()

    def before(self, event: EventSummary, *, is_faulted: bool) -> PriorState:
        """Return what happened before an event; it is remembered as sent, unless faults were put into it."""
        return (self.got if is_faulted else self.sent).follow(event, remember=not is_faulted)

    def follow(self, event: EventSummary, what: str) -> None:
        """Remember an event that was sent, that terminals got, or both."""
        if what != GOT or self._got is None:
            self.sent.follow(event)
        if what != SENT and self._got is not None:
            self._got.follow(event)
