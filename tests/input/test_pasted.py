"""What people paste: each spelling of a message gives its octets, and what is none is one line that says what it is.

The files in dumps/ are what the programs that they are named after print of m.bin and z.bin: a message of 166 octets,
and one with a long run of zeros and an odd number of octets.
"""

import io
import json
import struct
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.cli.program import commands
from ltkm_inspect.input import from_argument, from_file, from_stream
from ltkm_inspect.reference import MRK, MUK
from tests.proxy.test_keys import leaks, ring_text

DUMPS = Path(__file__).with_name("dumps")
MESSAGES = {name: (DUMPS / f"{name}.bin").read_bytes() for name in ("m", "z")}
MESSAGE = MESSAGES["m"]
BASE64 = b64encode(MESSAGE).decode()
HEX = MESSAGE.hex()


def cut(text: str, width: int = 64) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]


def numbers(style: Callable[[int], str]) -> str:
    return ", ".join(map(style, MESSAGE))


NOTATIONS: dict[str, str] = {
    "c-array": f"static const unsigned char pkt[166] = {{\n{numbers('0x{:02x}'.format)}\n}}; /* 166 octets */",
    "c-array-bare": numbers("0x{:02x}".format),
    "c-array-upper": f"{{{numbers('0X{:02X}'.format)},}}",
    "c-string": "\n".join(f'"{"".join(map("\\x{:02x}".format, MESSAGE[at : at + 16]))}"' for at in range(0, 166, 16)),
    "c-string-octal": f'"{"".join(map("\\{:03o}".format, MESSAGE))}"',
    "python-bytes": f"data = {MESSAGE!r}",
    "python-bytearray": repr(bytearray(MESSAGE)),
    "python-list": repr([*MESSAGE]),
    "python-fromhex": f"bytes.fromhex('{HEX}')",
    "go-slice": f"var message = []byte{{{numbers(hex)}}}",
    "java-casts": f"byte[] m = {{{numbers(lambda octet: f'(byte) 0x{octet:02x}')}}};",
    "java-signed": f"byte[] m = {{{numbers(lambda octet: str(octet - 256 if octet > 127 else octet))}}};",
    "gdb": "\n".join(
        f"0x7fffe{at:03x} <buffer+{at}>:\t" + "\t".join(map("0x{:02x}".format, MESSAGE[at : at + 8]))
        for at in range(0, 166, 8)
    ),
    "hex-dashes": MESSAGE.hex("-").upper(),
    "hex-no-break-spaces": MESSAGE.hex(" ").replace(" ", "\u00a0"),
    "hex-wrapped": "\n".join(cut(HEX)),
    "percent-base64": quote(BASE64, safe=""),
    "percent-octets": "".join(map("%{:02x}".format, MESSAGE)),
    "quoted": f'"{BASE64}"',
    "quoted-single": f"'{BASE64}',",
    "quoted-typographic": f"\u201c{BASE64}\u201d",
    "quoted-lines": " +\n".join(f'"{line}"' for line in cut(BASE64)),
    "list-of-lines": "[\n" + ",\n".join(f'  "{line}"' for line in cut(BASE64)) + "\n]",
    "json-slashes": json.dumps(BASE64).replace("/", "\\/"),
    "json-unicode": json.dumps(BASE64).replace("+", "\\u002b").replace("=", "\\u003d"),
    "json-object": json.dumps({"id": 7, "ltkm": BASE64}, indent=2),
    "html-entities": BASE64.replace("+", "&#43;").replace("=", "&#x3D;"),
    "zero-width": "\u200b".join(cut(BASE64, 40)),
    "soft-hyphens": "\u00ad\n".join(cut(BASE64)),
    "mail-quote": "\n".join(f"> {line}" for line in cut(BASE64)),
    "indented": "\n".join(f"      {line}" for line in cut(BASE64)),
    "uneven-lines": f"{BASE64[:30]}\n{BASE64[30:150]}\n{BASE64[150:]}",
    "pem": "\n".join(["-----BEGIN MIKEY-----", *cut(BASE64), "-----END MIKEY-----"]),
    "url-safe": urlsafe_b64encode(MESSAGE).decode().rstrip("="),
    "data-url": f"data:application/mikey;base64,{BASE64}",
    "sdp": f"v=0\r\ns=x\r\na=key-mgmt:mikey {BASE64}\r\nm=video 49000 RTP/SAVP 98\r\n",
    "sdp-line": f"a=key-mgmt:mikey {BASE64}",
    "mikey-prefix": f"mikey {BASE64}",
    "rtsp-header": f'KeyMgmt: prot=mikey; uri="rtsp://movies.example.com/"; data="{BASE64}"',
    "xml-element": f"<bcast:LTKM>{BASE64}</bcast:LTKM>",
    "xml-elements": "<Response>\n  <bcast:LTKM>\n{}\n  </bcast:LTKM>\n</Response>".format("\n".join(cut(BASE64))),
    "log-line": f"10:22:01 DEBUG msk_id=24cb4400 ltkm={BASE64} length=166",
    "comment-before": f"# from the BSM's log\n{BASE64}\n",
    "c-array-suffixes": numbers("0{:02x}h".format),
    "assembly": "\n".join(f"  db {', '.join(map('{:02X}h'.format, MESSAGE[at : at + 8]))}" for at in range(0, 166, 8)),
    "hex-suffixes": " ".join(map("{:02x}h".format, MESSAGE)),
    "rust-array": f"let m: [u8; 166] = [{numbers('0x{:02x}u8'.format)}];",
    "go-literal": f"[]byte{{{numbers('0x{:02x}'.format)}}}",
    "javascript-array": f"new Uint8Array({[*MESSAGE]})",
    "erlang-binary": f"<<{numbers(str)}>>",
    "objective-c-data": f"<{MESSAGE.hex(' ', -4)}>",
    "postgres": f"\\x{HEX}",
    "hex-long-dashes": MESSAGE.hex("-").replace("-", "\u2013"),
    "hex-indented": "Data:\n" + "\n".join(f"    {line}:" for line in cut(MESSAGE.hex(":"), 54)),
    "colors": f"\x1b[1;32m{BASE64}\x1b[0m",
    "mail": "Hello,\n\nthe LTKM is:\n\n{}\n\nRegards\nBob\n".format("\n".join(cut(BASE64, 72))),
    "mail-answer": "On Monday Bob wrote:\n" + "\n".join(f">> {line}" for line in cut(BASE64, 72)),
    "mime": "Content-Transfer-Encoding: base64\n\n" + "\n".join(cut(BASE64, 76)),
    "quoted-printable": "=\n".join(cut(BASE64.replace("=", "=3D"), 60)),
    "rtf": "{{\\rtf1\\ansi\n\\f0\\fs20 {}\\par\n}}".format("\\par\n".join(cut(BASE64))),
    "fence": "```base64\n{}\n```".format("\n".join(cut(BASE64))),
    "table": f"| n | LTKM |\n|---|------|\n| 1 | {BASE64} |\n",
    "prompt": "me@bsm:~$ base64 m.bin\n{}\nme@bsm:~$ ".format("\n".join(cut(BASE64, 76))),
    "numbered-lines": "\n".join(f"{number:6d}\t{line}" for number, line in enumerate(cut(BASE64), 1)),
    "diff": f"@@ -1 +1 @@\n+{BASE64}",
    "diff-lines": "\n".join(f"+{line}" for line in cut(BASE64)),
    "log-lines": "\n".join(f"11-28 10:22:01.123  1234  1250 D Ltkm: {line}" for line in cut(HEX)),
    "label-and-lines": "LTKM: {}".format("\n      ".join(cut(BASE64))),
    "yaml": f"- ltkm: '{BASE64}'\n  code: 200\n",
    "yaml-block": "ltkm: |\n  {}\ncode: 200 OK\n".format("\n  ".join(cut(BASE64))),
    "json-lines-within": json.dumps({"ltkm": "\n".join(cut(BASE64))}),
    "http-response": f"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<Response>\n<b:LTKM>{BASE64}</b:LTKM>\n</Response>",
    "curl": f"> POST / HTTP/1.1\n>\n< HTTP/1.1 200 OK\n<\n<a>\n <LTKM>{BASE64}</LTKM>\n</a>* Connection left intact\n",
    "xml-in-html": f"<pre>&lt;bcast:LTKM&gt;{BASE64}&lt;/bcast:LTKM&gt;</pre>",
    "xml-in-json": json.dumps(
        {"body": '<a>\n<bcast:LTKM version="0">{}</bcast:LTKM></a>'.format("\n".join(cut(BASE64)))}
    ),
}
PREFIXES = ("> ", "+", "   1  ", "11-28 10:22:01.123  1234  1250 D Ltkm    : ", "[  123.456789] ltkm: ")
"""What comes before each line of a dump in a mail, a difference or a log."""


