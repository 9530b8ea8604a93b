"""Messages from public sources decode to what other implementations see in them."""

from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.mikey import Interval, Kemac, Message, decode
from ltkm_inspect.mikey.keydata import Spi
from tests.mikey.seen import Plain, differences, octets_of, seen_header, seen_payloads, vectors

PUBLIC = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "public.jsonl"
VECTORS = (
    [pytest.param(vector, id=vector["name"]) for vector in vectors(PUBLIC)]
    if PUBLIC.exists()
    else [pytest.param({}, id="absent")]
)

pytestmark = pytest.mark.needs("shared")

# Where we judge otherwise than the vector, whose judgement is that of a tolerant dissector.
JUDGED_ERRORS = {
    # The header announces payload 48, which RFC 3830 §6.1 leaves unassigned: nobody knows how long it is, so the octets
    # after the header cannot be read, and the chain does not end with the Last payload that §6.1 asks for.
    "gortsplib-fuzz-8bfad049e124e765",
    # TS type 48 is unassigned (RFC 3830 §6.6); the length of the value follows from the type alone, so that taking
    # eight octets for it is a guess.
    "gortsplib-fuzz-a6078eb8043d4763",
}

# The declared length of the SP payload is 21 octets, and RFC 3830 §6.10 makes that the length of the whole policy
# parameter block. Its last parameter claims 138 octets: the parameter is wrong, not the end of the payload.
JUDGED_SHORTER = {"gortsplib-fuzz-0e2aa46892dbf440": "SP"}


@pytest.mark.parametrize("vector", VECTORS)
def test_structure_is_judged_as_others_judge_it(vector: Plain) -> None:
    message = decode(octets_of(vector))
    assert message.encode() == octets_of(vector)
    structure = vector["expect"]["structure"]
    if structure == "trailing" and message.tail_type == 0:
        assert message.problem is not None
        assert message.problem.kind == "trailing"
    elif structure in {"trailing", "error"} or vector["name"] in JUDGED_ERRORS:
        assert message.problem is not None or message.inner_problems
    else:
        assert message.problem is None
        assert message.inner_problems == ()


@pytest.mark.parametrize("vector", VECTORS)
def test_header_and_payloads_are_those_that_others_see(vector: Plain) -> None:
    message = decode(octets_of(vector))
    expected = vector["expect"].get("decoded") or {}
    if expected.get("hdr") is not None:
        assert differences(expected["hdr"], seen_header(message), "HDR") == []
    wanted = [_comparable(payload, vector["name"]) for payload in expected.get("payloads", [])]
    found = seen_payloads(message)
    if message.problem is not None and message.problem.kind != "trailing" and message.header is not None:
        # A dissector also lists the payload in which it ran out of octets, with what it could see of it.
        assert len(found) in {len(wanted), len(wanted) - 1}
        wanted = wanted[: len(found)]
    if vector["name"] in JUDGED_SHORTER:
        found = found[: len(wanted)]
    assert differences(wanted, found, "payloads") == []


@pytest.mark.parametrize("vector", VECTORS)
def test_key_data_in_the_clear_is_what_others_see(vector: Plain) -> None:
    message = decode(octets_of(vector))
    if message.problem is not None and message.problem.kind != "trailing":
        return
    payloads = (vector["expect"].get("decoded") or {}).get("payloads", [])
    wanted = [payload["key_data"] for payload in payloads if "key_data" in payload]
    assert differences(wanted, _key_data(message)[: len(wanted)], "key_data") == []


def _comparable(payload: Plain, name: str) -> Plain:
    """Leave out what is not a field, or is text with the dissector's own escapes."""
    left_out = {"key_data", "key_data_first"}
    if payload["name"] == "IDR":
        left_out.add("id")
    if payload["name"] == JUDGED_SHORTER.get(name):
        left_out |= {"length", "next_payload", "params"}
    return {key: value for key, value in payload.items() if key not in left_out}


def _key_data(message: Message) -> list[list[dict[str, Any]]]:
    found = []
    for kemac in message.of(Kemac):
        if kemac.key_data is not None:
            found.append([_entry(entry) for entry in kemac.key_data.entries])
    return found


def _entry(entry: Any) -> dict[str, Any]:
    limits = {"kv0": "", "kv1": ""}
    if isinstance(entry.validity, Spi):
        limits["kv0"] = entry.validity.spi.hex()
    elif isinstance(entry.validity, Interval):
        limits = {"kv0": entry.validity.valid_from.hex(), "kv1": entry.validity.valid_to.hex()}
    salt = "" if entry.salt is None else entry.salt.hex()
    return {"key_type": entry.type, "key": entry.key.hex(), "salt": salt, "kv_type": entry.kv} | limits
