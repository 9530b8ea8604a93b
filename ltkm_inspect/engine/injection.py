"""Applies faults to an exchange, and makes anew what they did not ask to leave: encryption, MAC, base64, digests."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ltkm_inspect import mikey
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.engine.sealing import Unsealed, seal, subscriber_of, unsealed
from ltkm_inspect.exchange import Document, Exchange, Item, Ltkm
from ltkm_inspect.fault import Application, FaultError, Occasion, Octets, Remark
from ltkm_inspect.finding import Place
from ltkm_inspect.keys.protection import authenticate, reencrypt
from ltkm_inspect.mikey import Message, Payload
from ltkm_inspect.selection import EVERY, Selection
from ltkm_inspect.session import Delivery, Opening, Session, Step
from ltkm_inspect.wire import Span


@dataclass(frozen=True, slots=True)
class Edit:
    """One piece of the document that a fault replaced."""

    fault: str
    """The id of the fault."""
    place: Place
    """The item and LTKM that the piece stood in, as far as it stood in one."""
    octets: Span
    """Where it stood in the body without its content coding, before this fault."""
    length: int
    """How many octets are there now."""

    def __str__(self) -> str:
        where = "document" if self.place.item is None and self.place.ltkm is None else str(self.place)
        return f"{where}: octets {self.octets.start} to {self.octets.end} became {self.length} octets"


@dataclass(frozen=True, slots=True)
class Injection:
    """What faults made of an exchange."""

    before: Exchange
    exchange: Exchange
    """What it is now."""
    edits: tuple[Edit, ...] = ()
    """What was replaced in the document, fault by fault; what a fault does to the rest of an exchange is not in it."""
    remarks: tuple[str, ...] = ()
    """What else there is to tell, in a line each."""
    unsealed: tuple[Unsealed, ...] = ()
    """What no longer fits, for want of a key."""

    @property
    def breaks_digest(self) -> bool:
        """The terminal will see the digest fail although no fault asked for that."""
        return any(each.part == "digest" for each in self.unsealed)


@dataclass(frozen=True, slots=True)
class _Change:
    """What one fault made of an exchange."""

    exchange: Exchange
    edits: tuple[Edit, ...] = ()
    remarks: tuple[str, ...] = ()


def inject(
    exchange: Exchange,
    applications: Sequence[Application],
    context: Context | None = None,
    chosen: Selection = EVERY,
) -> Exchange:
    """Return the exchange with these faults in it, in their order, and sealed again.

    Raises FaultError, in one line, where a fault finds nothing to damage.
    """
    return injected(exchange, applications, context, chosen).exchange


def injected(
    exchange: Exchange,
    applications: Sequence[Application],
    context: Context | None = None,
    chosen: Selection = EVERY,
) -> Injection:
    """Put faults into an exchange, in their order, seal it again, and tell what was done.

    Each fault damages the first thing of its kind that is chosen, or all of them where it is told so. Raises
    FaultError, in one line, where one finds nothing to damage, or where the response cannot be changed without breaking
    more than that.
    """
    context = context or Context()
    require_changeable(exchange)
    damaged = exchange
    edits: list[Edit] = []
    remarks: list[str] = []
    for application in applications:
        change = _apply(damaged, application, context, chosen)
        damaged = change.exchange
        edits += change.edits
        remarks += change.remarks
    leave = frozenset().union(*(application.fault.leaves for application in applications))
    sealed = seal(damaged, exchange, context, leave)
    left = unsealed(sealed, exchange, context, leave)
    return Injection(exchange, sealed, tuple(edits), tuple(remarks), left)


def require_changeable(exchange: Exchange) -> None:
    """Raise FaultError for an exchange whose response cannot be changed without breaking more than was asked for."""
    if exchange.response is None:
        raise FaultError("the exchange has no response")
    if not exchange.may_have_body:
        raise FaultError("a response to HEAD, or with a status like 204, has no body")
    if exchange.response.body is None:
        raise FaultError("the body of the response was not captured")
    if exchange.content is not None and exchange.content.problem is not None:
        raise FaultError("the content coding of the response cannot be undone")


def _apply(exchange: Exchange, application: Application, context: Context, chosen: Selection) -> _Change:
    fault = application.fault
    try:
        return _applied(exchange, application, context, chosen)
    except ValueError as error:
        raise FaultError(f"fault {fault.id}: {error}") from None
    except _REACHED_TOO_FAR:
        # A fault reaches for what it damages without asking whether it is there: another fault may have taken it away.
        raise FaultError(f"fault {fault.id}: the {fault.subject} has nothing of that kind to damage") from None


_REACHED_TOO_FAR = (LookupError, AssertionError, StopIteration, RuntimeError)


def _applied(exchange: Exchange, application: Application, context: Context, chosen: Selection) -> _Change:
    fault = application.fault
    if exchange.response is None:
        raise FaultError("the exchange has no response to damage")
    if not chosen.takes(exchange):
        raise FaultError(_unchosen(chosen))
    step = None
    if fault.on in (Step, Delivery, Opening):
        step = (context.session or Session()).look(exchange, context.keys)
    if fault.on in (Exchange, Step):
        changed = application.run(exchange if fault.on is Exchange else step, Occasion(context))
        assert isinstance(changed, Exchange)
        return _Change(changed)
    document = exchange.document
    if document is None or document.root is None:
        cut = exchange.content is not None and exchange.content.truncated
        raise FaultError(
            "the response is longer than is looked at" if cut else "the response has no document to damage"
        )
    if fault.on is Opening and step is not None and not step.keys:
        raise FaultError("it takes the keys of the terminal, and no key ring is given")
    subjects = [*_subjects(fault.on, document, chosen, step)]
    subjects = [each for each in subjects if not application.item or _number(each) == application.item]
    if not subjects:
        kind = "LTKM" if step is not None else fault.subject
        raise FaultError(_missing(kind, application, document, chosen))
    pieces = _pieces(subjects, application, context)
    splices = [(subject, piece) for subject, piece in pieces if not isinstance(piece, Remark)]
    remarks = tuple(f"fault {fault.id}: {piece}" for _, piece in pieces if isinstance(piece, Remark))
    content = document.xml.splice(splice for _, splice in splices)
    edits = tuple(_edit(fault.id, document, subject, splice) for subject, splice in splices)
    return _Change(replace(exchange, response=exchange.response.with_content(content)), edits, remarks)


def _pieces(subjects: Sequence[Any], application: Application, context: Context) -> list[tuple[Any, Splice | Remark]]:
    """Return the splices and remarks for the first subject that has something to damage, or for every such subject.

    Raises what the first subject gives where none has.
    """
    found: list[tuple[Any, Splice | Remark]] = []
    failure: Exception | None = None
    turn = 0
    for subject in subjects:
        try:
            pieces = _pieces_of(subject, application, Occasion(context, turn))
        except (ValueError, *_REACHED_TOO_FAR) as error:
            failure = failure or error
            continue
        if any(isinstance(piece, Splice) for piece in pieces):
            found += [(subject, piece) for piece in pieces]
            turn += 1
            if not application.is_for_all:
                break
    if not found:
        raise failure or LookupError
    return found


def _pieces_of(subject: Any, application: Application, occasion: Occasion) -> list[Splice | Remark]:
    if isinstance(subject, Delivery | Opening):
        return [_message_splice(subject.ltkm, application, occasion, subject)]
    if isinstance(subject, Ltkm) and application.fault.on is not Ltkm:
        return [_message_splice(subject, application, occasion)]
    return [*application.run(subject, occasion)]


def _subjects(on: type, document: Document, chosen: Selection, step: Step | None) -> Iterable[Any]:
    """Return the chosen subjects of that type, the one to damage first; for what is inside a message, its LTKM."""
    if step is not None:
        found: Sequence[Delivery | Opening] = step.deliveries if on is Delivery else step.openings
        return (each for each in reversed(found) if chosen.takes_ltkm(each.ltkm))
    document = chosen.of(document)
    if on is Document:
        return (document,)
    if on is Item:
        return sorted(document.items, key=lambda item: not item.ltkms)
    if on is Ltkm or on is Octets:
        return (ltkm for ltkm in document.ltkms if ltkm.octets or on is Ltkm)
    return _with(on, document)


def _with(on: type, document: Document) -> Iterator[Ltkm]:
    """Yield the LTKMs with a whole message, for a payload class those that have such a payload."""
    for ltkm in document.ltkms:
        message = ltkm.message
        if message is not None and message.problem is None and (on is Message or message.of(on)):
            yield ltkm


def _place(subject: Any) -> Place:
    """Return the item and LTKM that a subject is."""
    if isinstance(subject, Delivery | Opening):
        subject = subject.ltkm
    if isinstance(subject, Ltkm):
        return Place(None if subject.item is None else subject.item.number, subject.number)
    return Place(subject.number if isinstance(subject, Item) else None)


def _number(subject: Any) -> int | None:
    return _place(subject).item


def _missing(kind: str, application: Application, document: Document, chosen: Selection) -> str:
    """Return why there is nothing to damage."""
    number = application.item
    if number > len(document.items):
        return f"the document has no item {number}"
    where = f" in item {number}" if number else ""
    return _unchosen(chosen, kind) + where if chosen.selectors else f"the document has no {kind} to damage{where}"


def _unchosen(chosen: Selection, kind: str = "item or LTKM") -> str:
    return f"no {kind} of {chosen}"


def _edit(id: str, document: Document, subject: Any, splice: Splice) -> Edit:
    xml = document.xml
    octets = Span(xml.octet_offset(splice.start), xml.octet_offset(splice.end))
    place = _place(subject)
    if place.item is None and place.ltkm is None:
        place = Place(_item_at(document, splice.start))
    return Edit(id, place, octets, len(splice.text.encode(xml.encoding.codec)))


def _item_at(document: Document, offset: int) -> int | None:
    """Return the number of the item that a place in the text belongs to; None outside every item."""
    for item in document.items:
        place = document.xml.place(item.element)
        if place is not None and place.text.start <= offset < place.text.end:
            return item.number
    return None


def _message_splice(
    ltkm: Ltkm, application: Application, occasion: Occasion, delivery: Delivery | Opening | None = None
) -> Splice:
    fault, context = application.fault, occasion.context
    if fault.on is Octets:
        assert ltkm.octets is not None
        octets = application.run(Octets(ltkm.octets), occasion)
        message = mikey.decode(octets)
    else:
        assert ltkm.message is not None
        message = (
            _damaged(ltkm.message, application, occasion) if delivery is None else application.run(delivery, occasion)
        )
        octets = message.encode()
    old = context.keys.open(ltkm.message, ltkm.octets) if ltkm.message is not None and ltkm.octets else None
    subscriber = subscriber_of(ltkm.document.exchange, context, message)
    muk = subscriber.muks[0] if subscriber is not None and subscriber.muks else None
    if old is not None and old.muk is not None and subscriber is old.subscriber:
        muk = old.muk  # of several that one which this terminal was just served with
    if muk is not None and ltkm.message is not None and "encryption" not in fault.leaves:
        changed = reencrypt(message, ltkm.message, muk, old.muk if old is not None else None)
        if changed is not message:
            message, octets = changed, changed.encode()
    if muk is not None and "mac" not in fault.leaves:
        octets = _authenticated(message, octets, muk)
    return edit.refilled(ltkm.document.xml, ltkm.element, b64encode(octets).decode())


def _damaged(message: Message, application: Application, occasion: Occasion) -> Message:
    fault = application.fault
    if fault.on is Message:
        changed = application.run(message, occasion)
        assert isinstance(changed, Message)
        return changed
    payloads: list[Payload] = list(message.payloads)
    index = next(index for index, payload in enumerate(payloads) if type(payload) is fault.on)
    payloads[index] = application.run(payloads[index], occasion)
    return replace(message, payloads=tuple(payloads))


def _authenticated(message: Message, octets: bytes, muk: bytes) -> bytes:
    """Return the octets with the MAC made anew, where the message still has what that takes."""
    try:
        return authenticate(message, muk).encode()
    except ValueError:
        return octets
