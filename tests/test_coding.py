import gzip
import os
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.coding import MAX_CODINGS, Decoded, codings, decode, encode

NAMES = ["gzip", "deflate", "br", "zstd"]
LISTS = [*NAMES, "identity", "gzip, br", "deflate,zstd", "br , gzip", "x-gzip", "GZip"]
BODY = b"<Response>200 OK</Response>" * 40


@given(st.binary(max_size=2000), st.sampled_from(LISTS))
def test_what_is_encoded_decodes_to_itself(body: bytes, name: str) -> None:
    assert decode(encode(body, name), name) == Decoded(body)


@pytest.mark.parametrize("name", LISTS)
def test_encoding_gives_the_same_octets_every_time(name: str) -> None:
    assert encode(BODY, name) == encode(BODY, name)


def test_a_gzip_header_carries_no_time() -> None:
    assert encode(BODY, "gzip")[4:8] == bytes(4)
    assert gzip.decompress(encode(BODY, "gzip")) == BODY


def test_codings_are_applied_in_the_order_listed() -> None:
    coded = encode(BODY, "gzip, br")
    assert gzip.decompress(brotli.decompress(coded)) == BODY
    assert codings("GZIP, identity,\tbr") == ("gzip", "br")


@pytest.mark.parametrize(
    "coded",
    [pytest.param(zlib.compress(BODY), id="zlib header"), pytest.param(zlib.compress(BODY, wbits=-15), id="raw")],
)
def test_deflate_is_read_with_and_without_its_header(coded: bytes) -> None:
    assert decode(coded, "deflate") == Decoded(BODY)


def test_several_members_are_one_body() -> None:
    assert decode(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == Decoded(b"one two")
    assert decode(encode(b"one ", "zstd") + encode(b"two", "zstd"), "zstd") == Decoded(b"one two")


def test_zero_padding_after_gzip_is_no_problem() -> None:
    assert decode(gzip.compress(BODY) + bytes(512), "gzip") == Decoded(BODY)


@pytest.mark.parametrize("name", NAMES)
def test_octets_after_the_stream_are_told_and_the_body_is_kept(name: str) -> None:
    assert decode(encode(BODY, name) + b"junk!", name) == Decoded(
        BODY, f"expected the end of the {name} stream, got 5 more octets"
    )


def test_octets_after_a_large_brotli_stream_are_told() -> None:
    body = os.urandom(100_000)
    decoded = decode(encode(body, "br") + b"x", "br")
    assert decoded.octets == body
    assert decoded.problem == "expected the end of the br stream, got 1 more octets"


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_stream_is_told_and_what_was_decoded_is_kept(name: str) -> None:
    body = os.urandom(50_000)
    coded = encode(body, name)
    decoded = decode(coded[:-10], name)
    assert decoded.problem is not None
    assert "got the end of the body" in decoded.problem
    assert not decoded.truncated
    assert body.startswith(decoded.octets or b"")
    assert name == "zstd" or decoded.octets


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_a_problem_not_an_exception(name: str) -> None:
    decoded = decode(b"\xff\xfenot compressed", name)
    assert decoded.octets is None
    assert decoded.problem is not None
    assert decoded.problem.startswith(f"expected a {name} stream")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("compress", "'compress'", id="known to HTTP, not to us"),
        pytest.param("gzip, foo", "'foo'", id="in a list"),
        pytest.param("\x1b[31m", "'\x1b[31m'", id="terminal escape"),
        pytest.param("a" * 100, "'" + "a" * 40 + "...'", id="long"),
    ],
)
def test_an_unknown_coding_is_named_and_nothing_is_decoded(name: str, shown: str) -> None:
    problem = f"expected a content coding out of gzip, deflate, br and zstd, got {shown}"
    assert decode(BODY, name) == Decoded(None, problem)
    with pytest.raises(ValueError, match="expected a content coding") as raised:
        encode(BODY, name)
    assert str(raised.value) == problem


def test_too_many_codings_are_left_alone() -> None:
    decoded = decode(BODY, ", ".join(["gzip"] * (MAX_CODINGS + 1)))
    assert decoded == Decoded(None, "expected at most 8 content codings, got 9")


@pytest.mark.parametrize("name", [None, "", "identity", *NAMES])
def test_no_octets_are_an_empty_body(name: str | None) -> None:
    assert decode(b"", name) == Decoded(b"")


@pytest.mark.parametrize("name", ["identity", *NAMES, "gzip, br"])
def test_the_limit_bounds_the_output_and_says_so(name: str) -> None:
    coded = encode(bytes(3_000_000), name)
    assert decode(coded, name, 1000) == Decoded(bytes(1000), None, truncated=True)
    assert decode(coded, name, 3_000_000) == Decoded(bytes(3_000_000))


def test_a_zstd_bomb_is_not_unpacked_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encode(bytes(64_000_000), "zstd")
    handed_out = 0
    inner = zstandard.ZstdDecompressor

    class Counting:
        def __init__(self, max_window_size: int) -> None:
            self._inner = inner(max_window_size=max_window_size)

        def decompressobj(self) -> "Counting":
            self._stream = self._inner.decompressobj()
            return self

        def decompress(self, chunk: bytes) -> bytes:
            nonlocal handed_out
            out = self._stream.decompress(chunk)
            handed_out += len(out)
            return out

        eof = False
        unused_data = b""

    monkeypatch.setattr(zstandard, "ZstdDecompressor", Counting)
    assert decode(bomb, "zstd", 1000).truncated
    assert 1000 < handed_out < 8_000_000


def test_many_small_members_cost_no_more_than_their_octets() -> None:
    assert decode(gzip.compress(b"") * 20_000, "gzip") == Decoded(b"")
    assert decode(encode(b"", "zstd") * 20_000, "zstd", 10) == Decoded(b"")


@given(st.binary(max_size=300), st.sampled_from(LISTS), st.none() | st.integers(0, 50))
def test_decoding_is_total_and_keeps_its_limit(octets: bytes, name: str, limit: int | None) -> None:
    decoded = decode(octets, name, limit)
    assert decoded.octets is not None or decoded.problem is not None
    assert limit is None or len(decoded.octets or b"") <= limit


@given(st.sampled_from(NAMES), st.data())
def test_damage_anywhere_in_a_stream_is_survived(name: str, data: st.DataObject) -> None:
    coded = bytearray(encode(BODY, name))
    coded[data.draw(st.integers(0, len(coded) - 1))] ^= data.draw(st.integers(1, 255))
    decoded = decode(bytes(coded), name, 10_000)
    assert len(decoded.octets or b"") <= 10_000
