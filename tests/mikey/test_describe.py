"""The tree and the JSON form of a message: complete, placed, safe to print, and without keys."""

import json
from dataclasses import replace

import pytest
from hypothesis import given

from ltkm_inspect.mikey import (
    GeneralExtension,
    Header,
    Identity,
    Kemac,
    KeyData,
    KeyDataChain,
    Message,
    OmaBcast,
    Timestamp,
    decode,
    render,
    shown_octets,
    spans,
    to_plain,
    tree,
)
from ltkm_inspect.mikey.ticket import TicketPolicy
from tests.mikey.messages import DOWNLOAD, STREAMING, any_octets

KEY = bytes.fromhex("c0ffee00112233445566778899aabbcc")
HEADER = Header(1, 0, False, 0, 7, 0, 1)


@given(any_octets)
def test_any_message_has_a_tree_and_a_json_form_that_are_safe_to_print(octets: bytes) -> None:
    message = decode(octets)
    lines = list(render(tree(message)))
    assert all(line.isprintable() for line in lines)
    plain = json.loads(json.dumps(to_plain(message)))
    assert plain["length"] == len(octets)
    assert len(plain["payloads"]) == len(message.payloads)
    assert (plain["error"] is None) == (message.problem is None)


@given(any_octets)
def test_every_field_span_has_its_node_or_is_a_length(octets: bytes) -> None:
    message = decode(octets)
    nodes = {node.path for top in tree(message) for node in top.walk()}
    for path in spans(octets):
        name = path.rpartition(".")[2]
        whole_block = name in {"value", "params"} or (name == "trailing" and path not in nodes)
        assert path in nodes or name.endswith("length") or whole_block, path


def test_the_tree_of_an_ltkm_reads_as_a_person_would_write_it() -> None:
    assert list(render(tree(decode(STREAMING))))[:22] == [
        "HDR [0–18]",
        "  next_payload [2]: 21 (EXT)",
        "  version [0]: 1 (MIKEY, RFC 3830)",
        "  data_type [1]: 0 (pre-shared key message)",
        "  v [3]: 1",
        "  prf_func [3]: 0 (MIKEY-1, HMAC-SHA-1)",
        "  csb_id [4–7]: 0x01020304",
        "  cs_count [8]: 1",
        "  cs_id_map_type [9]: 0 (SRTP-ID)",
        "  cs_id_map[1] [10–18]",
        "    policy_no [10]: 1",
        "    ssrc [11–14]: 0x12345678",
        "    roc [15–18]: 0x00000000",
        "EXT[1] [19–33]",
        "  next_payload [19]: 21 (EXT)",
        "  type [20]: 3 (Key ID information)",
        "  key_ids[1] [23–27]",
        "    type [23]: 0 (MBMS Key Domain ID)",
        "    value [25–27]: b8709d",
        "  key_ids[2] [28–33]",
        "    type [28]: 1 (MBMS MSK ID)",
        "    value [30–33]: 24cb4400 (Key Group 0x24cb, Key Number 0x4400)",
    ]


def test_the_json_form_gives_offsets_lengths_and_fields() -> None:
    plain = to_plain(decode(DOWNLOAD))
    assert plain["header"]["fields"]["csb_id"] == 0x5A17C0DE
    identity = plain["payloads"][4]
    assert (identity["name"], identity["path"], identity["type"]) == ("ID", "ID[1]", 6)
    assert (identity["offset"], identity["length"], identity["next_payload"]) == (55, 18, 6)
    assert identity["fields"] == {
        "type": 0,
        "type_name": "NAI",
        "value": b"bmsc.home1.net".hex(),
        "value_text": "bmsc.home1.net",
    }
    assert plain["error"] is None
    assert plain["trailing"] == ""


def test_a_message_that_does_not_decode_shows_why_and_what_is_left() -> None:
    message = decode(DOWNLOAD[:60])
    plain = to_plain(message)
    assert plain["error"] == {
        "reason": "expected a length of at most 1 octet, got 14",
        "offset": 57,
        "path": "ID.length",
        "kind": "overrun",
    }
    assert plain["trailing"] == DOWNLOAD[55:60].hex()
    assert list(render(tree(message)))[-2:] == [
        f"trailing [55–59]: {DOWNLOAD[55:60].hex()}",
        "problem: ID.length: expected a length of at most 1 octet, got 14 (octet 57)",
    ]


def test_text_from_the_wire_cannot_act_on_a_terminal() -> None:
    identity = Identity(0, b"bsm\x1b[2J\r\n\xe2\x80\xae\xff\\x")
    (line,) = [node.text for node in tree(Message(HEADER, (identity,)))[1].children if node.name == "value"]
    assert line.endswith("(bsm\\x1b[2J\\x0d\\x0a\\u202e\\xff\\\\x)")


