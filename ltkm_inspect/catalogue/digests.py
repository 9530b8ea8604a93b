"""Rules on the digests of request and response, which take the MRK, and the faults that break them."""

from contextlib import suppress
from dataclasses import replace

from ltkm_inspect import digest
from ltkm_inspect.catalogue.authorization import proof_of, prove
from ltkm_inspect.catalogue.keys import MAC
from ltkm_inspect.catalogue.preconditions import KEYS
from ltkm_inspect.document import Splice
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.keys import Verdict
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.spec import RFC7616, TS33246
from ltkm_inspect.traffic import Exchange

PROOF_OF_REQUEST = RFC7616["3.4.1"](says="how the response of the credentials is computed")
PROOF_OF_RESPONSE = RFC7616["3.5"](says="how rspauth is computed, over the body of the response with auth-int")
MUTUAL = TS33246["6.2.1.3"](says="both sides prove with the MRK that they are who they say, and what they send")
RESPONSE = "request.headers.Authorization.response"
RSPAUTH = "response.headers.Authentication-Info.rspauth"
DIGEST_RULES = RuleGroup(SessionEvent, needs=[KEYS])


@DIGEST_RULES.rule(
    PROOF_OF_REQUEST, MUTUAL, covers=["KEY-01"], looks_at=["request.headers.Authorization", "request.body"]
)
def request_digest_wrong(step: SessionEvent) -> Problems:
    """The digest of a request is wrong, although the MRK is right.

    The request was changed on its way, or the terminal computes the digest over something else. A BSM that answers it
    does not check.

    Compare the request on both sides of whatever is between. With auth-int, the body counts as it was sent.
    """
    proof = step.request_proof
    if proof.holds is None:
        yield NotApplicable(proof.reason)
    elif not proof.holds:
        if step.subscriber is not None and step.is_proved([step.subscriber.mrk]):
            request = step.exchange.request
            hint = _explained(step, request.credentials, "response", request.method)
            yield Problem(RESPONSE, "the digest over this request", "another one", hint)
        else:
            yield NotApplicable("the MRK has proved right nowhere yet, which is reported by itself")


def _explained(
    step: SessionEvent, told: digest.Directives | None, name: str, method: str, decoded: bytes | None = None
) -> str:
    """Return which other way to compute a digest gives the one that was told by that name; empty for none.

    The digest of a response has no method. `decoded` is its body without its content coding.
    """
    credentials, subscriber = step.exchange.request.credentials, step.subscriber
    if told is None or credentials is None or subscriber is None or subscriber.password is None:
        return ""
    for said, directives, body in (
        ("it is right for the body without its content coding", credentials, decoded),
        ("it is right for qop=auth, which leaves the body out", credentials.put("qop", "auth"), b""),
        ("it is right for an empty body", credentials, b""),
    ):
        with suppress(ValueError):
            computed = None if body is None else digest.response(directives, subscriber.password, method, body)
            if computed == (told.get(name) or "").lower():
                return said
    return ""


@DIGEST_RULES.rule(
    PROOF_OF_RESPONSE,
    MUTUAL,
    covers=["KEY-02"],
    looks_at=["request.headers.Authorization", "response.headers.Authentication-Info", "response.body"],
)
def response_digest_wrong(step: SessionEvent) -> Problems:
    """The rspauth of a response is wrong, although the MRK is right.

    To the terminal the response is not from its BSM, and everything in it, keys included, is to be thrown away. The key
    has verified the request of this very exchange.

    Look for something between that changes the body: with auth-int every octet of it counts, as it was sent.
    """
    proof = step.response_proof
    if proof.holds is None:
        yield NotApplicable(proof.reason)
    elif not proof.holds:
        content = step.exchange.content
        decoded = (content.octets if content is not None else None) or b""
        hint = _explained(step, step.exchange.authentication_info, "rspauth", "", decoded)
        yield Problem(RSPAUTH, "the digest over this response", "another one", hint)


@DIGEST_RULES.warning(
    MAC,
    PROOF_OF_REQUEST,
    level_reason="until a key has verified something, the key ring is more likely wrong than the traffic",
    covers=["KEY-01", "KEY-03"],
)
def key_unproven(step: SessionEvent) -> Problems:
    """A MAC or digest does not verify, with a key that has verified nothing yet.

    Most likely the key ring has the wrong key for this terminal: an old one, that of another terminal, or one that was
    derived otherwise. It may also be the message or the request that is wrong.

    Compare the key check values of terminal and key ring. As soon as the key verifies anything in the run, such a
    failure is reported as mac-invalid or request-digest-wrong.
    """
    subscriber = step.subscriber
    if step.request_proof.holds is False and subscriber is not None and not step.is_proved([subscriber.mrk]):
        yield Problem(RESPONSE, "a digest that verifies", f"the MRK of {subscriber.b_tid} does not verify it")
    for opening in step.openings:
        if opening.opened.verdict is Verdict.INVALID and not opening.is_proved:
            item = f"item {opening.ltkm.item.number}, " if opening.ltkm.item is not None else ""
            path = f"{item}LTKM {opening.ltkm.number}, KEMAC.mac"
            yield Problem(path, "a MAC that verifies", opening.opened.reason)


@fault(on=SessionEvent, reference="download", trips={"response-digest-wrong"}, leaves={"digest"})
def keep_digest(step: SessionEvent) -> Exchange:
    """Put one more line end behind the document, and leave rspauth over the old body."""
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
