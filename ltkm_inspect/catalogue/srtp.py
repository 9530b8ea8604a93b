"""Rules and faults on the SRTP policy of a streaming service, as MBMS requires it."""

from dataclasses import replace

from ltkm_inspect.catalogue.policy import KEY_DERIVATION_RATE, TRANSMISSION_RATE, with_parameter
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.catalogue.profile import SRTP_MAP, level_of
from ltkm_inspect.context import Context
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Message, SecurityPolicy, SrtpSession
from ltkm_inspect.mikey.codes import SRTP_AUTHENTICATION
from ltkm_inspect.mikey.policy import SRTP
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import RFC4771, TS33246, Verb

AUTHENTICATION, SRTP_ONLY_AUTHENTICATION = 2, 14
TAG_LENGTH, SRTP_ONLY_TAG_LENGTH = 11, 18
"""SRTP parameters; the later ones speak of SRTP alone and outrank the earlier ones (RFC 4771 §4)."""
RCCM1, RCCM2, RCCM3 = 2, 3, 4
CARRYING = frozenset({RCCM1, RCCM2, RCCM3})
"""The authentication algorithms that carry the roll-over counter, in three modes (RFC 4771 §2)."""


type Policies = tuple[SecurityPolicy, ...]


def _used(message: Message) -> Policies | NotApplicable:
    """Return the SRTP policies that sessions of a streaming message use, or why there is none to look at."""
    header = message.header
    if header is None or header.cs_id_map_type != SRTP_MAP or not header.cs_count:
        return NotApplicable("the message does not have the streaming form")
    policies = message.of(SecurityPolicy)
    if not policies:
        return NotApplicable("the message has no security policy")
    named = {session.policy_no for session in header.cs_id_map if isinstance(session, SrtpSession)}
    used = tuple(each for each in policies if each.protocol == SRTP and each.policy_no in named)
    # Where the parameters of one cannot all be read, what seems to be missing may only be hidden.
    if used and not any(each.trailing for each in used):
        return used
    return NotApplicable("no complete SRTP policy applies to the sessions")


SRTP_SHAPE = RuleGroup(Message, needs=[PSK_MESSAGE], takes=_used, shape_only=True)


@SRTP_SHAPE.rule(
    TS33246["6.6.2.1"](says="the SRTP key derivation rate is 0, explicitly or by default"), covers=["MB-07"]
)
def key_derivation_rate_nonzero(message: Message, used: Policies, context: Context) -> Problems:
    """The security policy asks to derive new SRTP keys during the stream.

    In MBMS, keys change only with the MTK. A terminal that follows the policy derives other keys than the sender after
    a number of packets, and the picture stops.

    Send key derivation rate 0, or omit the parameter.
    """
    for policy in used:
        found = policy.by_type.get(KEY_DERIVATION_RATE)
        if found is not None and any(found[1]):
            path = f"{message.path_of(policy)}.params[{found[0]}].value"
            yield Problem(path, "0, or no such parameter", f"0x{found[1].hex()}", level=level_of(message, context))


@SRTP_SHAPE.rule(
    TS33246["6.6.2.1"](says="the messages that deliver an MSK for streaming carry R, the ROC transmission rate"),
    RFC4771["4"](says="the rate has 16 bits and is not 0"),
    covers=["MB-08", "MK-20"],
)
def roc_transmission_rate_wrong(message: Message, used: Policies, context: Context) -> Problems:
    """The security policy has no usable ROC transmission rate.

    A terminal that joins a running stream learns the roll-over counter from every R-th packet. Without the right R, it
    looks for the counter in the wrong packets, and their authentication fails.

    Send SRTP parameter 13 with two octets: the R that the sender of the stream uses, 1 or more.
    """
    for policy in used:
        found = policy.by_type.get(TRANSMISSION_RATE)
        if found is None:
            path, expected, got = "params", "parameter 13 (ROC transmission rate)", "none"
        else:
            place, value = found
            if len(value) == 2 and any(value):
                continue
            path = f"params[{place}].value"
            expected, got = ("2 octets", str(len(value))) if len(value) != 2 else ("a rate of 1 or more", "0")
        yield Problem(f"{message.path_of(policy)}.{path}", expected, got, level=level_of(message, context))


@SRTP_SHAPE.rule(
    RFC4771["2"](says="three authentication transforms carry the roll-over counter", verb=Verb.SHOULD),
    TS33246["6.6.2.1"](says="MBMS streaming uses the transforms that carry the roll-over counter"),
    level_reason="a terminal that joins before the sequence number wraps still decrypts the stream",
    covers=["MB-09"],
)
def srtp_authentication_unsuited(message: Message, used: Policies) -> Problems:
    """The SRTP authentication algorithm does not carry the roll-over counter.

    A terminal that joins late cannot know how often the sequence number has wrapped. With plain HMAC-SHA-1, it guesses
    0 and rejects every packet.

    Select RCCm1, RCCm2 or RCCm3 in SRTP parameter 14 or 2.
    """
    for policy in used:
        found = policy.by_type.get(SRTP_ONLY_AUTHENTICATION) or policy.by_type.get(AUTHENTICATION)
        expected = "2, 3 or 4 (RCCm1, RCCm2, RCCm3)"
        if found is None:
            path = f"{message.path_of(policy)}.params"
            yield Problem(path, f"SRTP authentication algorithm {expected}", "none, which means HMAC-SHA-1")
        elif found[1] and int.from_bytes(found[1]) not in CARRYING:
            path = f"{message.path_of(policy)}.params[{found[0]}].value"
            got = SRTP_AUTHENTICATION.describe(found[1][0]) if len(found[1]) == 1 else f"0x{found[1].hex()}"
            yield Problem(path, expected, got)


