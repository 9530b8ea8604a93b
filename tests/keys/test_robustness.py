"""Whatever the message and the keys: nothing is raised, no key is shown, and what is remembered is bounded."""

import base64
import json
import subprocess
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.keys import KeyRing, OpenedMessage, Subscriber, Verdict, load
from ltkm_inspect.keys import ring as ring_module
from ltkm_inspect.keys.opening import open_with
from ltkm_inspect.keys.protection import authentication_key, encrypt, initial_vector, mac_of, time_of
from ltkm_inspect.mikey import (
    GeneralExtension,
    Interval,
    Kemac,
    KeyData,
    KeyDataChain,
    Message,
    OmaBcast,
    Timestamp,
    decode,
)
from ltkm_inspect.mikey.keydata import Spi
from ltkm_inspect.wire.toml_file import TomlError
from tests.keys.derived import derived
from tests.mikey import messages

VECTORS = [json.loads(line) for line in (Path(__file__).parents[1] / "vectors/ltkm.jsonl").read_text().splitlines()]
WITH_IV = [vector for vector in VECTORS if "iv" in vector["expect"].get("crypto", {})]
MUK = bytes(range(0x20, 0x40))
RING = KeyRing((Subscriber("*", muks=(b"another", MUK)),))
DOWNLOAD = reference.ltkm(reference.FIRST)


@pytest.mark.parametrize("vector", WITH_IV, ids=lambda vector: vector["name"])
def test_the_iv_of_a_vector(vector: dict[str, Any]) -> None:
    crypto, message = vector["expect"]["crypto"], decode(base64.b64decode(vector["base64"]))
    assert message.header is not None
    salt = derived(message, bytes.fromhex(vector["psk"]["hex"]), bytes.fromhex(crypto["rand"])).salt
    time = time_of(message.of(Timestamp)[0])
    assert initial_vector(salt, message.header.csb_id, time).hex() == crypto["iv"]


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("name", ["sha1", "sha256"])
@pytest.mark.parametrize("size", [1, 20, 32, 64])
def test_openssl_agrees_on_hmac(name: str, size: int) -> None:
    key, data = bytes(range(1, size + 1)), bytes(range(210))
    command = ["openssl", "dgst", f"-{name}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"]
    assert mac_of(key, data, name) == subprocess.run(command, input=data, capture_output=True, check=True).stdout


@given(octets=messages.any_octets, kind=st.sampled_from([bytes, bytearray, memoryview]))
def test_no_octets_raise(octets: bytes, kind: type) -> None:
    given_octets = kind(octets)
    for ring in (RING, KeyRing()):
        assert isinstance(ring.open(decode(given_octets), given_octets), OpenedMessage)


@given(message=messages.messages, other=st.binary(max_size=60), muk=st.binary(max_size=130))
def test_no_message_raises_whatever_its_octets_and_key(message: Message, other: bytes, muk: bytes) -> None:
    for octets in (message.encode(), other):
        assert isinstance(open_with(Subscriber("*", muks=(muk,)), message, octets), OpenedMessage)


@given(octets=messages.any_octets)
def test_key_data_of_any_octets_is_kept_and_told(octets: bytes) -> None:
    sealed = encrypt(DOWNLOAD, MUK, octets)
    opened = open_with(Subscriber("*", muks=(MUK,)), sealed, sealed.encode())
    assert (opened.verdict, opened.plaintext) == (Verdict.VALID, octets)
    assert opened.key_data is not None
    assert opened.key_data.encode() == octets
    assert bool(opened.problem) == (opened.key_data.problem is not None)


@pytest.mark.parametrize(
    ("plaintext", "where"),
    [
        pytest.param("0032" + "0010" + "aa" * 16 + "ffff" + "bb" * 14, "salt_length", id="salt beyond the end"),
        pytest.param("0032" + "0010" + "aa" * 16 + "ff", "salt_length", id="length of the salt cut off"),
        pytest.param("0022" + "ffff" + "aa" * 16, "key_length", id="key beyond the end"),
        pytest.param("0032" + "0010" + "aa" * 16 + "0000" + "ff0001", "valid_from_length", id="no salt, absurd limit"),
    ],
)
def test_an_absurd_length_in_the_key_data_is_a_problem_of_an_authentic_message(plaintext: str, where: str) -> None:
    sealed = encrypt(DOWNLOAD, MUK, bytes.fromhex(plaintext))
    opened = RING.open(sealed, sealed.encode())
    assert opened.verdict is Verdict.VALID
    assert opened.problem.startswith("key data: key_data[1].")
    assert where in opened.problem
    assert "aaaa" not in opened.problem


def test_a_null_mac_is_not_authenticated() -> None:
    kemac = DOWNLOAD.of(Kemac)[0]
    message = replace(DOWNLOAD, payloads=(*DOWNLOAD.payloads[:-1], replace(kemac, mac_alg=0, mac=b"")))
    opened = RING.open(message, message.encode())
    assert (opened.verdict, opened.plaintext, opened.reason) == (Verdict.NULL_MAC, None, "the MAC alg is NULL")


@pytest.mark.parametrize("cut", [1, 20, 21, 22, 47, 50, 51])
def test_a_truncated_kemac_is_not_checkable(cut: int) -> None:
    octets = DOWNLOAD.encode()[:-cut]
    opened = RING.open(decode(octets), octets)
    assert opened.verdict is Verdict.NOT_CHECKABLE
    assert opened.reason == "the message does not end with a complete KEMAC"


