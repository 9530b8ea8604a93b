"""Rules on what MBMS and BCAST make of a MIKEY message, and the faults that break them."""

from collections.abc import Iterator
from dataclasses import replace

from ltkm_inspect.context import Context
from ltkm_inspect.fault import Octets, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import (
    ErrorReport,
    GeneralExtension,
    Identity,
    Kemac,
    Message,
    OmaBcast,
    Payload,
    Rand,
    Timestamp,
)
from ltkm_inspect.mikey.codes import ENCRYPTION_ALGORITHMS, MAC_ALGORITHMS, TIMESTAMP_TYPES
from ltkm_inspect.needs import PSK_MESSAGE
from ltkm_inspect.rule import note, rule
from ltkm_inspect.spec import RFC3394, RFC3830, RFC4563, RFC5410, TS33246, Sure, Verb

BCAST = 5
"""The General Extension type of OMA BCAST (RFC 5410)."""
SRTP_MAP, EMPTY_MAP = 0, 1
COUNTER = 2
ALLOWED = frozenset({1, 5, 6, 10, 11, 21})
"""KEMAC, T, ID, SP, RAND and EXT: the payloads of a first message of the pre-shared key method."""


def level_of(message: Message, context: Context) -> Level | None:
    """Return the level of what BCAST is known or likely to do otherwise than MBMS: a warning in a BCAST message.

    The profile of the settings decides, else whether the message has the BCAST extension.
    """
    profile = context.settings.profile
    if "bcast" in profile or ("mbms" not in profile and message.extensions(BCAST)):
        return Level.WARNING
    return None


@rule(
    "timestamp-not-counter",
    on=Timestamp,
    cite=[TS33246["6.4.3"](says="the timestamp of an MSK message is a counter, TS type 2")],
    covers=["MB-01"],
)
def timestamp_not_counter(timestamp: Timestamp) -> Iterator[Problem]:
    """The timestamp is not a counter.

    A card has no clock. It compares counters, and takes anything else for an unknown or a replayed message.

    Send TS type 2 with the 32-bit counter of the terminal.
    """
    if timestamp.type != COUNTER:
        yield Problem("type", "2 (COUNTER)", TIMESTAMP_TYPES.describe(timestamp.type))


@rule(
    "rand-length-wrong",
    on=Rand,
    cite=[
        TS33246["6.4.4"](says="RAND is in every MSK message, with 128 bits"),
        RFC3830["6.11"](says="RAND has at least 128 bits", verb=Verb.SHOULD),
    ],
    covers=["MB-02", "MK-11"],
)
def rand_length_wrong(rand: Rand) -> Iterator[Problem]:
    """RAND does not have 16 octets.

    RAND salts every key of the message. A short one makes keys repeat; a long one is legal and need not be supported.

    Send 16 random octets.
    """
    if len(rand.value) < 16:
        yield Problem("value", "16 octets", str(len(rand.value)))
    elif len(rand.value) > 16:
        yield Problem("value", "16 octets", str(len(rand.value)), level=Level.NOTE)


@rule(
    "identities-not-two",
    on=Message,
    cite=[TS33246["6.4.5.1"](says="an MSK message carries IDi, the BM-SC, and IDr, the terminal")],
    needs=[PSK_MESSAGE],
    covers=["MB-03"],
)
def identities_not_two(message: Message) -> Iterator[Problem]:
    """The message does not have exactly two identities.

    The pair of IDi and IDr says which MUK protects the message. With one or three of them the card finds no key.

    Send IDi, the FQDN of the BSM, then IDr, the B-TID.
    """
    count = len(message.of(Identity))
    if count != 2:
        yield Problem("ID", "IDi and IDr", f"{count} ID payload{'' if count == 1 else 's'}")


@rule(
    "identity-type-wrong",
    on=Identity,
    cite=[TS33246["6.4.5.1"](says="the ID type is 0; receivers ignore it", verb=Verb.SHOULD)],
    covers=["MB-04", "MK-16"],
)
def identity_type_wrong(identity: Identity) -> Iterator[Problem]:
    """The type of an identity is not 0.

    Receivers ignore the type and read text, so this does no harm by itself. It tells of another profile.

    Send ID type 0 for both.
    """
    if identity.type != 0:
        yield Problem("type", "0 (NAI)", str(identity.type))


