"""Wireshark opens what is exported, and reads in it, field by field, what this program reads."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ltkm_inspect import reference
from ltkm_inspect.export.run import Export
from ltkm_inspect.finding import Report
from ltkm_inspect.mikey import decode, to_plain
from ltkm_inspect.traffic import Exchange
from tests.mikey.seen import octets_of, vectors
from tests.recorded import exchanges

ROOT = Path(__file__).resolve().parents[2]
VECTORS = {vector["name"]: octets_of(vector) for vector in vectors(ROOT / "tests" / "vectors" / "ltkm.jsonl")}
SAMPLES = sorted((ROOT / "flows").rglob("*.flow"))

pytestmark = pytest.mark.needs("tshark")

type Field = tuple[str, str]
"""The name of a field as tshark has it, and its value."""
type Part = tuple[str, int, int]
"""The name of header or payload as tshark has it, its offset and its length."""

KNOWS_LESS = {
    "p53-null-encr-two-keys": "of several keys in one KEMAC it shows the first",
    "x01-ts-ntp-utc-32": "it knows the TS types of RFC 3830 only (the others are from RFC 6043), and stops there",
    "x03-hmac-sha-256": "it knows the MAC algorithms of RFC 3830 only (HMAC-SHA-256 is of RFC 6043), and shows no MAC",
    "x05-all-256": "as above",
    "s16-ncs-overflow": "a CS ID map that the message is too short for takes all of it",
    "i13-sp-odd-octet": "it stops at an SP payload whose parameters do not fill it, though its length is known",
}
"""Vectors of which tshark 4.0 says less, or takes a payload for longer than it is, and why."""


def packets(path: Path) -> list[Any]:
    """Return what tshark says of each packet, as PDML, with the checksums looked at."""
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    done = subprocess.run(
        ["tshark", "-r", str(path), "-T", "pdml", *checks], capture_output=True, timeout=120, check=True
    )
    return list(etree.fromstring(done.stdout).iter("packet"))


def written(path: Path, found: list[Exchange]) -> list[bytes]:
    """Export exchanges to a capture; return the messages in them that a packet can hold."""
    with Export(path.suffix[1:], path) as run:
        for exchange in found:
            run.add(Report(exchange))
        run.finish()
    ltkms = [ltkm for exchange in found if exchange.document is not None for ltkm in exchange.document.ltkms]
    return [ltkm.octets for ltkm in ltkms if ltkm.octets]


def carrying(messages: list[bytes]) -> Exchange:
    """Return a response that carries these messages, whatever they are."""
    answered = [
        (replace(reference.FIRST, counter=number), "200 OK", decode(octets)) for number, octets in enumerate(messages)
    ]
    return reference.exchange([reference.FIRST.msk_id], answered)


def theirs(packet: Any) -> tuple[list[Field], list[Part]]:
    """Return the fields of MIKEY that tshark shows, in order, and offset and length of header and payloads."""
    fields, parts = [], []
    udp = packet.find("proto[@name='udp']")
    begin = int(udp.get("pos")) + int(udp.get("size"))
    proto = packet.find("proto[@name='mikey']")
    for part in proto if proto is not None else ():
        if part.get("name", "").startswith("mikey."):
            parts.append((part.get("name"), int(part.get("pos")) - begin, int(part.get("size"))))
        for field in part.iter("field"):
            if len(field) == 0 and field.get("name", "").startswith("mikey."):
                fields.append((field.get("name"), _shown(field)))
    return fields, parts


def _shown(field: Any) -> str:
    name, shown = field.get("name"), str(field.get("show"))
    if name in ("mikey.id.data", "mikey.t.ntp"):  # what tshark makes of the octets is not what is compared
        return str(field.get("value", ""))
    return shown if shown.startswith("0x") else shown.replace(":", "")


def ours(octets: bytes) -> tuple[list[Field], list[Part]]:
    """Return the same of a message as this program reads it, under the names of tshark."""
    plain = to_plain(decode(octets), show_keys=True)
    header = plain["header"]
    if header is None:
        return [], []
    fields, parts = list(_header(header)), [("mikey.hdr", 0, header["length"])]
    for payload in plain["payloads"]:
        name = f"mikey.{payload['name'].lower()}"
        parts.append((name, payload["offset"], payload["length"]))
        fields.append(("mikey.next_payload", str(payload["next_payload"])))
        end = payload["offset"] + payload["length"]
        fields += _payload(name, payload["fields"], octets[payload["offset"] : end])
    return fields, parts


def _header(header: dict[str, Any]) -> Iterator[Field]:
    fields = header["fields"]
    yield "mikey.version", str(fields["version"])
    yield "mikey.type", str(fields["data_type"])
    yield "mikey.next_payload", str(header["next_payload"])
    yield "mikey.v.set", str(int(fields["v"]))
    yield "mikey.prf_func", str(fields["prf_func"])
    yield "mikey.csb_id", f"0x{fields['csb_id']:08x}"
    yield "mikey.cs_count", str(fields["cs_count"])
    yield "mikey.cs_id_map_type", str(fields["cs_id_map_type"])
    for session in fields["cs_id_map"]:
        yield "mikey.srtp_id.policy_no", str(session["policy_no"])
        yield "mikey.srtp_id.ssrc", f"0x{session['ssrc']:08x}"
        yield "mikey.srtp_id.roc", f"0x{session['roc']:08x}"


def _payload(name: str, fields: dict[str, Any], octets: bytes) -> Iterator[Field]:
    match name:
        case "mikey.ext":
            yield f"{name}.type", str(fields["type"])
            yield f"{name}.len", str(len(octets) - 4)
            yield f"{name}.data", octets[4:].hex()  # tshark does not know what is in the extensions of MBMS and BCAST
        case "mikey.t":
            yield f"{name}.ts_type", str(fields["type"])
            if fields["type"] in (0, 1):  # tshark shows no counter
                yield f"{name}.ntp", fields["value"]
        case "mikey.rand":
            yield f"{name}.len", str(len(fields["value"]) // 2)
            yield f"{name}.data", fields["value"]
        case "mikey.id":
            yield f"{name}.type", str(fields["type"])
            yield f"{name}.len", str(len(fields["value"]) // 2)
            yield f"{name}.data", fields["value"]
        case "mikey.v":
            yield f"{name}.auth_alg", str(fields["auth_alg"])
            yield f"{name}.ver_data", fields["ver_data"]
        case "mikey.sp":
            yield f"{name}.no", str(fields["policy_no"])
            yield f"{name}.proto_type", str(fields["protocol"])
            yield f"{name}.param_len", str(len(octets) - 5)
            for parameter in fields["params"]:
                yield f"{name}.param.type", str(parameter["type"])
                yield f"{name}.param.len", str(len(parameter["value"]) // 2)
                yield f"{name}.patam.value", parameter["value"]
        case "mikey.kemac":
            yield f"{name}.encr_alg", str(fields["encr_alg"])
            yield f"{name}.key_data_len", str(len(fields["encr_data"]) // 2)
            if "key_data" in fields:
                for entry in fields["key_data"]:
                    yield from _key(entry)
            elif fields["encr_data"]:
                yield f"{name}.key_data", fields["encr_data"]
            yield f"{name}.mac_alg", str(fields["mac_alg"])
            yield f"{name}.mac", fields["mac"]
        case _:
            raise AssertionError(name)


def _key(entry: dict[str, Any]) -> Iterator[Field]:
    yield "mikey.key.type", str(entry["type"])
    yield "mikey.key.kv", str(entry["kv"])
    yield "mikey.key.data.len", str(len(entry["key"]) // 2)
    yield "mikey.key.data", entry["key"]
    if entry["salt"] is not None:
        yield "mikey.key.salt.len", str(len(entry["salt"]) // 2)
        yield "mikey.key.salt", entry["salt"]
    for part, name in (("valid_from", "from"), ("valid_to", "to"), ("spi", "spi")):
        if entry["validity"] is not None and part in entry["validity"]:
            yield f"mikey.key.kv.{name}.len", str(len(entry["validity"][part]) // 2)
            yield f"mikey.key.kv.{name}", entry["validity"][part]


def is_part_of(some: list[Any], all_of_them: list[Any]) -> bool:
    """Tell whether a list has the same things as another in the same order, if not all of them."""
    rest = iter(all_of_them)
    return all(each in rest for each in some)


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_tshark_reads_every_vector_as_it_is_read_here(tmp_path: Path, suffix: str) -> None:
    messages = {name: octets for name, octets in VECTORS.items() if octets}
    path = tmp_path / f"out.{suffix}"
    assert written(path, [carrying([*messages.values()])]) == [*messages.values()]
    seen = packets(path)
    assert len(seen) == len(messages) > 90
    for (name, octets), packet in zip(messages.items(), seen, strict=True):
        (fields, parts), (its_fields, its_parts) = ours(octets), theirs(packet)
        if decode(octets).problem is not None:  # what is behind the damage, it guesses at
            its_fields, its_parts = its_fields[: len(fields)], its_parts[: len(parts)]
        if name in KNOWS_LESS:
            assert is_part_of(its_fields, fields), name
            assert is_part_of([part[:2] for part in its_parts], [part[:2] for part in parts]), name
        else:
            assert its_fields == fields, name
            assert its_parts == parts, name


def test_tshark_reads_every_sample_as_it_is_read_here(tmp_path: Path) -> None:
    found = [each for path in SAMPLES for each in exchanges(path) if isinstance(each, Exchange)]
    path = tmp_path / "samples.pcap"
    messages = written(path, found)
    seen = packets(path)
    assert len(seen) == len(messages) > 70
    for octets, packet in zip(messages, seen, strict=True):
        (fields, parts), (its_fields, its_parts) = ours(octets), theirs(packet)
        if decode(octets).problem is not None:
            its_fields, its_parts = its_fields[: len(fields)], its_parts[: len(parts)]
        assert (its_fields, its_parts) == (fields, parts)


def shown(packet: Any, name: str) -> str:
    """Return the value of a field of a packet as tshark shows it."""
    return str(packet.find(f".//field[@name='{name}']").get("show"))


WAYS = [
    (4, "198.51.100.1:80", "192.0.2.10:40001", "198.51.100.1", "192.0.2.10"),
    (6, "[2001:db8::5]:80", "[2001:db8:1::a]:4", "2001:db8::5", "2001:db8:1::a"),
    (6, "[fe80::1%eth0]:80", "[fe80::2]:4", "fe80::1", "fe80::2"),  # with a zone
    (4, "[::ffff:198.51.100.1]:80", "192.0.2.10:4", "198.51.100.1", "192.0.2.10"),
    (6, "198.51.100.1:80", "[2001:db8::a]:4", "::ffff:198.51.100.1", "2001:db8::a"),
    (4, "bmsc.home1.net:80", "192.0.2.10:4", "203.0.113.1", "192.0.2.10"),
    (4, "", "", "203.0.113.1", "203.0.113.2"),
    (6, "[2001:db8::5]:80", "", "2001:db8::5", "2001:db8::2"),
]
"""The version of IP, then server and client as captured, and what they are in a packet."""


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_a_packet_goes_from_bsm_to_terminal_at_the_time_of_the_response_with_its_checksums(
    tmp_path: Path, suffix: str
) -> None:
    exchange = replace(carrying([VECTORS["p01-base-muk256"]]), ended=1256716800.123456)
    path = tmp_path / f"out.{suffix}"
    written(path, [replace(exchange, server=server, client=client) for _, server, client, *_ in WAYS])
    for way, packet in zip(WAYS, packets(path), strict=True):
        version, *_, source, target = way
        ip = "ip" if version == 4 else "ipv6"
        assert shown(packet, f"{ip}.version") == str(version), way
        assert (shown(packet, f"{ip}.src"), shown(packet, f"{ip}.dst")) == (source, target), way
        assert (shown(packet, "udp.srcport"), shown(packet, "udp.dstport")) == ("2269", "2269"), way
        assert shown(packet, "udp.checksum.status") == "1", way  # good
        if version == 4:
            assert shown(packet, "ip.checksum.status") == "1", way
        assert packet.find("proto[@name='mikey']") is not None, way
        assert shown(packet, "timestamp") == "Oct 28, 2009 08:00:00.123456000 UTC", way


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_a_time_that_no_capture_has_is_the_beginning_of_1970(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    exchange = replace(carrying([VECTORS["p01-base-muk256"]]), started=None)
    times = [None, -5.0, float("nan"), float("inf"), 1e300]
    written(path, [replace(exchange, ended=time) for time in times])
    said = [shown(packet, "timestamp") for packet in packets(path)]
    assert said == ["Jan  1, 1970 00:00:00.000000000 UTC"] * len(times)


def test_a_pcapng_says_in_a_comment_what_a_packet_is(tmp_path: Path) -> None:
    hostile = reference.ReferenceTerminal("\x1b]0;owned\x07\u202e=1+1@bsf", address="")
    exchange = reference.exchange(
        [reference.FIRST.msk_id], [(reference.FIRST, "200 OK", reference.ltkm(reference.FIRST))], terminal=hostile
    )
    path = tmp_path / "out.pcapng"
    written(path, [replace(exchange, server="", faults=("shorten-rand:octets=8",))])
    done = subprocess.run(
        ["tshark", "-r", str(path), "-T", "fields", "-e", "frame.comment"], capture_output=True, timeout=60, check=True
    )
    comment = done.stdout.decode()
    for said in (
        "http://bmsc.home1.net/keymanagement?requesttype=msk-request, item 1, LTKM 1",
        "fault shorten-rand:octets=8",
        "the address of the BSM was not captured",
        "the address of the terminal was not captured",
        "]0;owned",
    ):
        assert said in comment
    assert not {"\x1b", "\x07", "\u202e"} & set(comment)
