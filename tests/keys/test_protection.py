"""MAC and encryption of whole messages, against the worked messages A, B and the keyed vectors."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ltkm_inspect import reference
from ltkm_inspect.keys.protection import authenticate, counter_mode, initial_vector, time_of
from ltkm_inspect.mikey import Kemac, Message, Timestamp, decode
from tests.keys.derived import derived

A = (
    "AQAVAFoXwN4AARUDAAsAA7hwnQEEJMtEAAUFAAIBAAsCAAAAKgYQ8OHSw7Sllod4aVpLPC0eDwYAAA5ibXNjLmhvbWUxLm5ldAEAACZNVEl6TkRV"
    "Mk56ZzVNREV5TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAABABr2h90f7eRVxvmt7kDTELDAw4Wa7UW/RpnWGgFwU1oSjvfvetbEaMylJx/OX+NDTA=="
)
B = (
    "AQAVAFoXwN8AAQUDAAsAA7hwnQEEaMkAAQsCAAAAKwYQDx4tPEtaaXiHlqW0w9Lh8AYAAA5ibXNjLmhvbWUxLm5ldAEAACZNVEl6TkRVMk56ZzVN"
    "REV5TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAABAB5xgRDQf1VhjZFVDpGgdNKBZnZyVEi17bsrWBeg93YBq9IPTmI7jVllh7B4AXMF3bNGpjA="
)
VECTORS = [json.loads(line) for line in (Path(__file__).parents[1] / "vectors/ltkm.jsonl").read_text().splitlines()]
WITHOUT_RAND = ("p52-stkm-shaped", "i27-missing-rand")
"""Their RAND came in another message."""
OPENED = [
    vector
    for vector in VECTORS
    if "kemac_plain" in vector["expect"] and vector["expect"].get("mac") and vector["name"] not in WITHOUT_RAND
]
ENCRYPTED = [vector for vector in OPENED if decode(base64.b64decode(vector["base64"])).of(Kemac)[-1].encr_alg in (1, 3)]


def test_message_a_is_built_octet_for_octet() -> None:
    assert base64.b64encode(reference.ltkm(reference.FIRST).encode()).decode() == A


def test_message_b_is_built_octet_for_octet() -> None:
    seq_l, seq_u = bytes.fromhex("d0000000"), bytes.fromhex("d0015180")
    grant = replace(reference.SECOND, bcast=False, seq_l=seq_l, seq_u=seq_u)
    assert base64.b64encode(reference.ltkm(grant).encode()).decode() == B


def _remade(message: Message, psk: bytes) -> bytes:
    return authenticate(message, psk).payloads[-1].mac  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("vector", OPENED, ids=lambda vector: vector["name"])
def test_the_mac_of_a_vector_is_what_its_key_gives(vector: dict[str, object]) -> None:
    expect: dict[str, dict[str, object]] = vector["expect"]  # type: ignore[assignment]
    message = decode(base64.b64decode(str(vector["base64"])))
    kemac = message.of(Kemac)[-1]
    psk = bytes.fromhex(vector["psk"]["hex"])  # type: ignore[index]
    same = _remade(message, psk) == kemac.mac
    assert same == (expect["mac"]["valid"] is True or kemac.mac_alg == 0)


@pytest.mark.parametrize("vector", ENCRYPTED, ids=lambda vector: vector["name"])
def test_the_key_data_of_a_vector_comes_out_of_counter_mode(vector: dict[str, object]) -> None:
    expect: dict[str, object] = vector["expect"]  # type: ignore[assignment]
    message = decode(base64.b64decode(str(vector["base64"])))
    kemac = message.of(Kemac)[-1]
    assert message.header is not None
    keys = derived(message, bytes.fromhex(vector["psk"]["hex"]))  # type: ignore[index]
    iv = initial_vector(keys.salt, message.header.csb_id, time_of(message.of(Timestamp)[0]))
    assert counter_mode(keys.encryption, iv, kemac.encr_data).hex() == expect["kemac_plain"]
