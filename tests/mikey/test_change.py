"""Changing a message by the names and in the notation in which it is shown."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.mikey import (
    GeneralExtension,
    Header,
    Kemac,
    KeyData,
    KeyDataChain,
    Message,
    Node,
    OmaBcast,
    decode,
    tree,
)
from ltkm_inspect.mikey.change import arrange, encoded, put
from ltkm_inspect.wire import printable_octets
from tests.mikey.messages import DOWNLOAD, STREAMING, any_octets, key_data_chains, messages

HEADER = Header(1, 0, False, 0, 7, 0, 1)
DECIDE = frozenset(
    {
        "version",
        "cs_count",
        "cs_id_map_type",
        "protocol",
        "type",
        "encr_alg",
        "mac_alg",
        "auth_alg",
        "group",
        "function",
        "kv",
        "subtype",
        "mac",
        "ver_data",
        "hash",
    }
)
"""Fields whose value, or whose length, decides how what follows is read."""


def leaves(message: Message) -> Iterator[tuple[str, Node]]:
    """Yield the fields of a message with the path at which they are set: that of the lines in which they are shown."""

    def below(node: Node, path: str) -> Iterator[tuple[str, Node]]:
        for child in node.children:
            yield from below(child, f"{path}.{child.name}")
        if not node.children and node.value and node.name != "next_payload":
            yield path, node

    for top in tree(message, show_keys=True):
        yield from below(top, top.name)


def values(message: Message) -> dict[str, str]:
    """Return the value of every field, by that path."""
    return {path: node.value for path, node in leaves(message)}


def with_key_data(message: Message, chain: KeyDataChain) -> Message:
    """Return the message with key data that is not encrypted."""
    return replace(message, payloads=(*message.payloads, Kemac(0, chain.encode(), 0, b"")))


clear = st.builds(with_key_data, messages.filter(lambda m: all(p.chained for p in m.payloads)), key_data_chains)
management = st.builds(lambda data: Message(HEADER, (GeneralExtension(5, OmaBcast(1, data)),)), st.binary(max_size=40))
shown = st.one_of(any_octets.map(decode), messages, clear, management)


@given(shown)
def test_every_field_can_be_set_to_what_it_shows(message: Message) -> None:
    octets = message.encode()
    message = decode(octets)
    for path, value in values(message).items():
        assert put(message, path, value).encode() == octets, path


@given(st.one_of(messages, clear, management), st.data())
def test_every_field_set_to_another_value_comes_back_so_in_a_new_decode(message: Message, data: st.DataObject) -> None:
    message = decode(message.encode())
    fields = [(path, node) for path, node in leaves(message) if path.rpartition(".")[2] not in DECIDE]
    fields = [(path, node) for path, node in fields if not node.unverified]
    path, node = data.draw(st.sampled_from(fields))
    if node.octets is None:
        bits = {"v": 1, "s": 1, "prf_func": 7, "cache": 2, "reserved": 4 if path.startswith("DH") else 16}
        bits |= {"csb_id": 32, "ssrc": 32, "roc": 32, "ticket_type": 16}
        most = (1 << bits.get(node.name, 8)) - 1
        number = data.draw(st.sampled_from([0, 1, most]))
        new = f"0x{number:x}" if node.value.startswith("0x") else str(number)
        expected = f"0x{number:0{len(node.value) - 2}x}" if node.value.startswith("0x") else new
        with pytest.raises(ValueError, match=f"expected a number from 0 to {most}, got {most + 1}"):
            put(message, path, str(most + 1))
    else:
        fixed = node.name == "value" and path.startswith(("DH", "TR.", "TR[", "T.", "T["))
        same = node.octets if fixed else -1
        octets = data.draw(st.binary(min_size=max(same, 0), max_size=same if same >= 0 else 60))
        new = expected = octets.hex() or "empty"
    changed = put(message, path, new)
    if (node.name == "data" and path.startswith("EXT")) or node.name in ("encr_data", "trailing"):
        assert values(decode(changed.encode())).get(path, expected) == expected  # its inside may read otherwise
        return
    again = decode(changed.encode())
    assert values(again)[path] == expected
    hold = path.partition(".")[0] + ".encr_data" if ".key_data[" in path else path
    others = {at: value for at, value in values(message).items() if at not in (path, hold)}
    if node.name != "policies":
        assert {at: value for at, value in values(again).items() if at in others} == others


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        pytest.param("RAND.value", "00:11 22", "001122", id="hex-in-groups"),
        pytest.param("RAND.value", "empty", "empty", id="empty"),
        pytest.param("RAND.value", '""', "empty", id="no-text"),
        pytest.param("ID[1].value", '"bsm.home2.net"', b"bsm.home2.net".hex(), id="text"),
        pytest.param("ID[1].value", '"\\xff\\\\\\"é"', "ff5c22" + "é".encode().hex(), id="text-with-escapes"),
        pytest.param("HDR.csb_id", "7", "0x00000007", id="decimal"),
        pytest.param("HDR.prf_func", "0x7f", "127", id="hex-number"),
        pytest.param("EXT[1].key_ids[2].value", "24cb4401", "24cb4401", id="inside-an-extension"),
    ],
)
def test_values_may_be_written_in_several_ways(path: str, text: str, expected: str) -> None:
    assert values(decode(put(decode(DOWNLOAD), path, text).encode()))[path] == expected


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("RAND.value", "0g", 'expected octets in hex, "text" or empty, got 0g'),
        ("RAND.value", "", 'expected octets in hex, "text" or empty, got nothing'),
        ("RAND.value", "00" * 256, "expected at most 255 octets, got 256"),
        ("ID[1].value", '"\\q"', "got another"),
        ("HDR.v", "2", "expected a number from 0 to 1, got 2"),
        ("HDR.prf_func", "128", "expected a number from 0 to 127, got 128"),
        ("HDR.csb_id", "-1", "expected a number from 0 to 4294967295, got -1"),
        ("HDR.colour", "1", "expected a field of Header, got colour"),
        ("SP.policy_no", "1", "expected a payload of the message, got SP"),
        ("EXT[1].key_ids[3].type", "1", "expected a field of KeyIds, got key_ids[3]"),
        ("EXT[2].protocol_version", "999", "expected a number from 0 to"),
        ("EXT[2].protocol", "0", "expected a field of OmaBcast, got protocol"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(path: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        put(decode(DOWNLOAD), path, text)


@given(st.binary(max_size=40))
def test_text_that_shows_octets_stands_for_them(octets: bytes) -> None:
    shown = printable_octets(octets).replace('"', '\\"')
    changed = put(decode(DOWNLOAD), "ID[1].value", f'"{shown}"')
    (node,) = [node for path, node in leaves(decode(changed.encode())) if path == "ID[1].value"]
    assert node.meaning == printable_octets(octets)


def test_the_payloads_and_the_entries_of_a_list_take_the_order_asked_for() -> None:
    message = decode(STREAMING)
    swapped = arrange(message, "EXT[1].key_ids", (2, 1))
    assert [each.value for each in swapped.key_ids()] == [each.value for each in reversed(message.key_ids())]
    assert len(arrange(message, "SP.params", (3,)).encode()) < len(STREAMING)
    kept = arrange(message, "", [number for number in range(len(message.payloads), 0, -1) if number != 2])
    assert [payload.label for payload in decode(kept.encode()).payloads] == [
        payload.label for at, payload in reversed([*enumerate(message.payloads)]) if at != 1
    ]
    clear = Message(HEADER, (Kemac(0, KeyDataChain((KeyData(2, 0, b"a"), KeyData(2, 0, b"b"))).encode(), 0, b""),))
    (kemac,) = arrange(clear, "KEMAC.key_data", (2,)).of(Kemac)
    assert kemac.key_data is not None
    assert [entry.key for entry in kemac.key_data.entries] == [b"b"]


def test_next_payload_can_say_something_else_than_the_order_does() -> None:
    message = decode(STREAMING)
    for index in range(-1, len(message.payloads)):
        octets = encoded(message, {index: 99})
        assert sum(a != b for a, b in zip(octets, STREAMING, strict=True)) == 1
        assert decode(octets).next_payload(index) == 99
    with pytest.raises(ValueError, match="expected a payload with a Next payload field"):
        encoded(message, {len(message.payloads): 0})
