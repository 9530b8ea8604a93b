"""What cannot be taken back from the editor: refused in one line that names the place, and nothing is changed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions, http
from mitmproxy.contentviews import Metadata

from ltkm_inspect import mikey, reference
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.view import LtkmView
from tests.proxy.editor import FLOWS, KEYED, Edit, flows_of, several
from tests.proxy.parts import clean, edited
from tests.proxy.test_view import VIEW


def line_of(edit: Edit, part: str) -> int:
    """Return the number of the first line with that part."""
    return next(number for number, line in enumerate(edit.text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "at", "reason"),
    [
        (
            "csb_id: 0x5a17c0de",
            "csb_if: 0x5a17c0de",
            "csb_if",
            "expected a field that was shown here, got csb_if; did you mean csb_id?",
        ),
        (
            "csb_id: 0x5a17c0de",
            "csb_id: 0x5a17c0de0",
            "csb_id",
            "csb_id: expected a number from 0 to 4294967295, got 0x5a17c0de0",
        ),
        ("prf_func: 0", "prf_func: 128", "prf_func", "prf_func: expected a number from 0 to 127, got 128"),
        ("v: 0", "v: yes", "v: yes", "v: expected a number from 0 to 1, got yes"),
        ("value: f0e1", "value: f0e", "value: f0e", 'value: expected octets in hex, "text" or empty, got f0ed2c3'),
        (
            "value: 24cb4400 (Key Group 0x24cb",
            "value: 24cb4400 (Key Group 0x24cc",
            "0x24cc",
            "value: the text in brackets follows from the value; change the value instead",
        ),
        (
            "msk_id: 24cb4400",
            "msk_id: 24cb440",
            "msk_id: 24cb440",
            'msk_id: expected octets in hex, "text" or empty, got 24cb440',
        ),
        ("key_group: 24cb", "key_group: 24cb00", "key_group", "key_group: expected 2 octets in hex, got 3"),
        (
            "msk_id: 24cb4400\n    key_group: 24cb",
            "msk_id: 24cb4401\n    key_group: 24cc",
            "key_group: 24cc",
            "key_group: expected 24cb as in msk_id, got 24cc",
        ),
        (
            "key_domain_id: b8709d",
            "key_domain_id: b8709d\n    key_domain_id: 00",
            "key_domain_id: 00",
            "expected key_domain_id once in this item, got it 2 times",
        ),
        ('"200 OK"', "", "code:", "response_code: expected a code such as 404, or none, got nothing"),
        ('"200 OK"', '"200 OK', "code:", "the closing quotation mark is missing"),
        ('"200 OK"', '"200 \\x00"', "code:", "response_code: the text has characters that XML does not allow"),
        ("        csb_id:", "         csb_id:", "csb_id", "wrong indentation: expected at most 10 spaces, got 11"),
        ("          csb_id:", "\tcsb_id:", "csb_id", "expected spaces as indentation, got a tab"),
        ("v: 0", "v 0", "v 0", "expected `name: value`, got v 0"),
        ("          v: 0\n", "", "HDR:", "HDR: field v is missing"),
        ("          v: 0\n", "          v: 0\n          v: 1\n", "v: 1", "v is already in line 16"),
        (
            "      - ltkm: 1 ",
            "      - base64: AQ=\n      - ltkm: 1 ",
            "base64",
            "base64: expected a multiple of 4 base64 characters, got 3",
        ),
        (
            "      - ltkm: 1 ",
            "      - base64: A*==\n      - ltkm: 1 ",
            "base64",
            "base64: expected a base64 character, got '*' at character 2",
        ),
        (
            "      - ltkm: 1 ",
            "      - message: AQ==\n      - ltkm: 1 ",
            "message",
            "expected a copy of a shown LTKM, or `- base64: …` or `- text: …` for a new one",
        ),
        ("items: 2", "items: 3", "items: 3", "totals cannot be edited: they are counted"),
        ("totals:", "total:", "total:", "expected one of items, outside_every_item, totals, got total"),
        (
            "    ltkms:",
            "    ltkm:",
            "    ltkm:",
            "expected one of key_domain_id, key_group, key_number, ltkms, msk_id, response_code in an item, got ltkm",
        ),
        ("        HDR:", "        HDR: 1", "HDR", "wrong indentation: expected at most 8 spaces, got 10"),
    ],
)
def test_a_mistake_is_refused_with_its_line_and_the_flow_is_left_alone(
    old: str, new: str, at: str, reason: str
) -> None:
    edit = several().put(old, new)
    line = line_of(edit, at) + (1 if at == "HDR" else 0)
    refused = edit.refused()
    assert refused.startswith(f"line {line}: {reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("totals:\n", "the line `items:` is missing"),
        ("Traceback (most recent call last):\n", "line 1: expected `name: value`, got Traceback (most recent"),
    ],
)
def test_a_text_that_is_no_tree_is_refused(text: str, reason: str) -> None:
    edit = several()
    edit.text = text
    assert edit.refused().startswith(reason)


def test_what_cannot_be_edited_safely_is_refused_when_changed_and_taken_when_not() -> None:
    small = LtkmView(lambda: Configuration(limits=parse_limit("none,1")))
    cut = several(small)
    assert VIEW.reencode(several().text, cut.metadata) == cut.before
    assert small.reencode(cut.text, cut.metadata) == cut.before
    assert "only 1 of 2 LTKMs are shown" in cut.put("msk_id: 24cb4400", "msk_id: 24cb4401").refused()
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.content = b"no document at all\n# nor a comment"
    flow.response.headers["content-type"] = "text/plain"
    none = Edit(flow)
    assert VIEW.reencode(none.text, none.metadata) == none.before
    assert "this body cannot be edited as a tree" in none.put("nor", "not").refused()
    for coding in ("gzip", "x-unknown"):
        flow.response.headers["content-encoding"] = coding
        assert Edit(flow).refused() == "the content coding of the body cannot be undone"
    stateful = Edit(flow_of(clean()))
    assert stateful.message is not None
    document = (stateful.before.decode()).replace("UTF-8", "iso-2022-jp").encode("iso-2022-jp")
    stateful.message.content = document
    other = Edit(stateful.flow)
    assert VIEW.reencode(other.text, other.metadata) == document
    assert "expected an encoding whose parts can be edited" in other.put("msk_id: 24cb4400", "msk_id: 00").refused()
    with pytest.raises(exceptions.CommandError):
        VIEW.reencode("items:\n", Metadata())


def test_an_element_with_elements_in_it_is_not_overwritten() -> None:
    ltkm = "<bcast:LTKM>AQAA</bcast:LTKM>"
    nested = edited(clean(), "JMtEAA==</MSKID>", f"JMtEAA=={ltkm}</MSKID>")
    edit = Edit(nested).put("msk_id: 24cb4400", "msk_id: 24cb4401")
    line = line_of(edit, "msk_id:")
    assert edit.refused() == f"line {line}: expected an element that contains only text, got one with child elements"


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("  - item: 3\n    msk_id: 11223344\n", "expected one key_domain_id in a new item, got 0"),
        (
            "  - item: 3\n    key_domain_id: 00\n    msk_id: 1122334\n",
            'msk_id: expected octets in hex, "text" or empty',
        ),
        (
            "  - item: 3\n    key_domain_id: 00\n    msk_id: 11223344\n    key_group: 1123\n",
            "key_group: expected the value",
        ),
        (
            "  - item: 3\n    key_domain_id: 00\n    msk_id: 11223344\n    colour: red\n",
            "expected one of key_domain_id",
        ),
        ("  - items: 3\n    key_domain_id: 00\n", "expected `- item: …`, got items"),
    ],
    ids=["no-domain", "no-hex", "other-group", "unknown-line", "unknown-entry"],
)
def test_a_new_item_that_says_too_little_or_too_much_is_refused(item: str, reason: str) -> None:
    edit = several().put("totals:", f"{item}totals:")
    assert f": {reason}" in edit.refused()


def test_a_shortened_value_cannot_be_changed_in_part() -> None:
    message = reference.ltkm(reference.FIRST)
    long = replace(message, payloads=(mikey.GeneralExtension(9, bytes(99)), *message.payloads))
    exchange = reference.exchange([reference.FIRST.msk_id], [(reference.FIRST, "200 OK", long)])
    edit = Edit(exchange).put("00… (99 octets)", "01… (99 octets)")
    assert "value: expected the complete value, got a shortened one" in edit.refused()


Damage = Callable[[list[str]], list[str]]


@st.composite
def damage(draw: st.DrawFn) -> Damage:
    """A change of some lines: taken away, doubled, moved, indented, with other characters in them."""
    kind = draw(st.sampled_from(["drop", "double", "move", "indent", "swap", "insert"]))
    first, last, to = (draw(st.floats(0, 1)) for _ in range(3))
    text = draw(st.text(st.sampled_from('0aé"\\#:()[]- …<&\x00'), max_size=4))

    def damaged(lines: list[str]) -> list[str]:
        a, b = sorted((int(first * len(lines)), int(last * min(len(lines), int(first * len(lines)) + 30))))
        part, target = lines[a:b], int(to * len(lines))
        match kind:
            case "drop":
                return lines[:a] + lines[b:]
            case "double":
                return lines[:b] + part + lines[b:]
            case "move":
                rest = lines[:a] + lines[b:]
                return rest[:target] + part + rest[target:]
            case "indent":
                return lines[:a] + [f"  {line}" for line in part] + lines[b:]
            case "swap":
                return [line if at != target else line.replace("4", text) for at, line in enumerate(lines)]
        return [line if at != target else line + text for at, line in enumerate(lines)]

    return damaged


SAMPLES = [flow for path in FLOWS for flow in flows_of(path) if flow.response is not None and flow.response.raw_content]


@given(st.sampled_from(SAMPLES), st.lists(damage(), min_size=1, max_size=3))
def test_whatever_is_edited_either_gives_octets_or_is_refused_with_a_reason(
    sample: http.HTTPFlow, damages: list[Damage]
) -> None:
    edit = Edit(sample.copy(), KEYED)  # type: ignore[no-untyped-call]
    lines = edit.text.split("\n")
    for each in damages:
        lines = each(lines)
    state = edit.flow.get_state()
    try:
        octets = KEYED.reencode("\n".join(lines), edit.metadata)
    except exceptions.CommandError as error:
        reason = str(error)
    else:
        reason = ""
        assert (octets == edit.before) == (edit.flow.get_state() == state)
    assert "cannot be encoded" not in reason
    if reason:
        assert edit.flow.get_state() == state
