"""Rules and faults on what MBMS requires of a MIKEY message."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_header, with_payload
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.context import Context
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import GenericSession, Identity, Message, Rand, SrtpSession, Timestamp
from ltkm_inspect.mikey.codes import IDENTITY_TYPES, PRF_FUNCTIONS, TIMESTAMP_TYPES
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.mikey.extension import OMA_BCAST
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC3830, TS33246, Verb
from ltkm_inspect.traffic import Datagram, Ltkm

SRTP_MAP, EMPTY_MAP, GENERIC_MAP = range(3)
"""The types of the CS ID map (RFC 3830 §6.1, RFC 4563 §5, RFC 6043 §6.1.1)."""


def level_of(message: Message, context: Context) -> Level | None:
    """Return the level of what BCAST is known or likely to do otherwise than MBMS: a warning in a BCAST message.

    The profile of the settings decides, else whether the message has the BCAST extension.
    """
    profile = context.settings.profile
    if "bcast" in profile or ("mbms" not in profile and message.extensions(OMA_BCAST)):
        return Level.WARNING
    return None


@rule(
    TS33246["6.4.3"](says="the timestamp of an MSK message is a counter, TS type 2"),
    on=Timestamp,
    covers=["MB-01"],
    shape_only=True,
)
def timestamp_not_counter(timestamp: Timestamp, *, kind: int = COUNTER) -> Problems:
    """The timestamp is not a counter.

    A card has no clock. It compares counters, and treats anything else as unknown or replayed.

    Send TS type 2 with the 32-bit counter of the terminal.
    """
    if timestamp.type != kind:
        yield Problem("type", TIMESTAMP_TYPES.describe(kind), TIMESTAMP_TYPES.describe(timestamp.type))


@rule(
    TS33246["6.4.4"](says="RAND is in every MSK message, with 128 bits"),
    RFC3830["6.11"](says="RAND has at least 128 bits", verb=Verb.SHOULD),
    on=Rand,
    covers=["MB-02", "MK-11"],
    shape_only=True,
)
def rand_length_wrong(rand: Rand, *, octets: int = 16) -> Problems:
    """RAND does not have 16 octets.

    RAND salts every key of the message. A short one makes keys repeat. A long one is legal, but receivers need not
    support it.

    Send 16 random octets.
    """
    if len(rand.value) != octets:
        longer = Level.NOTE if len(rand.value) > octets else None
        yield Problem("value", f"{octets} octets", str(len(rand.value)), level=longer)


MESSAGE_SHAPE = RuleGroup(Message, needs=[PSK_MESSAGE], shape_only=True)
IDENTITY_SHAPE = RuleGroup(Identity, shape_only=True)


@MESSAGE_SHAPE.rule(
    TS33246["6.4.5.1"](says="an MSK message carries IDi, the BM-SC, and IDr, the terminal"), covers=["MB-03"]
)
def identities_not_two(message: Message) -> Problems:
    """The message does not have exactly two identities.

    IDi and IDr together say which MUK protects the message. With one or three identities, the card finds no key.

    Send IDi, the FQDN of the BSM, then IDr, the B-TID (with AKMA, the A-KID).
    """
    count = len(message.of(Identity))
    if count != 2:
        yield Problem("ID", "IDi and IDr", f"{count} ID payload{'' if count == 1 else 's'}")


@IDENTITY_SHAPE.rule(
    TS33246["6.4.5.1"](says="the ID type is 0; receivers ignore it", verb=Verb.SHOULD),
    RFC3830["6.7"](says="an identity is of a defined type"),
    level_reason="receivers of MBMS ignore the type",
    covers=["MB-04", "MK-16"],
)
def identity_type_wrong(identity: Identity) -> Problems:
    """The type of an identity is not 0.

    MBMS receivers ignore the type and read text, so types 1 and 2 do no harm in themselves, but they point to another
    profile. A MIKEY library may reject a number that is not defined at all.

    Send ID type 0 for both.
    """
    if identity.type != 0:
        level = None if identity.type in IDENTITY_TYPES else Level.VIOLATION
        yield Problem("type", "0 (NAI)", IDENTITY_TYPES.describe(identity.type), level=level)


@IDENTITY_SHAPE.rule(
    TS33246["6.4.1"](says="text in MIKEY payloads is UTF-8"),
    RFC3830["6.7"](says="ID data holds an identity"),
    covers=["MK-16"],
)
def identity_not_text(identity: Identity) -> Problems:
    """An identity is empty or not UTF-8.

    The card compares it with the identity that its key is stored under, and finds no key.

    Send the FQDN and the B-TID or A-KID as they are written.
    """
    if not identity.value:
        yield Problem("value", "an identity", "no octets")
        return
    try:
        identity.value.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Problem("value", "UTF-8", f"octet {identity.value[error.start]:02x} at offset {error.start}")


@MESSAGE_SHAPE.rule(
    TS33246["6.4.5.1"](says="streaming: one crypto session in an SRTP-ID map; download: none, and the empty map"),
    covers=["MB-05"],
)
def map_form_wrong(message: Message, context: Context) -> Problems:
    """The crypto sessions of the header fit neither streaming nor download.

    The terminal cannot tell which kind of service the key is for.

    For streaming, send one session in an SRTP-ID map. For download, send none and the empty map.
    """
    header = message.header
    assert header is not None
    count, kind = header.cs_count, header.cs_id_map_type
    if kind == EMPTY_MAP:
        if count:
            yield NotApplicable("sessions with the empty map are reported by map-size-wrong")
    elif kind != SRTP_MAP or count != 1:
        expected = "1 session in an SRTP-ID map, or 0 and the empty map"
        path = "HDR.cs_count" if kind == SRTP_MAP else "HDR.cs_id_map_type"
        yield Problem(path, expected, f"{count} and map type {kind}", level=level_of(message, context))


@MESSAGE_SHAPE.rule(
    TS33246["6.4.1"](says="keys are derived with the PRF of RFC 3830"),
    RFC3830["6.1"](says="PRF func 0"),
    covers=["MB-12", "MK-22"],
)
def prf_unusual(message: Message, *, function: int = 0) -> Problems:
    """The PRF is not that of RFC 3830.

    With another PRF, a receiver derives other keys, and the MAC fails.

    Send PRF func 0.
    """
    header = message.header
    assert header is not None
    if header.prf_func != function:
        level = Level.WARNING if header.prf_func in PRF_FUNCTIONS else None
        got = PRF_FUNCTIONS.describe(header.prf_func)
        yield Problem("HDR.prf_func", PRF_FUNCTIONS.describe(function), got, level=level)


@rule(
    TS33246["6.4.5.1"](says="V asks for an answer, which is sent over UDP", verb=Verb.SHOULD),
    on=Ltkm,
    covers=["MB-13"],
)
def verification_requested(ltkm: Ltkm) -> Problems:
    """The V flag asks the terminal for a verification message.

    That answer is only defined over UDP, which does not work where keys come over HTTP.

    Do not set the flag: the HTTP exchange itself tells the BSM that its response was fetched.
    """
    message = ltkm.message
    if isinstance(ltkm.event, Datagram):
        yield NotApplicable("a message over UDP may ask for an answer")
    elif message is None or message.problem is not None or message.header is None or message.header.data_type:
        yield NotApplicable("the LTKM has no message that decodes completely")
    elif message.header.v:
        yield Problem("HDR.v", "0", "1", "how the answer would travel is not specified")


@MESSAGE_SHAPE.note(
    TS33246["6.4.2"](says="the CSB ID has no meaning; a random one is recommended", verb=Verb.MAY),
    covers=["MB-16"],
)
def csb_id_zero(message: Message) -> Problems:
    """The CSB ID is 0.

    The CSB ID enters the derivation of every key of the message. A constant one is legal, since RAND and the counter
    make the keys differ. It only shows that the BSM does not choose it at random.

    Choose a random CSB ID for each message.
    """
    assert message.header is not None
    if not message.header.csb_id:
        yield Problem("HDR.csb_id", "a random number", "0")


@fault(on=Timestamp, reference="download", trips={"timestamp-not-counter"})
def replace_timestamp_type(timestamp: Timestamp) -> Timestamp:
    """Send the counter as an NTP-UTC-32 time, which also has 4 octets."""
    return replace(timestamp, type=3)


@fault(on=Rand, reference="download", trips={"rand-length-wrong"})
def shorten_rand(rand: Rand, *, octets: int = 8) -> Rand:
    """Keep only the first octets of RAND."""
    return replace(rand, value=rand.value[:octets])


@fault(on=Message, reference="download", trips={"identities-not-two"})
def drop_identity(message: Message) -> Message:
    """Remove IDr from the message."""
    return with_payload(message, message.of(Identity)[-1])


@fault(on=Identity, reference="download", trips={"identity-type-wrong"})
def replace_identity_type(identity: Identity, *, number: int = 1) -> Identity:
    """Give IDi another ID type (default: a URI; types from 3 on are not defined)."""
    return replace(identity, type=number)


@fault(on=Identity, reference="download", trips={"identity-not-text"})
def garble_identity(identity: Identity) -> Identity:
    """Put an octet that is not UTF-8 into IDi."""
    return replace(identity, value=b"\xff" + identity.value[1:])


@fault(on=Identity, reference="download", trips={"identity-not-text"})
def empty_identity(identity: Identity) -> Identity:
    """Send an empty IDi."""
    return replace(identity, value=b"")


@fault(on=Message, reference="download", trips={"map-form-wrong"})
def empty_map(message: Message) -> Message:
    """Send an SRTP-ID map without sessions."""
    return with_header(message, cs_id_map_type=SRTP_MAP)


@fault(on=Message, reference="streaming", trips={"map-form-wrong"})
def add_session(message: Message, *, ssrc: int = 0x23456789) -> Message:
    """Add a second crypto session under the policy of the first."""
    assert message.header is not None
    sessions = message.header.cs_id_map
    first = sessions[0]
    assert isinstance(first, SrtpSession)
    return with_header(
        message, cs_count=len(sessions) + 1, cs_id_map=(*sessions, SrtpSession(first.policy_no, ssrc, 0))
    )


@fault(on=Message, reference="streaming", trips={"map-form-wrong"})
def generalize_map(message: Message) -> Message:
    """Send the session in a GENERIC-ID map."""
    session = GenericSession(1, 0, False, b"\1", b"", b"")
    return with_header(message, cs_count=1, cs_id_map_type=GENERIC_MAP, cs_id_map=(session,))


@fault(on=Message, reference="download", trips={"prf-unusual"})
def replace_prf(message: Message, *, number: int = 1) -> Message:
    """Declare another PRF."""
    return with_header(message, prf_func=number)


@fault(on=Message, reference="download", trips={"verification-requested"})
def request_verification(message: Message) -> Message:
    """Ask the terminal for a verification message."""
    return with_header(message, v=True)
