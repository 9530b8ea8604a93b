import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.coding import MAX_CODINGS, DecodedBody, codings, decode, encode, unpack

NAMES = ["gzip", "deflate", "br", "zstd"]
LISTS = [*NAMES, "identity", "gzip, br", "deflate,zstd", "br , gzip", "x-gzip", "GZip"]
BODY = b"<Response>200 OK</Response>" * 40


@given(st.binary(max_size=2000), st.sampled_from(LISTS))
def test_what_is_encoded_decodes_to_itself(body: bytes, name: str) -> None:
    assert decode(encode(body, name), name) == DecodedBody(body)


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


def test_deflate_is_read_without_its_wrapper_too_which_is_said() -> None:
    assert decode(zlib.compress(BODY), "deflate") == DecodedBody(BODY)
    assert decode(zlib.compress(BODY, wbits=-15), "deflate") == DecodedBody(BODY, unwrapped=True)
    assert decode(encode(zlib.compress(BODY, wbits=-15), "br"), "deflate, br") == DecodedBody(BODY, unwrapped=True)


def test_damage_in_a_wrapped_deflate_does_not_make_it_an_unwrapped_one() -> None:
    coded = bytearray(zlib.compress(os.urandom(500)))
    coded[-1] ^= 1
    assert not decode(bytes(coded), "deflate").unwrapped
    assert not decode(b"\xff\xfenot compressed", "deflate").unwrapped


def test_several_members_are_one_body() -> None:
    assert decode(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == DecodedBody(b"one two")
    assert decode(encode(b"one ", "zstd") + encode(b"two", "zstd"), "zstd") == DecodedBody(b"one two")


def test_zero_padding_after_gzip_is_no_problem() -> None:
    assert decode(gzip.compress(BODY) + bytes(512), "gzip") == DecodedBody(BODY)


@pytest.mark.parametrize("name", NAMES)
def test_octets_after_the_stream_are_told_and_the_body_is_kept(name: str) -> None:
    assert decode(encode(BODY, name) + b"junk!", name) == DecodedBody(
        BODY, f"expected the end of the {name} stream, got 5 more octets"
    )


def test_octets_after_a_large_brotli_stream_are_told() -> None:
    body = os.urandom(100_000)
    decoded = decode(encode(body, "br") + b"x", "br")
    assert decoded.octets == body
    assert decoded.problem == "expected the end of the br stream, got 1 more octet"


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
    problem = f"expected gzip, deflate, br or zstd as content coding, got {shown}"
    assert decode(BODY, name) == DecodedBody(None, problem)
    with pytest.raises(ValueError, match="expected gzip, deflate, br or zstd as content coding") as raised:
        encode(BODY, name)
    assert str(raised.value) == problem


def test_too_many_codings_are_left_alone() -> None:
    decoded = decode(BODY, ", ".join(["gzip"] * (MAX_CODINGS + 1)))
    assert decoded == DecodedBody(None, "expected at most 8 content codings, got 9")


@pytest.mark.parametrize("name", [None, "", "identity", *NAMES])
def test_no_octets_are_an_empty_body(name: str | None) -> None:
    assert decode(b"", name) == DecodedBody(b"")


@pytest.mark.parametrize("name", ["identity", *NAMES, "gzip, br"])
def test_the_limit_bounds_the_output_and_says_so(name: str) -> None:
    coded = encode(bytes(3_000_000), name)
    assert decode(coded, name, 1000) == DecodedBody(bytes(1000), None, truncated=True)
    assert decode(coded, name, 3_000_000) == DecodedBody(bytes(3_000_000))


FILLING = 64_000_000
BOMBS = [*NAMES, "gzip, gzip", "zstd, br"]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda octets: gzip.compress(octets, 6),
    "deflate": zlib.compress,
    "br": lambda octets: brotli.compress(octets, quality=5),
    "zstd": lambda octets: zstandard.ZstdCompressor().compress(octets),
}


@cache
def bomb(name: str) -> bytes:
    """Return few octets that stand for many."""
    octets = bytes(FILLING)
    for coding in codings(name):
        octets = PACK[coding](octets)
    return octets


def peak(run: Callable[[], object]) -> int:
    """Return how many octets of memory a call takes at most, as far as Python knows of them."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_no_more_memory_than_its_limit_and_some_mib(name: str) -> None:
    limit = 1 << 20
    coded = bomb(name)
    assert decode(coded, name, limit) == DecodedBody(bytes(limit), None, truncated=True)
    assert peak(lambda: decode(coded, name, limit)) < limit + (12 << 20)


@pytest.mark.parametrize("name", NAMES)
def test_octets_come_in_pieces_however_much_they_stand_for(name: str) -> None:
    pieces = unpack(name, iter((bomb(name),)))
    assert max(map(len, pieces)) <= 4 << 20


def test_what_follows_a_bomb_of_brotli_is_found_without_unpacking_it_at_once() -> None:
    decoded = decode(bomb("br") + b"junk", "br", 65_000_000)
    assert decoded.problem == "expected the end of the br stream, got 4 more octets"
    assert len(decoded.octets or b"") == FILLING


def test_a_window_of_zstd_beyond_what_http_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    coded = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    octets = coded.compress(bytes(10)) + coded.flush()
    problem = decode(octets, "zstd").problem
    assert problem is not None
    assert "too much memory" in problem
    assert b"".join(unpack("zstd", iter((octets,)), window=1 << 27)) == bytes(10)


def test_many_small_members_cost_no_more_than_their_octets() -> None:
    assert decode(gzip.compress(b"") * 20_000, "gzip") == DecodedBody(b"")
    assert decode(encode(b"", "zstd") * 20_000, "zstd", 10) == DecodedBody(b"")


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
