"""Rules and faults on the challenge with which the server asks for authentication."""

from ltkm_inspect.catalogue.changes import with_response_header
from ltkm_inspect.catalogue.preconditions import CHALLENGED, MSK_PROCEDURE, RESPONSE
from ltkm_inspect.digest import Directives
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import TS24109, Verb
from ltkm_inspect.traffic import Exchange

CHALLENGE = TS24109["5.2.4"](says="the server asks for authentication with a 401 and a Digest challenge")
AUTHENTICATE = "response.headers.WWW-Authenticate"


def _challenges(exchange: Exchange) -> tuple[Directives, ...] | NotApplicable:
    return exchange.challenges or NotApplicable("the 401 has no Digest challenge, reported by challenge-missing")


CHALLENGE_RULES = RuleGroup(
    Exchange,
    cite=[CHALLENGE],
    needs=[MSK_PROCEDURE, RESPONSE, CHALLENGED],
    covers=["HTTP-18"],
    looks_at=[AUTHENTICATE, "response.status"],
    takes=_challenges,
)


@CHALLENGE_RULES.rule(takes=None)
def challenge_missing(exchange: Exchange) -> Problems:
    """A 401 has no Digest challenge.

    The terminal must authenticate, but it does not get realm and nonce. It gives up or starts over.

    Make the BSM send `WWW-Authenticate: Digest` with every 401. It may also send challenges of other schemes.
    """
    assert exchange.response is not None
    if not exchange.response.challenges:
        value = (exchange.response.headers.get("WWW-Authenticate") or "").split(None, 1)
        yield Problem(AUTHENTICATE, "a Digest challenge", f"the scheme {value[0]}" if value else "none")


@CHALLENGE_RULES.rule()
def challenge_incomplete(_: Exchange, challenges: tuple[Directives, ...]) -> Problems:
    """A Digest challenge has no realm or no nonce.

    Without a realm, the terminal does not know which key to use. Without a nonce, it cannot compute a digest.

    Send both in every challenge, and separate the directives with commas.
    """
    for challenge in challenges[:10]:
        for name in ("realm", "nonce"):
            if not challenge.first.get(name):
                hint = "the challenge contains text that is not a directive" if challenge.rest else ""
                got = "none" if name not in challenge.first else "an empty value"
                yield Problem(f"{AUTHENTICATE}.{name}", name, got, hint)


@CHALLENGE_RULES.warning(
    TS24109["5.2.6"](says="a server that wants integrity protection offers qop auth-int", verb=Verb.SHOULD)
)
def challenge_lacks_auth_int(_: Exchange, challenges: tuple[Directives, ...]) -> Problems:
    """The challenge does not offer qop auth-int.

    A terminal that follows the offer authenticates without protecting the bodies, which MBMS does not allow.

    Offer `qop="auth-int"`, alone or with auth. If there are several Digest challenges, one that offers it is enough.
    """
    if not any("auth-int" in _offers(challenge) for challenge in challenges):
        yield Problem(f"{AUTHENTICATE}.qop", "a list with auth-int", challenges[0].first.get("qop") or "none")


def _offers(challenge: Directives) -> list[str]:
    return (challenge.first.get("qop") or "").lower().replace(",", " ").split()


def put_challenge(exchange: Exchange, text: str | None) -> Exchange:
    """Return the exchange with another WWW-Authenticate in its response; None takes it out."""
    return with_response_header(exchange, "WWW-Authenticate", text)


def first_challenge(exchange: Exchange) -> Directives:
    """Return the first digest challenge of the response; FaultError without one."""
    if exchange.response is None or not exchange.response.challenges:
        raise FaultError("the response has no Digest challenge")
    return exchange.response.challenges[0]


@fault(on=Exchange, reference="challenged", trips={"challenge-missing"})
def drop_challenge(exchange: Exchange) -> Exchange:
    """Remove the challenge from a 401."""
    return put_challenge(exchange, None)


@fault(on=Exchange, reference="challenged", trips={"challenge-missing"})
def replace_challenge(exchange: Exchange, *, value: str = 'Basic realm="BSM"') -> Exchange:
    """Send a challenge of a scheme other than Digest."""
    return put_challenge(exchange, value)


@fault(on=Exchange, reference="challenged", trips={"challenge-incomplete"})
def drop_challenge_directive(exchange: Exchange, *, name: str = "nonce") -> Exchange:
    """Remove a directive from the challenge."""
    return put_challenge(exchange, f"Digest {first_challenge(exchange).without(name)}")


@fault(on=Exchange, reference="challenged", trips={"challenge-lacks-auth-int"})
def downgrade_challenge(exchange: Exchange, *, qop: str = "auth") -> Exchange:
    """Offer a qop other than auth-int."""
    return put_challenge(exchange, f"Digest {first_challenge(exchange).put('qop', qop, quoted=True)}")
