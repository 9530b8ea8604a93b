"""Applies faults to an exchange, and makes anew what they did not ask to leave: encryption, MAC, base64, digests."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ltkm_inspect import mikey
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.engine.sealing import UnsealedPart, seal, subscriber_of, unsealed
from ltkm_inspect.engine.subjects import item_finder, place_of, subjects, unchosen
from ltkm_inspect.fault import Application, FaultError, Occasion, Octets, Remark
from ltkm_inspect.finding import Place
from ltkm_inspect.keys.protection import authenticate, reencrypt
from ltkm_inspect.mikey import Message, Payload
from ltkm_inspect.selection import EVERY, Selection
from ltkm_inspect.session import DeliveredLtkm, OpenedLtkm, Session, SessionEvent
from ltkm_inspect.traffic import Document, Exchange, Ltkm, LtkmElement
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
    unsealed: tuple[UnsealedPart, ...] = ()
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

    Raises FaultError, in one line, where a fault finds nothing to damage, or nothing changes.
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
    if not _differs(exchange, damaged):
        raise FaultError(f"fault {', '.join(each.fault.id for each in applications)}: it changes nothing here")
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
    except OverflowError:
        raise FaultError(
            f"fault {fault.id}: expected numbers that fit their fields, got a larger or a negative one"
        ) from None
    except _REACHED_TOO_FAR:
        # A fault reaches for what it damages without asking whether it is there: another fault may have taken it away.
        raise FaultError(f"fault {fault.id}: the {fault.subject} has nothing of that kind to damage") from None


def _differs(before: Exchange, after: Exchange) -> bool:
    return any(getattr(before, field.name) != getattr(after, field.name) for field in fields(Exchange))


_REACHED_TOO_FAR = (LookupError, AssertionError, StopIteration, RuntimeError)


def _applied(exchange: Exchange, application: Application, context: Context, chosen: Selection) -> _Change:
    fault = application.fault
    if exchange.response is None:
        raise FaultError("the exchange has no response to damage")
    if not chosen.takes(exchange):
        raise FaultError(unchosen(chosen))
    step = None
    if fault.on in (SessionEvent, DeliveredLtkm, OpenedLtkm):
        step = (context.session or Session()).look(exchange, context.keys)
    if fault.on in (Exchange, SessionEvent):
        changed = application.run(exchange if fault.on is Exchange else step, Occasion(context))
        assert isinstance(changed, Exchange)
        return _Change(changed)
    document = exchange.document
    if document is None or document.root is None:
        cut = exchange.content is not None and exchange.content.truncated
        raise FaultError(
            "the response is longer than is looked at" if cut else "the response has no document to damage"
        )
    if fault.on is OpenedLtkm and step is not None and not step.keys:
        raise FaultError("it takes the keys of the terminal, and no key ring is given")
    pieces = _pieces(subjects(application, document, chosen, step), application, context)
    splices = [(subject, piece) for subject, piece in pieces if not isinstance(piece, Remark)]
    remarks = tuple(f"fault {fault.id}: {piece}" for _, piece in pieces if isinstance(piece, Remark))
    content = document.xml.splice(splice for _, splice in splices)
    edits = tuple(_edits(fault.id, document, splices))
    return _Change(replace(exchange, response=exchange.response.with_content(content)), edits, remarks)


def _edits(id: str, document: Document, splices: Iterable[tuple[Any, Splice]]) -> Iterator[Edit]:
    xml, item_at = document.xml, None
    for subject, splice in splices:
        place = place_of(subject)
        if isinstance(subject, Document):
            item_at = item_at or item_finder(document)
            place = Place(item_at(splice.start))
        octets = Span(xml.octet_offset(splice.start), xml.octet_offset(splice.end))
        yield Edit(id, place, octets, len(splice.text.encode(xml.encoding.codec)))


def _pieces(choices: Sequence[Any], application: Application, context: Context) -> list[tuple[Any, Splice | Remark]]:
    """Return the splices and remarks for the first subject that has something to damage, or for every such subject.

    Raises what the first subject gives where none has.
    """
    found: list[tuple[Any, Splice | Remark]] = []
    failure: Exception | None = None
    occasion = Occasion(context)
    for subject in choices:
        try:
            pieces = _pieces_of(subject, application, occasion)
        except (ValueError, OverflowError, *_REACHED_TOO_FAR) as error:
            failure = failure or error
            continue
        if any(isinstance(piece, Splice) for piece in pieces):
            found += [(subject, piece) for piece in pieces]
            occasion = occasion.next()
            if not application.is_for_all:
                break
    if not found:
        raise failure or LookupError
    return found


def _pieces_of(subject: Any, application: Application, occasion: Occasion) -> list[Splice | Remark]:
    if isinstance(subject, DeliveredLtkm | OpenedLtkm):
        return [_message_splice(_element_of(subject.ltkm), application, occasion, subject)]
    if isinstance(subject, LtkmElement) and application.fault.on is not LtkmElement:
        return [_message_splice(subject, application, occasion)]
    return [*application.run(subject, occasion)]


def _message_splice(
    ltkm: LtkmElement, application: Application, occasion: Occasion, delivery: DeliveredLtkm | OpenedLtkm | None = None
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
    muk, old_muk = _muks(ltkm, message, context)
    if muk is not None and ltkm.message is not None and "encryption" not in fault.leaves:
        changed = reencrypt(message, ltkm.message, muk, old_muk)
        if changed is not message:
            message, octets = changed, changed.encode()
    if muk is not None and "mac" not in fault.leaves:
        octets = _authenticated(message, octets, muk)
    return edit.refilled(ltkm.document.xml, ltkm.element, b64encode(octets).decode())


def _element_of(ltkm: Ltkm) -> LtkmElement:
    assert isinstance(ltkm.carrier, LtkmElement)
    return ltkm.carrier


def _muks(ltkm: LtkmElement, message: Message, context: Context) -> tuple[bytes | None, bytes | None]:
    """Return the MUK that a changed message of an LTKM is to be protected with, and the one that protected it before.

    Only a MUK that verifies the message as it was is known to be right, so without one the first is None. Thus a MAC
    that is wrong already, because a fault before this one wanted it so, stays wrong.
    """
    if ltkm.message is None or not ltkm.octets:
        return None, None
    old = context.keys.open(ltkm.message, ltkm.octets)
    if old.muk is None:
        return None, None
    subscriber = subscriber_of(ltkm.event, context, message)
    if subscriber is old.subscriber:
        return old.muk, old.muk  # of several that one which this terminal was just served with
    return (subscriber.muks[0] if subscriber is not None and subscriber.muks else None), old.muk


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
