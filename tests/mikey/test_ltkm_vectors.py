"""Every vector made by an implementation that shares no code with this one decodes to what it expects."""

from pathlib import Path

import pytest

from ltkm_inspect.mikey import decode, decode_key_data
from tests.mikey.seen import Plain, differences, octets_of, seen_header, seen_key_data, seen_payloads, vectors

VECTORS = [
    pytest.param(vector, id=vector["name"])
    for vector in vectors(Path(__file__).resolve().parent.parent / "vectors" / "ltkm.jsonl")
]

# Whole messages, followed by octets that RFC 3830 §5.2 has no place for. The vectors call that a warning, because some
# senders pad; a decoder cannot attribute the octets to anything, so it reports them.
TRAILING = {"s05-trailing-1-zero", "s07-two-messages"}


@pytest.mark.parametrize("vector", VECTORS)
def test_header_and_payloads_are_those_of_the_vector(vector: Plain) -> None:
    message = decode(octets_of(vector))
    assert message.encode() == octets_of(vector)
    for part in ("decoded", "decoded_before_error"):
        expected = vector["expect"].get(part)
        if expected is not None:
            assert differences(expected["hdr"], seen_header(message), "HDR") == []
            assert differences(expected["payloads"], seen_payloads(message), "payloads") == []


@pytest.mark.parametrize("vector", VECTORS)
def test_an_error_is_reported_exactly_where_the_vector_has_one(vector: Plain) -> None:
    message = decode(octets_of(vector))
    problems = [problem for problem in (message.problem, *message.inner_problems) if problem is not None]
    error = vector["expect"].get("error") or {}
    if error.get("at_payload") == "KEMAC/KEY_DATA":
        assert problems == []  # it shows only after decryption
    elif vector["name"] in TRAILING:
        assert [problem.kind for problem in problems] == ["trailing"]
    elif vector["expect"]["structure"] == "error":
        assert len(problems) == 1
    else:
        assert problems == []


ERROR_KINDS = {
    "t00-empty": ("HDR", 0, "truncated"),
    "t02-hdr-9": ("HDR", 9, "truncated"),
    "t21-t-short-counter": ("T.value", 33, "truncated"),
    "t23-idr-short": ("ID[2].length", 99, "overrun"),
    "t27-kemac-after-mac-alg": ("KEMAC.mac", 210, "truncated"),
    "s03-early-last": ("trailing", 55, "trailing"),
    "s10-top-level-key-data": ("key-data", 10, "misplaced"),
    "s12-version-0": ("HDR.version", 0, "version"),
    "s18-ext5-len-ffff": ("EXT.length", 12, "overrun"),
    "s24-ts-type-9": ("T.type", 32, "unknown-code"),
    "s26-mac-alg-200": ("KEMAC.mac_alg", 209, "unknown-code"),
    "i01-keyid-sub-overflow": ("EXT[2].key_ids[2].length", 26, "overrun"),
    "i09-bcast-empty": ("EXT[1].subtype", 14, "truncated"),
    "i13-sp-odd-octet": ("SP.params[2].length", 175, "truncated"),
}


@pytest.mark.parametrize("vector", [param for param in VECTORS if param.id in ERROR_KINDS])
def test_a_problem_names_its_place(vector: Plain) -> None:
    message = decode(octets_of(vector))
    problem = message.problem or message.inner_problems[0]
    assert (problem.path, problem.offset, problem.kind) == ERROR_KINDS[vector["name"]]


@pytest.mark.parametrize("vector", [param for param in VECTORS if "kemac_plain" in param.values[0]["expect"]])  # type: ignore[index]
def test_key_data_is_that_of_the_vector(vector: Plain) -> None:
    expect = vector["expect"]
    plain = bytes.fromhex(expect["kemac_plain"])
    chain = decode_key_data(plain)
    assert chain.encode() == plain
    if (expect.get("error") or {}).get("at_payload") == "KEMAC/KEY_DATA":
        assert chain.problem is not None
    else:
        assert chain.problem is None
        assert differences(expect["key_data"], seen_key_data(chain), "key_data") == []
