"""Rules across the exchanges of a session: counters, key streams, nonces, what was asked before; and their faults."""

from collections.abc import Iterator
from dataclasses import replace

from ltkm_inspect import digest, mikey
from ltkm_inspect.catalogue.authorization import proof_of, prove
from ltkm_inspect.catalogue.preconditions import (
    IN_ORDER,
    MSK_BEFORE,
    MUK_BEFORE,
    NONCE_BEFORE,
    REMEMBERED,
    REQUEST_BEFORE,
)
from ltkm_inspect.catalogue.profile import SRTP_MAP, level_of
from ltkm_inspect.context import Context
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Header, KeyData, Message, Payload, Rand, SecurityPolicy, Timestamp
from ltkm_inspect.rule import note, rule
from ltkm_inspect.session import HALF, DeliveredLtkm, LtkmRecord, SessionEvent, distance, is_newer
from ltkm_inspect.spec import RFC1982, RFC2617, RFC3830, RFC7616, TS24109, TS31102, TS33246, Sure, Verb
from ltkm_inspect.traffic import Exchange

ASCENDING = TS33246["6.4.3"](
    says="every MSK message has a counter above that of the last one, retransmissions included"
)
REPLAY = TS33246["6.5.3"](says="a message whose counter is not above the stored one of its MUK is discarded")
NEW_HERE = NotApplicable("no LTKM of this MUK stands in front of it in the document")
NO_POLICY = NotApplicable("the message has no security policy, or no MSK ID")
NOT_STREAMING = NotApplicable("the message is not of the streaming form")
NO_CONNECTION = NotApplicable("no LTKM came over this connection before")
NO_CREDENTIALS = NotApplicable("the request has no credentials")
FIRST_ONE = NotApplicable("the terminal got no LTKM before")
NO_EARLIER = NotApplicable("no earlier LTKM of this MUK was seen")


def _is_repeated(delivery: DeliveredLtkm) -> bool:
    """Tell whether the very octets of an LTKM were delivered before."""
    octets = delivery.sent.octets
    return any(each.octets == octets for each in delivery.before.ltkms)


def _reuses_keystream(delivery: DeliveredLtkm) -> bool:
    """Tell whether an earlier LTKM has what the key stream is made of in common, and encrypts something else."""
    sent = delivery.sent
    if not sent.encr_data:
        return False
    for each in delivery.earlier:
        same = each.counter == sent.counter and each.csb_id == sent.csb_id and each.rand == sent.rand
        if same and each.encr_data and each.encr_data != sent.encr_data:
            return True
    return False


@rule("ltkm-replayed", on=DeliveredLtkm, cite=[REPLAY, ASCENDING], needs=[MUK_BEFORE], covers=["XF-01"])
def ltkm_replayed(delivery: DeliveredLtkm) -> Iterator[Problem]:
    """The very LTKM was delivered before.

    The terminal has its counter stored already and discards it as a replay, so the request that it answers got no key.

    Make the BSM build a message with the next counter for every delivery, retransmissions included.
    """
    if _is_repeated(delivery):
        yield Problem("T.value", "a message with a counter of its own", "the octets of an earlier delivery")


@rule(
    "keystream-reused",
    on=DeliveredLtkm,
    cite=[RFC3830["4.2.3"](says="the key stream is made of the MUK, RAND, CSB ID and timestamp; it is used once")],
    covers=["XF-06"],
)
def keystream_reused(delivery: DeliveredLtkm) -> Iterator[Problem | NotApplicable]:
    """Two LTKMs encrypt different key data with the same key stream.

    Whoever has both messages has the difference of the two keys, and with one key also the other. No MUK is needed for
    that.

    Never send two messages with the same counter, RAND and CSB ID to one terminal.
    """
    if not delivery.earlier:
        yield NO_EARLIER
    elif _reuses_keystream(delivery):
        got = f"those of an earlier one: counter {delivery.sent.counter}"
        yield Problem("KEMAC.encr_data", "counter, RAND and CSB ID that were not used together before", got)


@rule("counter-repeated", on=DeliveredLtkm, cite=[REPLAY, ASCENDING], needs=[MUK_BEFORE, IN_ORDER], covers=["XF-01"])
def counter_repeated(delivery: DeliveredLtkm) -> Iterator[Problem]:
    """The counter is that of the last LTKM, and the message is another one.

    The terminal discards the message, and takes the key of the first one for all there is. Two messages with one
    counter tell of two processes at the BSM that count for the same terminal.

    Keep one counter for each MUK, and add 1 before each message.
    """
    equal = delivery.sent.counter == delivery.before.counter
    if equal and not _is_repeated(delivery) and not _reuses_keystream(delivery):
        yield Problem("T.value", f"a counter above {delivery.before.counter}", str(delivery.sent.counter))