def in_udp(octets: bytes) -> bytes:
    """Return octets in a UDP datagram to the port of MIKEY, in IP and Ethernet."""
    datagram = struct.pack(">HHHH", 4567, 2269, 8 + len(octets), 0) + octets
    return bytes(12) + struct.pack(">HBBHHHBBH8x", 0x0800, 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0) + datagram


def every_way(octets: bytes) -> list[list[bytes | None]]:
    """Return what an argument, a file and standard input give; an argument holds no zero octet."""
    found = [[*from_file(octets, "f")], [*from_stream(io.BytesIO(octets), "s")]]
    if b"\0" not in octets:
        found.append([*from_argument(octets.decode("utf-8", "surrogateescape"), "a")])
    return [[each.octets for each in given] for given in found]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in sorted(DUMPS.glob("*.txt"))])
def test_what_a_program_prints_is_the_message_that_it_was_given(path: Path) -> None:
    for found in every_way(path.read_bytes()):
        assert found == [MESSAGES[path.name[0]]]


@pytest.mark.parametrize("name", NOTATIONS)
def test_each_notation_gives_the_message(name: str) -> None:
    for found in every_way(NOTATIONS[name].encode()):
        assert found == [MESSAGE]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("name", ["quoted", "c-array", "zero-width", "sdp"])
