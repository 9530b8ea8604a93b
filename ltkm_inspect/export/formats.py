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

    each: Callable[[ExportEntry, Keys, int], bytes]
    """The octets of an LTKM, whose number counts from 1."""
    head: bytes = b""
    tail: bytes = b""
    hindrance: Callable[[ExportEntry], str] = lambda entry: ""
    """Why an LTKM cannot be in this format; empty where it can."""
    binary: bool = False
    """It cannot be printed on a terminal."""
    verbatim: bool = False
    """It contains the messages as received, with any identities and keys in the clear in them."""


def _packets(packet: Callable[[ExportEntry], bytes], head: bytes) -> Format:
    return Format(
        lambda entry, keys, number: packet(entry), head, hindrance=packets.no_packet, binary=True, verbatim=True
    )


FORMATS: Mapping[str, Format] = {
    "csv": Format(table.lines),
    "json": Format(records.line, tail=b"\n]\n"),
    "base64": Format(
        lambda entry, keys, number: b2a_base64(entry.ltkm.octets or b""), hindrance=hindrance, verbatim=True
    ),
    "pcap": _packets(packets.pcap_packet, packets.pcap_head()),
    "pcapng": _packets(packets.pcapng_packet, packets.pcapng_head()),
}
"""Every format that is a stream, by the name that users type."""

INDEX = Format(lambda entry, keys, number: table.lines(entry, keys, number, line=str(number)))
"""The table that goes with base64 in a file of its own."""
