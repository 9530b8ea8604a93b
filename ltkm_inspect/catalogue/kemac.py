"""Rules and faults on KEMAC: encryption, authentication and length of the key data."""

from dataclasses import replace

from ltkm_inspect.catalogue.identifiers import MSK, key_id
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Kemac, Message
from ltkm_inspect.mikey.codes import ENCRYPTION_ALGORITHMS, MAC_ALGORITHMS
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC3394, RFC3830, RFC5410, TS33246, Sure, Verb

NULL, AES_CM_128, AES_KW_128 = range(3)
"""Encryption algorithms (RFC 3830 §6.2)."""
HMAC_SHA_1_160 = 1
USUAL_LENGTHS = frozenset({10, 14, 26, 30, 42, 46})
"""Octets of MBMS key data: no key, one of 128 or one of 256 bits, with limits of 2 or 4 octets."""


KEMAC_SHAPE = RuleGroup(Kemac, shape_only=True)


@KEMAC_SHAPE.rule(
    TS33246["6.4.1"](says="NULL encryption is not used; AES-CM-128 is what receivers support"),
    RFC3830["6.2"](says="the encryption algorithm is defined, or in the private range"),
    covers=["MB-10", "MK-12", "MK-24"],
)
def kemac_not_encrypted(kemac: Kemac, *, algorithm: int = AES_CM_128) -> Problems:
    """The key data is not encrypted with AES-CM-128.

    With NULL encryption, anyone on the path can read the key. Cards need not support other algorithms, defined or
    private.

    Send Encr alg 1.
    """
    found = kemac.encr_alg
    if found != algorithm:
        legal = found in ENCRYPTION_ALGORITHMS or found in ENCRYPTION_ALGORITHMS.private
        level = Level.WARNING if legal and found != NULL else None
        expected, got = ENCRYPTION_ALGORITHMS.describe(algorithm), ENCRYPTION_ALGORITHMS.describe(found)
        yield Problem("encr_alg", expected, got, level=level)


@KEMAC_SHAPE.rule(
    TS33246["6.4.1"](says="the NULL MAC is not used; HMAC-SHA-1-160 is what receivers support"),
    RFC3830["4.2.3"](says="the NULL MAC is not used with the pre-shared key method", verb=Verb.SHOULD),
    RFC5410["5"](says="the BCAST extension is integrity-protected"),
    covers=["MB-11", "MK-24", "BC-04"],
)
def kemac_not_authenticated(kemac: Kemac, *, algorithm: int = HMAC_SHA_1_160) -> Problems:
    """The MAC is not HMAC-SHA-1-160.

    With the NULL MAC, anyone can make up keys, and the BCAST extension is not protected. HMAC-SHA-256-256 is defined,
    but cards need not support it.

    Send MAC alg 1.
    """
    found = kemac.mac_alg
    if found != algorithm:
        level = Level.WARNING if found else None
        yield Problem("mac_alg", MAC_ALGORITHMS.describe(algorithm), MAC_ALGORITHMS.describe(found), level=level)


@KEMAC_SHAPE.rule(
    RFC3394["2.2"](says="key wrap takes and returns whole blocks of 8 octets"),
    RFC3830["4.2.3"](says="AES-KW"),
    covers=["MK-14"],
)
def key_wrap_length_wrong(kemac: Kemac) -> Problems:
    """Key-wrapped key data has a length that key wrap cannot produce.

    Nobody can unwrap it. The key data of an MSK message never fits key wrap, so AES-KW cannot be used here at all.

    Send Encr alg 1.
    """
    if kemac.encr_alg != AES_KW_128:
        yield NotApplicable("the key data is not key-wrapped")
    elif not kemac.encr_data:
        yield NotApplicable("there is no key data")
    elif len(kemac.encr_data) % 8 or len(kemac.encr_data) < 24:
        yield Problem("encr_data", "a multiple of 8 octets, at least 24", str(len(kemac.encr_data)))


