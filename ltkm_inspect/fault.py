"""Registers faults: decorated functions that damage their subject."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.parameter import (
    FileName,
    Parameter,
    ParameterError,
    did_you_mean,
    parameters_of,
    parse_values,
    similar_file,
    written,
)
from ltkm_inspect.rule import id_of, paragraphs_of
from ltkm_inspect.subject import KINDS, Kind
from ltkm_inspect.traffic import Event
from ltkm_inspect.wire import printable

MOST_NAMED = 5
"""How many faults are named that break a rule which was taken for one."""
LEAVES = frozenset({"encryption", "mac", "digest"})
"""What a fault may ask `seal` not to make anew."""


WHICH = (Parameter("item", int, 0, least=1), Parameter("all", bool, False))
"""What every fault takes that damages something within a document: the number of an item, or every one there is."""

type Reader = Callable[[Path], Any]
"""Reads what a parameter that names a file is about; ValueError in one line where the file holds no such thing."""


class FaultError(ValueError):
    """A fault that cannot be applied as asked; the message is one line for the user."""


class Remark(str):
    """Yielded by a fault beside its splices: something to tell the user, in one line."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A named way to damage one subject, with the reference it is proved on and the rules it must trip there."""

    id: str
    on: type
    apply: Callable[..., Any] = field(repr=False)
    reference: str
    trips: frozenset[str]
    leaves: frozenset[str] = frozenset()
    parameters: tuple[Parameter, ...] = ()
    """Its own parameters; `accepted` has those that it shares with others as well."""
    takes_occasion: bool = False
    """Its function takes the occasion behind the subject."""
    prepare: Callable[..., Iterable[str]] | None = field(default=None, repr=False)
    """Takes the values once the files they name are read; yields remarks, and raises ValueError where they clash."""

    @property
    def kind(self) -> Kind:
        """The kind of what it damages."""
        return KINDS[self.on]

    @property
    def accepted(self) -> tuple[Parameter, ...]:
        """Every parameter that may be typed for it."""
        return (*self.parameters, *WHICH) if self.is_within else self.parameters

    @property
    def is_within(self) -> bool:
        """It damages one of several things in a document, so it takes `item` or `all`."""
        return not self.kind.is_single

    @property
    def title(self) -> str:
        """The first line of its documentation."""
        return self.paragraphs[0]

    @property
    def paragraphs(self) -> list[str]:
        """Its documentation, paragraph by paragraph."""
        return paragraphs_of(self.apply)

    @property
    def subject(self) -> str:
        """The name of what it damages."""
        return self.kind.name


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a fault may ask besides its subject."""

    context: Context = field(default_factory=Context)
    turn: int = 0
    """How many subjects of the same document it has damaged before, where it damages them all."""
    _known: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False, compare=False)

    def once[T](self, find: Callable[[Any, Context], T], event: Event) -> T:
        """Return what a function finds in the event, which it is asked once for all subjects of the document."""
        if find not in self._known:
            self._known[find] = find(event, self.context)
        found: T = self._known[find]
        return found

    def next(self) -> "Occasion":
        """Return the occasion of the next subject, once one was damaged."""
        return replace(self, turn=self.turn + 1)


@dataclass(frozen=True, slots=True)
class Application:
    """A fault with the values of its parameters, as asked for on one occasion."""

    fault: Fault
    values: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """What there is to tell of the values, in a line each; known once it is prepared."""

    @property
    def item(self) -> int:
        """The number of the one item in which it damages something; 0 for any."""
        return int(self.values.get("item", 0)) if self.fault.is_within else 0

    @property
    def is_for_all(self) -> bool:
        """It damages all that it can damage, and not only the first."""
        return self.fault.is_within and bool(self.values.get("all", False))

    def run(self, subject: Any, occasion: Occasion) -> Any:
        """Return what its function makes of a subject."""
        shared = {parameter.name for parameter in WHICH} if self.fault.is_within else set()
        values = {name: value for name, value in self.values.items() if name not in shared}
        return self.fault.apply(subject, *((occasion,) if self.fault.takes_occasion else ()), **values)

    def __str__(self) -> str:
        values = ",".join(f"{name}={written(value)}" for name, value in self.values.items())
        return f"{self.fault.id}:{values}" if values else self.fault.id


FAULTS: dict[str, Fault] = {}
"""Every registered fault by id, in the order of registration."""


def fault[F: Callable[..., Any]](
    *,
    on: type,
    reference: str,
    trips: Iterable[str],
    leaves: Iterable[str] = (),
    prepare: Callable[..., Iterable[str]] | None = None,
) -> Callable[[F], F]:
    """Register the decorated function as the fault of its name: `drop_rand` as `drop-rand`.

    It takes `(subject)` or `(subject, occasion)` and keyword parameters with defaults, and returns: for an exchange, a
    message or a payload the damaged one; for a step of a session the damaged exchange, for a delivery the damaged
    message; for the octets of an LTKM the damaged octets; for a document, item or LTKM the splices of the text, and
    remarks. A document has the chosen items and LTKMs only.
    Raises ValueError for an id that is taken or a part that `seal` does not know.
    """

    def register(function: F) -> F:
        id = id_of(function)
        if id in FAULTS:
            raise ValueError(f"fault {id} is registered twice")
        unknown = set(leaves) - LEAVES
        if unknown:
            raise ValueError(f"fault {id} leaves {', '.join(sorted(unknown))}, which seal does not know")
        parameters = parameters_of(function)
        FAULTS[id] = Fault(
            id,
            on,
            function,
            reference,
            frozenset(trips),
            frozenset(leaves),
            parameters,
            takes_occasion=len(inspect.signature(function).parameters) - len(parameters) > 1,
            prepare=prepare,
        )
        return function

    return register


def parse_application(text: str) -> Application:
    """Parse `verb-subject` or `verb-subject:name=value,…`; FaultError says in one line what is wrong."""
    name, colon, rest = text.partition(":")
    found = FAULTS.get(name)
    if found is None:
        raise FaultError(f"unknown fault {printable(name)}{_instead(name)}")
    try:
        values = parse_values(f"fault {name}", found.accepted, rest) if colon else {}
    except ParameterError as error:
        commas = "; separate parameters with commas" if re.search(r":\w+=", rest) else ""
        raise FaultError(f"{error}{commas}") from None
    if values.get("item") and values.get("all") is True:
        raise FaultError(f"fault {name}: use either item or all, not both")
    return Application(found, values)


def _instead(name: str) -> str:
    """Return what to type in place of a name that is no fault's."""
    if "," in name:
        return "; expected one fault: add others with --also, or in mitmproxy by repeating ltkm_fault"
    id = name.partition("=")[0]
    if id in FAULTS:
        names = ", ".join(f"{each.name}=…" for each in FAULTS[id].accepted) or "none"
        return f"; parameters follow a colon, with commas between them: {id}:NAME=VALUE,… ({names})"
    breaking = [fault.id for fault in FAULTS.values() if name in fault.trips]
    if breaking:
        more = len(breaking) - MOST_NAMED
        return (
            f", which is a rule; faults that break it: {', '.join(breaking[:MOST_NAMED])}"
            f"{f' and {more} more (ltkm-inspect faults {name})' if more > 0 else ''}"
        )
    return did_you_mean(name, FAULTS) or "; ltkm-inspect faults lists them"


def prepare(application: Application, readers: Mapping[type, Reader]) -> Application:
    """Return the application with the files read that its values name, and what there is to remark.

    To be called once, before anything is damaged; `readers` has a reader for each kind of file name. FaultError says in
    one line what is wrong with a file, or which values clash.
    """
    fault, values = application.fault, dict(application.values)
    for name, value in values.items():
        if isinstance(value, FileName):
            try:
                content = readers[type(value)](Path(value.text).expanduser())
            except (OSError, ValueError) as error:
                why = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
                why += similar_file(value.text) if isinstance(error, FileNotFoundError) else ""
                where = printable(value.text)
                raise FaultError(f"fault {fault.id}: parameter {name}: {where}: {why}") from None
            values[name] = replace(value, content=content)
    if fault.prepare is None:
        return replace(application, values=values)
    try:
        remarks = tuple(f"fault {fault.id}: {remark}" for remark in fault.prepare(**values))
    except ValueError as error:
        raise FaultError(f"fault {fault.id}: {error}") from None
    return replace(application, values=values, remarks=remarks)
