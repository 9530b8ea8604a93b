"""The preconditions that several rules share, each with the reason that is given where it does not hold."""

from collections.abc import Callable
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.keys import Verdict
from ltkm_inspect.mikey import Message
from ltkm_inspect.rule import Need
from ltkm_inspect.session import DeliveredLtkm, OpenedLtkm, SentDatagram, SessionEvent
from ltkm_inspect.traffic import DatagramKind, Document, Exchange, LtkmElement


def document_of(subject: Any) -> Document | None:
    """Return the document that a subject is, or is part of, or has as its response."""
    found: Document | None = subject if isinstance(subject, Document) else subject.event.document
    return found


def _no_ltkm(subject: Any, _: Context) -> str | None:
    document = document_of(subject)
    if document is not None and document.has_ltkm:
        return None
    return "the response has no LTKM: keys are delivered over UDP, or this BSM does not include LTKMs"


def _other_root(subject: Any, _: Context) -> str | None:
    document = document_of(subject)
    if document is not None and document.is_msk_response:
        return None
    return "the root element is not that of an MSK response"


def _malformed(subject: Any, _: Context) -> str | None:
    document = document_of(subject)
    return None if document is not None and document.xml.well_formed else "the document is not well-formed"


def _undecoded(message: Message, _: Context) -> str | None:
    if message.problem is not None:
        return "the message does not decode completely"
    return None if message.payloads else "the message has no payloads"


def _other_method(message: Message, context: Context) -> str | None:
    if message.header is not None and message.header.data_type != 0:
        return "the message is not the first of the pre-shared key method, reported by data-type-foreign"
    return _undecoded(message, context)


def _no_response(exchange: Exchange, _: Context) -> str | None:
    return None if exchange.response is not None else "no response was captured"


def _no_challenge(exchange: Exchange, _: Context) -> str | None:
    if exchange.response is None or exchange.response.status != 401:
        return "the response is not a 401"
    if exchange.document is not None and exchange.document.has_ltkm:
        return "the 401 has an LTKM, reported by status-not-200"
    return None


def _other_procedure(exchange: Exchange, _: Context) -> str | None:
    if exchange.asks_for_msk or (exchange.is_ours and not exchange.registers):
        return None
    return "the exchange is not part of the MSK request procedure"


def _other_identities(_: Any, context: Context) -> str | None:
    return "the (R-)UIM profile uses other identities" if "ruim" in context.settings.profile else None


def _may_be_ruim(subject: Any, context: Context) -> str:
    if {"usim", "ruim"} & context.settings.profile:
        return ""
    return "" if subject.event.may_be_bootstrapped else NOT_BOOTSTRAPPED


NOT_BOOTSTRAPPED = "no identity looks like GBA: for an (R-)UIM use --profile ruim, in mitmproxy ltkm_profile=ruim"


def _no_attributes(ltkm: LtkmElement, _: Context) -> str | None:
    return None if ltkm.element.keys() else "the LTKM element has no attributes"


def _nothing_before(delivery: DeliveredLtkm, _: Context) -> str | None:
    return None if delivery.before.counter is not None else "no earlier LTKM for this MUK was seen"


def _overtaken(delivery: DeliveredLtkm, _: Context) -> str | None:
    reason = "a later LTKM for this MUK was seen before it, so the capture is not in the order of delivery"
    return reason if delivery.is_overtaken else None


def _new_msk(delivery: DeliveredLtkm, _: Context) -> str | None:
    return None if delivery.same_msk is not None else "the MSK was not delivered before"


def _repeated(subject: DeliveredLtkm | OpenedLtkm, _: Context) -> str | None:
    delivery = subject.delivery if isinstance(subject, OpenedLtkm) else subject
    is_repeated = delivery is not None and delivery.is_repeated
    return "this exact LTKM was delivered before, reported by ltkm-replayed" if is_repeated else None


def _unseen_msk(delivery: DeliveredLtkm, _: Context) -> str | None:
    return None if delivery.msk.rand is not None else "the MSK was not delivered to any terminal before"


def _captured_before(step: SessionEvent, _: Context) -> str | None:
    return None if step.before.twin is None else "the same exchange was captured before"


def _copy(datagram: SentDatagram, _: Context) -> str | None:
    return None if datagram.before.twin is None else "the same datagram was captured before"