@rule(
    "counter-backward",
    on=DeliveredLtkm,
    cite=[REPLAY, RFC1982["3.2"](says="of two 32-bit numbers the newer one is less than 2^31 ahead")],
    needs=[MUK_BEFORE, IN_ORDER],
    covers=["XF-01", "XF-04"],
)
def counter_backward(delivery: DeliveredLtkm) -> Iterator[Problem]:
    """The counter is behind that of the last LTKM for the same MUK.

    The terminal discards the message as a replay, and every further one until the counter has caught up. A counter may
    start anew only with a new MUK, which has a new B-TID or A-KID as IDr.

    Look for a BSM that lost its counters in a restart, or for several that do not share them.
    """
    assert delivery.before.counter is not None
    ahead = distance(delivery.sent.counter, delivery.before.counter)
    if ahead >= HALF and not _is_repeated(delivery):
        hint = "half the range apart, which is neither ahead nor behind and counts as a replay" if ahead == HALF else ""
        yield Problem("T.value", f"a counter above {delivery.before.counter}", str(delivery.sent.counter), hint)


@rule(
    "counters-disordered",
    on=DeliveredLtkm,
    cite=[ASCENDING],
    level=Level.WARNING,
    level_reason="the order in which a terminal takes the items is not settled (a violation where two are equal)",
    covers=["XF-02"],
)
def counters_disordered(delivery: DeliveredLtkm) -> Iterator[Problem | NotApplicable]:
    """The counters of the LTKMs in one document do not ascend.

    A terminal that works from top to bottom stores the higher counter first, and discards what comes below as a replay.
    Which way a terminal goes is not settled; that no two may be equal is.

    Write the items in the order in which their messages were built.
    """
    if not delivery.beside:
        yield NEW_HERE
        return
    last = delivery.beside[-1].counter
    if delivery.sent.counter == last:
        if not _reuses_keystream(delivery):
            yield Problem("T.value", f"a counter above {last}", str(last), "equal", Level.VIOLATION)
    elif not is_newer(delivery.sent.counter, last):
        yield Problem("T.value", f"a counter above {last}", str(delivery.sent.counter), "as in the LTKM in front of it")


@note(
    "counter-gap",
    on=DeliveredLtkm,
    cite=[TS33246["6.4.3"](says="the counter also counts the messages that were sent in another way", verb=Verb.MAY)],
    needs=[MUK_BEFORE, IN_ORDER],
    covers=["XF-03"],
)
def counter_gap(delivery: DeliveredLtkm, *, more_than: int = 1) -> Iterator[Problem]:
    """The counter is more than one ahead of that of the last LTKM.

    Messages in between were sent over UDP, or in exchanges that were not captured; or they were lost.

    Nothing is wrong with it. Where nothing else is sent to the terminal, look for the missing ones.
    """
    last = delivery.beside[-1].counter if delivery.beside else delivery.before.counter
    assert last is not None
    ahead = distance(delivery.sent.counter, last)
    if more_than < ahead < HALF:
        yield Problem("T.value", f"at most {more_than} ahead of {last}", f"{ahead} ahead")


@rule(
    "rand-changed",
    on=DeliveredLtkm,
    cite=[TS33246["6.4.4"](says="all messages that deliver one MSK have the same RAND", verb=Verb.SHOULD)],
    needs=[MSK_BEFORE],
    covers=["XF-05"],
)
def rand_changed(delivery: DeliveredLtkm) -> Iterator[Problem]:
    """An MSK is delivered again with another RAND.

    The RAND belongs to the MSK, Key Number included. Terminals that compare it take the key for another one.

    Choose RAND with the MSK and keep it as long as the MSK lives.
    """
    sent, before = delivery.sent, delivery.same_msk
    assert before is not None
    if before.rand != sent.rand:
        yield Problem("RAND.value", f"{before.rand.hex()} as before", sent.rand.hex())