def test_text_is_read_in_every_encoding(name: str, encoding: str) -> None:
    for found in every_way(NOTATIONS[name].encode(encoding)):
        assert found == [MESSAGE]


@pytest.mark.parametrize("name", ["m-hexdump-C", "m-tshark-x", "m-xxd", "z-od"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_two_dumps_in_a_row_are_two_messages(name: str, encoding: str) -> None:
    text = (DUMPS / f"{name}.txt").read_text()
    for found in every_way(f"{text}\n{text}".encode(encoding)):
        assert found == [MESSAGES[name[0]]] * 2


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["m-hexdump-C", "m-tshark-x", "m-xxd", "m-od-Ax-tx1z"])
def test_a_dump_is_read_behind_what_stands_in_front_of_each_line(name: str, prefix: str) -> None:
    lines = (DUMPS / f"{name}.txt").read_text().splitlines()
    for found in every_way("\n".join(prefix + line for line in lines).encode()):
        assert found == [MESSAGE]


@pytest.mark.parametrize("start", [0, 14, 34], ids=["Ethernet", "IP", "UDP"])
@pytest.mark.parametrize("write", [bytes.hex, b64encode, lambda octets: "".join(map("\\x{:02x}".format, octets))])
def test_the_message_of_a_packet_is_found_in_its_octets(start: int, write: Callable[[bytes], str | bytes]) -> None:
    text = write(in_udp(MESSAGE)[start:])
    for found in every_way(text if isinstance(text, bytes) else text.encode()):
        assert found == [MESSAGE]


def test_several_messages_in_a_text_are_all_found_and_one_that_is_damaged_is_named() -> None:
    other = MESSAGE[:4] + b"\1\2\3\4" + MESSAGE[8:]  # with another CSB ID
    wrapped = ["\n".join(cut(b64encode(octets).decode())) for octets in (MESSAGE, other)]
    text = f"the first:\n\n{wrapped[0]}\n\nthe second:\n\n{wrapped[1]}\n\nand cut off:\n\n{wrapped[0][:70]}\n"
    for found in every_way(text.encode()):
        assert found == [MESSAGE, other, None]
    dump = (DUMPS / "m-hexdump-C.txt").read_text()
    for found in every_way(f"{dump}\nand in base64:\n{b64encode(other).decode()}\n".encode()):
        assert found == [MESSAGE, other]
    elements = f"<LTKM>{BASE64}</LTKM>\n<LTKM>{b64encode(other).decode()}</LTKM> <LTKM>!</LTKM>"
    for found in every_way(elements.encode()):
        assert found == [MESSAGE, other, None]


@given(st.binary(min_size=1, max_size=300), st.sampled_from([16, 8, 32]), st.booleans(), st.booleans())
def test_a_dump_of_any_octets_has_all_of_them_and_nothing_else(
    octets: bytes, width: int, with_offsets: bool, with_text: bool
) -> None:
    octets = MESSAGE[:10] + octets  # damaged, but it begins like a message
    rows = []
    for at in range(0, len(octets), width):
        part = octets[at : at + width]
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in part)
        data = part.hex(" ").ljust(3 * width)
        rows.append(f"{f'{at:04x}  ' if with_offsets else ''}{data}{f'  |{text}|' if with_text else ''}".rstrip())
    if not with_offsets and not with_text and len(rows) > 1:
        return  # rows of digits and nothing else: wrapped hex, which has a test of its own
    for found in every_way("\n".join(rows).encode()):
        assert found == [octets]


