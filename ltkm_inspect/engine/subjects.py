"""What a fault may damage in an exchange: the subjects of its kind that are chosen, and where each of them stands."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ltkm_inspect.fault import Application, FaultError, Octets
from ltkm_inspect.finding import Place
from ltkm_inspect.mikey import Message
from ltkm_inspect.selection import Selection
from ltkm_inspect.session import DeliveredLtkm, OpenedLtkm, SessionEvent
from ltkm_inspect.traffic import Document, Item, Ltkm, LtkmElement


def subjects(application: Application, document: Document, chosen: Selection, step: SessionEvent | None) -> list[Any]:
    """Return what a fault may damage, the first choice first; for what is inside a message that is its LTKM.

    Raises FaultError where there is nothing.
    """
    fault, number = application.fault, application.item
    found = _subjects(fault.on, document, chosen, step)
    wanted = [each for each in found if not number or place_of(each).item == number]
    if wanted:
        return wanted
    if number > len(document.items):
        raise FaultError(f"the document has no item {number}")
    kind = "LTKM" if step is not None else fault.subject
    where = f" in item {number}" if number else ""
    raise FaultError(
        unchosen(chosen, kind) + where if chosen.selectors else f"the document has no {kind} to damage{where}"
    )


def _subjects(on: type, document: Document, chosen: Selection, step: SessionEvent | None) -> Iterable[Any]:
    if step is not None:
        found: Sequence[DeliveredLtkm | OpenedLtkm] = step.deliveries if on is DeliveredLtkm else step.openings
        return (each for each in reversed(found) if chosen.takes_ltkm(each.ltkm))
    document = chosen.of(document)
    if on is Document:
        return (document,)
    if on is Item:
        return sorted(document.items, key=lambda item: not item.ltkm_elements)
    if on is LtkmElement or on is Octets:
        return (ltkm for ltkm in document.ltkm_elements if ltkm.octets or on is LtkmElement)
    return _with(on, document)


def _with(on: type, document: Document) -> Iterator[LtkmElement]:
    """Yield the LTKMs with a whole message, for a payload class those that have such a payload."""
    for ltkm in document.ltkm_elements:
        message = ltkm.message
        if message is not None and message.problem is None and (on is Message or message.of(on)):
            yield ltkm


def unchosen(chosen: Selection, kind: str = "item or LTKM") -> str:
    """Return that there is nothing of what is chosen."""
    return f"no {kind} of {chosen}"


def place_of(subject: Any) -> Place:
    """Return the item and LTKM that a subject is."""
    if isinstance(subject, DeliveredLtkm | OpenedLtkm):
        subject = subject.ltkm
    if isinstance(subject, Ltkm | LtkmElement):
        return Place(None if subject.item is None else subject.item.number, subject.number)
    return Place(subject.number if isinstance(subject, Item) else None)


def item_finder(document: Document) -> Callable[[int], int | None]:
    """Return what tells the number of the item that an offset in the text belongs to; None outside every item."""
    starts: list[int] = []
    ends: list[tuple[int, int]] = []
    for item in document.items:
        place = document.xml.place(item.element)
        if place is not None:
            starts.append(place.text.start)
            ends.append((place.text.end, item.number))

    def number(offset: int) -> int | None:
        index = bisect_right(starts, offset) - 1
        if index < 0:
            return None
        end, found = ends[index]
        return found if offset < end else None

    return number