@rule(
    "policy-changed",
    on=DeliveredLtkm,
    cite=[TS33246["6.4.5.1"](says="the policy does not change while the service uses it", verb=Verb.SHOULD)],
    covers=["XF-07"],
)
def policy_changed(delivery: DeliveredLtkm) -> Iterator[Problem | NotApplicable]:
    """The security policy differs from the one that was delivered for the same Key Group before.

    Terminals that joined earlier decrypt the running stream with the old policy, those that join now with the new one;
    one of them fails.

    Change a policy together with the Key Group, or between two broadcasts.
    """
    sent = delivery.sent
    if not sent.policies or sent.key_group is None:
        yield NO_POLICY
        return
    before = next(
        (each for each in reversed(delivery.earlier) if each.policies and each.key_group == sent.key_group), None
    )
    if before is None:
        yield NotApplicable("no policy was delivered for this Key Group before")
    elif before.policies != sent.policies:
        yield Problem("SP", "the policy delivered before for this Key Group", _difference(before, sent))


def _difference(before: LtkmRecord, sent: LtkmRecord) -> str:
    """Return in what the policies of two messages differ, in words."""
    if len(before.policies) != len(sent.policies):
        return f"{len(sent.policies)} SP payloads instead of {len(before.policies)}"
    for old, new in zip(before.policies, sent.policies, strict=True):
        known = {each.type: each.value for each in old.params}
        for each in new.params:
            if known.get(each.type) != each.value:
                was = known[each.type].hex() if each.type in known else "none"
                return f"{each.value.hex()} instead of {was} for parameter {each.type}"
    return "another one"


@rule(
    "policy-missing",
    on=DeliveredLtkm,
    cite=[TS33246["6.4.5.1"](says="a message that answers an MSK request for streaming carries the SP payload")],
    covers=["MB-06"],
)
def policy_missing(delivery: DeliveredLtkm, context: Context) -> Iterator[Problem | NotApplicable]:
    """An LTKM for streaming has no security policy.

    A terminal that asks for the key of a stream for the first time has no other source for the SRTP parameters.

    Send the SP payload in every message that answers an MSK request. Where the same MSK was delivered before,
    this is a warning.
    """
    message = delivery.message
    header = message.header
    if header is None or header.cs_id_map_type != SRTP_MAP or not header.cs_count:
        yield NOT_STREAMING
    elif not delivery.sent.policies:
        known = delivery.same_msk is not None
        yield Problem("SP", "an SP payload", "none", level=Level.WARNING if known else level_of(message, context))


@note(
    "msk-delivered-again",
    on=DeliveredLtkm,
    cite=[
        TS33246["6.5.3"](
            says="a message with an MSK ID that is known replaces the key, or updates its validity", verb=Verb.MAY
        )
    ],
    needs=[MSK_BEFORE],
    covers=["XF-08"],
)
def msk_delivered_again(delivery: DeliveredLtkm, context: Context) -> Iterator[Problem]:
    """An MSK that was delivered before is delivered again.

    The terminal replaces the key, or updates how long it is valid. Which of the two it is takes the MUK to tell.

    Nothing is wrong with it.
    """
    sent, before = delivery.sent, delivery.same_msk
    assert before is not None
    assert sent.pair is not None
    if before.octets != sent.octets:
        old, new = _opened(before, context), _opened(sent, context)
        said = f"{_change(old, new)}; " if old is not None and new is not None else ""
        got = f"MSK ID {sent.pair[1].hex()} again"
        yield Problem("EXT", got=got, hint=f"{said}before with counter {before.counter}")


def _opened(sent: LtkmRecord, context: Context) -> KeyData | None:
    """Return the key that a message delivered; None without its MUK, or where that is not exactly one."""
    if not context.keys:
        return None
    chain = context.keys.open(mikey.decode(sent.octets), sent.octets).key_data
    return chain.entries[0] if chain is not None and len(chain.entries) == 1 else None


def _change(before: KeyData, now: KeyData) -> str:
    """Return in words what a second delivery changes."""
    if not now.key:
        return "another validity alone"
    if before.key != now.key:
        return "another key"
    same = before.validity == now.validity
    return "the key and its validity as before" if same else "the same key with another validity"


