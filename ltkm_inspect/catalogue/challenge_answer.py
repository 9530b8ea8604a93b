"""Rules and faults on credentials that do not fit the challenge that they answer."""

from collections.abc import Iterator

from ltkm_inspect import digest
from ltkm_inspect.catalogue.authorization import proof_of
from ltkm_inspect.catalogue.changes import with_request_header
from ltkm_inspect.catalogue.nonces import NO_CREDENTIALS, NONCE_COUNT, with_directives
from ltkm_inspect.catalogue.preconditions import FIRST_COPY
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.spec import RFC2617, RFC7616, TS24109, Sure, Verb
from ltkm_inspect.traffic import Exchange


def _answer(step: SessionEvent) -> digest.Directives | NotApplicable:
    credentials = step.exchange.request.credentials
    if credentials is None:
        return NO_CREDENTIALS
    return credentials if step.challenges else NotApplicable("the challenge for these credentials was not captured")


ANSWER_RULES = RuleGroup(SessionEvent, needs=[FIRST_COPY], takes=_answer)


@ANSWER_RULES.rule(
    RFC7616["3.4"](says="opaque and algorithm of the credentials are those of the challenge"),
    RFC2617["3.2.2"](says="opaque and algorithm are those of the challenge"),
    covers=["HTTP-10"],
    looks_at=[NONCE_COUNT],
)
def credentials_unlike_challenge(step: SessionEvent, credentials: digest.Directives) -> Problems:
    """The credentials do not repeat the challenge's opaque or algorithm.

    The BSM finds its own state by these directives. If they differ, it cannot check the digest, or it sends a new
    challenge.

    Make the terminal copy opaque and algorithm unchanged. A qop other than auth-int is reported by qop-not-auth-int,
    and a challenge that does not offer auth-int by challenge-lacks-auth-int.
    """
    # Of several challenges with one nonce, the answer is to the one that it is most like.
    unlike = [list(_unlike(credentials, challenge)) for challenge in step.challenges]
    for name, expected, got in min(unlike, key=len):
        yield Problem(f"{NONCE_COUNT}.{name}", f"{expected} as in the challenge", got)


@ANSWER_RULES.rule(
    TS24109["5.2.4"](
        says="the challenge names the realms for which the terminal can choose its key",
        verb=Verb.SHOULD,
        sure=Sure.DERIVED,
    ),
    covers=["HTTP-08"],
)
def realm_not_offered(step: SessionEvent, credentials: digest.Directives) -> Problems:
    """The challenge did not offer the realm in the credentials.

    The terminal uses a key for another kind of bootstrapping, or for another server, than the BSM expects, so the
    digest fails. A challenge may offer two realms; the answer names one of them or repeats both.

    Check how the terminal chooses its realm. If it reads the challenge correctly, look for a proxy that changes the
    realm.
    """
    realm, given = credentials.get("realm"), _realms(credentials)
    offered = [_realms(challenge) for challenge in step.challenges if challenge.get("realm") is not None]
    if realm is None:
        yield NotApplicable("the credentials have no realm, reported by authorization-incomplete")
    elif offered and not any(given <= each for each in offered):
        expected = f"{step.challenges[0].get('realm') or 'a realm'} as in the challenge"
        yield Problem(f"{NONCE_COUNT}.realm", expected, realm or "an empty value")


def _realms(directives: digest.Directives) -> set[str]:
    """Return the realms that one realm names, in a form to compare, whatever separates them: form is another rule's."""
    parts = (directives.get("realm") or "").lower().replace(",", ";").split(";")
    return {part.strip() for part in parts} - {""}


def _unlike(credentials: digest.Directives, challenge: digest.Directives) -> Iterator[tuple[str, str, str]]:
    """Yield the directives in which credentials differ from a challenge: name, expected, got."""
    asked, given = challenge.get("opaque"), credentials.get("opaque")
    if asked is not None and asked != (given or ""):
        yield "opaque", asked or "an empty value", given if given is not None else "none"
    asked, given = challenge.get("algorithm"), credentials.get("algorithm")
    if (asked or "MD5").lower() != (given or "MD5").lower():
        yield "algorithm", asked or "MD5 (by default)", given or "MD5 (by default)"


@fault(on=SessionEvent, reference="challenge", trips={"credentials-unlike-challenge"})
def replace_opaque(step: SessionEvent, *, to: str = "0123456789abcdef") -> Exchange:
    """Replace opaque in the recorded request, so that it differs from the challenge's."""
    return with_directives(step, opaque=to)


@fault(on=SessionEvent, reference="challenge", trips={"credentials-unlike-challenge"})
def replace_answered_algorithm(step: SessionEvent, *, to: str = "MD5-sess") -> Exchange:
    """Replace algorithm in the recorded request, so that it differs from the challenge's."""
    return with_directives(step, algorithm=to)


@fault(on=SessionEvent, reference="challenge", trips={"realm-not-offered"})
def answer_other_realm(step: SessionEvent, *, kind: str = "-uicc") -> Exchange:
    """Write a realm that the challenge did not offer into the recorded request, with its product token."""
    realm = proof_of(step.exchange).realm
    if realm is None:
        raise FaultError("the credentials have no bootstrapping realm")
    changed = with_directives(step, realm=f"3GPP-bootstrapping{kind}@{realm.fqdn}")
    return with_request_header(changed, "User-Agent", f"bcast-terminal/1.0 3gpp-gba{kind}")
