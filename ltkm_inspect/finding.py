"""The results of a check: levels, problems, findings, and the report of one exchange."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any

from ltkm_inspect.session import UNKNOWN_TERMINAL, TerminalIdentity
from ltkm_inspect.spec import Clause
from ltkm_inspect.traffic import Datagram, Event, Exchange
from ltkm_inspect.wire import Span, octets_text, printable
from ltkm_inspect.wire import count as count

RULE_CRASHED = "rule-crashed"
EVENT_CRASHED = "event-crashed"
UNCHECKED = "unchecked"
"""The verdict on a datagram that no rule applies to, such as an STKM."""
VERDICTS = ("clean", "warning", "violation", UNCHECKED)
CRASHES = frozenset({RULE_CRASHED, EVENT_CRASHED})
"""The findings of the engine that say that something could not be checked because this program failed."""
LONGEST_VALUE = 120
"""How many characters of a wire value a finding shows."""


class Level(IntEnum):
    """How bad a finding is; a note is shown but is not a finding."""

    OFF = 0
    NOTE = 1
    WARNING = 2
    VIOLATION = 3

    @property
    def word(self) -> str:
        """The level as typed and printed."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Level":
        """Return the level of that word; ValueError names the four words."""
        try:
            return cls[word.upper()]
        except KeyError:
            words = ", ".join(level.word for level in cls)
            raise ValueError(f"expected one of {words}, got {printable(word)}") from None


# Not frozen, as all that is made once a rule or more for every exchange: a frozen dataclass takes three times as long.
@dataclass(slots=True)
class Problem:
    """What a rule found wrong with its subject; the engine adds the rule and the place of the subject."""

    path: str = ""
    """Field path below the subject (`key_ids[2].value`), or empty for the subject itself."""
    expected: str = ""
    got: str = ""
    hint: str = ""
    """What a reader needs besides: why this form is wrong, or what to look at."""
    level: Level | None = None
    """Set by rules that know two levels; the rule's own level otherwise."""
    element: Any = None
    """The XML element that the problem is at, where the subject's own element is not the place."""
    span: Span | None = None
    """Octets of the subject's body or message, where the path does not lead to them."""

    @classmethod
    def of_reason(
        cls, reason: str, path: str = "", *, hint: str = "", element: Any = None, span: Span | None = None
    ) -> "Problem":
        """Return a problem from a reason of a lower room, in the form `expected X, got Y`."""
        expected, comma, got = reason.partition(", got ")
        values = (expected.removeprefix("expected "), got) if comma else ("", reason)
        return cls(path, *values, hint, None, element, span)


class Answer(Enum):
    """The three answers of a rule for one exchange."""

    PASSED = "passed"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"

    @property
    def key(self) -> str:
        """The answer as the name of a field."""
        return self.value.replace(" ", "_")


@dataclass(slots=True)
class Outcome:
    """The answer of one rule for one exchange, with the reason where it is not applicable."""

    answer: Answer
    reason: str = ""


class NotApplicable(Outcome):
    """Yielded by a rule, alone, when its precondition does not hold for this subject: the answer itself."""

    __slots__ = ()

    def __init__(self, reason: str) -> None:
        """Take the reason, in words for the user."""
        self.answer = Answer.NOT_APPLICABLE
        self.reason = reason


@dataclass(slots=True)
class Place:
    """A place in an exchange; the ordinals count from 1."""

    item: int | None = None
    ltkm: int | None = None
    path: str = ""
    name: str = ""
    """What people call the key of the item, or of the LTKM outside of items."""

    def __str__(self) -> str:
        parts, name = [], f" ({shorten(self.name)})" if self.name else ""
        if self.item is not None:
            parts.append(f"item {self.item}{name}")
        if self.ltkm is not None:
            parts.append(f"LTKM {self.ltkm}{name if self.item is None else ''}")
        if self.path:
            parts.append(printable(self.path))
        return ", ".join(parts) or "exchange"


def _nowhere() -> tuple[Span | None, str]:
    return None, ""


