"""Registers rules: decorated functions that yield what is wrong with their subject."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any, TypedDict, Unpack

from ltkm_inspect.context import Context, Settings
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Message, Payload
from ltkm_inspect.parameter import Parameter, did_you_mean, parameters_of, parse_values
from ltkm_inspect.spec import Clause, Sure, Verb
from ltkm_inspect.subject import KINDS
from ltkm_inspect.wire import printable

type Problems = Iterator[Problem | NotApplicable]
"""What a rule yields: a problem for each thing that is wrong, or why it does not apply, alone."""
type Check = Callable[..., Problems]
type FastPass = Callable[[Any], bool]
"""Fast check: true if the subject has the common, valid form."""
type Find = Callable[[Any], Any]
"""Finds what a rule looks at in its subject, or the NotApplicable that says why there is none."""

VERB_LEVELS = {Verb.SHALL: Level.VIOLATION, Verb.SHOULD: Level.WARNING, Verb.MAY: Level.NOTE}
"""The level of a rule that names none, by what its first clause asks for."""
HIGHEST = {Sure.RECALL_HIGH: Level.WARNING, Sure.RECALL_MIDDLE: Level.NOTE, Sure.RECALL_LOW: Level.NOTE}
"""The level that a rule cannot exceed, by how sure its surest clause is."""


@dataclass(frozen=True, slots=True)
class Need:
    """A precondition that rules share: `missing` returns the reason why it does not hold, or None."""

    name: str
    says: str
    missing: Callable[[Any, Context], str | None] = field(compare=False)
    keyed: bool = False
    """It takes keys to be met."""
    doubt: Callable[[Any, Context], str] | None = field(default=None, compare=False)
    """Why a precondition that is assumed may not hold after all: a hint with what is found; empty for no doubt."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A checkable requirement: what it looks at, what it rests on, and the function that decides it."""

    id: str
    on: type
    check: Check = field(repr=False)
    clauses: tuple[Clause, ...]
    level: Level
    needs: tuple[Need, ...] = ()
    level_reason: str = ""
    """Why its level is not the one that its clauses ask for by their verbs; empty where it is."""
    covers: tuple[str, ...] = ()
    """References of the requirements it decides (`CR-2a`), for the coverage table of the generated page."""
    takes_context: bool = True
    """Its function takes the context behind the subject."""
    parameters: tuple[Parameter, ...] = ()
    """Its options: what a user can set for it."""
    highest: Level = field(init=False)
    """The level that it cannot exceed, because of how sure its sources are."""
    looks_at: tuple[str, ...] = ()
    """The parts of the exchange that it looks at (`response.status`): where one is unknown, it does not apply."""
    fast_pass: FastPass | None = None
    """A fast check that several rules share: where it is true, all of them pass and none is run.

    It only saves time. It may be false for a valid subject, and must never be true where one of the rules has anything
    to say.
    """
    shape_only: bool = False
    """Its answer depends on nothing but the shape of the message (`mikey.shape`) and the settings.

    Only such a rule may be answered from the cache of shapes. Every other rule runs on every message.
    """

    def __post_init__(self) -> None:
        if self.shape_only and not issubclass(self.on, Message | Payload):
            raise ValueError(f"rule {self.id}: expected a message or a payload for shape_only, got {self.on.__name__}")
        # a rule without a clause is for the safety of the tool, about which no document has to be remembered
        highest = max((HIGHEST.get(clause.sure, Level.VIOLATION) for clause in self.clauses), default=Level.VIOLATION)
        object.__setattr__(self, "highest", highest)

    @property
    def title(self) -> str:
        """The first line of its documentation."""
        return self.paragraphs[0]

    @property
    def paragraphs(self) -> list[str]:
        """Its documentation: the title, why a tester cares, and what to do about it."""
        return paragraphs_of(self.check)

    @property
    def verb(self) -> Verb | None:
        """The strongest verb of its clauses; None without clauses."""
        return max((clause.verb for clause in self.clauses), key=VERB_LEVELS.__getitem__, default=None)

    @property
    def asked_level(self) -> Level | None:
        """The level that its clauses ask for by their strongest verb, as far as they are sure; None without clauses."""
        return None if self.verb is None else min(VERB_LEVELS[self.verb], self.highest)

    @property
    def is_keyed(self) -> bool:
        """It takes keys to decide it."""
        return any(need.keyed for need in self.needs)

    @property
    def subject(self) -> str:
        """The name of what it looks at, as typed after `--select`."""
        return KINDS[self.on].name

    def effective(self, problem: Problem, settings: Settings) -> Level:
        """Return the level of this problem under these settings."""
        wanted = settings.severity.get(self.id)
        if wanted is None:
            wanted = self.level if problem.level is None else problem.level
        return min(wanted, self.highest)

    def names(self) -> set[str]:
        """Return every word that selects it: its id, its subject, the documents it rests on; in lower case."""
        return {self.id, self.subject, *(clause.publication.key.lower() for clause in self.clauses)}


