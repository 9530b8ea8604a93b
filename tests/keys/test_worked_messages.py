"""The worked messages A, B and C: every derived value of each, as an independent script computed them."""

from dataclasses import dataclass

import pytest

from ltkm_inspect.keys import KeyRing, Subscriber, Verdict, interval_of
from ltkm_inspect.keys.opening import KeyInterval
from ltkm_inspect.keys.protection import initial_vector, time_of
from ltkm_inspect.mikey import Kemac, Rand, Timestamp, decode
from tests.keys.derived import derived
from tests.mikey import messages

MUK = bytes(range(0x20, 0x40))


@dataclass(frozen=True)
class Worked:
    """What a worked message must give."""

    octets: bytes
    length: int
    csb_id: int
    timestamp: str
    rand: str
    encryption: str
    authentication: str
    salt: str
    iv: str
    plaintext: str
    mac: str
    msk: str
    interval: KeyInterval
    times: tuple[str, str] | None = None


A = Worked(
    messages.DOWNLOAD,
    166,
    0x5A17C0DE,
    "0000002a",
    "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "3b9b22f095ecf11bfbff7ded3dd9f420",
    "11d8b3662bdbfcea60ba328da4af9320e8229ca9",
    "321a0a4bfee0fefd185ce54dca4d",
    "321a505c3e3efefd185ce54dca670000",
    "0022001000112233445566778899aabbccddeeff020000020fff",
    "70535a128ef7ef7ad6c468cca5271fce5fe3434c",
    "00112233445566778899aabbccddeeff",
    KeyInterval(0, 0xFFF, (2, 2)),
)
B = Worked(
    messages.FOUR_OCTET_LIMITS,
    164,
    0x5A17C0DF,
    "0000002b",
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "b014e03c7fbfa180a1ecf4407e23feec",
    "81298a5d493b4090698ce040541959021d58abe1",
    "6eee30c49f1c74006ff3b417c67c",
    "6eee6ad35fc374006ff3b417c6570000",
    "00220010ffeeddccbbaa9988776655443322110004d000000004d0015180",
    "abd20f4e623b8d596587b078017305ddb346a630",
    "ffeeddccbbaa99887766554433221100",
    KeyInterval(0xD0000000, 0xD0015180, (4, 4)),
    ("2010-08-01 14:15:28", "2010-08-02 14:15:28"),  # seconds since 1900: a day apart
)
C = Worked(
    messages.STREAMING,
    208,
    0x01020304,
    "0000002c",
    "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "8f849d1bfcd2f1ebff92270020e145cd",
    "5410cc04cff1ec8ed4085a7df98271518d968460",
    "72adc06d2c70dac20323f85abd15",
    "72adc16f2f74dac20323f85abd390000",
    "0022001000112233445566778899aabbccddeeff020001020fff",
    "b1de00faa613b6eb9f2037e75aa1a6ffaff93d1f",
    "00112233445566778899aabbccddeeff",
    KeyInterval(1, 0xFFF, (2, 2)),
)


def _holds(worked: Worked) -> None:
    message = decode(worked.octets)
    assert len(worked.octets) == worked.length
    assert message.header is not None
    assert message.header.csb_id == worked.csb_id
    assert message.of(Timestamp)[0].value.hex() == worked.timestamp
    assert message.of(Rand)[0].value.hex() == worked.rand
    keys = derived(message, MUK)
    assert keys.encryption.hex() == worked.encryption
    assert keys.authentication.hex() == worked.authentication
    assert keys.salt.hex() == worked.salt
    assert initial_vector(keys.salt, worked.csb_id, time_of(message.of(Timestamp)[0])).hex() == worked.iv
    assert message.of(Kemac)[0].mac.hex() == worked.mac
    opened = KeyRing((Subscriber("*", muks=(MUK,)),)).open(message, worked.octets)
    assert (opened.verdict, opened.problem) == (Verdict.VALID, "")
    assert opened.plaintext is not None
    assert opened.plaintext.hex() == worked.plaintext
    assert opened.key_data is not None
    (entry,) = opened.key_data.entries
    assert (entry.type, entry.kv, entry.salt, entry.key.hex()) == (2, 2, None, worked.msk)
    interval = interval_of(entry)
    assert interval == worked.interval
    times = interval.as_time
    assert worked.times == (times and tuple(f"{time:%Y-%m-%d %H:%M:%S}" for time in times))


def test_worked_message_a() -> None:
    _holds(A)


def test_worked_message_b() -> None:
    _holds(B)


def test_worked_message_c() -> None:
    _holds(C)


@pytest.mark.parametrize("worked", [A, B, C], ids=["A", "B", "C"])
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_kinds_of_octets_open_alike(worked: Worked, kind: type) -> None:
    octets = kind(worked.octets)
    opened = KeyRing((Subscriber("*", muks=(MUK,)),)).open(decode(octets), octets)
    assert opened.plaintext is not None
    assert opened.plaintext.hex() == worked.plaintext
