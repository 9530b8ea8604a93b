"""The laws of decoding: total, exactly inverse, absolute, linear."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given

from ltkm_inspect.mikey import (
    PAYLOADS,
    ErrorReport,
    GeneralExtension,
    Header,
    Identity,
    KeyIds,
    Message,
    Rand,
    SecurityPolicy,
    Timestamp,
    decode,
    message_shape,
    part_spans,
    spans,
)
from ltkm_inspect.mikey.extension import EXTENSIONS
from ltkm_inspect.mikey.message import HEADER_LABEL, TRAILING, traced
from ltkm_inspect.mikey.public_key import Signature
from ltkm_inspect.reference import FIRST, TERMINAL, ltkm
from ltkm_inspect.wire import Span
from tests.growth import grows_as_its_input
from tests.mikey.messages import (
    BASE,
    DOWNLOAD,
    EXAMPLES,
    VECTORS,
    any_octets,
    chained_payloads,
    damaged,
    extension_data,
    messages,
)


@given(any_octets)
def test_encode_is_the_inverse_of_decode_for_any_octets(octets: bytes) -> None:
    assert decode(octets).encode() == octets


@given(messages)
def test_decode_is_the_inverse_of_encode_for_well_formed_messages(message: Message) -> None:
    decoded = decode(message.encode())
    assert decoded == message
    assert decoded.problem is None
    assert decoded.inner_problems == ()


@given(any_octets)
def test_a_message_that_is_not_read_to_its_end_says_why(octets: bytes) -> None:
    message = decode(octets)
    if message.trailing or message.tail_type or message.header is None:
        assert message.problem is not None
    if message.problem is not None:
        assert 0 <= message.problem.offset <= len(octets)
        assert message.problem.path
        assert "expected" in message.problem.reason
    for problem in message.inner_problems:
        assert 0 <= problem.offset <= len(octets)


@given(any_octets)
def test_spans_are_nested_and_cover_the_message(octets: bytes) -> None:
    found = spans(octets)
    parents = [(path, path.rpartition(".")[0]) for path in found if "." in path]
    for path, parent in parents:
        assert found[parent].holds(found[path]), f"{path} is not inside {parent}"
    top = [span for path, span in found.items() if "." not in path]
    assert [span.start for span in top] == sorted(span.start for span in top)
    covered = 0
    for span in top:
        assert span.start == covered
        covered = span.end
    assert covered == len(octets)


@given(damaged())
def test_the_fields_of_a_payload_cover_it(octets: bytes) -> None:
    message = decode(octets)
    found = spans(octets)
    for index, path in enumerate(message.paths):
        assert message.payload_span(index) == found[path]
        fields = sorted(
            {span for name, span in found.items() if name.startswith(path + ".")},
            key=lambda span: (span.start, span.end),
        )
        covered = found[path].start
        for span in fields:
            assert span.start <= covered, f"a gap at octet {covered} of {path}"
            covered = max(covered, span.end)
        assert covered == found[path].end


@given(messages)
def test_every_span_of_a_value_holds_its_octets(message: Message) -> None:
    octets = message.encode()
    found = spans(octets)
    for payload, path in zip(message.payloads, message.paths, strict=True):
        if isinstance(payload, Identity | Rand | Timestamp):
            span = found[f"{path}.value"]
            assert octets[span.start : span.end] == payload.value


@pytest.mark.parametrize("octets", EXAMPLES.values(), ids=EXAMPLES)
def test_a_message_cut_at_any_octet_decodes_to_what_is_whole(octets: bytes) -> None:
    whole = decode(octets)
    assert whole.problem is None
    for length in range(len(octets)):
        cut = decode(octets[:length])
        assert cut.encode() == octets[:length]
        assert cut.problem is not None
        assert cut.problem.kind in {"truncated", "overrun"}
        assert cut.payloads == whole.payloads[: len(cut.payloads)]
        ends = [whole.payload_span(index).end for index in range(len(whole.payloads))]
        assert len(cut.payloads) == sum(end <= length for end in ends)
        spans(octets[:length])


@pytest.mark.parametrize("octets", VECTORS.values(), ids=VECTORS)
def test_any_single_octet_may_be_anything(octets: bytes) -> None:
    for at in range(len(octets)):
        for value in (0, 1, octets[at] ^ 0x80, 255):
            changed = octets[:at] + bytes((value,)) + octets[at + 1 :]
            assert decode(changed).encode() == changed


@pytest.mark.parametrize("number", range(256))
def test_an_unknown_payload_type_is_kept_with_what_follows(number: int) -> None:
    octets = BASE[:2] + bytes((number,)) + BASE[3:]
    message = decode(octets)
    assert message.encode() == octets
    if number and number not in PAYLOADS:
        assert message.payloads == ()
        assert message.tail_type == number
        assert message.trailing == BASE[10:]
        assert message.problem is not None
        assert message.problem.kind == ("misplaced" if number == 20 else "unknown-payload")


def test_field_paths_count_only_labels_that_occur_twice() -> None:
    message = decode(BASE)
    assert message.paths == ("EXT[1]", "EXT[2]", "T", "RAND", "ID[1]", "ID[2]", "KEMAC")
    assert message.path_of(message.payloads[4]) == "ID[1]"


def test_the_spans_of_the_download_example_are_those_worked_out_by_hand() -> None:
    found = spans(DOWNLOAD)
    assert found["HDR"] == Span(0, 10)
    assert found["HDR.v"] == found["HDR.prf_func"] == Span(3, 4)
    assert found["EXT[1]"] == Span(10, 25)
    assert found["EXT[1].key_ids[1].value"] == Span(16, 19)
    assert found["EXT[1].key_ids[2].length"] == Span(20, 21)
    assert found["EXT[2].subtype"] == Span(29, 30)
    assert found["T.value"] == Span(33, 37)
    assert found["ID[2]"] == Span(73, 115)
    assert found["KEMAC"] == Span(115, 166)
    assert found["KEMAC.encr_data"] == Span(119, 145)
    assert found["KEMAC.mac"] == Span(146, 166)


def test_next_payload_values_follow_from_the_order_of_the_payloads() -> None:
    message = decode(DOWNLOAD)
    assert [message.next_payload(index) for index in range(-1, 7)] == [21, 21, 5, 11, 6, 6, 1, 0]
    shuffled = replace(message, payloads=message.payloads[::-1])
    assert decode(shuffled.encode()).payloads == message.payloads[::-1]


def test_the_identifiers_of_an_ltkm_are_at_hand() -> None:
    message = decode(DOWNLOAD)
    assert [key_id.value.hex() for key_id in message.key_ids()] == ["b8709d", "24cb4400"]
    assert message.of(Identity)[0].text == "bmsc.home1.net"
    assert message.of(Timestamp)[0].number == 0x2A
    assert len(message.extensions(5)) == 1


def test_a_signature_has_no_next_payload_and_ends_the_chain() -> None:
    header = Header(1, 2, False, 0, 7, 0, 1)
    message = Message(header, (Rand(bytes(16)), Signature(1, b"signed")))
    decoded = decode(message.encode())
    assert decoded == message
    assert decoded.next_payload(1) is None
    after = decode(message.encode() + b"more")
    assert after.problem is not None
    assert (after.problem.kind, after.problem.offset) == ("trailing", len(message.encode()))


def test_a_header_alone_is_a_whole_message() -> None:
    message = decode(bytes.fromhex("01000000000000000001"))
    assert message.payloads == ()
    assert message.problem is None


@pytest.mark.parametrize("map_type", [3, 240, 255])
def test_a_header_with_an_unknown_map_is_still_shown(map_type: int) -> None:
    octets = BASE[:9] + bytes((map_type,)) + BASE[10:]
    message = decode(octets)
    assert message.header is not None
    assert message.header.csb_id == 0xA1B2C3D4
    assert message.problem is not None
    assert (message.problem.path, message.problem.offset) == ("HDR.cs_id_map_type", 9)
    assert message.encode() == octets


def test_an_extension_that_does_not_follow_its_layout_is_kept_and_reported() -> None:
    broken = GeneralExtension(3, bytes.fromhex("0003b8709d01ff00"))
    message = decode(Message(Header(1, 0, False, 0, 7, 0, 1), (broken, Rand(b"r" * 16))).encode())
    extension = message.of(GeneralExtension)[0].value
    assert isinstance(extension, KeyIds)
    assert [key_id.value for key_id in extension.key_ids] == [bytes.fromhex("b8709d")]
    assert extension.trailing == bytes.fromhex("01ff00")
    assert message.problem is None
    (problem,) = message.inner_problems
    assert (problem.path, problem.offset, problem.kind) == ("EXT.key_ids[2].length", 20, "overrun")
    assert len(message.of(Rand)) == 1


@given(chained_payloads)
def test_a_payload_is_equal_to_itself_decoded_and_can_be_hashed(payload: object) -> None:
    assert hash(payload) == hash(payload)
    assert repr(payload).startswith(type(payload).__name__)


def test_values_too_long_for_their_length_field_are_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match="expected at most 255 octets, got 256"):
        Rand(bytes(256)).push()
    with pytest.raises(ValueError, match="expected at most 4095 octets, got 4096"):
        Signature(0, bytes(4096)).push()


def after_header(first: int, rest: bytes) -> bytes:
    """A header with an empty map that announces a payload, and what follows it."""
    return bytes((1, 0, first, 0, 0, 0, 0, 7, 0, 1)) + rest


PAIRS = b"\1\0" * 2000
"""Type and length 0, over and over."""
LARGE: dict[str, Callable[[int], bytes]] = {
    "many payloads": lambda size: after_header(12, b"\x0c\0\0\0" * 1000 * size),
    "long trailing": lambda size: after_header(0, bytes(100_000 * size)),
    "many key IDs": lambda size: after_header(21, (b"\x15\3\x0f\xa0" + PAIRS) * size),
    "many policy parameters": lambda size: after_header(10, (b"\x0a\0\0\x0f\xa0" + PAIRS) * size),
    "a broken extension in each payload": lambda size: after_header(21, b"\x15\5\0\0" * 1000 * size),
    "a long identity": lambda size: after_header(6, b"\6\0\xff\xff" + bytes(65535) * size),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_time_grows_no_faster_than_the_octets(make: Callable[[int], bytes]) -> None:
    def read(size: int) -> None:
        octets = make(size)
        message = decode(octets)
        spans(octets)
        assert message.encode() == octets

    assert grows_as_its_input(read, 1)


def test_a_map_may_have_as_many_sessions_as_its_count_can_say() -> None:
    octets = bytes((1, 0, 0, 0, 0, 0, 0, 7, 255, 0)) + bytes(9 * 255)
    header = decode(octets).header
    assert header is not None
    assert len(header.cs_id_map) == 255


def test_a_policy_keeps_the_octets_after_its_last_parameter() -> None:
    policy = SecurityPolicy(0, 0, (), b"\1")
    message = decode(Message(Header(1, 0, False, 0, 7, 0, 0), (policy,)).encode())
    assert message.payloads == (policy,)
    assert [problem.path for problem in message.inner_problems] == ["SP.params[1].length"]


def test_an_error_payload_keeps_its_reserved_octets() -> None:
    message = decode(Message(Header(1, 6, False, 0, 7, 0, 1), (ErrorReport(5, 0xBEEF),)).encode())
    assert message.of(ErrorReport)[0].reserved == 0xBEEF


def test_messages_that_differ_only_in_what_no_rule_on_a_message_looks_at_have_one_shape() -> None:
    terminals = [replace(TERMINAL, b_tid=f"{letter * 24}@bsf.home1.net") for letter in "AB"]
    first, second = [ltkm(replace(FIRST, counter=n, csb_id=n), each) for n, each in enumerate(terminals, 1)]
    assert shape(first) == shape(second)


@pytest.mark.parametrize(
    "value", [b"", b"A" * 23, b"\xc3\xa9" * 12, b"\xff" * 24], ids=["none", "short", "é", "no text"]
)
def test_an_identity_of_another_length_or_that_is_no_plain_text_gives_another_shape(value: bytes) -> None:
    plain, other = Identity(0, b"A" * 24), Identity(0, value)
    message = Message(Header(1, 0, False, 0, 1, 0, 1, ()), (plain, Rand(bytes(16))))
    assert shape(message) != shape(replace(message, payloads=(other, Rand(bytes(16)))))
    assert shape(message) != shape(replace(message, payloads=(replace(plain, type=1), Rand(bytes(16)))))


@given(any_octets)
def test_what_is_decoded_and_traced_in_one_pass_is_what_is_decoded_and_then_traced_part_by_part(octets: bytes) -> None:
    message, (found, _) = decode(octets), traced(octets)
    assert found == message
    assert (found.problem, found.inner_problems, found.offsets) == (
        message.problem,
        message.inner_problems,
        message.offsets,
    )
    parts: dict[str, Span] = {}
    for part in (HEADER_LABEL, *message.paths, TRAILING):
        parts |= part_spans(message, octets, part)
    assert spans(octets) == parts


def shape(message: Message) -> bytes:
    """Return the shape of a message that was encoded and decoded."""
    octets = message.encode()
    return message_shape(decode(octets), octets)


def test_the_data_of_every_extension_are_drawn() -> None:
    assert extension_data.keys() == EXTENSIONS.keys(), "tests/mikey/messages.py makes the data of each extension type"
