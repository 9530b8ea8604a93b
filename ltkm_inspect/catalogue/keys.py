"""Rules and faults on MAC and key data; they need the MUK."""

from dataclasses import replace

from ltkm_inspect.catalogue.preconditions import KEY_DATA, KEYS, OPENED
from ltkm_inspect.catalogue.profile import level_of
from ltkm_inspect.context import Context
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.keys import KeyInterval, Verdict, interval_of
from ltkm_inspect.keys.protection import encrypt
from ltkm_inspect.mikey import Interval, Kemac, KeyData, KeyDataChain, Message
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import OpenedLtkm
from ltkm_inspect.spec import RFC3830, RFC5410, TS33246, Sure, Verb
from ltkm_inspect.wire import count

MAC = RFC3830["5.2"](says="the MAC covers the whole message except itself")
VERIFIED = TS33246["6.4.6.1"](says="a message whose MAC does not verify is discarded")
MSK_KEY_DATA = TS33246["6.4.5.1"](says="KEMAC carries one MSK: type TEK, no salt, with an interval of validity")
TEK, TEK_WITH_SALT = 2, 3
MTK_ID_OCTETS, TIME_OCTETS = 2, 4


def _single(opening: OpenedLtkm) -> KeyData | NotApplicable:
    entries = opening.entries
    return entries[0] if len(entries) == 1 else NotApplicable("the message does not carry exactly one key")


def _interval(opening: OpenedLtkm) -> KeyInterval | None:
    return interval_of(opening.entries[0]) if len(opening.entries) == 1 else None


KEY_RULES = RuleGroup(OpenedLtkm, cite=[MSK_KEY_DATA], needs=[KEY_DATA])


@KEY_RULES.rule(MAC, VERIFIED, needs=[KEYS], covers=["KEY-03"])
def mac_invalid(opening: OpenedLtkm) -> Problems:
    """The MAC of an LTKM does not verify, although the MUK is right.

    The terminal discards the message. The MUK has verified another message, so either the octets were changed after the
    MAC was computed, or the BSM computed it over other octets or with another key.

    Compare the message with the one in the BSM's log. If they are the same, check what the BSM protects: the whole
    message up to the MAC, with the next counter already in it.
    """
    opened = opening.opened
    if opened.verdict is Verdict.INVALID and opening.is_proved:
        yield Problem("KEMAC.mac", got=opened.reason)
    elif opened.verdict is not Verdict.VALID:
        reason = "the MUK has not verified any message yet, reported by key-unproven"
        yield NotApplicable(reason if opened.verdict is Verdict.INVALID else opened.reason)


@KEY_RULES.rule(RFC3830["6.13"](says="how key data is written"), needs=[OPENED], covers=["KEY-04"])
def key_data_unreadable(opening: OpenedLtkm) -> Problems:
    """The decrypted key data does not follow its layout.

    The MAC is right, so the BSM built the message like this, and the terminal finds no key in it. If the key data looks
    like noise, it was encrypted with another key, counter or RAND than the message says.

    Check the encryption: AES in counter mode. The IV consists of salt, CSB ID and the counter, which is in its last 32
    bits.
    """
    chain = opening.opened.key_data
    assert chain is not None
    if chain.problem is not None:
        yield Problem.of_reason(chain.problem.reason, f"KEMAC.encr_data.{chain.problem.path}")


@KEY_RULES.rule(
    MSK_KEY_DATA,
    RFC5410["1"](says="KEMAC also contains the keys of BCAST attributes, such as a PIN code", verb=Verb.MAY),
    covers=["KEY-05"],
)
def key_data_not_single(opening: OpenedLtkm, context: Context) -> Problems:
    """The message does not carry exactly one key.

    A card stores one MSK for the message's MSK ID. MBMS does not define what happens to a second one. In BCAST it may
    belong to an attribute, such as the PIN code of parental control, so it is a warning there.

    Send one key data sub-payload in each message.
    """
    if not opening.opened.plaintext:
        yield NotApplicable("the message has no key data, reported by key-data-missing")
    elif len(opening.entries) != 1:
        level = level_of(_message(opening), context) if opening.entries else None
        yield Problem("KEMAC.encr_data", "one key", str(len(opening.entries)), level=level)


@KEY_RULES.rule(covers=["KEY-06"], takes=_single)
def key_type_wrong(opening: OpenedLtkm, entry: KeyData, context: Context) -> Problems:
    """The key does not have type TEK, the type of an MSK.

    A card that sees a salt treats the message as one that delivers an MTK. Other types are not used directly; keys are
    derived from them first.

    Send type 2, without salt.
    """
    if entry.type != TEK:
        hint = "a salt in an MSK message" if entry.type == TEK_WITH_SALT else ""
        level = level_of(_message(opening), context)
        yield Problem("KEMAC.encr_data.key_data.type", "2 (TEK)", str(entry.type), hint, level)


