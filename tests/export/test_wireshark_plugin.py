"""The plugin for Wireshark shows in tshark, field by field, what this program reads."""

import subprocess
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from mitmproxy.http import Headers, HTTPFlow
from mitmproxy.io import FlowReader
from mitmproxy.net.http.http1 import assemble_request, assemble_response
from mitmproxy.test.tflow import tflow
from mitmproxy.test.tutils import treq, tresp

from ltkm_inspect import reference
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.export.wireshark import wireshark_plugin
from ltkm_inspect.mikey import decode, to_plain
from ltkm_inspect.mikey.management import LTKM_SUBTYPE, read_management_data
from ltkm_inspect.mitm.flows import exchange_of
from tests.command import run
from tests.export.test_wireshark import SAMPLES, VECTORS, Field
from tests.packets.build import ACK, BSM, PSH, SYN, TCP, TERMINAL, ipv4, pcap, tcp, udp

pytestmark = pytest.mark.needs("tshark")

KEY_ID_NAMES = {0: "ltkm.key_domain_id", 1: "ltkm.msk_id", 2: "ltkm.mtk_id"}
DAMAGED = ("ltkm.problem", "no MIKEY message, or damaged")
SEGMENT = 1400
UNKNOWN = {
    "x01-ts-ntp-utc-32": "tshark stops at the TS types of RFC 6043",
}
"""Vectors of which tshark 4.0 finds fewer payloads, and why."""


def opened(folder: Path, packets: Iterable[bytes], *arguments: str) -> list[Any]:
    """Return what tshark says of packets with the plugin, as PDML."""
    capture, plugin = folder / "in.pcap", folder / "ltkm.lua"
    capture.write_bytes(pcap(((1e9 + number, each) for number, each in enumerate(packets)), link=101))
    plugin.write_text(wireshark_plugin(), encoding="utf-8")
    command = ["tshark", "-X", f"lua_script:{plugin}", "-r", str(capture), "-T", "pdml", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert b"Lua Error" not in done.stderr + done.stdout, done.stderr
    return list(etree.fromstring(done.stdout).iter("packet"))


def theirs(packet: Any) -> list[Field]:
    """Return the fields of the plugin in a packet, in order."""
    found = [field for field in packet.iter("field") if field.get("name", "").startswith("ltkm.")]
    return [(field.get("name"), field.get("show").replace(":", "")) for field in found]


def ours(octets: bytes) -> Iterator[Field]:
    """Yield the same fields as this program reads them."""
    counters = []
    for payload in to_plain(decode(octets))["payloads"]:
        fields = payload["fields"]
        if payload["name"] == "EXT":
            yield "ltkm.ext.type", str(fields["type"])
            if isinstance(fields["value"], dict):
                yield from _extension(fields["value"])
        elif payload["name"] == "T" and fields["type"] == 2:
            counters.append(("ltkm.counter", str(int(fields["value"], 16))))
    yield from counters


def _extension(value: dict[str, Any]) -> Iterator[Field]:
    for key_id in value.get("key_ids", ()):
        yield "ltkm.key_id.type", str(key_id["type"])
        if key_id["value"]:
            yield KEY_ID_NAMES.get(key_id["type"], "ltkm.key_id.value"), key_id["value"]
        if key_id["type"] == 1 and len(key_id["value"]) == 8:
            yield "ltkm.key_group", f"0x{key_id['value'][:4]}"
            yield "ltkm.key_number", f"0x{key_id['value'][4:]}"
    if value.get("trailing"):
        yield "ltkm.trailing", value["trailing"]
    if "subtype" in value:
        yield "ltkm.bcast.subtype", str(value["subtype"])
        if value["data"]:
            yield "ltkm.bcast.data", value["data"]
        for part in read_management_data(bytes.fromhex(value["data"])) if value["subtype"] == LTKM_SUBTYPE else ():
            if part.value != b"":
                name = f"ltkm.bcast.{part.name}".replace("[1]", "").replace("access_criteria_descriptor.", "")
                yield name, part.value.hex() if isinstance(part.value, bytes) else str(part.value)


def conversation(flow: HTTPFlow, port: int) -> Iterator[bytes]:
    """Yield the packets of one exchange on a connection of its own."""
    assert flow.response is not None
    ends, ports = (TERMINAL, BSM), (port, 80)
    yield ipv4(tcp(sequence=0, flags=SYN, ports=ports), TCP, ends)
    yield ipv4(tcp(sequence=0, acknowledged=1, flags=SYN | ACK, ports=ports[::-1]), TCP, ends[::-1])
    asked, answered = assemble_request(flow.request), assemble_response(flow.response)  # type: ignore[no-untyped-call]
    for data, other, here, way in ((asked, 1, ports, ends), (answered, 1 + len(asked), ports[::-1], ends[::-1])):
        for at in range(0, len(data), SEGMENT):
            part = data[at : at + SEGMENT]
            yield ipv4(tcp(part, 1 + at, other, PSH | ACK, here), TCP, way)


def test_datagrams_have_the_fields_that_are_read_here(tmp_path: Path) -> None:
    messages = {name: octets for name, octets in VECTORS.items() if octets and decode(octets).problem is None}
    packets = opened(tmp_path, (ipv4(udp(octets)) for octets in messages.values()))
    for (name, octets), packet in zip(messages.items(), packets, strict=True):
        if name not in UNKNOWN:
            assert theirs(packet) == list(ours(octets)), name


def _flows(paths: Iterable[Path]) -> Iterator[HTTPFlow]:
    for path in paths:
        with path.open("rb") as file:
            yield from (flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow))


