"""Single messages as text and as JSON Lines."""

import json

from ltkm_inspect.input import InputMessage
from ltkm_inspect.mikey import to_plain
from ltkm_inspect.reference import FIRST, ltkm
from ltkm_inspect.report.messages import decode_input, is_whole, json_line, text_lines
from ltkm_inspect.wire import count

MESSAGE = ltkm(FIRST).encode()


def test_a_message_is_one_object_with_what_was_decoded() -> None:
    given = InputMessage("argument 1", MESSAGE)
    message = decode_input(given)
    assert message is not None
    assert is_whole(message)
    found = json.loads(json_line(given, message))
    assert found.pop("schema") == "ltkm-inspect/message/1"
    assert found.pop("source") == "argument 1"
    assert found.pop("key") is None
    assert found.pop("names") is None
    assert found == json.loads(json.dumps(to_plain(message)))
    ends = [payload["offset"] + payload["length"] for payload in found["payloads"]]
    starts = [payload["offset"] for payload in found["payloads"]]
    assert [found["header"]["length"], *ends] == [*starts, len(MESSAGE)]


def test_what_is_no_octets_has_the_same_fields_and_an_error() -> None:
    given = InputMessage("line 1", None, "expected hex, got \x1b")
    found = json.loads(json_line(given, decode_input(given)))
    whole = json.loads(json_line(InputMessage("line 1", MESSAGE), decode_input(InputMessage("line 1", MESSAGE))))
    assert set(found) == set(whole)
    assert found["error"] == {"reason": "expected hex, got \x1b", "offset": 0, "path": "", "kind": "input"}
    assert not is_whole(None)


def test_a_message_cut_at_any_octet_says_that_it_does_not_decode_and_keeps_the_rest() -> None:
    for end in range(len(MESSAGE)):
        given = InputMessage("cut", MESSAGE[:end])
        message = decode_input(given)
        assert not is_whole(message)
        found = json.loads(json_line(given, message))
        assert found["error"]["offset"] <= end
        assert next(text_lines(given, message)) == f"cut: {count(end, 'octet')}, does not decode"


def test_the_tree_stands_below_the_source() -> None:
    given = InputMessage("a\x1b.bin, line 1", MESSAGE)
    heading, *tree = text_lines(given, decode_input(given))
    assert heading == f"a\\x1b.bin, line 1: {len(MESSAGE)} octets"
    assert tree
    assert all(line.startswith("  ") for line in tree)
    assert f"  RAND [{MESSAGE.index(FIRST.rand) - 2}–{MESSAGE.index(FIRST.rand) + 15}]" in tree