@rule(
    "identity-not-text",
    on=Identity,
    cite=[
        TS33246["6.4.1"](says="text in MIKEY payloads is UTF-8"),
        RFC3830["6.7"](says="ID data holds an identity"),
    ],
    covers=["MK-16"],
)
def identity_not_text(identity: Identity) -> Iterator[Problem]:
    """An identity is empty, or not UTF-8.

    The card compares it with the identity that its key is filed under, and finds none.

    Send the FQDN and the B-TID as they are written.
    """
    if not identity.value:
        yield Problem("value", "an identity", "no octets")
        return
    try:
        identity.value.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Problem("value", "UTF-8", f"octet {identity.value[error.start]:02x} at place {error.start + 1}")


@rule(
    "map-form-wrong",
    on=Message,
    cite=[
        TS33246["6.4.5.1"](says="streaming: one crypto session in an SRTP-ID map; download: none, and the empty map")
    ],
    needs=[PSK_MESSAGE],
    covers=["MB-05"],
)
def map_form_wrong(message: Message, context: Context) -> Iterator[Problem | NotApplicable]:
    """Number and map of the crypto sessions are neither those of streaming nor those of download.

    The terminal cannot tell which sort of service the key is for.

    Send one session in an SRTP-ID map for streaming, none and the empty map for download.
    """
    header = message.header
    assert header is not None
    form = (header.cs_count, header.cs_id_map_type)
    if header.cs_id_map_type == EMPTY_MAP and header.cs_count:
        yield NotApplicable("the count of sessions with the empty map is reported by itself")
    elif form not in ((1, SRTP_MAP), (0, EMPTY_MAP)):
        expected = "1 session in an SRTP-ID map, or 0 and the empty map"
        got = f"{header.cs_count} and map type {header.cs_id_map_type}"
        yield Problem("HDR.cs_id_map_type", expected, got, level=level_of(message, context))


@rule(
    "kemac-not-encrypted",
    on=Kemac,
    cite=[TS33246["6.4.1"](says="NULL encryption is not used; AES-CM-128 is what receivers support")],
    covers=["MB-10", "MK-12", "MK-24"],
)
def kemac_not_encrypted(kemac: Kemac) -> Iterator[Problem]:
    """The key data is not encrypted with AES-CM-128.

    With NULL encryption everybody on the way can read the key. Other algorithms are defined and need not be supported
    by a card.

    Send Encr alg 1.
    """
    if kemac.encr_alg == 1:
        return
    known = kemac.encr_alg in (2, 3)
    got = ENCRYPTION_ALGORITHMS.describe(kemac.encr_alg)
    yield Problem("encr_alg", "1 (AES-CM-128)", got, level=Level.WARNING if known else None)


@rule(
    "kemac-not-authenticated",
    on=Kemac,
    cite=[
        TS33246["6.4.1"](says="the NULL MAC is not used; HMAC-SHA-1-160 is what receivers support"),
        RFC5410["5"](says="the BCAST extension is integrity protected"),
    ],
    covers=["MB-11", "MK-24", "BC-04"],
)
def kemac_not_authenticated(kemac: Kemac) -> Iterator[Problem]:
    """The MAC is not HMAC-SHA-1-160.

    With the NULL MAC anybody can make keys up, and the BCAST extension is unprotected. HMAC-SHA-256-256 is defined and
    need not be supported by a card.

    Send MAC alg 1.
    """
    if kemac.mac_alg != 1:
        got = MAC_ALGORITHMS.describe(kemac.mac_alg)
        yield Problem("mac_alg", "1 (HMAC-SHA-1-160)", got, level=Level.WARNING if kemac.mac_alg == 2 else None)


@rule(
    "key-wrap-length-wrong",
    on=Kemac,
    cite=[RFC3394["2.2"](says="key wrap takes and gives whole blocks of 8 octets"), RFC3830["4.2.3"](says="AES-KW")],
    covers=["MK-14"],
)
def key_wrap_length_wrong(kemac: Kemac) -> Iterator[Problem | NotApplicable]:
    """Key-wrapped key data does not have a length that key wrap can give.

    Nobody can unwrap it. The key data of an MSK message never fits key wrap, so that AES-KW is no choice here at all.

    Send Encr alg 1.
    """
    if kemac.encr_alg != 2:
        yield NotApplicable("the key data is not key-wrapped")
    elif len(kemac.encr_data) % 8 or len(kemac.encr_data) < 24:
        yield Problem("encr_data", "a multiple of 8 octets, at least 24", str(len(kemac.encr_data)))