@note(
    "msk-beyond-two",
    on=DeliveredLtkm,
    cite=[
        TS33246["6.5.3"](says="a card keeps two MSKs of one Key Group, and drops the oldest for a third", verb=Verb.MAY)
    ],
    covers=["XF-11"],
)
def msk_beyond_two(delivery: DeliveredLtkm) -> Iterator[Problem | NotApplicable]:
    """A third MSK of one Key Group is delivered.

    The card keeps two and drops the oldest. What is still protected with that one can no longer be decrypted.

    Nothing is wrong with it, as long as the oldest is no longer in use.
    """
    group = delivery.sent.key_group
    if group is None:
        yield NotApplicable("the message has no MSK ID")
        return
    if len(delivery.earlier) < 2:
        return
    others = {each.pair for each in delivery.earlier if each.key_group == group} - {delivery.sent.pair}
    if len(others) > 1:
        yield Problem("EXT", got=f"{len(others) + 1} MSKs of Key Group {group[1].hex()}", hint="the card keeps two")


@rule(
    "identities-alternate",
    on=DeliveredLtkm,
    cite=[
        TS33246["6.4.6.1"](says="the MUK of a message is found by IDi and IDr", verb=Verb.SHOULD),
        TS31102["4.2.81"](says="a card has no two MUK IDs with the same IDi", verb=Verb.SHOULD),
    ],
    level=Level.WARNING,
    covers=["XF-12"],
)
def identities_alternate(delivery: DeliveredLtkm) -> Iterator[Problem | NotApplicable]:
    """LTKMs for two terminals take turns on one connection.

    A connection belongs to one terminal. It may go over to a new B-TID or A-KID when the terminal has bootstrapped
    again, but not back and forth, since its card then has no MUK for the earlier one: the BSM mixes terminals up, or
    something in between carries several of them.

    Look at how the BSM finds the MUK. Where an HTTP proxy between joins terminals on one connection, ignore this rule.
    """
    before = delivery.step.before
    idi, idr = delivery.muk
    order = before.receivers.get(idi, ()) if before is not None else ()
    if not order:
        yield NO_CONNECTION
    elif idr in order[:-1] and order[-1] != idr:
        joined = bool(delivery.step.exchange.connection)
        got = f"{_text(idr)} after {_text(order[-1])}"
        hint = "" if joined else "only the address joins them, which many terminals may share"
        yield Problem("ID[2].value", "one terminal on a connection", got, hint, None if joined else Level.NOTE)


@note(
    "bsm-changed",
    on=DeliveredLtkm,
    cite=[TS33246["6.4.6.1"](says="another IDi is another BM-SC, with another MUK and counter", verb=Verb.MAY)],
    covers=["XF-12"],
)
def bsm_changed(delivery: DeliveredLtkm) -> Iterator[Problem | NotApplicable]:
    """A terminal gets LTKMs from another BM-SC than before.

    Another IDi means another MUK and another counter.

    Nothing is wrong with it where there are several.
    """
    idi, idr = delivery.muk
    last = delivery.step.senders.get(idr)
    if last is None:
        yield FIRST_ONE
    elif last != idi:
        yield Problem("ID[1].value", f"{_text(last)} as before", _text(idi))


def _text(identity: bytes) -> str:
    return identity.decode("utf-8", "backslashreplace")


