"""Rules and faults on nonces, nonce counts and repeated exchanges."""

from dataclasses import replace

from ltkm_inspect.catalogue.authorization import proof_of, prove
from ltkm_inspect.catalogue.preconditions import FIRST_COPY, NONCE_BEFORE
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.spec import RFC2617, RFC7616, Verb
from ltkm_inspect.traffic import Exchange

NO_CREDENTIALS = NotApplicable("the request has no credentials")
NONCE_COUNT = "request.headers.Authorization"
NONCE_RULES = RuleGroup(
    SessionEvent, needs=[FIRST_COPY, NONCE_BEFORE], covers=["XF-09"], looks_at=[NONCE_COUNT, "request.body"]
)


@NONCE_RULES.note(
    RFC7616["3.4"](
        says="a count is used once with a nonce, so two exchanges that share both are the same", verb=Verb.MAY
    ),
    needs=[],
    covers=["XF-01"],
    looks_at=[],
)
def exchange_captured_twice(step: SessionEvent) -> Problems:
    """The same exchange was captured before, octet for octet.

    Two captures overlap, a capture was taken at two places, or mitmproxy itself replayed the exchange. Two exchanges
    are the same if they came over one connection, if their times are at most 1 second apart, or if they are from two
    captures whose clocks may differ that much (`clock_skew`). The second one is not compared with the first.

    Nothing is wrong.
    """
    if step.before.twin is not None:
        yield Problem("", got="the same exchange as before", hint=f"flow {step.before.twin or 'without an id'}")


@NONCE_RULES.rule(
    RFC7616["3.4"](says="nc counts the requests that were sent with a nonce, this one included"),
    RFC2617["3.2.2"](says="the count lets the server detect replays"),
)
def nonce_count_reused(step: SessionEvent) -> Problems:
    """A nonce count is used again.

    The count belongs to another request, or to the same request, which is now answered a second time. To the BSM, the
    second request is a replay. A BSM that answers both does not check.

    Make the terminal count each request, repeated ones included, and make the BSM refuse a count that it knows.
    """
    assert step.use is not None
    number, content = step.use
    same = [use for use in step.uses.latest if use.number == number]
    if step.before.replayed is not None:
        got = f"nc={number:08x}, used before for the same request, with the same answer"
        yield Problem(NONCE_COUNT, "a new count", got, f"flow {step.before.replayed or 'without an id'}")
    elif same and all(use.content != content for use in same):
        yield Problem(NONCE_COUNT, "a new count", f"nc={number:08x}, used before for another request")


@NONCE_RULES.note(RFC7616["3.4"](says="a request that is sent again unchanged keeps its count", verb=Verb.MAY))
def request_retried(step: SessionEvent) -> Problems:
    """A request was sent again unchanged; the first one got no answer or a different one.

    HTTP stacks repeat a request when a connection breaks.

    Nothing is wrong, but a BSM may treat it as a replay.
    """
    assert step.use is not None
    if step.use in step.uses.latest and step.before.replayed is None:
        yield Problem(NONCE_COUNT, got=f"the request with nc={step.use.number:08x} again")


@NONCE_RULES.rule(
    RFC7616["3.4"](says="the count rises with each request that uses the nonce", verb=Verb.SHOULD),
    looks_at=[NONCE_COUNT],
)
def nonce_count_backward(step: SessionEvent) -> Problems:
    """The nonce count is lower than that of an earlier request.

    A BSM that stores only the highest count treats the request as a replay and asks for a new nonce.

    Check whether the terminal counts in several places, or sends requests in parallel.
    """
    assert step.use is not None
    uses = step.uses
    if uses.at is not None and step.exchange.started is not None and step.exchange.started < uses.at:
        yield NotApplicable("the request began before the one with the highest count")
    elif step.use.number < (uses.highest or 0) and all(use.number != step.use.number for use in uses.latest):
        yield Problem(NONCE_COUNT, f"a count above {uses.highest:08x}", f"nc={step.use.number:08x}")


@NONCE_RULES.rule(
    RFC7616["3.5"](says="a client uses the given nextnonce for its next request", verb=Verb.SHOULD),
    needs=[FIRST_COPY],
    looks_at=[NONCE_COUNT],
)
def nextnonce_ignored(step: SessionEvent) -> Problems:
    """A request uses the old nonce although the last response gave a new one.

    A BSM that issues nonces for single use answers with another challenge, which costs the terminal a round trip each
    time.

    Make the terminal use nextnonce from Authentication-Info.
    """
    credentials = step.exchange.request.credentials
    terminal = step.terminal
    if credentials is None:
        yield NO_CREDENTIALS
    elif not terminal.next_nonce or terminal.next_nonce == terminal.nonce:
        yield NotApplicable("the last response to this terminal gave no nextnonce")
    elif terminal.answer_ended is not None and (step.exchange.started or 0.0) < terminal.answer_ended:
        yield NotApplicable("the request began before the last response ended")
    elif credentials.get("nonce") == terminal.nonce:
        yield Problem(NONCE_COUNT, "the nextnonce of the last response", "the nonce before it")


def with_directives(step: SessionEvent, **values: str) -> Exchange:
    """Return the exchange with these directives in its credentials, and where Authentication-Info repeats them."""
    exchange = prove(step.exchange, proof_of(step.exchange).refilled(values))
    response = exchange.response
    if response is None or response.authentication_info is None:
        return exchange
    return replace(exchange, response=response.with_info(response.authentication_info.refilled(values)))


@fault(on=SessionEvent, reference="renewal", trips={"nonce-count-reused"})
def repeat_nonce_count(step: SessionEvent, *, cnonce: str = "1b5f224c") -> Exchange:
    """Write the previous nonce count into the recorded request, with another cnonce."""
    return with_directives(step, nc=f"{_highest(step):08x}", cnonce=cnonce)


@fault(on=SessionEvent, reference="captured-twice", trips={"nonce-count-reused", "ltkm-replayed"})
def replay_exchange(step: SessionEvent, *, connection: str = "192.0.2.10:40009") -> Exchange:
    """Make an exchange that was captured twice come over another connection the second time."""
    if step.before.twin is None:
        raise FaultError("the exchange was not captured before")
    return replace(step.exchange, connection=connection)


@fault(on=SessionEvent, reference="renewal", trips={"nonce-count-backward"})
def lower_nonce_count(step: SessionEvent, *, by: int = 1) -> Exchange:
    """Write a lower nonce count than the previous one into the recorded request."""
    return with_directives(step, nc=f"{max(0, _highest(step) - by):08x}")


def _highest(step: SessionEvent) -> int:
    if step.uses.highest is None:
        raise FaultError("the nonce was not used before")
    return step.uses.highest


@fault(on=SessionEvent, reference="next-nonce", trips={"nextnonce-ignored"})
def keep_nonce(step: SessionEvent) -> Exchange:
    """Write the old nonce with the next count into the recorded request, as if the terminal had not read nextnonce."""
    if step.terminal.nonce is None:
        raise FaultError("the terminal used no nonce before")
    return with_directives(step, nonce=step.terminal.nonce, nc="00000002")