@pytest.mark.parametrize("octets", [0, 1], ids=["whole", "cut"])
def test_keys_in_the_clear_are_shown_only_when_asked_for(octets: int) -> None:
    chain = KeyDataChain((KeyData(3, 0, KEY, KEY[::-1]),))
    message = Message(HEADER, (GeneralExtension(2, KEY), Kemac(0, chain.encode(), 0, b"")))
    encoded = message.encode()
    message = decode(encoded[: len(encoded) - octets])
    quiet = [repr(message), "\n".join(render(tree(message))), json.dumps(to_plain(message))]
    for output in quiet:
        assert KEY.hex() not in output
        assert KEY[::-1].hex() not in output
        assert repr(KEY)[2:-1] not in output
    loud = ["\n".join(render(tree(message, show_keys=True))), json.dumps(to_plain(message, show_keys=True))]
    assert all(KEY.hex() in output for output in loud)


def test_keys_after_the_end_of_a_message_are_hidden_too() -> None:
    inner = Message(HEADER, (Kemac(0, KeyDataChain((KeyData(2, 0, KEY),)).encode(), 0, b""),))
    message = decode(replace(inner, payloads=()).encode() + inner.encode())
    assert message.problem is not None
    assert KEY.hex() not in json.dumps(to_plain(message)) + "\n".join(render(tree(message)))


@pytest.mark.parametrize("octets", [0, 1], ids=["whole", "cut"])
def test_zeros_stand_for_keys_in_the_clear_among_the_octets(octets: int) -> None:
    chain = KeyDataChain((KeyData(3, 0, KEY, KEY[::-1]),)).encode()
    encoded = Message(HEADER, (GeneralExtension(2, KEY), Kemac(0, chain, 0, b""))).encode()
    message = decode(encoded[: len(encoded) - octets])
    shown = shown_octets(message)
    assert len(shown) == len(message.encode())
    assert KEY not in shown
    assert KEY[::-1] not in shown
    start = encoded.index(KEY)
    assert shown[:start] == encoded[:start]
    assert KEY in shown_octets(message, show_keys=True)


def test_the_octets_of_a_message_without_keys_in_the_clear_are_all_shown() -> None:
    assert shown_octets(decode(DOWNLOAD)) == DOWNLOAD
    after = decode(replace(decode(DOWNLOAD), payloads=()).encode() + DOWNLOAD)
    assert shown_octets(after) == after.encode()


def test_encrypted_key_data_is_shown() -> None:
    kemac = decode(DOWNLOAD).of(Kemac)[0]
    assert kemac.encr_data.hex() in "\n".join(render(tree(decode(DOWNLOAD))))


def test_what_rests_on_memory_says_so_wherever_it_is_printed() -> None:
    message = Message(HEADER, (GeneralExtension(5, OmaBcast(1, b"\x07")), TicketPolicy(1, 0, 1, b"")))
    lines = list(render(tree(message)))
    described = [line for line in lines if "_flag:" in line or "protocol_version:" in line]
    assert len(described) == 5
    assert all(line.endswith("(unverified)") for line in described)
    assert any(line.startswith("TP ") and line.endswith("(unverified)") for line in lines)
    plain = to_plain(message)
    assert plain["payloads"][0]["fields"]["value"]["unverified"]["terminal_binding_flag"] == 1
    assert plain["payloads"][1]["fields"]["unverified"] is True


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        ("80000000", "1968-01-20 03:14:08"),
        ("ce927880", "2009-10-28 08:00:00"),
        ("ffffffff", "2036-02-07 06:28:15"),
        ("00000000", "2036-02-07 06:28:16"),
        ("7fffffff", "2104-02-26 09:42:23"),
    ],
)
@pytest.mark.parametrize(("kind", "rest"), [(0, "00000000"), (3, "")])
def test_a_time_whose_first_bit_is_0_is_one_of_the_next_era(seconds: str, moment: str, kind: int, rest: str) -> None:
    node = tree(Message(HEADER, (Timestamp(kind, bytes.fromhex(seconds + rest)),)))[1]
    assert node.children[-1].meaning == f"{moment} UTC"


def test_a_long_value_is_shortened_in_text_and_whole_in_json() -> None:
    message = Message(HEADER, (GeneralExtension(9, bytes(60_000)),))
    assert max(len(line) for line in render(tree(message))) < 300
    assert to_plain(message)["payloads"][0]["fields"]["value"] == "00" * 60_000