@KEMAC_SHAPE.rule(
    RFC3830["6.13"](says="a KEMAC payload has at most 65,536 octets, even if its length fields allow more"),
    covers=["MK-15"],
)
def kemac_too_long(kemac: Kemac, *, octets: int = 65536) -> Problems:
    """KEMAC has more than 65,536 octets.

    The length field of the key data allows slightly more than the payload limit. A receiver with a buffer of that size
    overruns it, or truncates the MAC.

    One MSK needs about fifty octets: check what else the BSM encrypts.
    """
    # Next payload, Encr alg, the length of the encrypted data and MAC alg: 5 octets.
    length = 5 + len(kemac.encr_data) + len(kemac.mac)
    if length > octets:
        yield Problem("", f"at most {octets} octets", str(length))


@rule(
    TS33246["6.4.5.1"](says="the KEMAC of an MSK message holds the key data of one MSK", sure=Sure.DERIVED),
    on=Message,
    needs=[PSK_MESSAGE],
    covers=["MB-14"],
    shape_only=True,
)
def key_data_missing(message: Message) -> Problems:
    """The message has no key data for the MSK that it names.

    KEMAC is empty, although the Key Number is that of a real MSK. The terminal gets an authentic message with neither a
    key nor a new validity.

    Encrypt the key data into KEMAC. A message that only changes the validity of a key also has key data, in which the
    key has no octets.
    """
    kemacs = message.of(Kemac)
    if not kemacs or kemacs[0].encr_data:
        return
    carried = key_id(message, MSK)
    if carried is None:
        yield NotApplicable("the message does not have exactly one MSK ID of 4 octets, reported by msk-id-not-single")
    elif carried[2:] == b"\0\0":
        yield NotApplicable("the message has Key Number 0, which asks for a request and delivers no key")
    else:
        yield Problem("KEMAC.encr_data", "the key data of one MSK", "no octets", "a delivery without a key")


@KEMAC_SHAPE.note(
    TS33246["6.4.5.1"](says="one MSK without salt, with an interval as its validity", sure=Sure.DERIVED),
    level_reason="a length alone does not prove what is encrypted",
    covers=["MB-14"],
)
def key_data_length_unusual(kemac: Kemac) -> Problems:
    """The length of the key data does not fit one MSK with its validity.

    A 128-bit key with limits of 2 or 4 octets takes 26 or 30 octets, a 256-bit key 42 or 46, and a change of the
    validity alone 10 or 14. Any other length is not that of one MSK.

    Add the MUK to the key ring to see what is inside.
    """
    length = len(kemac.encr_data)
    if length in USUAL_LENGTHS:
        return
    if not length:
        yield NotApplicable("there is no key data")
    elif kemac.encr_alg == AES_KW_128:
        yield NotApplicable("the key data is key-wrapped, reported by kemac-not-encrypted")
    else:
        yield Problem("encr_data", "10, 14, 26, 30, 42 or 46 octets", str(length))


@fault(on=Kemac, reference="download", trips={"kemac-not-encrypted"})
def replace_encryption(kemac: Kemac, *, number: int = 3) -> Kemac:
    """Declare another encryption algorithm for the key data (default: AES-CM-256)."""
    return replace(kemac, encr_alg=number)


@fault(on=Kemac, reference="download", trips={"kemac-not-encrypted", "key-wrap-length-wrong"})
def wrap_key(kemac: Kemac) -> Kemac:
    """Declare the key data as key-wrapped, which no MSK message can be."""
    return replace(kemac, encr_alg=AES_KW_128)


@fault(on=Kemac, reference="download", trips={"kemac-not-authenticated"}, leaves={"mac"})
def drop_mac(kemac: Kemac) -> Kemac:
    """Send the NULL MAC."""
    return replace(kemac, mac_alg=0, mac=b"")


@fault(on=Kemac, reference="download", trips={"key-data-missing"})
def empty_kemac(kemac: Kemac) -> Kemac:
    """Send KEMAC without key data."""
    return replace(kemac, encr_data=b"")


@fault(on=Kemac, reference="download", trips={"kemac-too-long", "key-data-unreadable"})
def inflate_kemac(kemac: Kemac, *, octets: int = 0xFFFF) -> Kemac:
    """Pad the encrypted key data with zeros to the maximum of its length field."""
    return replace(kemac, encr_data=kemac.encr_data.ljust(octets, b"\0"))
