"""The PRF of RFC 3830 §4.1 and the keys of a message, against worked values and OpenSSL."""

import subprocess

import pytest

from ltkm_inspect.keys.derivation import AUTHENTICATION, ENCRYPTION, SALT, message_key, prf

LABEL = bytes.fromhex("150533e1ff11223344000102030405060708090a0b0c0d0e0f")
MUK = bytes(range(0x20, 0x40))


def test_one_block_of_input_key() -> None:
    expected = "51f8581f1af6be0d7736b5991f8660152d1d0b789d7c3ae3e441e1c80d64f99ffdc9c1c173e423c9"
    assert prf(b"\xa0" * 16, LABEL, 40).hex() == expected


def test_two_blocks_of_input_key_are_combined() -> None:
    assert prf(bytes(range(48)), LABEL, 20).hex() == "db3d50f8be2a24c01ae56a170831d2cb8e6aff8a"


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(("key", "octets"), [(1, 20), (16, 16), (31, 41), (32, 100)])
def test_openssl_agrees_for_keys_of_one_block(key: int, octets: int) -> None:
    secret = bytes(range(key))
    command = [
        "openssl",
        "kdf",
        "-keylen",
        str(octets),
        "-kdfopt",
        "digest:SHA1",
        "-kdfopt",
        f"hexsecret:{secret.hex()}",
    ]
    command += ["-kdfopt", f"hexseed:{LABEL.hex()}", "-binary", "TLS1-PRF"]
    assert prf(secret, LABEL, octets) == subprocess.run(command, capture_output=True, check=True, timeout=30).stdout


@pytest.mark.parametrize(
    ("csb_id", "rand", "encryption", "authentication", "salt"),
    [
        pytest.param(
            0x5A17C0DE,
            "f0e1d2c3b4a5968778695a4b3c2d1e0f",
            "3b9b22f095ecf11bfbff7ded3dd9f420",
            "11d8b3662bdbfcea60ba328da4af9320e8229ca9",
            "321a0a4bfee0fefd185ce54dca4d",
            id="A",
        ),
        pytest.param(
            0x5A17C0DF,
            "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "b014e03c7fbfa180a1ecf4407e23feec",
            "81298a5d493b4090698ce040541959021d58abe1",
            "6eee30c49f1c74006ff3b417c67c",
            id="B",
        ),
        pytest.param(
            0x01020304,
            "f0e1d2c3b4a5968778695a4b3c2d1e0f",
            "8f849d1bfcd2f1ebff92270020e145cd",
            "5410cc04cff1ec8ed4085a7df98271518d968460",
            "72adc06d2c70dac20323f85abd15",
            id="C",
        ),
    ],
)
def test_the_keys_of_the_worked_messages(
    csb_id: int, rand: str, encryption: str, authentication: str, salt: str
) -> None:
    for purpose, key in ((ENCRYPTION, encryption), (AUTHENTICATION, authentication), (SALT, salt)):
        assert message_key(MUK, purpose, csb_id, bytes.fromhex(rand), len(key) // 2).hex() == key


@pytest.mark.parametrize(("key", "func"), [(b"", 0), (b"k", 2)], ids=["no key", "unknown PRF"])
def test_what_cannot_be_derived_is_said(key: bytes, func: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        prf(key, LABEL, 20, func)