@note(
    "exchange-captured-twice",
    on=SessionEvent,
    cite=[
        RFC7616["3.4"](
            says="a count is used once with a nonce, so two exchanges with both in common are one", verb=Verb.MAY
        )
    ],
    covers=["XF-01"],
)
def exchange_captured_twice(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """The same exchange was captured before, octet for octet.

    Two captures overlap, a capture was taken at two places, or mitmproxy itself replayed the exchange. It is the same
    where both came over one connection, where their times are at most 1 second apart, or where they are from two
    captures whose clocks may differ that much (`clock_skew`). It is not compared with its twin.

    Nothing is wrong with it.
    """
    if step.before is None:
        yield NotApplicable("the exchange is older than what the session remembers")
    elif step.before.twin:
        yield Problem("", got="the same exchange as before", hint=f"flow {step.before.twin}")


NONCE_COUNT = "request.headers.Authorization"


@rule(
    "nonce-count-reused",
    on=SessionEvent,
    cite=[
        RFC7616["3.4"](says="nc counts the requests that were sent with a nonce, this one included"),
        RFC2617["3.2.2"](says="the count lets the server detect replays"),
    ],
    needs=[REMEMBERED, NONCE_BEFORE],
    covers=["XF-09"],
    looks_at=["request.headers.Authorization", "request.body"],
)
def nonce_count_reused(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """A nonce is used with a count that was used before.

    The count belonged to another request, or to the same one, which was answered already and is now answered again. To
    the BSM the second one is a replay. One that answers both does not check.

    Make the terminal count each request, those that it repeats included, and the BSM refuse a count that it knows.
    """
    assert step.use is not None
    assert step.before is not None
    same = [use for use in step.before.uses.latest if use.number == step.use.number]
    if step.before.replayed:
        got = f"nc={step.use.number:08x} for the same request before, and the same answer"
        yield Problem(NONCE_COUNT, "a count of its own", got, f"flow {step.before.replayed}")
    elif same and all(use.content != step.use.content for use in same):
        yield Problem(NONCE_COUNT, "a count of its own", f"nc={step.use.number:08x} for another request before")


@note(
    "request-retried",
    on=SessionEvent,
    cite=[RFC7616["3.4"](says="a request that is sent again unchanged has the count of the first", verb=Verb.MAY)],
    needs=[REMEMBERED, NONCE_BEFORE],
    covers=["XF-09"],
    looks_at=["request.headers.Authorization", "request.body"],
)
def request_retried(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """A request was sent again, octet for octet, and answered otherwise or for the first time.

    HTTP stacks repeat a request when a connection breaks.

    Nothing is wrong with it, though a BSM may take it for a replay.
    """
    assert step.use is not None
    assert step.before is not None
    if step.use in step.before.uses.latest and not step.before.replayed:
        yield Problem(NONCE_COUNT, got=f"the request with nc={step.use.number:08x} again")


@rule(
    "nonce-count-backward",
    on=SessionEvent,
    cite=[RFC7616["3.4"](says="the count rises with each request that uses the nonce", verb=Verb.SHOULD)],
    needs=[REMEMBERED, NONCE_BEFORE],
    covers=["XF-09"],
    looks_at=["request.headers.Authorization"],
)
def nonce_count_backward(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """The count of a nonce is below that of an earlier request.

    A BSM that stores only the highest count takes the request for a replay and asks for a new nonce.

    Look at whether the terminal counts in several places, or sends requests in parallel.
    """
    assert step.use is not None
    assert step.before is not None
    uses = step.before.uses
    if uses.at is not None and step.exchange.started is not None and step.exchange.started < uses.at:
        yield NotApplicable("the request began before the one with the highest count")
    elif step.use.number < (uses.highest or 0) and all(use.number != step.use.number for use in uses.latest):
        yield Problem(NONCE_COUNT, f"a count above {uses.highest:08x}", f"nc={step.use.number:08x}")


@rule(
    "nextnonce-ignored",
    on=SessionEvent,
    cite=[RFC7616["3.5"](says="a client uses the nextnonce that it was given for its next request", verb=Verb.SHOULD)],
    needs=[REMEMBERED],
    covers=["XF-09"],
    looks_at=["request.headers.Authorization"],
)
def nextnonce_ignored(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """A request uses the old nonce although the last response gave a new one.

    A BSM that gives nonces for one use answers with another challenge, which costs the terminal a round trip each time.

    Make the terminal take nextnonce from Authentication-Info.
    """
    credentials = step.exchange.request.credentials
    assert step.before is not None
    if credentials is None:
        yield NO_CREDENTIALS
        return
    habits = step.before.habits
    if not habits.next_nonce or habits.next_nonce == habits.nonce:
        yield NotApplicable("the last response to this terminal gave no nextnonce")
    elif habits.answered is not None and (step.exchange.started or 0.0) < habits.answered:
        yield NotApplicable("the request began before the last response had ended")
    elif credentials.get("nonce") == habits.nonce:
        yield Problem(NONCE_COUNT, "the nextnonce of the last response", "the nonce before it")


NO_CHALLENGE = NotApplicable("the challenge that the credentials answer was not seen")


@rule(
    "credentials-unlike-challenge",
    on=SessionEvent,
    cite=[
        RFC7616["3.4"](says="opaque and algorithm of the credentials are those of the challenge"),
        RFC2617["3.2.2"](says="opaque and algorithm are those of the challenge"),
    ],
    needs=[REMEMBERED],
    covers=["HTTP-10"],
    looks_at=["request.headers.Authorization"],
)
def credentials_unlike_challenge(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """The credentials do not repeat what the challenge said.

    The BSM finds its own state by these directives. With others it cannot check the digest, or challenges again.

    Make the terminal copy opaque and algorithm as they are. A qop other than auth-int is reported by qop-not-auth-int,
    and a challenge that does not offer auth-int by challenge-lacks-auth-int.
    """
    credentials = step.exchange.request.credentials
    assert step.before is not None
    if credentials is None:
        yield NO_CREDENTIALS
    elif not step.before.challenges:
        yield NO_CHALLENGE
    else:
        # Of several challenges with one nonce, the answer is to the one that it is most like.
        unlike = [list(_unlike(credentials, challenge)) for challenge in step.before.challenges]
        for name, expected, got in min(unlike, key=len):
            yield Problem(f"{NONCE_COUNT}.{name}", f"{expected} of the challenge", got)


@rule(
    "realm-not-offered",
    on=SessionEvent,
    cite=[
        TS24109["5.2.4"](
            says="the challenge names the realms that the terminal can choose its key for",
            verb=Verb.SHOULD,
            sure=Sure.DERIVED,
        )
    ],
    needs=[REMEMBERED],
    covers=["HTTP-08"],
)
def realm_not_offered(step: SessionEvent) -> Iterator[Problem | NotApplicable]:
    """The realm of the credentials is not one that the challenge offered.

    The terminal takes the key of another kind of bootstrapping, or for another server, than the BSM expects, and the
    digest fails. A challenge may offer two realms; its answer names one of them, or repeats both.

    Look at how the terminal chooses its realm. Where it reads the challenge right, look for a proxy that changes it.
    """
    credentials = step.exchange.request.credentials
    assert step.before is not None
    if credentials is None:
        yield NO_CREDENTIALS
    elif not step.before.challenges:
        yield NO_CHALLENGE
    elif credentials.get("realm") is None:
        yield NotApplicable("the credentials have no realm, reported by authorization-incomplete")
    else:
        given = _realms(credentials)
        offered = [_realms(challenge) for challenge in step.before.challenges if challenge.get("realm") is not None]
        if offered and not any(given <= each for each in offered):
            expected = f"{step.before.challenges[0].get('realm') or 'a realm'} of the challenge"
            yield Problem(f"{NONCE_COUNT}.realm", expected, credentials.get("realm") or "an empty realm")


def _realms(directives: digest.Directives) -> set[str]:
    """Return the realms that one realm names, in a form to compare, whatever separates them: form is another rule's."""
    parts = (directives.get("realm") or "").lower().replace(",", ";").split(";")
    return {part.strip() for part in parts} - {""}


def _unlike(credentials: digest.Directives, challenge: digest.Directives) -> Iterator[tuple[str, str, str]]:
    """Yield the directives in which credentials differ from a challenge: name, expected, got."""
    asked, given = challenge.get("opaque"), credentials.get("opaque")
    if asked is not None and asked != (given or ""):
        yield "opaque", asked or "the empty value", given if given is not None else "none"
    asked, given = challenge.get("algorithm"), credentials.get("algorithm")
    if (asked or "MD5").lower() != (given or "MD5").lower():
        yield "algorithm", asked or "MD5 (by default)", given or "MD5 (by default)"


@note(
    "request-repeated",
    on=SessionEvent,
    cite=[TS33246["6.3.2.2"](says="a terminal asks for an MSK that it does not have", verb=Verb.MAY)],
    needs=[REMEMBERED, REQUEST_BEFORE],
    covers=["XF-10"],
    looks_at=["request.body"],
)
def request_repeated(step: SessionEvent, *, seconds: int = 300) -> Iterator[Problem | NotApplicable]:
    """A terminal asks again for what it got no answer to.

    The first request, or its response, was lost.

    Look at what became of the first one.
    """
    pairs = step.exchange.requested_pairs
    assert step.before is not None
    for asked in reversed(step.before.habits.requests):
        if _is_within(step, asked.at, seconds) and not asked.answered and not asked.pairs.isdisjoint(pairs):
            yield Problem("request.body", got="a request that was not answered, again")
            return


@note(
    "key-requested-again",
    on=SessionEvent,
    cite=[TS33246["6.3.2.2"](says="a terminal asks for an MSK that it does not have", verb=Verb.MAY)],
    needs=[REMEMBERED, REQUEST_BEFORE],
    covers=["XF-10"],
    looks_at=["request.body", "response.status"],
)
def key_requested_again(step: SessionEvent, *, seconds: int = 60) -> Iterator[Problem | NotApplicable]:
    """A terminal asks for a key that was delivered to it a moment ago.

    It did not take the LTKM: it found the MAC wrong, the counter used, or the response not to its liking.

    Look at the last response to this terminal, and at what its log says about it.
    """
    assert step.before is not None
    for asked in reversed(step.before.habits.requests):
        if asked.delivered and _is_within(step, asked.at, seconds):
            again = [pair for pair in step.exchange.requested_pairs if pair in asked.delivered]
            if again:
                got = f"MSK ID {again[0][1].hex()} again" + (f" and {len(again) - 1} more" if len(again) > 1 else "")
                yield Problem("request.body", got=got, hint="delivered with an LTKM a moment ago")
                return


def _is_within(step: SessionEvent, at: float | None, seconds: int) -> bool:
    started = step.exchange.started
    return at is not None and started is not None and 0 <= started - at <= seconds


def _last(delivery: DeliveredLtkm) -> LtkmRecord:
    """Return the last LTKM that was delivered for the MUK before this exchange."""
    if not delivery.before.ltkms:
        raise FaultError("no earlier LTKM of this terminal was seen")
    return delivery.before.ltkms[-1]


def _replaced(message: Message, *payloads: Payload) -> Message:
    """Return the message with these payloads in the place of those of their class, the first of each."""
    new = {type(payload): payload for payload in payloads}
    return replace(message, payloads=tuple(new.pop(type(each), each) for each in message.payloads))


def _header(message: Message) -> Header:
    if message.header is None:
        raise FaultError("the message has no header")
    return message.header


def _counter(number: int) -> Timestamp:
    return Timestamp(2, (number % (1 << 32)).to_bytes(4))


@fault("replay-ltkm", on=DeliveredLtkm, reference="renewal", trips={"ltkm-replayed"}, leaves={"encryption", "mac"})
def replay_ltkm(delivery: DeliveredLtkm) -> Message:
    """Send the last LTKM of the terminal once more."""
    return mikey.decode(_last(delivery).octets)


@fault("repeat-counter", on=DeliveredLtkm, reference="renewal", trips={"counter-repeated"})
def repeat_counter(delivery: DeliveredLtkm) -> Message:
    """Give the message the counter of the last one."""
    return _replaced(delivery.message, _counter(_last(delivery).counter))


@fault("rewind-counter", on=DeliveredLtkm, reference="renewal", trips={"counter-backward"})
def rewind_counter(delivery: DeliveredLtkm, *, by: int = 1) -> Message:
    """Give the message a counter behind that of the last one: 2147483648 behind is neither ahead nor behind."""
    return _replaced(delivery.message, _counter(_last(delivery).counter - by))


@fault(
    "repeat-keystream",
    on=DeliveredLtkm,
    reference="renewal",
    trips={"keystream-reused", "key-data-unreadable"},
    leaves={"encryption"},
)
def repeat_keystream(delivery: DeliveredLtkm) -> Message:
    """Give the message counter, RAND and CSB ID of the last one, and leave its own key data."""
    last = _last(delivery)
    changed = _replaced(delivery.message, _counter(last.counter), Rand(last.rand))
    return replace(changed, header=replace(_header(changed), csb_id=last.csb_id))


@fault("equal-counters", on=DeliveredLtkm, reference="several-keys", trips={"counters-disordered"})
def equal_counters(delivery: DeliveredLtkm) -> Message:
    """Give the last LTKM of a document the counter of the one in front of it."""
    return _replaced(delivery.message, _counter(delivery.beside[-1].counter))


@fault("lower-counter", on=DeliveredLtkm, reference="several-keys", trips={"counters-disordered"})
def lower_counter(delivery: DeliveredLtkm, *, by: int = 1) -> Message:
    """Give the last LTKM of a document a counter below that of the one in front of it."""
    return _replaced(delivery.message, _counter(delivery.beside[-1].counter - by))


@fault("replace-rand", on=DeliveredLtkm, reference="renewal", trips={"rand-changed"})
def replace_rand(delivery: DeliveredLtkm, *, value: bytes = bytes(range(16))) -> Message:
    """Deliver an MSK again with another RAND."""
    return _replaced(delivery.message, Rand(value))


@fault("replace-policy", on=DeliveredLtkm, reference="streaming-renewal", trips={"policy-changed"})
def replace_policy(delivery: DeliveredLtkm, *, type: int = 13, value: bytes = b"\0\x14") -> Message:
    """Change one parameter of the security policy: how often the roll-over counter is sent, if not told otherwise."""
    policy = delivery.message.of(SecurityPolicy)[0]
    params = tuple(replace(each, value=value) if each.type == type else each for each in policy.params)
    return _replaced(delivery.message, replace(policy, params=params))


@fault("drop-policy", on=DeliveredLtkm, reference="streaming", trips={"policy-missing"})
def drop_policy(delivery: DeliveredLtkm) -> Message:
    """Take the security policy out of a message for streaming."""
    payloads = [each for each in delivery.message.payloads if not isinstance(each, SecurityPolicy)]
    return replace(delivery.message, payloads=tuple(payloads))


def _credentials(step: SessionEvent, **values: str) -> Exchange:
    """Return the exchange with these directives in its credentials, and where Authentication-Info repeats them."""
    exchange = prove(step.exchange, proof_of(step.exchange).refilled(values))
    response = exchange.response
    if response is None or response.authentication_info is None:
        return exchange
    return replace(exchange, response=response.with_info(response.authentication_info.refilled(values)))


@fault("repeat-nonce-count", on=SessionEvent, reference="renewal", trips={"nonce-count-reused"})
def repeat_nonce_count(step: SessionEvent, *, cnonce: str = "1b5f224c") -> Exchange:
    """Write the nonce count of the last request into the recorded one, which has a cnonce of its own."""
    return _credentials(step, nc=f"{_highest(step):08x}", cnonce=cnonce)


@fault("replay-exchange", on=SessionEvent, reference="captured-twice", trips={"nonce-count-reused", "ltkm-replayed"})
def replay_exchange(step: SessionEvent, *, connection: str = "192.0.2.10:40009") -> Exchange:
    """Let an exchange that was captured twice have come over another connection the second time."""
    if step.before is None or not step.before.twin:
        raise FaultError("the exchange was not captured before")
    return replace(step.exchange, connection=connection)


@fault("lower-nonce-count", on=SessionEvent, reference="renewal", trips={"nonce-count-backward"})
def lower_nonce_count(step: SessionEvent, *, by: int = 1) -> Exchange:
    """Write a nonce count below that of the last request into the recorded one."""
    return _credentials(step, nc=f"{max(0, _highest(step) - by):08x}")


def _highest(step: SessionEvent) -> int:
    if step.before is None or step.before.uses.highest is None:
        raise FaultError("the nonce was not used before")
    return step.before.uses.highest


@fault("keep-nonce", on=SessionEvent, reference="next-nonce", trips={"nextnonce-ignored"})
def keep_nonce(step: SessionEvent) -> Exchange:
    """Write the old nonce, counted on, into the recorded request, as if nextnonce had not been read."""
    if step.before is None or step.before.habits.nonce is None:
        raise FaultError("the terminal used no nonce before")
    return _credentials(step, nonce=step.before.habits.nonce, nc="00000002")


@fault("replace-opaque", on=SessionEvent, reference="challenge", trips={"credentials-unlike-challenge"})
def replace_opaque(step: SessionEvent, *, to: str = "0123456789abcdef") -> Exchange:
    """Write another opaque than that of the challenge into the recorded request."""
    return _credentials(step, opaque=to)


@fault("replace-answered-algorithm", on=SessionEvent, reference="challenge", trips={"credentials-unlike-challenge"})
def replace_answered_algorithm(step: SessionEvent, *, to: str = "MD5-sess") -> Exchange:
    """Write another algorithm than that of the challenge into the recorded request."""
    return _credentials(step, algorithm=to)


@fault("answer-other-realm", on=SessionEvent, reference="challenge", trips={"realm-not-offered"})
def answer_other_realm(step: SessionEvent, *, kind: str = "-uicc") -> Exchange:
    """Let the recorded request name a kind of bootstrapping that the challenge did not offer, with its token."""
    realm = proof_of(step.exchange).realm
    if realm is None:
        raise FaultError("the credentials have no realm of bootstrapping")
    changed = _credentials(step, realm=f"3GPP-bootstrapping{kind}@{realm.fqdn}")
    headers = changed.request.headers.put("User-Agent", f"bcast-terminal/1.0 3gpp-gba{kind}")
    return replace(changed, request=replace(changed.request, headers=headers))


@fault("share-connection", on=SessionEvent, reference="rebootstrapped", trips={"identities-alternate"})
def share_connection(step: SessionEvent, *, connection: str = "192.0.2.10:40001") -> Exchange:
    """Let the exchange have come over another connection: the first of the lab, if not told otherwise."""
    return replace(step.exchange, connection=connection)