@cache
def paragraphs_of(documented: Callable[..., Any]) -> list[str]:
    """Return the paragraphs of a docstring, each on one line; the same list each time."""
    return [" ".join(paragraph.split()) for paragraph in (inspect.getdoc(documented) or "").split("\n\n")]


RULES: dict[str, Rule] = {}
"""Every registered rule by id, in the order of registration."""


class Declaration(TypedDict, total=False):
    """What a rule declares besides its id and its subject."""

    cite: Sequence[Clause]
    """The clauses of the rules of a group that name none themselves."""
    level: Level | None
    """By itself the level that the verb of the first clause asks for."""
    level_reason: str
    """Why it is another one than the strongest verb of its clauses asks for; follows "because" on the page."""
    needs: Iterable[Need]
    covers: Iterable[str]
    fast_pass: FastPass | None
    looks_at: Iterable[str]
    """The parts of the exchange that decide it, where a capture may lack one."""
    takes: Find | None
    """Finds what its function takes behind the subject; where it finds a NotApplicable, that is the rule's answer."""
    shape_only: bool
    """True for a rule on a message or a payload that does not look at CSB ID (except whether it is 0), T, RAND, Encr
    data, MAC or the text of an identity: it is not run again on a message of the same shape."""


def rule(*clauses: Clause, on: type, **declared: Unpack[Declaration]) -> Callable[[Check], Check]:
    """Register the decorated generator function as the rule of its name (`rand_changed`: `rand-changed`) on clauses.

    It takes `(subject)` or `(subject, context)`, with what `takes` finds between the two and keyword-only options
    behind them, and yields a `Problem` for each thing that is wrong, or one `NotApplicable`. Raises ValueError for an
    id that is taken.
    """

    def register(check: Check) -> Check:
        id = id_of(check)
        if id in RULES:
            raise ValueError(f"rule {id} is registered twice")
        parameters, takes = parameters_of(check, least=0), declared.get("takes")
        cited, level = clauses or tuple(declared.get("cite", ())), declared.get("level")
        taken = len(inspect.signature(check).parameters) - len(parameters) - (takes is not None)
        RULES[id] = Rule(
            id=id,
            on=on,
            check=check if takes is None else _taking(takes, check),
            clauses=cited,
            level=VERB_LEVELS[cited[0].verb] if level is None else level,
            needs=tuple(declared.get("needs", ())),
            level_reason=declared.get("level_reason", ""),
            covers=tuple(declared.get("covers", ())),
            takes_context=taken > 1,
            parameters=parameters,
            looks_at=tuple(declared.get("looks_at", ())),
            fast_pass=declared.get("fast_pass"),
            shape_only=declared.get("shape_only", False),
        )
        return check

    return register


def id_of(function: Callable[..., Any]) -> str:
    """Return the id of the rule or the fault that a function is; ids are API, so that renaming it breaks users."""
    return function.__name__.replace("_", "-")


def _taking(find: Find, check: Check) -> Check:
    """Return the function of a rule that also takes what is found in its subject."""

    @wraps(check)
    def answered(subject: Any, *context: Context, **options: Any) -> Problems:
        found = find(subject)
        return iter((found,)) if type(found) is NotApplicable else check(subject, found, *context, **options)

    return answered


class RuleGroup:
    """What several rules of a module share, declared once; what a rule declares itself takes its place."""

    def __init__(self, on: type, **shared: Unpack[Declaration]) -> None:
        """Take the subject of the rules, and whatever else they share."""
        self._on = on
        self._shared = shared

    def rule(self, *clauses: Clause, **own: Unpack[Declaration]) -> Callable[[Check], Check]:
        """Register the decorated function as a rule of the group, as `rule` does."""
        return rule(*clauses, on=self._on, **(self._shared | own))

    def warning(self, *clauses: Clause, **own: Unpack[Declaration]) -> Callable[[Check], Check]:
        """Register the decorated function as a rule whose level is a warning, whatever its clauses ask for."""
        return self.rule(*clauses, **(own | {"level": Level.WARNING}))

    def note(self, *clauses: Clause, **own: Unpack[Declaration]) -> Callable[[Check], Check]:
        """Register the decorated function as a note: shown, never a finding, and in need of no fault."""
        return self.rule(*clauses, **(own | {"level": Level.NOTE}))


def parse_options(text: str) -> tuple[str, Mapping[str, Any]]:
    """Parse `RULE:name=value,…` to the id of the rule and the values of its options; ValueError in one line."""
    id, colon, rest = text.partition(":")
    known = RULES.get(id)
    if known is None:
        raise ValueError(f"unknown rule {printable(id)}{did_you_mean(id, RULES) or '; ltkm-inspect rules lists them'}")
    return id, parse_values(f"rule {id}", known.parameters, rest if colon else "")