@pytest.mark.parametrize("tail", [b"\0", b"garbage", DOWNLOAD.encode()], ids=["an octet", "octets", "a message"])
def test_octets_behind_the_message_are_not_what_the_mac_covers(tail: bytes) -> None:
    octets = DOWNLOAD.encode() + tail
    assert decode(octets).trailing == tail
    assert RING.open(decode(octets), octets).verdict is Verdict.VALID
    damaged = octets[:20] + bytes((octets[20] ^ 1,)) + octets[21:]
    assert RING.open(decode(damaged), damaged).verdict is Verdict.INVALID


def _sized(*sizes: int) -> st.SearchStrategy[bytes]:
    return st.sampled_from(sizes).flatmap(lambda size: st.binary(min_size=size, max_size=size))


limits = st.one_of(
    st.just((0, None)),
    st.builds(lambda spi: (1, Spi(spi)), st.binary(max_size=255)),
    st.builds(lambda low, high: (2, Interval(low, high)), _sized(0, 2, 4), _sized(0, 2, 4)),
)
entries = st.builds(
    lambda kind, key, salt, validity: KeyData(kind, validity[0], key, salt if kind % 2 else None, validity[1]),
    st.integers(0, 5),
    _sized(0, 16, 32),
    _sized(0, 8, 14),
    limits,
)


@given(
    muk=st.binary(min_size=1, max_size=128),
    streaming=st.booleans(),
    bcast=st.booleans(),
    chain=st.lists(entries, min_size=1, max_size=3).map(lambda each: KeyDataChain(tuple(each))),
    algorithms=st.tuples(st.sampled_from([1, 3]), st.sampled_from([1, 2]), st.sampled_from([0, 1])),
    management=st.binary(max_size=40),
    place=st.integers(0, 10**7),
)
def test_any_message_that_was_built_opens_and_no_flipped_bit_does(
    muk: bytes,
    streaming: bool,
    bcast: bool,
    chain: KeyDataChain,
    algorithms: tuple[int, int, int],
    management: bytes,
    place: int,
) -> None:
    encr_alg, mac_alg, prf_func = algorithms
    base = reference.ltkm(replace(reference.STREAMING if streaming else reference.FIRST, bcast=False))
    assert base.header is not None
    extension = (GeneralExtension(5, OmaBcast(1, management)),) if bcast else ()
    payloads = (base.payloads[0], *extension, *base.payloads[1:-1], Kemac(encr_alg, b"", mac_alg, b""))
    blank = replace(base, header=replace(base.header, prf_func=prf_func), payloads=payloads)
    octets = encrypt(blank, muk, chain.encode()).encode()
    subscriber = Subscriber("*", muks=(muk,))
    opened = open_with(subscriber, decode(octets), octets)
    assert (opened.verdict, opened.problem, opened.key_data) == (Verdict.VALID, "", chain)
    damaged = bytearray(octets)
    damaged[place // 8 % len(octets)] ^= 1 << place % 8
    assert open_with(subscriber, decode(bytes(damaged)), bytes(damaged)).verdict is not Verdict.VALID


def test_what_a_ring_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "CACHED", 4)
    ring = KeyRing(RING.subscribers)
    for csb_id in range(10):
        message = reference.ltkm(replace(reference.FIRST, csb_id=csb_id))
        octets = message.encode()
        opened = ring.open(message, octets)
        assert opened.verdict is Verdict.VALID
        assert ring.open(message, octets) is opened
        assert len(ring._opened) <= 4
    long = DOWNLOAD.encode() + bytes(ring_module.CACHED_OCTETS)
    ring.open(decode(long), long)
    assert long not in ring._opened


def _forms(secret: bytes) -> set[str]:
    encoded = base64.b64encode(secret).decode().rstrip("=")
    return {secret.hex(), encoded.lower(), repr(secret)[2:-1].lower(), base64.b32encode(secret).decode().lower()}


def test_no_key_and_nothing_derived_from_one_is_in_any_text(tmp_path: Path) -> None:
    octets = DOWNLOAD.encode()
    keys = derived(DOWNLOAD, reference.MUK)
    opened = reference.KEYS.open(DOWNLOAD, octets)
    assert opened.plaintext is not None
    secrets = (reference.MUK, reference.MRK, keys.encryption, keys.authentication, keys.salt, reference.FIRST.msk)
    wrong = KeyRing((Subscriber("*", muks=(reference.MUK[::-1],)),)).open(DOWNLOAD, octets)
    short = replace(DOWNLOAD, payloads=DOWNLOAD.payloads[:-1])
    told: list[object] = [opened, wrong, reference.KEYS, opened.key_data]
    for failing in (
        lambda: authentication_key(Message(None), reference.MUK, 20),
        lambda: encrypt(short, reference.MUK, keys.salt),
    ):
        with pytest.raises(ValueError, match="expected") as caught:
            failing()
        told += [caught.value, "".join(traceback.format_exception(caught.value))]
    path = tmp_path / "keys.toml"
    for value in (reference.MUK.hex().upper() + "!", "base64:" + base64.b64encode(reference.MUK).decode() + "*"):
        path.write_text(f'[[subscribers]]\nb_tid = "a"\nmuk = "{value}"\n')
        with pytest.raises(TomlError) as raised:
            load(path)
        told += [raised.value, "".join(traceback.format_exception(raised.value))]
    for text in [each for item in told for each in (repr(item).lower(), str(item).lower())]:
        for secret in (*secrets, opened.plaintext, reference.MUK[::-1]):
            assert not [form for form in _forms(secret) if form in text]
