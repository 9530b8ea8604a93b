"""Heads that are read at a glance are read as h11 reads them."""

from contextlib import suppress

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.capture.http_head import head_of, plain_head

REQUEST = (
    b"POST /keymanagement?requesttype=msk-request HTTP/1.1\r\nHost: bsm.example\r\nContent-Type: text/xml\r\n"
    b"Content-Length: 12\r\nX:1\r\n\r\n<some body/>"
)
RESPONSE = b"HTTP/1.1 200 Very OK\r\nContent-Length: 12\r\nServer: a b\r\n\r\n<some body/>"
PARTS = st.sampled_from(
    [
        *(
            b"",
            b" ",
            b"\t",
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b"\x0b",
            b"\x80",
            b":",
            b"\r\n\r\n",
            b"\n\n",
            b"\r\n ",
            b",",
            b"9",
        ),
        *(b"\r\nHost: other", b"\r\ncontent-length: 12", b"\r\nContent-Length: 7", b"\r\nTransfer-Encoding: chunked"),
        *(
            b"\r\nUpgrade: websocket",
            b"\r\nConnection: close",
            b"\r\nExpect: 100-continue",
            b"\r\nEmpty:",
            b"/1.0",
            b"/2.0",
        ),
        *(b"CONNECT ", b"304", b"999", b"099", b"9" * 21, b"\r\nspaced : 1", b"\r\nX:  two", b"\r\nX: end "),
    ]
)


def read(side: int, octets: bytes) -> object:
    """Return the head that h11 reads, and where it ends; None where it reads none."""
    parser = h11.Connection((h11.SERVER, h11.CLIENT)[side])
    parser.receive_data(octets)
    with suppress(h11.RemoteProtocolError):
        event = parser.next_event()
        if isinstance(event, h11.Request | h11.Response):
            return head_of(event), len(octets) - len(parser.trailing_data[0])
    return None


@pytest.mark.parametrize(("side", "octets"), [(0, REQUEST), (1, RESPONSE)])
def test_a_common_head_is_read_at_a_glance(side: int, octets: bytes) -> None:
    assert plain_head(side, octets) == read(side, octets) is not None
    assert plain_head(side, octets[:-14]) is None


@given(st.sampled_from([(0, REQUEST), (1, RESPONSE)]), st.data())
def test_any_other_head_is_read_the_same_or_left_to_h11(known: tuple[int, bytes], data: st.DataObject) -> None:
    side, octets = known
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(octets)))
        end = data.draw(st.integers(start, min(start + 5, len(octets))))
        octets = octets[:start] + data.draw(PARTS | st.binary(max_size=2)) + octets[end:]
    found = plain_head(side, octets)
    assert found is None or found == read(side, octets)
