"""What is read the quick way is what the reader reads, whole, damaged or cut."""

import json
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from ltkm_inspect.mikey import PAYLOADS, decode
from ltkm_inspect.mikey import message as decoding
from ltkm_inspect.mikey.header import pull_header
from ltkm_inspect.mikey.quick import QUICK, quick_header
from ltkm_inspect.wire import Reader

LINES = (Path(__file__).parents[1] / "vectors" / "ltkm.jsonl").read_text(encoding="utf-8").splitlines()
MESSAGES = [b64decode(json.loads(line)["base64"]) for line in LINES]


def test_every_quick_payload_begins_with_a_next_payload_octet() -> None:
    assert all(PAYLOADS[number].chained for number in QUICK)


@pytest.mark.parametrize("seed", range(20))
def test_decoding_is_the_same_without_the_quick_way(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(seed)
    damaged = [octets[: chance.randrange(len(octets) + 1)] for octets in MESSAGES]
    for octets in filter(None, MESSAGES):
        changed = bytearray(octets)
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 2, 3, 5, 255, chance.randrange(256)))
        damaged.append(bytes(changed))
    quick = [_everything(octets) for octets in (*MESSAGES, *damaged)]
    monkeypatch.setattr(decoding, "QUICK", {})
    monkeypatch.setattr(decoding, "quick_header", lambda octets: None)
    assert quick == [_everything(octets) for octets in (*MESSAGES, *damaged)]


def _everything(octets: bytes) -> tuple[object, ...]:
    message = decode(octets)
    return message, message.problem, message.inner_problems, message.offsets, message.length


@pytest.mark.parametrize("octets", MESSAGES)
def test_header_is_that_of_the_reader(octets: bytes) -> None:
    found = quick_header(octets)
    assert found is None or (*found, None) == pull_header(Reader(octets))


def test_each_payload_ends_where_the_reader_ends() -> None:
    seen = set()
    for octets in MESSAGES:
        message = decode(octets)
        for payload, offset in zip(message.payloads, message.offsets, strict=True):
            with suppress(LookupError):
                found = QUICK[payload.payload_type](octets, offset + 1)
                reader = Reader(octets, offset + 1)
                assert found == (type(payload).pull(reader), reader.offset)
                seen.add(payload.payload_type)
    assert seen == set(QUICK)
