"""Messages verified and opened with the keys of a ring, against vectors and worked values."""

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.keys import (
    KeyRing,
    OpenedMessage,
    Subscriber,
    Verdict,
    interval_of,
    key_check_value,
)
from ltkm_inspect.keys.derivation import prf
from ltkm_inspect.keys.opening import open_with
from ltkm_inspect.keys.protection import (
    counter_mode,
    encrypt,
    initial_vector,
    key_unwrap,
    key_wrap,
)
from ltkm_inspect.mikey import Identity, Kemac, KeyData, KeyDataChain, Rand, decode
from tests.keys.derived import derived

ROOT = Path(__file__).parents[1]
VECTORS = [json.loads(line) for line in (ROOT / "vectors/ltkm.jsonl").read_text().splitlines()]
KEYED = [v for v in VECTORS if v.get("psk") and v["expect"].get("mac") and v["group"] != "verification"]
PUBLIC = ROOT.parents[1] / "shared/vectors/public.jsonl"
PEERS = (
    [v for v in map(json.loads, PUBLIC.read_text().splitlines()) if v["name"].startswith("libmikey-")]
    if PUBLIC.exists()
    else []
)
MUK = bytes(range(0x20, 0x40))
DOWNLOAD = reference.ltkm(reference.FIRST)


def _opened(vector: dict[str, Any], *muks: bytes) -> OpenedMessage:
    octets = base64.b64decode(vector["base64"])
    return KeyRing((Subscriber("*", muks=muks),)).open(decode(octets), octets)


@pytest.mark.parametrize("vector", KEYED, ids=lambda vector: vector["name"])
def test_a_vector_opens_as_its_maker_says(vector: dict[str, Any]) -> None:
    psk, expect = bytes.fromhex(vector["psk"]["hex"]), vector["expect"]
    opened = _opened(vector, b"another", psk)
    message = decode(base64.b64decode(vector["base64"]))
    if expect["mac"].get("alg") == 0:
        assert (opened.verdict, opened.plaintext) == (Verdict.NULL_MAC, None)
    elif not message.of(Rand):  # the vector knows the RAND, but a receiver of this message alone cannot
        assert (opened.verdict, opened.reason) == (Verdict.NOT_CHECKABLE, "the message has no RAND")
    elif expect["mac"]["valid"]:
        assert (opened.verdict, opened.muk, opened.muk_number) == (Verdict.VALID, psk, 2)
        assert opened.plaintext is not None
        if "kemac_plain" in expect:
            assert opened.plaintext.hex() == expect["kemac_plain"]
        if "key_data" in expect and not opened.problem:
            assert opened.key_data is not None
            assert [e.key.hex() for e in opened.key_data.entries] == [e["key"] for e in expect["key_data"]]
    else:
        assert opened.verdict in (Verdict.INVALID, Verdict.NOT_CHECKABLE)
        assert opened.plaintext is None


@pytest.mark.parametrize("vector", [v for v in KEYED if "crypto" in v["expect"]], ids=lambda vector: vector["name"])
def test_the_keys_of_a_vector_are_derived(vector: dict[str, Any]) -> None:
    crypto = vector["expect"]["crypto"]
    message = decode(base64.b64decode(vector["base64"]))
    keys = derived(message, bytes.fromhex(vector["psk"]["hex"]), bytes.fromhex(crypto["rand"]))
    found = keys.encryption.hex(), keys.authentication.hex(), keys.salt.hex()
    assert found == (crypto["encr_key"], crypto["auth_key"], crypto["salt_key"])


@pytest.mark.needs("shared")
@pytest.mark.parametrize("vector", PEERS, ids=lambda vector: vector["name"])
def test_a_message_of_libmikey_opens(vector: dict[str, Any]) -> None:
    opened = _opened(vector, bytes.fromhex(vector["expect"]["psk_hex"]))
    assert opened.verdict is Verdict.VALID
    assert opened.key_data is not None
    assert opened.key_data.entries[0].key.hex() == vector["expect"]["tgk"]


C = (
    "AQAVgAECAwQBAAESNFZ4AAAAABUDAAsAA7hwnQEEJMtEAAUFAAIBAAsCAAAALAYQ8OHSw7Sllod4aVpLPC0eDwYAAA5ibXNjLmhvbWUxLm5ldAoA"
    "ACZNVEl6TkRVMk56ZzVNREV5TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAEBAAAcAAEBAQEQBgEABwEBCgEBDQIACg4BAhABFBIBDgABABpN82rstQLG"
    "fMuts0XvBEOk8FeVqQ68w64GpwGx3gD6phO2658gN+daoab/r/k9Hw=="
)


def test_worked_message_c_opens() -> None:
    octets = base64.b64decode(C)
    opened = open_with(Subscriber("*", muks=(MUK,)), decode(octets), octets)
    assert opened.plaintext is not None
    assert opened.plaintext.hex() == "0022001000112233445566778899aabbccddeeff02000102" + "0fff"
    assert opened.key_data is not None
    interval = interval_of(opened.key_data.entries[0])
    assert interval is not None
    assert (interval.seq_l, interval.seq_u, interval.as_time) == (1, 0xFFF, None)


def test_key_wrap_gives_the_value_of_rfc_3394() -> None:
    key, data = bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")
    wrapped = key_wrap(key, b"\xa6" * 8, data)
    assert wrapped.hex() == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"
    assert key_unwrap(key, b"\xa6" * 8, wrapped) == data
    with pytest.raises(ValueError, match="initial value"):
        key_unwrap(key, bytes(8), wrapped)