@rule(
    "prf-unusual",
    on=Message,
    cite=[TS33246["6.4.1"](says="keys are derived with the PRF of RFC 3830"), RFC3830["6.1"](says="PRF func 0")],
    needs=[PSK_MESSAGE],
    covers=["MB-12", "MK-22"],
)
def prf_unusual(message: Message) -> Iterator[Problem]:
    """The PRF is not the one of RFC 3830.

    A receiver that uses another one derives other keys, and the MAC fails.

    Send PRF func 0.
    """
    header = message.header
    assert header is not None
    if header.prf_func:
        level = Level.WARNING if header.prf_func == 1 else None
        yield Problem("HDR.prf_func", "0 (MIKEY-1)", str(header.prf_func), level=level)


@rule(
    "verification-requested",
    on=Message,
    cite=[TS33246["6.4.5.1"](says="V asks for an answer, which is sent over UDP", verb=Verb.SHOULD)],
    needs=[PSK_MESSAGE],
    covers=["MB-13"],
)
def verification_requested(message: Message) -> Iterator[Problem]:
    """The V flag asks the terminal for a verification message.

    That answer is only defined over UDP, which is what does not work where keys come over HTTP.

    Leave the flag off: the HTTP exchange itself tells the BSM that its response was fetched.
    """
    assert message.header is not None
    if message.header.v:
        yield Problem("HDR.v", "0", "1", "how the answer would travel is not specified")


@rule(
    "policy-with-empty-map",
    on=Message,
    cite=[
        RFC4563["5"](says="with the empty map there is no SP payload"),
        TS33246["6.4.5.1"](says="the download form has no SP payload"),
    ],
    needs=[PSK_MESSAGE],
    covers=["MK-18", "MB-15"],
)
def policy_with_empty_map(message: Message) -> Iterator[Problem]:
    """The message has a security policy and the empty map.

    A policy without a crypto session applies to nothing; receivers reject the combination.

    Send SP payloads with an SRTP-ID map only.
    """
    labels = [payload.label for payload in message.payloads]
    if message.header is not None and message.header.cs_id_map_type == EMPTY_MAP and "SP" in labels:
        yield Problem("SP", "no SP payload with the empty map", str(labels.count("SP")))


@rule(
    "payload-foreign",
    on=Message,
    cite=[RFC3830["3.1"](says="the payloads of the first message of the pre-shared key method")],
    needs=[PSK_MESSAGE],
    covers=["MK-21"],
)
def payload_foreign(message: Message) -> Iterator[Problem]:
    """The message has a payload of another key exchange method.

    A receiver does not expect it, and what it does with it is not defined.

    Send EXT, T, RAND, ID, SP and KEMAC payloads alone.
    """
    for payload in message.payloads:
        if payload.payload_type not in ALLOWED:
            yield Problem(payload.label, "a payload of the pre-shared key method", payload.label)


@rule(
    "bcast-subtype-foreign",
    on=GeneralExtension,
    cite=[RFC5410["3"](says="subtype 1 is an LTKM; 2 an STKM, 3 a report, 4 parental control")],
    covers=["BC-02", "BC-03"],
)
def bcast_subtype_foreign(extension: GeneralExtension) -> Iterator[Problem | NotApplicable]:
    """The OMA BCAST extension does not say that the message is an LTKM.

    A BCAST terminal dispatches on this octet, and does not take the message for a long-term key message.

    Send subtype 1.
    """
    if extension.type != BCAST:
        yield NotApplicable("the extension is not the one of OMA BCAST")
    elif not isinstance(extension.value, OmaBcast):
        yield Problem("value", "a subtype of 1 octet", "no octets")
    elif extension.value.subtype != 1:
        subtype = extension.value.subtype
        level = Level.WARNING if subtype > 4 else None
        yield Problem("subtype", "1 (LTKM)", str(subtype), level=level)


@note(
    "bcast-repeated",
    on=Message,
    cite=[RFC5410["3"](says="one BCAST extension in a message", sure=Sure.RECALL_MIDDLE)],
    needs=[PSK_MESSAGE],
    covers=["BC-01"],
)
def bcast_repeated(message: Message) -> Iterator[Problem]:
    """The message has more than one OMA BCAST extension.

    Which of them counts is left to the terminal.

    Send one.
    """
    count = len(message.extensions(BCAST))
    if count > 1:
        yield Problem("EXT", "one extension of type 5 (OMA BCAST)", str(count))


@note(
    "bcast-absent",
    on=Message,
    cite=[RFC5410["3"](says="the extension carries what BCAST adds", sure=Sure.RECALL_MIDDLE)],
    needs=[PSK_MESSAGE],
    covers=["BC-06"],
)
def bcast_absent(message: Message) -> Iterator[Problem]:
    """The message has no OMA BCAST extension, and so is a plain MBMS MSK message.

    A BCAST terminal treats it as MBMS would.

    Nothing is wrong with it.
    """
    if not message.extensions(BCAST):
        yield Problem("EXT", got="no extension of type 5 (OMA BCAST)", hint="plain MBMS semantics")


