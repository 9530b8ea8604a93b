"""The facts about a message that a key ring gives, as text and as JSON, and whether the message is valid."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ltkm_inspect.input import InputMessage
from ltkm_inspect.keys import KeyRing, Subscriber
from ltkm_inspect.keys.protection import authenticate, encrypt
from ltkm_inspect.mikey import Kemac, Message
from ltkm_inspect.reference import B_TID, BSM, FIRST, MUK, TERMINAL, ltkm
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.messages import decode_input, is_valid, json_line, text_lines

OLD = bytes(range(0xA0, 0xC0))
RING = KeyRing((TERMINAL.subscriber,))
MESSAGE = ltkm(FIRST)
MSK = FIRST.msk.hex()
CHECK_VALUE = "fde4fb"
"""The first 3 octets of AES-128 over zeros with that MSK, as openssl has it."""
VALID = f"MAC valid (MUK of {B_TID})"
INVALID = f"MAC invalid (does not verify with the MUK of {B_TID})"
INTERVAL = f"TEK of 16 octets, SEQ 0 to 4095, check value {CHECK_VALUE}"
NTP = 1_256_716_800 + 2_208_988_800
"""2009-10-28 08:00 UTC in seconds since 1900."""


def with_kemac(encr_alg: int, encr_data: bytes, mac_alg: int = 1) -> Message:
    """Return the message with another KEMAC, its MAC right where it has one."""
    changed = replace(MESSAGE, payloads=(*MESSAGE.payloads[:-1], Kemac(encr_alg, encr_data, mac_alg, b"")))
    return authenticate(changed, MUK) if mac_alg else changed


def with_key_data(plaintext: bytes) -> Message:
    """Return the message with other key data in it."""
    return encrypt(MESSAGE, MUK, plaintext)


def flipped(message: Message) -> Message:
    """Return the message with one bit of its MAC turned."""
    kemac = message.of(Kemac)[0]
    mac = bytes((kemac.mac[0] ^ 1,)) + kemac.mac[1:]
    return replace(message, payloads=(*message.payloads[:-1], replace(kemac, mac=mac)))


def facts_of(
    message: Message, ring: KeyRing = RING, *, show: bool = False
) -> tuple[list[str], dict[str, object], bool]:
    """Return the lines and the object that tell of a message, and whether it is valid."""
    given = InputMessage("argument 1", message.encode())
    found, keys = decode_input(given), Keys(ring, show)
    lines = [*text_lines(given, found, keys)]
    line = json_line(given, found, keys)
    if not show:
        assert MSK not in "\n".join(lines).lower() + line.lower()
    texts = [each.removeprefix("  key: ") for each in lines if each.startswith("  key: ")]
    return texts, json.loads(line)["key"], is_valid(given, found, keys)


SPI = b"\0\x21\0\x10" + FIRST.msk + b"\x04\xc0\xff\xee\x01"
LIMITS = replace(FIRST, seq_l=NTP.to_bytes(4), seq_u=(NTP + 3600).to_bytes(4)).plaintext
TIMES = f"TEK of 16 octets, SEQ {NTP} to {NTP + 3600} (2009-10-28T08:00:00Z to 2009-10-28T09:00:00Z, unverified)"


@pytest.mark.parametrize(
    ("message", "lines", "is_right"),
    [
        pytest.param(MESSAGE, [VALID, INTERVAL], True, id="valid"),
        pytest.param(flipped(MESSAGE), [INVALID], False, id="invalid"),
        pytest.param(with_key_data(LIMITS), [VALID, f"{TIMES}, check value {CHECK_VALUE}"], True, id="times"),
        pytest.param(
            with_key_data(SPI), [VALID, f"TEK of 16 octets, SPI c0ffee01, check value {CHECK_VALUE}"], True, id="spi"
        ),
        pytest.param(with_kemac(0, FIRST.plaintext), [VALID, INTERVAL], True, id="not-encrypted"),
        pytest.param(with_kemac(1, b"", 0), ["MAC not authenticated (the MAC alg is NULL)"], True, id="null-mac"),
    ],
)
def test_a_message_tells_its_mac_and_its_key(message: Message, lines: Sequence[str], is_right: bool) -> None:
    texts, plain, valid = facts_of(message)
    assert texts == lines
    assert valid is is_right
    assert plain["key"] is None
    assert plain["check_value"] == (CHECK_VALUE if len(lines) > 1 else None)


def test_a_message_that_no_key_fits_says_whose_is_missing_and_is_valid() -> None:
    texts, plain, is_right = facts_of(MESSAGE, KeyRing((Subscriber("somebody@else", "", (MUK,)),)))
    assert texts == [
        f"no key for B-TID {B_TID} at {BSM}: the key ring has no entry for this terminal; add one with its MUK"
    ]
    assert (plain["verdict"], plain["length"]) == ("no key", None)
    assert is_right


def test_the_muk_that_fits_is_numbered_where_there_are_several() -> None:
    texts, plain, _ = facts_of(MESSAGE, KeyRing((Subscriber(B_TID, BSM, (OLD, MUK)),)))
    assert texts[0] == f"MAC valid (MUK 2 of 2 of {B_TID})"
    assert (plain["muk"], plain["tried"]) == (2, 2)


def test_key_data_that_cannot_be_read_makes_a_message_fall() -> None:
    texts, _, is_right = facts_of(with_key_data(b"\0\x22\xff\xff"))
    assert texts[0] == VALID
    assert texts[1].startswith("key data: ")
    assert not is_right


def test_times_stand_in_the_object() -> None:
    _, plain, _ = facts_of(with_key_data(LIMITS))
    assert (plain["valid_from"], plain["valid_to"]) == ("2009-10-28T08:00:00Z", "2009-10-28T09:00:00Z")
    assert facts_of(with_key_data(SPI))[1]["spi"] == "c0ffee01"


def test_the_key_is_shown_only_on_demand() -> None:
    texts, plain, _ = facts_of(MESSAGE, show=True)
    assert texts[1] == f"{INTERVAL}, key {MSK}"
    assert plain["key"] == MSK
    assert MSK not in repr(Keys(RING, True).of(decode_input(InputMessage("", MESSAGE.encode())), MESSAGE.encode()))


CLEAR, DECRYPTED = "in the clear, but not authenticated", f"decrypted with the MUK of {B_TID}, but not authenticated"


@pytest.mark.parametrize(
    ("message", "ring", "line"),
    [
        pytest.param(with_kemac(0, FIRST.plaintext), KeyRing(), CLEAR, id="no key ring"),
        pytest.param(flipped(with_kemac(0, FIRST.plaintext)), RING, CLEAR, id="bad MAC"),
        pytest.param(with_kemac(0, FIRST.plaintext, 0), RING, DECRYPTED, id="no encryption, no MAC"),
        pytest.param(with_kemac(1, MESSAGE.of(Kemac)[0].encr_data, 0), RING, DECRYPTED, id="no MAC"),
    ],
)
def test_every_key_is_shown_where_keys_are(message: Message, ring: KeyRing, line: str) -> None:
    lines, plain, _ = facts_of(message, ring, show=True)
    assert lines[1:] == [line, f"{INTERVAL}, key {MSK}"]
    assert plain["key"] == MSK
    given = InputMessage("argument 1", message.encode())
    everything = [*text_lines(given, message, Keys(ring, True)), json_line(given, message, Keys(ring, True))]
    assert not any("hidden" in each for each in everything)
    hidden, _, _ = facts_of(message, RING)
    assert MSK not in "\n".join(hidden)
