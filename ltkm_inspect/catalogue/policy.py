"""Rules and faults on the security policy payload SP, as MIKEY defines it."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_header, with_payload
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.catalogue.profile import EMPTY_MAP, SRTP_MAP
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Message, SecurityPolicy, SrtpParameter, SrtpSession
from ltkm_inspect.mikey.codes import PROTOCOLS, SRTP_PARAMETERS
from ltkm_inspect.mikey.policy import SRTP
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import RFC3830, RFC4563, RFC4771, TS33246, Sure, Verb
from ltkm_inspect.wire import Span

CODES = frozenset({0, 2, 5})
"""SRTP parameters of which RFC 3830 itself says that one octet is enough: encryption, authentication and PRF."""
KEY_DERIVATION_RATE, TRANSMISSION_RATE = 6, 13
"""SRTP parameters of which the one may, the other must have more than one octet."""
OTHER_PROTOCOL = "the policy is not for SRTP"


POLICY_SHAPE = RuleGroup(SecurityPolicy, shape_only=True)
MESSAGE_SHAPE = RuleGroup(Message, needs=[PSK_MESSAGE], shape_only=True)


@MESSAGE_SHAPE.rule(
    RFC4563["5"](says="with the empty map there is no SP payload"),
    TS33246["6.4.5.1"](says="the download form has no SP payload"),
    covers=["MK-18", "MB-15"],
)
def policy_with_empty_map(message: Message) -> Problems:
    """The message has a security policy but the empty map.

    A policy without a crypto session applies to nothing, and receivers reject the combination.

    Send SP payloads only with an SRTP-ID map.
    """
    policies = message.of(SecurityPolicy)
    if policies and message.header is not None and message.header.cs_id_map_type == EMPTY_MAP:
        yield Problem("SP", "no SP payload with the empty map", str(len(policies)))


@MESSAGE_SHAPE.rule(
    RFC3830["6.10"](says="the parameters fill the policy exactly, each with its type and its length"), covers=["MK-19"]
)
def policy_malformed(message: Message) -> Problems:
    """The parameters of a security policy do not fill it exactly.

    A receiver reads beyond the policy, or reads the rest of it as other parameters. How the media stream is then
    protected is unknown.

    Make the lengths of the parameters add up to the length of the policy.
    """
    if not message.of(SecurityPolicy):
        yield NotApplicable("the message has no security policy")
        return
    for found in message.inner_problems:
        if found.path.startswith("SP"):
            yield Problem.of_reason(found.reason, found.path, span=Span(found.offset, found.offset + 1))


@POLICY_SHAPE.rule(
    RFC3830["6.10"](says="the protocol of a policy is registered: 0 is SRTP, 1 is TESLA"), covers=["MK-19"]
)
def policy_protocol_unknown(policy: SecurityPolicy) -> Problems:
    """A security policy is for an unregistered protocol.

    The types of its parameters mean nothing without the protocol, so a receiver has no policy for its stream. A
    private-use number means something if BSM and terminals agreed on it; it is a warning.

    Send protocol type 0 for SRTP.
    """
    if policy.protocol not in PROTOCOLS:
        level = Level.WARNING if policy.protocol in PROTOCOLS.private else None
        yield Problem("protocol", "0 (SRTP)", PROTOCOLS.describe(policy.protocol), level=level)


@MESSAGE_SHAPE.rule(RFC3830["6.10"](says="every policy of a message has a different number"), covers=["MK-19"])
def policy_number_repeated(message: Message) -> Problems:
    """Two security policies have the same number.

    The sessions of the map refer to policies by number. The receiver decides which of the two it uses.

    Number the SP payloads from 1, and use these numbers in the map.
    """
    policies = message.of(SecurityPolicy)
    if not policies:
        yield NotApplicable("the message has no security policy")
        return
    seen = set()
    for policy in policies:
        if policy.policy_no in seen:
            path = f"{message.path_of(policy)}.policy_no"
            yield Problem(path, "a number that no other policy has", str(policy.policy_no))
            return
        seen.add(policy.policy_no)


@MESSAGE_SHAPE.rule(
    RFC3830["6.1"](says="each session of the map names the policy that applies to it"), covers=["MK-19"]
)
def policy_unmatched(message: Message) -> Problems:
    """A crypto session names a security policy that the message does not have.

    There is a policy, but not the one that the session names. A receiver falls back to its defaults, or drops the
    session.

    Write the number of the SP payload into the map.
    """
    header = message.header
    assert header is not None
    policies = message.of(SecurityPolicy)
    if not policies:
        yield NotApplicable("the message has no security policy at all")
        return
    if header.cs_id_map_type != SRTP_MAP:
        yield NotApplicable("the crypto sessions are not in an SRTP-ID map")
        return
    numbers = {policy.policy_no for policy in policies}
    for place, session in enumerate(header.cs_id_map, 1):
        if isinstance(session, SrtpSession) and session.policy_no not in numbers:
            there = ", ".join(map(str, sorted(numbers)))
            path = f"HDR.cs_id_map[{place}].policy_no"
            yield Problem(path, f"the number of an SP payload ({there})", str(session.policy_no))
            numbers.add(session.policy_no)  # several sessions may name the same missing policy


@POLICY_SHAPE.rule(
    RFC3830["6.10.1"](says="one octet is enough for the codes of algorithms and PRF", verb=Verb.SHOULD),
    RFC4771["4"](says="its additional parameters have one octet, except for the rate, which has two"),
    level_reason="a receiver that honors the length octet still reads the value",
    covers=["MK-20"],
)
def policy_parameter_length_wrong(policy: SecurityPolicy) -> Problems:
    """A parameter of an SRTP policy has an unusual number of octets.

    A simple receiver reads the one octet that it expects, and takes a leading 0 as the value. A parameter without
    octets has no value at all.

    Send one octet. Only the key derivation rate may have more, and the ROC transmission rate has two.
    """
    if policy.protocol != SRTP:
        yield NotApplicable(OTHER_PROTOCOL)
        return
    for place, parameter in enumerate(policy.params, 1):
        length = len(parameter.value)
        if length == 1:
            continue
        kind = parameter.type
        if kind == TRANSMISSION_RATE or kind not in SRTP_PARAMETERS or (kind == KEY_DERIVATION_RATE and length):
            continue
        level = Level.NOTE if length and kind not in CODES else None
        got = f"{length} in {SRTP_PARAMETERS.describe(kind)}"
        yield Problem(f"params[{place}].value", "1 octet", got, level=level)


@POLICY_SHAPE.rule(
    RFC3830["6.10.1"](says="a policy gives each parameter one value", verb=Verb.SHOULD, sure=Sure.DERIVED),
    covers=["MK-20"],
)
def policy_parameter_repeated(policy: SecurityPolicy) -> Problems:
    """A security policy has the same parameter twice.

    The receiver decides whether the first or the last value counts.

    Send each parameter once.
    """
    for place, parameter in enumerate(policy.params, 1):
        if policy.by_type[parameter.type][0] != place:
            kind = SRTP_PARAMETERS.describe(parameter.type) if policy.protocol == SRTP else str(parameter.type)
            yield Problem(f"params[{place}].type", "each parameter once", f"{kind} again")
            return


@POLICY_SHAPE.note(
    RFC3830["6.10.1"](says="the parameters of an SRTP policy are registered by number", verb=Verb.MAY), covers=["MK-20"]
)
def policy_parameter_unknown(policy: SecurityPolicy) -> Problems:
    """A security policy has an unregistered parameter.

    A receiver may ignore it, or reject the policy because it cannot satisfy it.

    Check that the number is right, and that the terminals of the trial know it.
    """
    if policy.protocol != SRTP:
        yield NotApplicable(OTHER_PROTOCOL)
        return
    for place, parameter in enumerate(policy.params, 1):
        if parameter.type > LAST_PARAMETER:
            yield Problem(f"params[{place}].type", "a registered SRTP parameter", str(parameter.type))


LAST_PARAMETER = max(SRTP_PARAMETERS.names)


def with_parameter(policy: SecurityPolicy, kind: int, value: bytes) -> SecurityPolicy:
    """Return the policy with that value for its parameters of that type, or with one more parameter."""
    if kind not in policy.by_type:
        return replace(policy, params=(*policy.params, SrtpParameter(kind, value)))
    params = tuple(SrtpParameter(kind, value) if each.type == kind else each for each in policy.params)
    return replace(policy, params=params)


@fault(on=Message, reference="streaming", trips={"policy-with-empty-map"})
def empty_map_with_policy(message: Message) -> Message:
    """Send the empty map but keep the security policy."""
    return with_header(message, cs_id_map_type=EMPTY_MAP, cs_count=0, cs_id_map=())


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-malformed"})
def lengthen_policy_parameter(policy: SecurityPolicy, *, length: int = 200) -> SecurityPolicy:
    """Declare a last parameter that is longer than its policy."""
    last = policy.params[-1]
    return replace(policy, params=policy.params[:-1], trailing=bytes((last.type, length)) + last.value)


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-protocol-unknown"})
def replace_policy_protocol(policy: SecurityPolicy, *, number: int = 2) -> SecurityPolicy:
    """Declare the policy for a protocol other than SRTP."""
    return replace(policy, protocol=number)


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-protocol-unknown"})
def private_policy_protocol(policy: SecurityPolicy, *, number: int = 241) -> SecurityPolicy:
    """Declare the policy for a private-use protocol."""
    return replace(policy, protocol=number)


@fault(on=Message, reference="streaming", trips={"policy-number-repeated"})
def repeat_policy(message: Message) -> Message:
    """Send the security policy twice, with the same number."""
    policy = message.of(SecurityPolicy)[0]
    return with_payload(message, policy, policy, policy)


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-unmatched"})
def replace_policy_number(policy: SecurityPolicy, *, number: int = 2) -> SecurityPolicy:
    """Give the policy a number other than the one that the session names."""
    return replace(policy, policy_no=number)


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-parameter-length-wrong"})
def resize_policy_parameter(policy: SecurityPolicy, *, kind: int = 0, value: bytes = b"\0\1") -> SecurityPolicy:
    """Send a parameter with another number of octets (default: AES-CM in two)."""
    return with_parameter(policy, kind, value)


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-parameter-length-wrong"})
def empty_policy_parameter(policy: SecurityPolicy, *, kind: int = 7) -> SecurityPolicy:
    """Send a parameter without octets (default: the SRTP encryption switch)."""
    return with_parameter(policy, kind, b"")


@fault(on=SecurityPolicy, reference="streaming", trips={"policy-parameter-repeated"})
def repeat_policy_parameter(policy: SecurityPolicy, *, value: bytes = b"\2") -> SecurityPolicy:
    """Send the first parameter, the encryption algorithm, twice with different values."""
    first = policy.params[0]
    return replace(policy, params=(*policy.params, SrtpParameter(first.type, value)))