def _header(message: Message, **changes: int | bool) -> Message:
    assert message.header is not None
    return replace(message, header=replace(message.header, **changes))  # type: ignore[arg-type]


def _one(message: Message, old: Payload, *new: Payload) -> Message:
    payloads: list[Payload] = []
    for payload in message.payloads:
        payloads.extend(new if payload is old else (payload,))
    return replace(message, payloads=tuple(payloads))


@fault("replace-timestamp-type", on=Timestamp, reference="download", trips={"timestamp-not-counter"})
def replace_timestamp_type(timestamp: Timestamp) -> Timestamp:
    """Send the counter as a time: NTP-UTC-32, which has 4 octets, too."""
    return replace(timestamp, type=3)


@fault("shorten-rand", on=Rand, reference="download", trips={"rand-length-wrong"})
def shorten_rand(rand: Rand, *, octets: int = 8) -> Rand:
    """Keep only the first octets of RAND."""
    return replace(rand, value=rand.value[:octets])


@fault("drop-identity", on=Message, reference="download", trips={"identities-not-two"})
def drop_identity(message: Message) -> Message:
    """Take IDr out of the message."""
    return _one(message, message.of(Identity)[-1])


@fault("replace-identity-type", on=Identity, reference="download", trips={"identity-type-wrong"})
def replace_identity_type(identity: Identity, *, number: int = 1) -> Identity:
    """Give IDi another ID type: a URI, if not told otherwise."""
    return replace(identity, type=number)


@fault("garble-identity", on=Identity, reference="download", trips={"identity-not-text"})
def garble_identity(identity: Identity) -> Identity:
    """Put an octet that is not UTF-8 into IDi."""
    return replace(identity, value=b"\xff" + identity.value[1:])


@fault("empty-map", on=Message, reference="download", trips={"map-form-wrong"})
def empty_map(message: Message) -> Message:
    """Send an SRTP-ID map without sessions."""
    return _header(message, cs_id_map_type=SRTP_MAP)


@fault("replace-encryption", on=Kemac, reference="download", trips={"kemac-not-encrypted"})
def replace_encryption(kemac: Kemac, *, number: int = 3) -> Kemac:
    """Say that the key data is encrypted with another algorithm: AES-CM-256, if not told otherwise."""
    return replace(kemac, encr_alg=number)


@fault("wrap-key", on=Kemac, reference="download", trips={"kemac-not-encrypted", "key-wrap-length-wrong"})
def wrap_key(kemac: Kemac) -> Kemac:
    """Say that the key data is key-wrapped, which no MSK message can be."""
    return replace(kemac, encr_alg=2)


@fault("drop-mac", on=Kemac, reference="download", trips={"kemac-not-authenticated"}, leaves={"mac"})
def drop_mac(kemac: Kemac) -> Kemac:
    """Send the NULL MAC."""
    return replace(kemac, mac_alg=0, mac=b"")


@fault("replace-prf", on=Message, reference="download", trips={"prf-unusual"})
def replace_prf(message: Message, *, number: int = 1) -> Message:
    """Say that keys are derived with another PRF."""
    return _header(message, prf_func=number)


@fault("request-verification", on=Message, reference="download", trips={"verification-requested"})
def request_verification(message: Message) -> Message:
    """Ask the terminal for a verification message."""
    return _header(message, v=True)


@fault("empty-map-with-policy", on=Message, reference="streaming", trips={"policy-with-empty-map"})
def empty_map_with_policy(message: Message) -> Message:
    """Send the empty map and leave the security policy."""
    assert message.header is not None
    return replace(message, header=replace(message.header, cs_id_map_type=EMPTY_MAP, cs_count=0, cs_id_map=()))


@fault("insert-error", on=Message, reference="download", trips={"payload-foreign"})
def insert_error(message: Message) -> Message:
    """Put an error payload before KEMAC."""
    return _one(message, message.payloads[-1], ErrorReport(0, 0), message.payloads[-1])


@fault("replace-subtype", on=Octets, reference="download", trips={"bcast-subtype-foreign"})
def replace_subtype(octets: Octets, *, number: int = 2) -> bytes:
    """Give the OMA BCAST extension another subtype: an STKM, if not told otherwise."""
    path = next(path for path in octets.spans if path.endswith(".subtype"))
    return octets.put(path, bytes((number,)))