def _has_its_type(flow: HTTPFlow) -> bool:
    """Tell whether Wireshark asks the plugin about a response at all."""
    return flow.response is not None and flow.response.headers["Content-Type"].startswith(MSK_RESPONSE_TYPE)


def test_ltkms_in_responses_have_the_fields_that_are_read_here(tmp_path: Path) -> None:
    flows = [flow for flow in _flows(SAMPLES) if exchange_of(flow).ltkms and _has_its_type(flow)]
    packets = [packet for number, flow in enumerate(flows) for packet in conversation(flow, 20000 + number)]
    responses = opened(tmp_path, packets, "-Y", "http.response")
    assert len(responses) == len(flows) > 50
    for flow, packet in zip(flows, responses, strict=True):
        wanted: list[Field] = []
        for number, ltkm in enumerate(exchange_of(flow).ltkms, 1):
            wanted.append(("ltkm.number", str(number)))
            if ltkm.octets is None:
                wanted.append(("ltkm.problem", "no base64"))
                continue
            wanted += ours(ltkm.octets)
        fields = theirs(packet)
        if DAMAGED in fields:  # some damage Wireshark overlooks
            assert any(ltkm.octets and decode(ltkm.octets).problem for ltkm in exchange_of(flow).ltkms)
        assert [field for field in fields if field != DAMAGED] == wanted, flow.id


def test_a_response_with_what_is_no_message_says_so_and_shows_the_next(tmp_path: Path) -> None:
    message = reference.ltkm(reference.FIRST).encode()
    texts = (b"", b"@@", b64encode(message[:20]), b64encode(b"no message"), b64encode(message))
    body = b"<r>%s</r>" % b"".join(b"<b:LTKM>%s</b:LTKM>" % text for text in texts)
    headers = Headers(content_type=MSK_RESPONSE_TYPE, content_length=str(len(body)))
    flow = tflow(req=treq(), resp=tresp(content=body, headers=headers))
    (packet,) = opened(tmp_path, conversation(flow, 20000), "-Y", "http.response")
    found = theirs(packet)
    at = [index for index, (name, _) in enumerate(found) if name == "ltkm.number"]
    parts = [found[start + 1 : end] for start, end in zip(at, [*at[1:], None], strict=True)]
    assert parts[:2] == [[("ltkm.problem", "no base64")]] * 2
    assert [DAMAGED in part for part in parts[2:]] == [True, True, False]
    assert parts[4] == list(ours(message))


def test_the_plugin_is_what_the_command_prints() -> None:
    assert run("wireshark").stdout.decode() == wireshark_plugin()