@dataclass
class Finding:
    """One broken rule (or one note) at one place."""

    rule: str
    level: Level
    title: str
    place: Place
    expected: str = ""
    got: str = ""
    hint: str = ""
    clauses: tuple[Clause, ...] = ()
    locate: Callable[[], tuple[Span | None, str]] = field(default=_nowhere, repr=False, compare=False)
    """Tells the octets when somebody wants to know them: that takes longer than to find out what is wrong."""
    accepted: str = ""
    """Why it is accepted; empty if it is not."""

    @cached_property
    def _located(self) -> tuple[Span | None, str]:
        return self.locate()

    @property
    def span(self) -> Span | None:
        """Octets, counted from 0, of what `span_of` names."""
        return self._located[0]

    @property
    def span_of(self) -> str:
        """`message` (the octets of the LTKM) or `body` (the response body without its content coding)."""
        return self._located[1]

    def without_octets(self) -> "Finding":
        """Return the finding for an exchange whose octets cannot be looked at."""
        return replace(self, locate=_nowhere)

    @property
    def text(self) -> str:
        """What is wrong, in one line, without the place."""
        return text_of(self.title, self.expected, self.got, self.hint)

    @property
    def line(self) -> str:
        """The finding as one line: level, rule, place, expected and got, octets, clauses."""
        return line_of(self.level.word, self.rule, self.place, self.text, self.ending, self.accepted)

    @property
    def ending(self) -> str:
        """The end of that line: octets and clauses, as far as there are any."""
        octets = (self.span.start, self.span.end, self.span_of) if self.span else None
        return ending_of(octets, self.citations)

    @property
    def citations(self) -> list[str]:
        """The clauses, each once, without what they say."""
        return list(dict.fromkeys(map(str, self.clauses)))


def text_of(title: str, expected: str, got: str, hint: str) -> str:
    """Return what a finding says is wrong, in one line that is safe to print, without the place.

    `expected X, got Y` is for values on both sides; what was got alone is a sentence of its own.
    """
    line = shorten(got) or title
    if expected:
        line = f"expected {shorten(expected)}" + (f", got {shorten(got)}" if got else "")
    return f"{line} ({shorten(hint)})" if hint else line


def line_of(level: str, rule: str, place: Place, text: str, ending: str, accepted: str = "") -> str:
    """Return a finding as one line; `accepted` is the reason if it is accepted."""
    return with_reason(f"{level} {rule}: {place}: {text}{ending}", accepted)


def with_reason(line: str, accepted: str) -> str:
    """Return the line of a finding with the reason why it is accepted, if it is."""
    return f"accepted {line}; accepted because: {shorten(accepted)}" if accepted else line


def ending_of(octets: tuple[int, int, str] | None, clauses: Iterable[str]) -> str:
    """Return the end of such a line: octets and clauses, as far as there are any.

    `octets` are the first, the one after the last, and what they are octets of.
    """
    at = f" [{octets_text(*octets)}]" if octets else ""
    cited = "; ".join(clauses)
    return at + (f" · {cited}" if cited else "")


def shorten(text: str, longest: int = LONGEST_VALUE) -> str:
    """Return wire text safe to print and at most `longest` characters of it, saying how many there are."""
    if len(text) <= longest:
        return printable(text)
    return f"{printable(text[:longest])}… ({len(text)} characters)"


@dataclass(slots=True)
class Report:
    """What the inspection of one event gave."""

    event: Event
    findings: tuple[Finding, ...] = ()
    """In the order of the document; warnings and violations only."""
    notes: tuple[Finding, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """The answer of every selected rule, by rule id."""
    items: int = 0
    ltkms: int = 0
    left_out: Mapping[tuple[str, Level], int] = field(default_factory=dict)
    """How many more findings or notes there were, by rule and level: they are counted, and not kept."""
    accepted: tuple[Finding, ...] = ()
    """The findings that a baseline accepts; they are not among `findings`."""
    accepted_left_out: Mapping[tuple[str, Level], int] = field(default_factory=dict)
    """How many more of these there were."""
    matched: tuple[tuple[str, ...], ...] = ()
    """For each finding, the entries of the baseline that are about it, by what distinguishes them."""
    terminal: TerminalIdentity = UNKNOWN_TERMINAL
    """Who the terminal is."""
    number: int | None = None
    """The ordinal of the event, from 1, among all flows of its capture or run; None where nobody counts them."""
    unchecked: str = ""
    """Why the event was not looked at at all, a key of `PASSED_UNCHECKED`; empty if it was."""

    @property
    def exchange(self) -> Exchange:
        """The event, where it is an exchange."""
        assert isinstance(self.event, Exchange)
        return self.event

    def count(self, level: Level) -> int:
        """Return the number of findings or notes with that level, including those that were left out."""
        findings = self.notes if level is Level.NOTE else self.findings
        more = sum(number for (_, each), number in self.left_out.items() if each is level)
        return sum(finding.level is level for finding in findings) + more

    @property
    def worst(self) -> Level:
        """The worst level among the findings; OFF when there is none."""
        return max((finding.level for finding in self.findings), default=Level.OFF)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if self.worst is not Level.OFF:
            return self.worst.word
        if not isinstance(self.event, Datagram):
            return "clean"
        return (
            "clean" if any(each.answer is not Answer.NOT_APPLICABLE for each in self.outcomes.values()) else UNCHECKED
        )

    @property
    def rules(self) -> Iterator[str]:
        """The ids of the broken rules, each once, in the order of the findings."""
        return iter(dict.fromkeys(finding.rule for finding in self.findings))