def _message(opening: OpenedLtkm) -> Message:
    assert opening.ltkm.message is not None
    return opening.ltkm.message


@KEY_RULES.rule(covers=["KEY-07"], takes=_single)
def key_validity_malformed(opening: OpenedLtkm, entry: KeyData, context: Context) -> Problems:
    """The validity of the key is not an interval with two limits of 2 or 4 octets.

    The limits say which MTKs the key may open: MTK IDs of 2 octets in MBMS, times of 4 octets in BCAST. Without them,
    the card accepts none.

    Send key validity type 2 with two limits of the same length.
    """
    path, level = "KEMAC.encr_data.key_data.validity", level_of(_message(opening), context)
    interval = interval_of(entry)
    if interval is None:
        kinds = {0: "no validity", 1: "an SPI"}
        yield Problem(path, "an interval", kinds.get(entry.kv, f"validity type {entry.kv}"), level=level)
    elif interval.octets not in ((MTK_ID_OCTETS, MTK_ID_OCTETS), (TIME_OCTETS, TIME_OCTETS)):
        got = f"{interval.octets[0]} and {count(interval.octets[1], 'octet')}"
        same = interval.octets[0] == interval.octets[1] and interval.octets[0] > 0
        yield Problem(path, "two limits of 2 or 4 octets", got, level=Level.WARNING if same else level)


@KEY_RULES.rule(TS33246["6.4.5.1"](says="the upper limit is never the highest possible number"), covers=["KEY-08"])
def key_sequence_exhausted(opening: OpenedLtkm) -> Problems:
    """The upper limit of the MTK IDs is the highest possible number.

    This number is reserved. A card reads it as "no limit", or overflows when it counts further.

    Send at most fffe.
    """
    interval = _interval(opening)
    if interval is None or interval.octets != (MTK_ID_OCTETS, MTK_ID_OCTETS):
        yield NotApplicable("the key has no limits of 2 octets")
    elif interval.seq_u == 0xFFFF:
        yield Problem("KEMAC.encr_data.key_data.validity.valid_to", "at most fffe", "ffff")


@KEY_RULES.note(
    TS33246["6.3.2.1B"](says="a lower limit above the upper one takes the MSK out of use", verb=Verb.MAY),
    covers=["KEY-08"],
)
def key_invalidated(opening: OpenedLtkm) -> Problems:
    """The lower limit is above the upper one, which takes the MSK out of use.

    The card keeps the key but opens nothing with it.

    Nothing is wrong if that was the intention.
    """
    interval = _interval(opening)
    if interval is None:
        yield NotApplicable("the key has no interval")
    elif interval.is_reversed:
        yield Problem("KEMAC.encr_data.key_data.validity", got=f"{interval.seq_l} to {interval.seq_u}")


@KEY_RULES.note(
    TS33246["6.4.5.1"](says="limits of 4 octets are times in BCAST", sure=Sure.RECALL_MIDDLE), covers=["KEY-08"]
)
def key_limits_are_times(opening: OpenedLtkm) -> Problems:
    """The limits of the key have 4 octets and are read as times.

    Times of 4 octets are cited from memory of OMA BCAST, whose text was not available.

    Compare the times with the schedule of the broadcast.
    """
    interval = _interval(opening)
    times = interval.as_time if interval is not None else None
    if interval is None or times is None:
        yield NotApplicable("the key has no limits of 4 octets")
        return
    period = f"{times[0]:%Y-%m-%d %H:%M:%S} to {times[1]:%Y-%m-%d %H:%M:%S} UTC (unverified)"
    all_ones = interval.seq_u == 0xFFFFFFFF
    yield Problem("KEMAC.encr_data.key_data.validity", got=period, hint="no end: all ones" if all_ones else "")


@KEY_RULES.rule(
    TS33246["4.2"](says="an MSK is at least as long as the MTKs under it, which have 128 bits", verb=Verb.SHOULD),
    covers=["KEY-09"],
)
def key_weak(opening: OpenedLtkm, *, octets: int = 16) -> Problems:
    """The key is shorter than 16 octets, or all its octets are the same.

    A key of zeros or of one repeated octet is a leftover test key.

    Give the BSM a source of random keys.
    """
    key = opening.entries[0].key if len(opening.entries) == 1 else b""
    if not key:
        yield NotApplicable("the message delivers no key")
    elif len(key) < octets:
        yield Problem("KEMAC.encr_data.key_data.key", f"at least {octets} octets", str(len(key)))
    elif len(set(key)) == 1:
        yield Problem("KEMAC.encr_data.key_data.key", "a random key", "one octet repeated")


