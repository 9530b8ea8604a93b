"""Applies faults to an exchange, and makes anew what they did not ask to leave: MAC, base64, content coding, digest."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ltkm_inspect import digest, mikey
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.exchange import Document, Exchange, Item, Ltkm
from ltkm_inspect.fault import Application, FaultError, Octets
from ltkm_inspect.keys import Subscriber
from ltkm_inspect.keys.protection import authenticate
from ltkm_inspect.mikey import Identity, Message, Payload


def inject(exchange: Exchange, applications: Sequence[Application], context: Context | None = None) -> Exchange:
    """Return the exchange with these faults in it, each at its first subject, and sealed again.

    Raises FaultError, in one line, where a fault finds nothing to damage.
    """
    context = context or Context()
    damaged = exchange
    for application in applications:
        damaged = _apply(damaged, application, context)
    leave = frozenset().union(*(application.fault.leaves for application in applications))
    return seal(damaged, exchange, context, leave)


def seal(damaged: Exchange, original: Exchange, context: Context, leave: frozenset[str] = frozenset()) -> Exchange:
    """Sign the changed body of a response anew, where the MRK is known, proved right, and `digest` is not left.

    Only `rspauth` changes; every other directive stays as it was written. The MACs of changed messages are made anew as
    the messages are written back, and lengths as they are encoded.
    """
    if "digest" in leave or damaged.response is None or original.response is None:
        return damaged
    if damaged.response.body == original.response.body:
        return damaged
    credentials = damaged.request.credentials
    subscriber = _subscriber(damaged, context)
    if credentials is None or subscriber is None or subscriber.password is None:
        return damaged
    try:
        proved = digest.response(
            credentials, subscriber.password, original.request.method, original.request.body or b""
        )
        if proved != (credentials.get("response") or "").lower():
            return damaged
        signed = digest.rspauth(credentials, subscriber.password, damaged.response.body or b"")
    except ValueError:
        return damaged
    return _signed(damaged, signed)


def _signed(exchange: Exchange, rspauth: str) -> Exchange:
    assert exchange.response is not None
    response = exchange.response
    for name in ("headers", "trailers"):
        fields = getattr(response, name)
        value = fields.get("Authentication-Info")
        if value is not None:
            found = digest.parse_directives(value)
            changed = tuple(
                replace(each, value=rspauth) if each.name.lower() == "rspauth" else each for each in found.fields
            )
            if changed != found.fields:
                fields = fields.put("Authentication-Info", str(replace(found, fields=changed)))
                return replace(exchange, response=replace(response, **{name: fields}))
    return exchange


def _apply(exchange: Exchange, application: Application, context: Context) -> Exchange:
    fault, values = application.fault, application.values
    if fault.on is Exchange:
        if exchange.response is None:
            raise FaultError(f"fault {fault.id}: the exchange has no response to damage")
        changed = fault.apply(exchange, **values)
        assert isinstance(changed, Exchange)
        return changed
    document = exchange.document
    if document is None or document.root is None:
        raise FaultError(f"fault {fault.id}: the response has no document to damage")
    subject = _first(fault.on, document)
    if subject is None:
        raise FaultError(f"fault {fault.id}: the document has no {fault.subject} to damage")
    try:
        if isinstance(subject, Ltkm) and fault.on is not Ltkm:
            splices: Iterable[Splice] = [_message_splice(subject, application, context)]
        else:
            splices = fault.apply(subject, **values)
        content = document.xml.splice(splices)
        assert exchange.response is not None
        return replace(exchange, response=exchange.response.with_content(content))
    except FaultError:
        raise
    except ValueError as error:
        raise FaultError(f"fault {fault.id}: {error}") from None
    except (LookupError, AssertionError, StopIteration, RuntimeError):
        # A fault reaches for what it damages without asking whether it is there: another fault may have taken it away.
        raise FaultError(f"fault {fault.id}: the {fault.subject} has nothing of that kind to damage") from None


def _first(on: type, document: Document) -> Any:
    """Return the first subject of that type; for what is inside a message, the LTKM that it is in."""
    if on is Document:
        return document
    if on is Item:
        return next((item for item in document.items if item.ltkms), next(iter(document.items), None))
    if on is Ltkm or on is Octets:
        return next((ltkm for ltkm in document.ltkms if ltkm.octets or on is Ltkm), None)
    messages = (ltkm for ltkm in document.ltkms if ltkm.message is not None and ltkm.message.problem is None)
    if on is Message:
        return next(messages, None)
    return next((ltkm for ltkm in messages if ltkm.message is not None and ltkm.message.of(on)), None)


def _message_splice(ltkm: Ltkm, application: Application, context: Context) -> Splice:
    fault, values = application.fault, application.values
    if fault.on is Octets:
        assert ltkm.octets is not None
        octets = fault.apply(Octets(ltkm.octets), **values)
        message = mikey.decode(octets)
    else:
        assert ltkm.message is not None
        message = _damaged(ltkm.message, application)
        octets = message.encode()
    if "mac" not in fault.leaves:
        octets = _authenticated(message, octets, _subscriber(ltkm.document.exchange, context, message))
    return edit.refilled(ltkm.document.xml, ltkm.element, b64encode(octets).decode())


def _damaged(message: Message, application: Application) -> Message:
    fault, values = application.fault, application.values
    if fault.on is Message:
        changed = fault.apply(message, **values)
        assert isinstance(changed, Message)
        return changed
    payloads: list[Payload] = list(message.payloads)
    index = next(index for index, payload in enumerate(payloads) if type(payload) is fault.on)
    payloads[index] = fault.apply(payloads[index], **values)
    return replace(message, payloads=tuple(payloads))


def _authenticated(message: Message, octets: bytes, subscriber: Subscriber | None) -> bytes:
    """Return the octets with the MAC made anew where the MUK is known and the message still has what that takes."""
    if subscriber is None or not subscriber.muks:
        return octets
    try:
        return authenticate(message, subscriber.muks[0]).encode()
    except ValueError:
        return octets


def _subscriber(exchange: Exchange, context: Context, message: Message | None = None) -> Subscriber | None:
    """Return the subscriber whose keys protect a message, or the exchange: by IDr and IDi, or by the credentials."""
    identities = message.of(Identity) if message is not None else ()
    if len(identities) == 2:
        idi, idr = (identity.value.decode("utf-8", "replace") for identity in identities)
        return context.keys.find(idr, idi)
    credentials = exchange.request.credentials
    if credentials is None:
        return None
    realm = credentials.get("realm") or ""
    return context.keys.find(credentials.get("username"), realm.partition("@")[2] or None)