@given(
    muk=st.binary(min_size=1, max_size=128),
    key=st.sampled_from([16, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    algorithms=st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from([1, 2]), st.sampled_from([0, 1])),
    place=st.integers(0, 10**6),
)
def test_what_was_sealed_opens_and_no_flipped_bit_does(
    muk: bytes, key: bytes, algorithms: tuple[int, int, int], place: int
) -> None:
    encr_alg, mac_alg, prf_func = algorithms
    plaintext = KeyDataChain((KeyData(2, 0, key),)).encode()
    plaintext += bytes(-len(plaintext) % 8)
    kemac = Kemac(encr_alg, b"", mac_alg, b"")
    assert DOWNLOAD.header is not None
    header = replace(DOWNLOAD.header, prf_func=prf_func)
    message = encrypt(replace(DOWNLOAD, header=header, payloads=(*DOWNLOAD.payloads[:-1], kemac)), muk, plaintext)
    octets = message.encode()
    subscriber = Subscriber("*", muks=(muk,))
    opened = open_with(subscriber, decode(octets), octets)
    assert (opened.verdict, opened.plaintext) == (Verdict.VALID, plaintext)
    flipped = bytearray(octets)
    flipped[place // 8 % len(octets)] ^= 1 << place % 8
    damaged = bytes(flipped)
    assert open_with(subscriber, decode(damaged), damaged).verdict is not Verdict.VALID


def test_every_truncation_is_answered_and_none_is_valid() -> None:
    whole = DOWNLOAD.encode()
    for end in range(len(whole)):
        assert reference.KEYS.open(decode(whole[:end]), whole[:end]).verdict is not Verdict.VALID


def test_a_wrong_muk_and_an_unknown_b_tid_are_told_apart() -> None:
    octets = DOWNLOAD.encode()
    b_tid = DOWNLOAD.of(Identity)[1].text
    wrong = KeyRing((Subscriber(b_tid, muks=(bytes(32), b"k" * 32)),)).open(DOWNLOAD, octets)
    assert (wrong.verdict, wrong.tried) == (Verdict.INVALID, 2)
    assert wrong.reason == f"MAC does not verify with any of the 2 MUKs of {b_tid}"
    absent = KeyRing().open(DOWNLOAD, octets)
    assert absent.verdict is Verdict.NO_KEY
    missing = f"no MUK for B-TID {b_tid} at {reference.BSM}: "
    assert absent.reason == f"{missing}the key ring has no entry for this terminal; add one with its MUK"
    for name, whose in ((b_tid, "the entry for this terminal"), ("*", "the wildcard entry")):
        keyless = KeyRing((Subscriber(name, mrk=bytes(32)),)).open(DOWNLOAD, octets)
        assert keyless.verdict is Verdict.NO_KEY
        assert keyless.reason == f"{missing}{whose} in the key ring has no MUK; add it"


def test_no_key_is_in_a_repr() -> None:
    opened = reference.KEYS.open(DOWNLOAD, DOWNLOAD.encode())
    assert opened.verdict is Verdict.VALID
    assert opened.muk is not None
    assert opened.plaintext is not None
    for text in (repr(opened), repr(reference.KEYS), str(opened)):
        for secret in (opened.muk, opened.plaintext, opened.plaintext[4:20]):
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text
            assert base64.b64encode(secret).decode() not in text


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(("cipher", "size"), [("aes-128-ctr", 16), ("aes-256-ctr", 32)])
def test_openssl_agrees_on_counter_mode(cipher: str, size: int) -> None:
    key, data = bytes(range(size)), bytes(range(50))
    iv = initial_vector(bytes(range(14)), 0x5A17C0DE, bytes(8))
    command = ["openssl", "enc", f"-{cipher}", "-K", key.hex(), "-iv", iv.hex()]
    other = subprocess.run(command, input=data, capture_output=True, check=True, timeout=30).stdout
    assert counter_mode(key, iv, data) == other


@pytest.mark.needs("openssl")
def test_openssl_agrees_on_the_key_wrap_with_a_salt() -> None:
    key, salt, data = bytes(range(16)), bytes(range(8)), bytes(range(32))
    command = ["openssl", "enc", "-id-aes128-wrap", "-K", key.hex(), "-iv", salt.hex()]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=30)
    if done.returncode:
        pytest.skip("this openssl has no key wrap on its command line")
    assert key_wrap(key, salt, data) == done.stdout


def test_the_key_check_value_is_that_of_aes() -> None:
    assert key_check_value(bytes(16)) == "66e94b"  # AES-128 of zeros under a key of zeros: 66e94bd4ef8a2c3b…
    assert key_check_value(bytes(15)) == ""


def test_the_longest_input_key_is_the_combination_of_its_blocks() -> None:
    key, label = bytes(range(128)), b"label"
    blocks = [int.from_bytes(prf(key[at : at + 32], label, 50)) for at in range(0, 128, 32)]
    assert int.from_bytes(prf(key, label, 50)) == blocks[0] ^ blocks[1] ^ blocks[2] ^ blocks[3]


def test_a_null_mac_leaves_the_key_data_readable_and_unproven() -> None:
    message = reference.ltkm(reference.FIRST)
    kemac = replace(message.of(Kemac)[-1], mac_alg=0, mac=b"")
    message = replace(message, payloads=(*message.payloads[:-1], kemac))
    opened = reference.KEYS.open(message, message.encode())
    assert (opened.verdict, opened.muk, opened.key_data, opened.plaintext) == (Verdict.NULL_MAC, None, None, None)
    assert opened.unproven is not None
    assert [entry.key for entry in opened.unproven.entries] == [reference.FIRST.msk]
    assert reference.FIRST.msk.hex() not in repr(opened)
    other = KeyRing((Subscriber("*", muks=(bytes(32),)),))
    assert other.open(message, message.encode()).unproven is None