def _is(*kinds: DatagramKind) -> Callable[[SentDatagram, Context], str | None]:
    """Return what is missing to a datagram that is of none of these kinds."""

    def missing(datagram: SentDatagram, _: Context) -> str | None:
        return None if datagram.event.kind in kinds else f"the datagram is not a {kinds[0].value}"

    return missing


def _answers_nothing(datagram: SentDatagram, _: Context) -> str | None:
    return None if datagram.answered is not None else "what it answers was not seen, reported by verification-unmatched"


def _mismatched(datagram: SentDatagram, context: Context) -> str | None:
    if datagram.is_matched:
        return None
    return _answers_nothing(datagram, context) or "it does not fit what it answers, reported by other rules"


def _new_nonce(step: SessionEvent, _: Context) -> str | None:
    if step.use is None:
        return "the request has no credentials with a nonce count"
    return None if step.uses.latest else "the nonce was not used before"


def _first_request(step: SessionEvent, _: Context) -> str | None:
    if not step.terminal.requests:
        return "the terminal has not asked for keys before"
    return None if step.exchange.requested_pairs else "the request names no key, or was not captured"


def _no_keys(_: Any, context: Context) -> str | None:
    return None if context.keys else "there is no key ring"


def _unopened(opening: OpenedLtkm, _: Context) -> str | None:
    opened = opening.opened
    if opened.verdict is not Verdict.VALID:
        return opened.reason
    return None if opened.key_data is not None else opened.problem


def _unread(opening: OpenedLtkm, context: Context) -> str | None:
    reason = _unopened(opening, context)
    if reason is None and opening.opened.problem:
        return "the key data cannot be read, reported by key-data-unreadable"
    return reason


ATTRIBUTES = Need("attributes", "the LTKM element has attributes", _no_attributes)
HAS_LTKM = Need("LTKM", "the response has at least one LTKM", _no_ltkm)
MSK_ROOT = Need("MSK response", "the root element is that of an MBMS MSK response", _other_root)
WELL_FORMED = Need("well-formed", "the document is well-formed XML", _malformed)
WHOLE_MESSAGE = Need("complete message", "the message decodes completely", _undecoded)
RESPONSE = Need("response", "a response was captured", _no_response)
CHALLENGED = Need("401", "the response asks for authentication: it is a 401 without an LTKM", _no_challenge)
PSK_MESSAGE = Need("LTKM message", "the message decodes and delivers a key", _other_method)
MSK_PROCEDURE = Need("MSK request", "the exchange is part of the MSK request procedure", _other_procedure)
USIM = Need("(U)SIM", "the (U)SIM profile applies", _other_identities, doubt=_may_be_ruim)
MUK_BEFORE = Need("earlier LTKM", "an earlier LTKM for the same MUK was seen", _nothing_before)
IN_ORDER = Need("order", "no later LTKM for the same MUK was delivered before", _overtaken)
MSK_BEFORE = Need("earlier MSK", "the same MSK was delivered before", _new_msk)
MSK_SEEN = Need("MSK seen", "the MSK was delivered to some terminal before", _unseen_msk)
NEW_LTKM = Need("new LTKM", "this exact LTKM was not delivered before", _repeated)
FIRST_COPY = Need("first copy", "the same exchange was not captured before", _captured_before)
FIRST_DATAGRAM = Need("first copy", "the same datagram was not captured before", _copy)
PUSH = Need("push", "the datagram is a push", _is(DatagramKind.PUSH))
PULL = Need("solicited pull", "the datagram is a solicited pull", _is(DatagramKind.PULL))
PUSH_OR_PULL = Need(
    "push or pull", "the datagram is a push or a solicited pull", _is(DatagramKind.PUSH, DatagramKind.PULL)
)
VERIFICATION = Need("verification message", "the datagram is a verification message", _is(DatagramKind.VERIFICATION))
ANSWERED = Need("answered message", "the message that it answers was seen", _answers_nothing)
MATCHED = Need("fitting answer", "it has CSB ID, T and IDr of the message that it answers", _mismatched)
NONCE_BEFORE = Need("earlier nonce", "the nonce was used before", _new_nonce)
REQUEST_BEFORE = Need("earlier request", "the terminal asked for keys before", _first_request)
KEYS = Need("keys", "there is a key ring", _no_keys, keyed=True)
OPENED = Need(
    "MUK", "the MAC verifies with a MUK of the key ring, and the key data is decrypted", _unopened, keyed=True
)
KEY_DATA = Need("key data", "the key data is decrypted and can be read", _unread, keyed=True)
