"""How often a fault is put in: which of the responses that it fits, counted per terminal."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ltkm_inspect.traffic import AUTO, Event, TerminalBy
from ltkm_inspect.wire import printable

LIMIT = 10_000
"""How many terminals a schedule counts; beyond it, those not seen for longest are forgotten."""
FORMS = "always, first, nth=N, every=N, until=N or probability=P,seed=S"
"""The forms of a schedule, as typed."""


class ScheduleError(ValueError):
    """A schedule cannot be parsed; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class When:
    """Which of the responses of one terminal are affected, by their number from 1."""

    kind: str = "always"
    number: int = 1
    """The number of `nth`, `every` or `until`, from 1."""
    probability: str = "1"
    """As typed, from 0 to 1."""
    seed: str = "0"

    def __str__(self) -> str:
        if self.kind == "probability":
            return f"probability={self.probability},seed={self.seed}"
        return self.kind if self.kind in ("always", "first") else f"{self.kind}={self.number}"

    def hits(self, terminal: str, number: int) -> bool:
        """Tell whether the response with that number is affected.

        With a probability, that only depends on the seed, the terminal and the number. So it is the same in every run,
        in whatever order the responses of different terminals come.
        """
        if self.kind == "probability":
            drawn = hashlib.sha256(f"{self.seed}\n{number}\n{terminal}".encode("utf-8", "surrogatepass")).digest()
            return int.from_bytes(drawn[:8]) < float(self.probability) * (1 << 64)
        return _HITS[self.kind](number, self.number)

    def is_over(self, number: int) -> bool:
        """Tell whether neither the response with that number nor a later one is affected."""
        return self.kind in ("first", "nth", "until") and number > self.number


_HITS: Mapping[str, Callable[[int, int], bool]] = {
    "always": lambda number, _: True,
    "first": lambda number, _: number == 1,
    "nth": lambda number, n: number == n,
    "every": lambda number, n: number % n == 0,
    "until": lambda number, n: number <= n,
}

_NUMBER = re.compile(r"0*[1-9][0-9]{0,8}", re.ASCII)
_SHARE = re.compile(r"0?\.[0-9]{1,12}|0|1(?:\.0{1,12})?", re.ASCII)
_SEED = re.compile(r"[0-9]{1,18}", re.ASCII)


def parse_when(text: str) -> When:
    """Parse `always`, `first`, `nth=3`, `every=2`, `until=5` or `probability=0.2,seed=7`; ScheduleError otherwise."""
    first, *rest = (part.strip() for part in text.strip().split(","))
    kind, equals, value = first.partition("=")
    if kind in ("always", "first") and not equals and not rest:
        return When(kind)
    if kind in ("nth", "every", "until") and not rest:
        if not _NUMBER.fullmatch(value):
            raise ScheduleError(f"{kind}: expected a whole number from 1, got {printable(value) or 'nothing'}")
        return When(kind, int(value))
    if kind == "probability" and len(rest) < 2:
        if not _SHARE.fullmatch(value):
            raise ScheduleError(f"probability: expected a number from 0 to 1, got {printable(value) or 'nothing'}")
        name, _, seed = rest[0].partition("=") if rest else ("seed", "", "0")
        if name != "seed" or not _SEED.fullmatch(seed):
            raise ScheduleError(f"expected seed=S with a whole number after the comma, got {printable(rest[0])}")
        return When(kind, probability=value, seed=seed)
    raise ScheduleError(f"expected {FORMS}, got {printable(text) or 'nothing'}")


@dataclass(frozen=True, slots=True)
class Turn:
    """The number of a response among those of its terminal, and what the schedule says about it."""

    terminal: str
    number: int
    """From 1."""
    is_hit: bool
    is_over: bool
    """Neither this response nor a later one of the terminal is affected."""


class Schedule:
    """Counts the responses of each terminal, and tells which of them are affected."""

    def __init__(self, when: When | None = None, limit: int = LIMIT, terminal: TerminalBy = AUTO) -> None:
        """Begin to count; `limit` is the number of terminals, `terminal` how they are distinguished."""
        self._terminal = terminal
        self.when = when or When()
        self._limit = limit
        self._counted: dict[str, int] = {}
        self.most = 0
        """The highest number of a counted turn."""

    def turn(self, event: Event) -> Turn:
        """Return the turn of an exchange, without counting it."""
        terminal = self._name(event)
        number = self._counted.get(terminal, 0) + 1
        return Turn(terminal, number, self.when.hits(terminal, number), self.when.is_over(number))

    def count(self, turn: Turn) -> None:
        """Count a turn."""
        self._counted.pop(turn.terminal, None)  # so that it becomes the latest
        self._counted[turn.terminal] = turn.number
        self.most = max(self.most, turn.number)
        if len(self._counted) > self._limit:
            del self._counted[next(iter(self._counted))]

    def _name(self, event: Event) -> str:
        """Return the name that the terminal of an exchange is counted by.

        The name of a connection differs from run to run. So with a probability, all terminals without a B-TID count as
        one: the result must not differ between runs.
        """
        key = self._terminal.key(event)
        is_connection = self.when.kind == "probability" and key in (event.connection, event.client)
        return "" if is_connection else key
