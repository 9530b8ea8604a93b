"""Applies faults to an exchange, and makes anew what they did not ask to leave: encryption, MAC, base64, digests."""

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
from ltkm_inspect.keys.protection import authenticate, reencrypt
from ltkm_inspect.mikey import Identity, Message, Payload
from ltkm_inspect.session import Delivery, Opening, Session, Step


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
    """Sign what was changed in an exchange anew, where the MRK is known, proved right, and `digest` is not left.

    Only the `response` of the request and the `rspauth` of the response change; every other directive stays as it was
    written. The MACs of changed messages are made anew as the messages are written back, and lengths as they are
    encoded.
    """
    if "digest" in leave:
        return damaged
    password = _proved_password(original, context)
    if password is None:
        return damaged
    asks_otherwise = damaged.request is not original.request
    if asks_otherwise:
        damaged = _signed_request(damaged, password)
    if damaged.response is None or original.response is None:
        return damaged
    if asks_otherwise or damaged.response.body != original.response.body:
        damaged = _signed_response(damaged, password)
    return damaged


def _proved_password(original: Exchange, context: Context) -> bytes | None:
    """Return the password of the digest, if the request as it was sent proves that it is the right one."""
    credentials, subscriber = original.request.credentials, _subscriber(original, context)
    if credentials is None or subscriber is None or subscriber.password is None:
        return None
    request = original.request
    try:
        proved = digest.response(credentials, subscriber.password, request.method, request.body or b"")
    except ValueError:
        return None
    return subscriber.password if proved == (credentials.get("response") or "").lower() else None


def _signed_request(exchange: Exchange, password: bytes) -> Exchange:
    request = exchange.request
    if request.credentials is None:
        return exchange
    try:
        signature = digest.response(request.credentials, password, request.method, request.body or b"")
    except ValueError:
        return exchange
    signed = request.credentials.refilled({"response": signature})
    return replace(exchange, request=request.with_credentials(signed))


def _signed_response(exchange: Exchange, password: bytes) -> Exchange:
    response, credentials = exchange.response, exchange.request.credentials
    if response is None or credentials is None:
        return exchange
    try:
        signature = digest.rspauth(credentials, password, response.body or b"")
    except ValueError:
        return exchange
    for name in ("headers", "trailers"):
        fields = getattr(response, name)
        value = fields.get("Authentication-Info")
        if value is not None:
            found = digest.parse_directives(value)
            changed = found.refilled({"rspauth": signature})
            if changed.fields != found.fields:
                fields = fields.put("Authentication-Info", str(changed))
                return replace(exchange, response=replace(response, **{name: fields}))
    return exchange


def _apply(exchange: Exchange, application: Application, context: Context) -> Exchange:
    fault = application.fault
    try:
        return _applied(exchange, application, context)
    except FaultError as error:
        raise FaultError(f"fault {fault.id}: {error}") from None
    except ValueError as error:
        raise FaultError(f"fault {fault.id}: {error}") from None
    except (LookupError, AssertionError, StopIteration, RuntimeError):
        # A fault reaches for what it damages without asking whether it is there: another fault may have taken it away.
        raise FaultError(f"fault {fault.id}: the {fault.subject} has nothing of that kind to damage") from None


def _applied(exchange: Exchange, application: Application, context: Context) -> Exchange:
    fault, values = application.fault, application.values
    if exchange.response is None:
        raise FaultError("the exchange has no response to damage")
    if fault.on is Exchange:
        changed = fault.apply(exchange, **values)
        assert isinstance(changed, Exchange)
        return changed
    step = None
    if fault.on in (Step, Delivery, Opening):
        step = (context.session or Session()).look(exchange, context.keys)
    if fault.on is Step:
        changed = fault.apply(step, **values)
        assert isinstance(changed, Exchange)
        return changed
    document = exchange.document
    if document is None or document.root is None:
        raise FaultError("the response has no document to damage")
    if step is None:
        subject = _first(fault.on, document)
    elif fault.on is Opening and not step.keys:
        raise FaultError("it takes the keys of the terminal, and no key ring is given")
    else:
        subject = next(reversed(step.deliveries if fault.on is Delivery else step.openings), None)
    if subject is None:
        raise FaultError(f"the document has no {fault.subject if step is None else 'LTKM'} to damage")
    if isinstance(subject, Delivery | Opening):
        splices: Iterable[Splice] = [_message_splice(subject.ltkm, application, context, subject)]
    elif isinstance(subject, Ltkm) and fault.on is not Ltkm:
        splices = [_message_splice(subject, application, context)]
    else:
        splices = fault.apply(subject, **values)
    return replace(exchange, response=exchange.response.with_content(document.xml.splice(splices)))


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


def _message_splice(
    ltkm: Ltkm, application: Application, context: Context, delivery: Delivery | Opening | None = None
) -> Splice:
    fault, values = application.fault, application.values
    if fault.on is Octets:
        assert ltkm.octets is not None
        octets = fault.apply(Octets(ltkm.octets), **values)
        message = mikey.decode(octets)
    else:
        assert ltkm.message is not None
        message = _damaged(ltkm.message, application) if delivery is None else fault.apply(delivery, **values)
        octets = message.encode()
    old = context.keys.open(ltkm.message, ltkm.octets) if ltkm.message is not None and ltkm.octets else None
    subscriber = _subscriber(ltkm.document.exchange, context, message)
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


def _authenticated(message: Message, octets: bytes, muk: bytes) -> bytes:
    """Return the octets with the MAC made anew, where the message still has what that takes."""
    try:
        return authenticate(message, muk).encode()
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
