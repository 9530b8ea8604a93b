"""Rules and faults on the digests of request and response; they need the MRK."""

from contextlib import suppress
from dataclasses import replace

from ltkm_inspect import digest
from ltkm_inspect.catalogue.authorization import proof_of, prove
from ltkm_inspect.catalogue.keys import MAC
from ltkm_inspect.catalogue.preconditions import KEYS
from ltkm_inspect.document import Splice
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.keys import Verdict
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.session import KeyedEvent, SessionEvent
from ltkm_inspect.spec import RFC7616, TS33246
from ltkm_inspect.traffic import Exchange

PROOF_OF_REQUEST = RFC7616["3.4.1"](says="how the response of the credentials is computed")
PROOF_OF_RESPONSE = RFC7616["3.5"](says="how rspauth is computed (with auth-int, over the response body)")
MUTUAL = TS33246["6.2.1.3"](says="both sides use the MRK to prove who they are and what they send")
RESPONSE = "request.headers.Authorization.response"
RSPAUTH = "response.headers.Authentication-Info.rspauth"
DIGEST_RULES = RuleGroup(SessionEvent, needs=[KEYS])


@DIGEST_RULES.rule(
    PROOF_OF_REQUEST, MUTUAL, covers=["KEY-01"], looks_at=["request.headers.Authorization", "request.body"]
)
def request_digest_wrong(step: SessionEvent) -> Problems:
    """The digest of a request is wrong, although the MRK is right.

    The request was changed on its way, or the terminal computes the digest over other data. A BSM that answers the
    request does not check the digest.

    Compare the request on both sides of every proxy. With auth-int, the digest covers the body as sent.
    """
    proof = step.request_proof
    if proof.holds is None:
        yield NotApplicable(proof.reason)
    elif not proof.holds:
        if step.subscriber is not None and step.is_proved([step.subscriber.mrk]):
            request = step.exchange.request
            hint = _explanation(step, request.credentials, "response", request.method)
            yield Problem(RESPONSE, "the digest of this request", "another digest", hint)
        else:
            yield NotApplicable("the MRK has not verified anything yet, reported by key-unproven")


def _explanation(
    step: SessionEvent, sent: digest.Directives | None, name: str, method: str, decoded: bytes | None = None
) -> str:
    """Return which wrong way to compute the digest gives the value of that directive; empty if none does.

    The digest of a response has no method. `decoded` is its body without its content coding.
    """
    credentials, subscriber = step.exchange.request.credentials, step.subscriber
    if sent is None or credentials is None or subscriber is None or subscriber.password is None:
        return ""
    for explanation, directives, body in (
        ("correct for the body without its content coding", credentials, decoded),
        ("correct for qop=auth, which does not cover the body", credentials.put("qop", "auth"), b""),
        ("correct for an empty body", credentials, b""),
    ):
        with suppress(ValueError):
            computed = None if body is None else digest.response(directives, subscriber.password, method, body)
            if computed == (sent.get(name) or "").lower():
                return explanation
    return ""


@DIGEST_RULES.rule(
    PROOF_OF_RESPONSE,
    MUTUAL,
    covers=["KEY-02"],
    looks_at=["request.headers.Authorization", "response.headers.Authentication-Info", "response.body"],
)
def response_digest_wrong(step: SessionEvent) -> Problems:
    """The rspauth of a response is wrong, although the MRK is right.

    To the terminal, the response does not come from its BSM, so it must discard everything in it, including the keys.
    The MRK did verify the request of this exchange.

    Look for something in between that changes the body: with auth-int, the digest covers every octet of it as sent.
    """
    proof = step.response_proof
    if proof.holds is None:
        yield NotApplicable(proof.reason)
    elif not proof.holds:
        content = step.exchange.content
        decoded = (content.octets if content is not None else None) or b""
        hint = _explanation(step, step.exchange.authentication_info, "rspauth", "", decoded)
        yield Problem(RSPAUTH, "the digest of this response", "another digest", hint)


@rule(
    MAC,
    PROOF_OF_REQUEST,
    on=KeyedEvent,
    needs=[KEYS],
    level=Level.WARNING,
    level_reason="until a key has verified something, the key ring is more likely to be wrong than the traffic",
    covers=["KEY-01", "KEY-03"],
)
def key_unproven(keyed: KeyedEvent) -> Problems:
    """A MAC or digest does not verify with a key that has not verified anything yet.

    Most likely the key ring has the wrong key for this terminal: an old key, another terminal's, or one that was
    derived differently. The message or the request may also be wrong.

    Compare the key check values of the terminal and the key ring. Once the key has verified anything in the run, such a
    failure is reported as mac-invalid or request-digest-wrong.
    """
    step = keyed.step
    subscriber = step.subscriber if isinstance(step.event, Exchange) else None
    if subscriber is not None and step.request_proof.holds is False and not step.is_proved([subscriber.mrk]):
        yield Problem(RESPONSE, got=f"digest does not verify with the MRK of {subscriber.b_tid}")
    if not isinstance(step.event, Exchange) and not step.openings:
        yield NotApplicable("the datagram has no LTKM")
    for opening in step.openings:
        if opening.opened.verdict is Verdict.INVALID and not opening.is_proved:
            item = f"item {opening.ltkm.item.number}, " if opening.ltkm.item is not None else ""
            path = f"{item}LTKM {opening.ltkm.number}, KEMAC.mac"
            yield Problem(path, got=opening.opened.reason)


@fault(on=SessionEvent, reference="download", trips={"response-digest-wrong"}, leaves={"digest"})
def keep_digest(step: SessionEvent) -> Exchange:
    """Add a line end after the document, and keep the rspauth of the old body."""
    exchange = step.exchange
    document = exchange.document
    if exchange.response is None or document is None:
        raise FaultError("the response has no document")
    end = len(document.xml.text or "")
    return replace(exchange, response=exchange.response.with_content(document.xml.splice([Splice(end, end, "\n")])))


@fault(on=SessionEvent, reference="renewal", trips={"request-digest-wrong"}, leaves={"digest"})
def replace_response(step: SessionEvent, *, to: str = "0123456789abcdef0123456789abcdef") -> Exchange:
    """Write another digest into the recorded request."""
    return prove(step.exchange, proof_of(step.exchange).put("response", to, quoted=True))