STRANGE = {
    "flow": ((DUMPS.parents[2] / "flows" / "trial.flow").read_bytes(), "a flow file: use ltkm-inspect check"),
    "har": (b'{"log": {"entries": []}}', "a HAR: use ltkm-inspect check"),
    "records": (b'{"schema":"ltkm-inspect/run/1","x":1}\n', "the records of a run: use ltkm-inspect report"),
    "records-with-keys": (b'{"schema":"ltkm-inspect/exchange/1","muk":1,"key":null}\n', "the records of a run"),
    "zip": (b"PK\x03\x04\x14\0\0\0", "a zip archive: unpack it first"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0", "gzip data: unpack it first"),
    "pdf": (b"%PDF-1.7\n1 0 obj\n", "a PDF file"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture: text in a picture cannot be read"),
    "program": (b"\x7fELF\2\1\1\0\0\0", "a program"),
    "ring": (ring_text().encode(), "what looks like a key ring"),
    "ring-line": (f"muk = '{MUK.hex()}'".encode(), "what looks like a key ring"),
    "ring-json": (json.dumps({"subscribers": [{"mrk": MRK.hex()}]}).encode(), "what looks like a key ring"),
    "key": (MUK.hex().encode(), "octets that may be a key (not shown)"),
    "key-base64": (b64encode(MUK), "octets that may be a key"),
    "key-colons": (MUK.hex(":").encode(), "octets that may be a key"),
    "prose": (b"Dear all,\nplease find the LTKM attached.\nRegards\n" * 50, "other text"),
    "damaged-dump": (b"0000  01 00 15\n0010  zz\n" * 50, "text that looks like base64 or a hex dump"),
    "json": (b'[{"a": 1}, {"b": 2}]', "JSON that is neither a HAR nor a list of LTKMs"),
    "repeats-without-offsets": (b" 01 00 15 00\n 00 00 00 00\n*\n 01\n", "a dump that omits repeated rows (*)"),
    "binary": (bytes(range(128, 256)) * 4, "unknown binary data"),
}
MAY_BE_LTKMS = {
    *("key", "key-base64", "key-colons", "prose", "damaged-dump", "json", "repeats-without-offsets", "binary")
}
"""Those that may be an LTKM that was damaged on its way; the others are certainly something else."""


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_message_is_one_line_that_says_what_it_is(name: str, tmp_path: Path) -> None:
    octets, said = STRANGE[name]
    path = tmp_path / "input"
    path.write_bytes(octets)
    calls = [CliRunner().invoke(commands, ["decode", str(path)])]
    calls.append(CliRunner().invoke(commands, ["decode", "-"], input=octets))
    if b"\0" not in octets and octets.isascii():
        calls.append(CliRunner().invoke(commands, ["decode", "--", octets.decode()]))
    for done in calls:
        (line,) = done.output.splitlines()
        assert said in line
        assert (done.exit_code, done.stdout == "") == ((3, False) if name in MAY_BE_LTKMS else (1, True))
        assert leaks(done.output, [MUK, MRK]) == []


@given(st.text(alphabet="0123456789abcdefx ,;{}[]()\\\"'%=|>*:.\n\tAQ-+/#&", max_size=300))
def test_no_text_makes_it_raise(text: str) -> None:
    for found in (from_file(text.encode(), "f"), from_stream(io.BytesIO(text.encode()), "s")):
        assert all((each.octets is None) == bool(each.problem) for each in found)