@SRTP_SHAPE.rule(
    RFC4771["3"](says="with RCCm3 the tag is only the roll-over counter: 4 octets"),
    RFC4771["4"](says="with RCCm1 and RCCm2 a tag of 14 octets is recommended", verb=Verb.SHOULD),
    covers=["MB-09"],
)
def srtp_tag_length_unsuited(message: Message, used: Policies, context: Context, *, recommended: int = 14) -> Problems:
    """The length of the SRTP authentication tag does not suit its algorithm.

    The tag contains the roll-over counter and, except with RCCm3, a MAC. A wrong length truncates one of them, or
    leaves unused space.

    Send a tag of 4 octets with RCCm3, and of 14 with RCCm1 and RCCm2.
    """
    for policy in used:
        algorithm = policy.by_type.get(SRTP_ONLY_AUTHENTICATION) or policy.by_type.get(AUTHENTICATION)
        tag = policy.by_type.get(SRTP_ONLY_TAG_LENGTH) or policy.by_type.get(TAG_LENGTH)
        if algorithm is None or tag is None or not tag[1]:
            continue
        mode = int.from_bytes(algorithm[1])
        wanted = 4 if mode == RCCM3 else recommended if mode in CARRYING else None
        if wanted is not None and int.from_bytes(tag[1]) != wanted:
            level = level_of(message, context) if mode == RCCM3 else Level.WARNING
            path = f"{message.path_of(policy)}.params[{tag[0]}].value"
            got = str(tag[1][0]) if len(tag[1]) == 1 else f"0x{tag[1].hex()}"
            yield Problem(path, f"{wanted} octets with {SRTP_AUTHENTICATION.name_of(mode)}", got, level=level)


@fault(on=SecurityPolicy, reference="streaming", trips={"key-derivation-rate-nonzero"})
def set_key_derivation_rate(policy: SecurityPolicy, *, value: bytes = b"\1") -> SecurityPolicy:
    """Ask for new SRTP keys to be derived during the stream."""
    return with_parameter(policy, KEY_DERIVATION_RATE, value)


@fault(on=SecurityPolicy, reference="streaming", trips={"roc-transmission-rate-wrong"})
def drop_transmission_rate(policy: SecurityPolicy) -> SecurityPolicy:
    """Remove the ROC transmission rate from the policy."""
    place, _ = policy.by_type[TRANSMISSION_RATE]
    return replace(policy, params=policy.params[: place - 1] + policy.params[place:])


@fault(on=SecurityPolicy, reference="streaming", trips={"roc-transmission-rate-wrong"})
def zero_transmission_rate(policy: SecurityPolicy) -> SecurityPolicy:
    """Set the ROC transmission rate to 0."""
    return with_parameter(policy, TRANSMISSION_RATE, b"\0\0")


@fault(on=SecurityPolicy, reference="streaming", trips={"roc-transmission-rate-wrong"})
def resize_transmission_rate(policy: SecurityPolicy, *, value: bytes = b"\x0a") -> SecurityPolicy:
    """Send the ROC transmission rate with a length other than two octets."""
    return with_parameter(policy, TRANSMISSION_RATE, value)


@fault(on=SecurityPolicy, reference="streaming", trips={"srtp-authentication-unsuited"})
def replace_srtp_authentication(policy: SecurityPolicy, *, number: int = 1) -> SecurityPolicy:
    """Select another SRTP authentication algorithm (default: plain HMAC-SHA-1)."""
    return with_parameter(policy, SRTP_ONLY_AUTHENTICATION, bytes((number,)))


@fault(on=SecurityPolicy, reference="streaming", trips={"srtp-tag-length-unsuited"})
def select_rccm3(policy: SecurityPolicy) -> SecurityPolicy:
    """Select RCCm3, whose tag is only the roll-over counter, and keep the length of the tag."""
    return with_parameter(policy, SRTP_ONLY_AUTHENTICATION, bytes((RCCM3,)))


@fault(on=SecurityPolicy, reference="streaming", trips={"srtp-tag-length-unsuited"})
def resize_srtp_tag(policy: SecurityPolicy, *, octets: int = 10) -> SecurityPolicy:
    """Announce an SRTP tag length other than the recommended one."""
    return with_parameter(policy, SRTP_ONLY_TAG_LENGTH, bytes((octets,)))
