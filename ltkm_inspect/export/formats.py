"""The formats that LTKMs can be exported in, each as the octets of its beginning, of every LTKM, and of its end."""

from binascii import b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ltkm_inspect.export import packets, records, table
from ltkm_inspect.export.entry import ExportEntry, hindrance
from ltkm_inspect.report.keys import Keys

XML = "xml"
"""The format that is no stream of LTKMs, but a folder of documents."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format that is a stream of LTKMs."""

    help: str
    head: Callable[[], bytes]
    each: Callable[[ExportEntry, Keys, int], bytes]
    """The octets of an LTKM, whose number counts from 1."""
    tail: bytes = b""
    hindrance: Callable[[ExportEntry], str] = lambda entry: ""
    """Why an LTKM cannot be in this format; empty where it can."""
    binary: bool = False
    """It is nothing for a terminal."""
    verbatim: bool = False
    """It holds the octets of the messages as they came, with whatever identities and keys in the clear are in them."""


def _json(entry: ExportEntry, keys: Keys, number: int) -> bytes:
    return (b"[\n" if number == 1 else b",\n") + records.line(entry, keys)


def _base64(entry: ExportEntry, keys: Keys, number: int) -> bytes:
    return b2a_base64(entry.ltkm.octets or b"")


FORMATS: Mapping[str, Format] = {
    "csv": Format("a table with one line an LTKM", table.heading, lambda entry, keys, number: table.line(entry, keys)),
    "json": Format("a JSON array with one object an LTKM", lambda: b"", _json, b"\n]\n"),
    "base64": Format("one LTKM a line, as decode - takes it", lambda: b"", _base64, hindrance=hindrance, verbatim=True),
    "pcap": Format(
        "UDP packets for Wireshark and tshark",
        packets.pcap_head,
        lambda entry, keys, number: packets.pcap_packet(entry),
        hindrance=packets.no_packet,
        binary=True,
        verbatim=True,
    ),
    "pcapng": Format(
        "the same, with a comment on each packet",
        packets.pcapng_head,
        lambda entry, keys, number: packets.pcapng_packet(entry),
        hindrance=packets.no_packet,
        binary=True,
        verbatim=True,
    ),
}
"""Every format that is a stream, by the name that users type."""

INDEX = Format(
    "which line of the base64 is what",
    lambda: table.heading("line"),
    lambda entry, keys, number: table.line(entry, keys, str(number)),
)
"""The table that goes with base64 in a file of its own."""
