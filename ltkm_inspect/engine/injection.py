"""Puts faults into an event, and makes anew what they did not ask to leave: encryption, MAC, digests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice
from ltkm_inspect.engine.sealing import UnsealedPart, protected, seal, unsealed
from ltkm_inspect.fault import Application, FaultError, Occasion, Remark
from ltkm_inspect.finding import Place, count
from ltkm_inspect.selection import EVERY, Selection
from ltkm_inspect.session import Session, SessionEvent
from ltkm_inspect.subject import Site
from ltkm_inspect.traffic import Event, Replacement
from ltkm_inspect.wire import Span, octets_text


@dataclass(frozen=True, slots=True)
class Edit:
    """One piece of an event that a fault replaced."""

    fault: str
    """The id of the fault."""
    place: Place
    """The item and LTKM that the piece stood in, as far as it stood in one."""
    octets: Span
    """Where it was before this fault: in the body without its content coding, or in the message of a datagram."""
    length: int
    """How many octets are there now."""
    of: str = "body"
    """What the octets are counted in: `body`, or `message`."""

    def __str__(self) -> str:
        where = "document" if self.place.item is None and self.place.ltkm is None else str(self.place)
        if not self.octets:
            return f"{where}: inserted {count(self.length, 'octet')} at octet {self.octets.start} of the {self.of}"
        octets = octets_text(self.octets.start, self.octets.end, self.of)
        return (
            f"{where}: replaced {octets} with {count(self.length, 'octet')}"
            if self.length
            else f"{where}: removed {octets}"
        )


@dataclass(frozen=True, slots=True)
class Injection[E: Event]:
    """What faults made of an event."""

    before: E
    after: E
    """What it is now."""
    edits: tuple[Edit, ...] = ()
    """What was replaced in the document, fault by fault; what a fault does to the rest of an exchange is not in it."""
    remarks: tuple[str, ...] = ()
    """What else there is to tell, in a line each."""
    unsealed: tuple[UnsealedPart, ...] = ()
    """What no longer fits, because a key is missing."""

    @property
    def breaks_digest(self) -> bool:
        """The terminal will see the digest fail although no fault asked for that."""
        return any(each.part == "digest" for each in self.unsealed)


def inject[E: Event](
    event: E, applications: Sequence[Application], context: Context | None = None, chosen: Selection = EVERY
) -> E:
    """Return the event with these faults in it, in their order, and sealed again.

    Raises FaultError, in one line, where a fault finds nothing to damage, or nothing changes.
    """
    return injected(event, applications, context, chosen).after


def injected[E: Event](
    event: E, applications: Sequence[Application], context: Context | None = None, chosen: Selection = EVERY
) -> Injection[E]:
    """Put faults into an event, in their order, seal it again, and return what was done.

    Each fault damages the first selected subject that it fits, or with `all` every one. Raises FaultError, in one line,
    if a fault finds nothing to damage, or if the event cannot be changed without breaking more than that.
    """
    context = context or Context()
    require_changeable(event)
    damaged = event
    edits: list[Edit] = []
    remarks: list[str] = []
    for application in applications:
        damaged = _apply(damaged, application, context, chosen, edits, remarks)
    if not _differs(event, damaged):
        raise FaultError(f"fault {', '.join(each.fault.id for each in applications)}: makes no difference here")
    leave = frozenset().union(*(application.fault.leaves for application in applications))
    sealed = seal(damaged, event, context, leave)
    left = tuple(unsealed(sealed, event, context, leave))
    return Injection(event, sealed, tuple(edits), tuple(remarks), left)


def require_changeable(event: Event) -> None:
    """Raise FaultError for an event that cannot be changed without breaking more than was asked for."""
    if event.unchangeable:
        raise FaultError(event.unchangeable)


def _apply[E: Event](
    event: E, application: Application, context: Context, chosen: Selection, edits: list[Edit], remarks: list[str]
) -> E:
    """Return the event with a fault in it; add its edits and remarks."""
    fault = application.fault
    try:
        if not chosen.takes(event):
            raise FaultError(_unchosen(chosen))
        pieces = _pieces(application, _sites(event, application, context, chosen), context)
        remarks += (f"fault {fault.id}: {piece}" for _, piece in pieces if isinstance(piece, Remark))
        changes = [(site, piece) for site, piece in pieces if not isinstance(piece, Remark)]
        if fault.kind.is_event:
            changed: E = changes[0][1]
            return changed
        damaged = event.changed([piece for _, piece in changes])
        edits += _edits(fault.id, event, changes)
        return damaged
    except ValueError as error:
        raise FaultError(f"fault {fault.id}: {error}") from None
    except OverflowError:
        raise FaultError(
            f"fault {fault.id}: expected numbers that fit their fields, got one that is negative or too large"
        ) from None
    except _REACHED_TOO_FAR:
        # A fault reaches for what it damages without asking whether it is there: another fault may have taken it away.
        raise FaultError(f"fault {fault.id}: the {fault.subject} has nothing of this kind to damage") from None


def _differs(before: Event, after: Event) -> bool:
    return any(getattr(before, field.name) != getattr(after, field.name) for field in fields(before))


_REACHED_TOO_FAR = (LookupError, AssertionError, StopIteration, RuntimeError)


def _sites(event: Event, application: Application, context: Context, chosen: Selection) -> list[Site]:
    """Return what a fault may damage, the first choice first; FaultError where there is nothing."""
    kind, number = application.fault.kind, application.item

    def look() -> SessionEvent:
        return (context.session or Session()).look(event, context.keys)

    if not kind.is_event and event.unreadable:
        raise FaultError(event.unreadable)
    sites = [*kind.choices(event, chosen, look)]
    wanted = [site for site in sites if not number or site.place().item == number]
    if wanted:
        return wanted
    if event.document is not None and number > len(event.document.items):
        raise FaultError(f"the document has no item {number}: it has {count(len(event.document.items), 'item')}")
    where = f" in item {number}" if number else ""
    if chosen.selectors:
        raise FaultError(_unchosen(chosen, kind.noun) + where)
    raise FaultError(f"the {'document' if event.document else 'datagram'} has no {kind.noun} to damage{where}")


def _unchosen(chosen: Selection, name: str = "item or LTKM") -> str:
    return f"no {name} of {chosen}"


def _pieces(application: Application, sites: Sequence[Site], context: Context) -> list[tuple[Site, Any]]:
    """Return the replacements and remarks for the first subject that has something to damage, or for every such one.

    Raises what the first subject gives where none has.
    """
    found: list[tuple[Site, Any]] = []
    failure: Exception | None = None
    occasion = Occasion(context)
    for site in sites:
        try:
            pieces = _pieces_of(site, application, occasion)
        except (ValueError, OverflowError, *_REACHED_TOO_FAR) as error:
            failure = failure or error
            continue
        if any(not isinstance(piece, Remark) for piece in pieces):
            found += [(site, piece) for piece in pieces]
            occasion = occasion.next()
            if not application.is_for_all:
                break
    if not found:
        raise failure or LookupError
    return found


def _pieces_of(site: Site, application: Application, occasion: Occasion) -> list[Any]:
    kind, result = site.kind, application.run(site.subject, occasion)
    if not kind.is_inside:
        return [result] if kind.is_event else [*result]
    assert site.ltkm is not None
    octets = protected(kind.changed(site, result), site.ltkm, occasion.context, application.fault.leaves)
    return [site.ltkm.carrier.refilled(octets)]


def _edits(id: str, event: Event, changes: Sequence[tuple[Site, Replacement]]) -> Iterator[Edit]:
    for site, change in changes:
        item, ltkm = site.numbers
        if event.document is not None and isinstance(change, Splice) and item is ltkm is None:
            found = event.document.item_at(change.start)
            item = found.number if found is not None else None
        octets, length = event.replaced_octets(change)
        yield Edit(id, Place(item, ltkm), octets, length, "message" if event.document is None else "body")
