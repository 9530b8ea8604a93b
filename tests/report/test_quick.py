"""What is written quickly is, to the last character, what is written slowly."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.input import InputMessage
from ltkm_inspect.mikey import (
    GeneralExtension,
    Identity,
    Kemac,
    Message,
    Payload,
    Rand,
    SecurityPolicy,
    SrtpParameter,
    SrtpSession,
    Timestamp,
    Verification,
    decode,
)
from ltkm_inspect.report import messages, quick
from tests.mikey.seen import octets_of, vectors

VECTORS = [octets_of(vector) for vector in vectors(Path(__file__).resolve().parents[1] / "vectors" / "ltkm.jsonl")]


def slow(octets: bytes) -> str:
    given = InputMessage("here", octets)
    return messages.json_line(given, messages.decode_input(given))


def check(lines: quick.QuickLines, octets: bytes) -> bool:
    """Compare both ways to write a message; tell whether it was written quickly."""
    line = lines.line(InputMessage("here", octets))
    assert line is None or line == slow(octets)
    return line is not None


def test_every_vector_is_written_the_same_whatever_came_before() -> None:
    lines = quick.QuickLines()
    quickly = [[check(lines, octets) for octets in VECTORS] for _ in range(3)]
    assert quickly[0] == quickly[1] == quickly[2]
    for octets, was_quick in zip(VECTORS, quickly[0], strict=True):
        message = decode(octets)
        whole = bool(octets) and message.problem is None and not message.inner_problems
        assert was_quick == (whole and all(kemac.encr_alg for kemac in message.of(Kemac)))


octets_of_length: Callable[[int], st.SearchStrategy[bytes]] = lambda size: st.binary(min_size=size, max_size=size)  # noqa: E731
PAYLOADS: st.SearchStrategy[Payload] = st.one_of(
    octets_of_length(4).map(lambda value: Timestamp(2, value)),
    st.tuples(st.sampled_from([0, 1]), octets_of_length(8)).map(lambda both: Timestamp(*both)),
    st.tuples(st.sampled_from([3, 4]), octets_of_length(4)).map(lambda both: Timestamp(*both)),
    st.sampled_from([0, 16]).flatmap(octets_of_length).map(Rand),
    st.tuples(st.integers(0, 2), st.sampled_from([0, 3]).flatmap(octets_of_length)).map(lambda both: Identity(*both)),
    st.tuples(st.sampled_from([0, 1, 2]), octets_of_length(3)).map(lambda both: Kemac(both[0], both[1], 0, b"")),
    octets_of_length(20).map(lambda mac: Kemac(1, b"%s%%", 1, mac)),
    octets_of_length(20).map(lambda mac: Verification(1, mac)),
    st.sampled_from([GeneralExtension(0, b"%s %d"), *reference.ltkm(reference.FIRST).payloads[:2]]),
    st.just(SecurityPolicy(1, 0, (SrtpParameter(0, b"\1"),))),
)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Draw messages that are built in one way, each with values of its own."""
    header = reference.ltkm(reference.FIRST).header
    assert header is not None
    sessions = draw(st.sampled_from([(), (SrtpSession(1, 2, 3),)]))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        payloads = draw(st.lists(PAYLOADS, max_size=6))
        head = replace(header, csb_id=draw(st.integers(0, 2**32 - 1)))
        if sessions:
            head = replace(head, cs_count=1, cs_id_map_type=0, cs_id_map=sessions)
        found.append(Message(head, tuple(payloads)).encode())
    return found


LINES = quick.QuickLines()
"""Kept for all examples, so that many were seen before each."""


@given(alike())
def test_messages_of_any_build_are_written_the_same(found: list[bytes]) -> None:
    for octets in found:
        check(LINES, octets)


@given(st.sampled_from(VECTORS), st.data())
def test_a_change_of_any_octet_is_written_the_same(octets: bytes, data: st.DataObject) -> None:
    check(LINES, octets)
    if octets:
        at = data.draw(st.integers(0, len(octets) - 1))
        check(LINES, octets[:at] + bytes([data.draw(st.integers(0, 255))]) + octets[at + 1 :])


@given(octets_of_length(14), octets_of_length(38))
@example(b'"\\\x00\n%s%%\xff\xe2\x80\xaea', b"\xed\xa0\x80" + b"%" * 35)
def test_identities_are_escaped_the_same(bsm: bytes, terminal: bytes) -> None:
    message = reference.ltkm(reference.FIRST)
    names = iter([Identity(0, bsm), Identity(0, terminal)])
    payloads = tuple(next(names) if isinstance(payload, Identity) else payload for payload in message.payloads)
    octets = replace(message, payloads=payloads).encode()
    assert check(LINES, octets)
    line = LINES.line(InputMessage("here", octets))
    assert line is not None
    assert line.isascii()
    json.loads(line)


def test_messages_that_are_not_alike_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "MOST", 8)
    lines = quick.QuickLines()
    found = [Message(decode(VECTORS[0]).header, (GeneralExtension(0, bytes([n])),)).encode() for n in range(40)]
    quickly = [check(lines, octets) for octets in found]
    assert quickly[0]
    assert not any(quickly[10:])


def test_a_source_is_written_the_same() -> None:
    for source in ('a"\\b', "\udcff.b64, line 1", "\U0001f600\x1b"):
        given = InputMessage(source, VECTORS[0])
        assert LINES.line(given) == messages.json_line(given, messages.decode_input(given))
