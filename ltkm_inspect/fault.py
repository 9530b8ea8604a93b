"""What a fault is, and how one is registered: a decorated function that damages its subject."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltkm_inspect.mikey import spans
from ltkm_inspect.parameter import Parameter, ParameterError, did_you_mean, parameters_of, parse_values, written
from ltkm_inspect.rule import paragraphs_of, subject_name
from ltkm_inspect.wire import Span, printable

LEAVES = frozenset({"encryption", "mac", "digest"})
"""What a fault may ask `seal` not to make anew."""


class FaultError(ValueError):
    """A fault that cannot be applied as asked; the message is one line for the user."""


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
        return subject_name(self.on)


@dataclass(frozen=True, slots=True)
class Application:
    """A fault with the values of its parameters, as asked for on one occasion."""

    fault: Fault
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        values = ",".join(f"{name}={written(value)}" for name, value in self.values.items())
        return f"{self.fault.id}:{values}" if values else self.fault.id


FAULTS: dict[str, Fault] = {}
"""Every registered fault by id, in the order of registration."""


def fault[F: Callable[..., Any]](
    id: str, *, on: type, reference: str, trips: Iterable[str], leaves: Iterable[str] = ()
) -> Callable[[F], F]:
    """Register the decorated function as the fault of that id.

    It takes its subject and keyword parameters with defaults, and returns: for an exchange, a message or a payload
    the damaged one; for a step of a session the damaged exchange, for a delivery the damaged message; for the octets of
    an LTKM the damaged octets; for a document, item or LTKM the splices of the text.
    Raises ValueError for an id that is taken or a part that `seal` does not know.
    """

    def register(function: F) -> F:
        if id in FAULTS:
            raise ValueError(f"fault {id} is registered twice")
        unknown = set(leaves) - LEAVES
        if unknown:
            raise ValueError(f"fault {id} leaves {', '.join(sorted(unknown))}, which seal does not know")
        parameters = parameters_of(function)
        FAULTS[id] = Fault(id, on, function, reference, frozenset(trips), frozenset(leaves), parameters)
        return function

    return register


def parse_application(text: str) -> Application:
    """Parse `verb-subject` or `verb-subject:name=value,…`; FaultError says in one line what is wrong."""
    name, colon, rest = text.partition(":")
    found = FAULTS.get(name)
    if found is None:
        raise FaultError(f"unknown fault {printable(name)}{did_you_mean(name, FAULTS)}")
    try:
        values = parse_values(f"fault {name}", found.parameters, rest) if colon else {}
    except ParameterError as error:
        raise FaultError(str(error)) from None
    return Application(found, values)


@dataclass(frozen=True, slots=True)
class Octets:
    """The octets of one LTKM as they are: the subject of faults below the fields of a message."""

    octets: bytes

    @property
    def spans(self) -> Mapping[str, Span]:
        """The octets of every field, by field path."""
        return spans(self.octets)

    def put(self, path: str, value: bytes) -> bytes:
        """Return the octets with those of a field replaced; FaultError where the message has no such field."""
        found = self.spans.get(path)
        if found is None:
            raise FaultError(f"the message has no field {printable(path)}")
        return self.octets[: found.start] + value + self.octets[found.end :]
