"""What the first reading of a stretch found, kept for the second where memory allows."""

from collections.abc import Sequence

from ltkm_inspect.checking.reading import Held
from ltkm_inspect.engine import take_apart
from ltkm_inspect.session import SessionEvent

MOST_KEPT = 32 << 20
"""So many octets of memory what was found in a stretch may take until it is checked; else it is read again."""
STEP, STEP_TIMES = 8 << 10, 4
"""An event takes about so many octets, and for each of those in the file so many more."""


class Kept:
    """What the first reading of a stretch found, for the second, as long as it stays where it was found.

    The cluster knows how large it is. What it hands on, or writes to a disk since a worker has too much, is empty.
    """

    def __init__(self, found: list[Held | SessionEvent] | None = None) -> None:
        self._found = found
        self._octets = 0

    def add(self, held: Held | SessionEvent, octets: int) -> None:
        """Keep what comes next, of so many octets in the file; nothing at all once it is too much."""
        self._octets += STEP + STEP_TIMES * octets
        if self._found is None:
            _take_apart(held)
            return
        self._found.append(held)
        if self._octets > MOST_KEPT:
            self._drop()

    def take(self) -> Sequence[Held | SessionEvent] | None:
        """Return everything in its order; None if it is not here, or was taken already."""
        found, self._found = self._found, None
        return found

    def _drop(self) -> None:
        for each in self.take() or ():
            _take_apart(each)

    def __del__(self) -> None:
        self._drop()

    def __reduce__(self) -> tuple[type["Kept"], tuple[()]]:
        """Nothing of it leaves the process."""
        return Kept, ()

    def __sizeof__(self) -> int:
        """Return about how many octets of memory it takes."""
        return 0 if self._found is None else self._octets


def _take_apart(held: Held | SessionEvent) -> None:
    if isinstance(held, SessionEvent):
        take_apart(held)