@KEY_RULES.note(
    TS33246["6.5.3"](says="a message without a key updates the validity of the MSK that it names", verb=Verb.MAY),
    covers=["KEY-10"],
)
def key_update_alone(opening: OpenedLtkm) -> Problems:
    """The message updates the validity of a key that was not delivered in this capture.

    A terminal that does not have the key cannot use the update.

    Check whether the key was delivered before the capture began.
    """
    if len(opening.entries) != 1 or opening.entries[0].key:
        yield NotApplicable("the message delivers a key")
    elif opening.delivery is None or opening.delivery.same_msk is None:
        yield Problem("KEMAC.encr_data", got="a validity without a key, for an MSK that was not delivered before")


@fault(on=Kemac, reference="renewal", trips={"mac-invalid"}, leaves={"mac"})
def flip_mac(kemac: Kemac, *, bit: int = 0) -> Kemac:
    """Flip one bit of the MAC."""
    if not kemac.mac:
        raise FaultError("the message has no MAC")
    number = int.from_bytes(kemac.mac) ^ (1 << bit % (8 * len(kemac.mac)))
    return replace(kemac, mac=number.to_bytes(len(kemac.mac)))


@fault(on=Message, reference="download", trips={"key-unproven"}, leaves={"encryption", "mac"})
def replace_muk(message: Message, *, muk: bytes = bytes(range(0xA0, 0xC0))) -> Message:
    """Send a new key, protected with a MUK that is not the terminal's."""
    plaintext = bytes.fromhex("00220010") + bytes(range(16)) + bytes.fromhex("020000020fff")
    return encrypt(message, muk, plaintext)


@fault(on=Kemac, reference="download", trips={"key-data-unreadable"})
def replace_ciphertext(kemac: Kemac) -> Kemac:
    """Replace the encrypted key data with zeros, under a matching MAC."""
    return replace(kemac, encr_data=bytes(len(kemac.encr_data)))


def rekeyed(opening: OpenedLtkm, *entries: KeyData) -> Message:
    """Return the message with this key data, encrypted and authenticated with the MUK that opened it."""
    opened = opening.opened
    if opened.muk is None:
        raise FaultError("changing encrypted data takes the terminal's MUK")
    return encrypt(_message(opening), opened.muk, KeyDataChain(tuple(entries)).encode())


def entry_of(opening: OpenedLtkm) -> KeyData:
    if not opening.entries:
        raise FaultError("changing encrypted data takes the terminal's MUK")
    return opening.entries[0]


@fault(on=OpenedLtkm, reference="download", trips={"key-data-not-single"})
def repeat_key(opening: OpenedLtkm) -> Message:
    """Deliver the key twice in one message."""
    entry = entry_of(opening)
    return rekeyed(opening, entry, entry)


@fault(on=OpenedLtkm, reference="plain-message", trips={"key-type-wrong"})
def salt_key(opening: OpenedLtkm, *, salt: bytes = bytes(range(14))) -> Message:
    """Send the key with a salt, as in the messages that deliver MTKs."""
    return rekeyed(opening, replace(entry_of(opening), type=TEK_WITH_SALT, salt=salt))


@fault(on=OpenedLtkm, reference="plain-message", trips={"key-validity-malformed"})
def drop_validity(opening: OpenedLtkm) -> Message:
    """Send the key without a validity."""
    return rekeyed(opening, replace(entry_of(opening), kv=0, validity=None))


@fault(on=OpenedLtkm, reference="plain-message", trips={"key-validity-malformed"})
def skew_validity(opening: OpenedLtkm, *, lower: bytes = b"\0\0", upper: bytes = b"\0\0\x0f\xff") -> Message:
    """Send two limits of different lengths."""
    return rekeyed(opening, replace(entry_of(opening), kv=2, validity=Interval(lower, upper)))


@fault(on=OpenedLtkm, reference="download", trips={"key-sequence-exhausted"})
def exhaust_sequence(opening: OpenedLtkm) -> Message:
    """Send the highest possible upper limit."""
    return rekeyed(opening, replace(entry_of(opening), kv=2, validity=Interval(b"\0\0", b"\xff\xff")))


@fault(on=OpenedLtkm, reference="download", trips={"key-weak"})
def weaken_key(opening: OpenedLtkm, *, key: bytes = bytes(16)) -> Message:
    """Send a key of zeros."""
    return rekeyed(opening, replace(entry_of(opening), key=key))


@fault(on=OpenedLtkm, reference="download", trips={"key-weak"})
def shorten_key(opening: OpenedLtkm, *, octets: int = 8) -> Message:
    """Send only the first octets of the key."""
    return rekeyed(opening, replace(entry_of(opening), key=entry_of(opening).key[:octets]))
