"""What files with messages in them begin with; who reads them is loaded when there is one."""

PCAP = {
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
    b"\x4d\x3c\xb2\xa1": "<",
}
"""The order of octets in a pcap by its first four: times in microseconds, then in nanoseconds."""
PCAPNG = b"\n\r\r\n"


def is_capture(start: bytes) -> bool:
    """Tell whether octets begin like a capture file."""
    return start[:4] in PCAP or start[:4] == PCAPNG


def is_document(start: bytes) -> bool:
    """Tell whether octets begin like XML, in UTF-8 or UTF-16."""
    start = start[:1024]
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").lstrip().startswith(b"<")


def is_array(start: bytes) -> bool:
    """Tell whether octets begin like an array of JSON objects, or an empty one."""
    start = start[:1024].lstrip()
    return start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"]", b"")
