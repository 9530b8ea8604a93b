"""The content view LTKM taken back edited: what an edit changes and what not, what is signed anew, what is refused."""

import base64
import gzip
import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions, http
from mitmproxy.contentviews import InteractiveContentview, Metadata
from mitmproxy.io import FlowReader

from ltkm_inspect import digest, mikey, reference
from ltkm_inspect.context import Context
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.exchange import Exchange
from ltkm_inspect.keys import Verdict
from ltkm_inspect.keys.protection import authentication_key, mac_of
from ltkm_inspect.options import parse_limit
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.flows import exchange_of, flow_of
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.reference import KEYS, MRK, MUK
from tests.proxy.parts import ROOT, clean, edited, flawed
from tests.proxy.test_view import BODY, CUT, VIEW, metadata_of

KEYED = LtkmView(lambda: Configuration(context=Context(keys=KEYS)))
FLOWS = sorted((ROOT / "flows").rglob("*.flow"))
PASSWORD = base64.b64encode(MRK)


class Edit:
    """The response, or the request, of an exchange in the editor."""

    def __init__(self, exchange: Exchange | http.HTTPFlow, view: LtkmView = VIEW, *, request: bool = False) -> None:
        self.flow = flow_of(exchange) if isinstance(exchange, Exchange) else exchange
        self.message: http.Message | None = self.flow.request if request else self.flow.response
        assert self.message is not None
        self.view = view
        self.metadata = metadata_of(self.flow, self.message)
        self.before = self.message.get_content(strict=False) or b""
        self.text = view.prettify(self.before, self.metadata)

    def block(self, first: str, end: str) -> str:
        """Return the lines from the one that begins so to the next one that begins otherwise so."""
        start = self.text.index(first)
        return self.text[start : self.text.index(end, start + 1)]

    def put(self, old: str, new: str, nth: int = 1) -> "Edit":
        """Replace the nth occurrence of some text, which must be there."""
        parts = self.text.split(old)
        assert len(parts) > nth, old
        self.text = old.join(parts[:nth]) + new + old.join(parts[nth:])
        return self

    def save(self) -> list[str]:
        """Leave the editor as mitmproxy does; return the lines that are then shown."""
        assert self.message is not None
        self.message.content = self.view.reencode(self.text, self.metadata)
        return self.view.prettify(self.message.content or b"", self.metadata).splitlines()

    def refused(self) -> str:
        """Leave the editor; return why the edit is refused, and make sure that nothing was changed."""
        state = self.flow.get_state()  # type: ignore[no-untyped-call]
        with pytest.raises(exceptions.CommandError) as error:
            self.view.reencode(self.text, self.metadata)
        assert self.flow.get_state() == state  # type: ignore[no-untyped-call]
        return str(error.value).removeprefix("LTKM not changed: ")

    @property
    def after(self) -> Exchange:
        """The exchange as it is now."""
        return exchange_of(self.flow)

    @property
    def messages(self) -> list[mikey.Message]:
        """The messages in the response as it is now."""
        document = self.after.document
        assert document is not None
        return [ltkm.message for ltkm in document.ltkms if ltkm.message is not None]


def several(view: LtkmView = VIEW, coding: str = "identity") -> Edit:
    """Return an edit of a response with two items and their LTKMs, in a content coding."""
    flow = flow_of(clean("several-keys"))
    assert flow.response is not None
    flow.response.encode(coding)
    return Edit(flow, view)


def stripped(lines: list[str]) -> list[str]:
    """Return lines without their indentation."""
    return [line.strip() for line in lines]


def all_messages(flow: http.HTTPFlow) -> Iterator[http.Message]:
    """Yield request and response of a flow, where they have a body."""
    yield from (message for message in (flow.request, flow.response) if message is not None and message.raw_content)


def without_comments(text: str) -> str:
    """Return a text without the lines that are comments, with blank ones instead."""
    return re.sub(r"(?m)^ *#.*$", "", text)


def flows_of(path: Path) -> list[http.HTTPFlow]:
    """Return the HTTP flows of a file."""
    with path.open("rb") as file:
        return [flow for flow in FlowReader(file).stream() if isinstance(flow, http.HTTPFlow)]


def test_mitmproxy_knows_it_as_a_view_that_can_be_edited() -> None:
    assert isinstance(VIEW, InteractiveContentview)


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_an_edit_of_nothing_changes_nothing_in_any_sample_flow(path: Path) -> None:
    for flow in flows_of(path):
        for message in all_messages(flow):
            metadata = metadata_of(flow, message)
            data = message.get_content(strict=False)
            assert data is not None
            state = flow.get_state()  # type: ignore[no-untyped-call]
            shown = VIEW.prettify(data, metadata)
            for text in (shown, without_comments(shown), shown.rstrip("\n"), shown.replace("\n", "  \n")):
                if message.content is not None:
                    assert VIEW.reencode(text, metadata) == data
            message.content = VIEW.reencode(shown, metadata)
            assert flow.get_state() == state  # type: ignore[no-untyped-call]


@given(
    st.one_of(CUT, CUT.map(lambda octets: octets.decode("utf-8", "replace").encode("utf-16")), st.binary(max_size=99)),
    st.booleans(),
)
def test_an_edit_of_nothing_gives_the_same_octets_for_any_body(body: bytes, through_the_tree: bool) -> None:
    flow = flow_of(clean("several-keys"))
    assert flow.response is not None
    flow.response.content = body
    edit = Edit(flow)
    if through_the_tree and edit.after.document is not None and edit.after.document.root is not None:
        edit.text = re.sub(r" \([^)]*\)", "", edit.text)  # what stands in brackets need not be there
    assert VIEW.reencode(edit.text, edit.metadata) == body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_an_edit_of_nothing_leaves_a_compressed_body_as_it_was_sent(coding: str) -> None:
    edit = several(coding=coding)
    assert edit.message is not None
    if coding == "gzip":
        edit.message.raw_content = gzip.compress(edit.before, 1)
    sent = edit.message.raw_content
    edit.save()
    assert edit.message.raw_content == sent


@pytest.mark.parametrize(
    ("old", "new", "shows"),
    [
        pytest.param("value: 24cb4400 (Key", "value: 24cb4401 (Key", "value: 24cb4401 (Key Group 0x24cb, Key Number 0x4401)", id="key-id"),
        pytest.param("csb_id: 0x5a17c0de", "csb_id: 1", "csb_id: 0x00000001", id="number"),
        pytest.param("value: 0000002a (42)", "value: 00 00 00 2b", "value: 0000002b (43)", id="timestamp"),
        pytest.param("value: 626d73632e686f6d65312e6e6574 (bmsc.home1.net)", 'value: "b.org"', "value: 622e6f7267 (b.org)", id="identity-as-text"),
        pytest.param("value: f0e1d2c3b4a5968778695a4b3c2d1e0f", "value: empty", "value: empty", id="no-rand"),
        pytest.param("protocol_version: 0", "protocol_version: 3", "data: 30", id="management-data"),
        pytest.param("mac_alg: 1 (HMAC-SHA-1-160)", "mac_alg: 2", "mac_alg: 2 (HMAC-SHA-256-256)", id="mac-alg"),
        pytest.param("next_payload: 11 (RAND)", "next_payload: 6", "next_payload: 6 (ID)", id="next-payload"),
    ],
)  # fmt: skip
def test_any_field_of_an_ltkm_can_be_changed(old: str, new: str, shows: str) -> None:
    edit = several(KEYED).put(old, new)
    lines = edit.save()
    assert shows in stripped(lines)
    if "next_payload" not in old:
        changed, untouched = edit.messages
        assert KEYS.open(changed, changed.encode()).verdict is Verdict.VALID
        assert untouched == reference.ltkm(reference.SECOND)


def test_everything_outside_the_edited_element_stays_as_it_was() -> None:
    edit = several().put("value: 24cb4400", "value: 24cb4401")
    edit.save()
    assert edit.message is not None
    after = edit.message.content or b""
    start = edit.before.index(b"<bcast:LTKM>") + len(b"<bcast:LTKM>")
    end = edit.before.index(b"</bcast:LTKM>")
    assert (after[:start], after[end:]) == (edit.before[:start], edit.before[end:])
    assert mikey.decode(base64.b64decode(after[start:end])).key_id(1) == bytes.fromhex("24cb4401")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("msk_id: 24cb4400\n", "msk_id: 24cb4401\n"),
        ("key_number: 4400 (17408)", "key_number: 4401 (17408)"),
        (
            "msk_id: 24cb4400\n    key_group: 24cb (9419)\n    key_number: 4400",
            "msk_id: 24cb4401\n    key_number: 4401",
        ),
    ],
    ids=["whole", "part", "both"],
)
def test_an_msk_id_can_be_changed_as_a_whole_or_by_its_parts(old: str, new: str) -> None:
    lines = stripped(several().put(old, new).save())
    at = lines.index("msk_id: 24cb4401")
    assert lines[at : at + 3] == ["msk_id: 24cb4401", "key_group: 24cb (9419)", "key_number: 4401 (17409)"]
    assert any("msk-id-mismatch" in line for line in lines)  # the findings are those of what is there now


def test_key_group_key_domain_and_response_code_can_be_changed() -> None:
    edit = several().put("key_group: 68c9", "key_group: 68ca").put("key_domain_id: b8709d", "key_domain_id: b8709e")
    edit.put('"200 OK"', '"404 <not> \\u00e9 & \\"so\\""')
    lines = stripped(edit.save())
    for line in ("msk_id: 68ca0001", "key_domain_id: b8709e", 'response_code: "404 <not> é & \\"so\\""'):
        assert line in lines
    assert edit.message is not None
    assert '<ResponseCode>404 &lt;not&gt; é &amp; "so"</ResponseCode>'.encode() in (edit.message.content or b"")


def test_a_response_code_can_be_taken_away_and_put_back() -> None:
    edit = several().put('response_code: "200 OK"', "response_code: none")
    assert "response_code: none" in stripped(edit.save())
    again = Edit(edit.flow).put("response_code: none", 'response_code: "200 OK"')
    again.save()
    assert again.message is not None
    assert again.message.content == edit.before


def test_an_ltkm_can_be_taken_away_copied_moved_and_added() -> None:
    first = several().block("      - ltkm: 1", "  - item: 2")
    gone = several().put(first, "")
    gone.save()
    assert gone.messages == [reference.ltkm(reference.SECOND)]
    twice = several().put(first, first + first.replace("0000002a", "0000002c"))
    twice.save()
    assert [message.of(mikey.Timestamp)[0].number for message in twice.messages] == [42, 44, 43]
    moved = several().put(first, "").put("totals:", first + "totals:")
    moved.save()
    assert moved.messages == [reference.ltkm(reference.SECOND), reference.ltkm(reference.FIRST)]
    text = base64.b64encode(reference.ltkm(reference.SECOND).encode()).decode()
    added = Edit(flawed()).put("    ltkms: []", f'    ltkms:\n      - base64: {text}\n        version: "0"')
    added.save()
    assert added.messages == [reference.ltkm(reference.FIRST), reference.ltkm(reference.SECOND)]
    assert added.message is not None
    assert b'</ResponseCode><bcast:LTKM version="0">' in (added.message.content or b"")


def test_an_item_can_be_taken_away_copied_and_added() -> None:
    second = several().block("  - item: 2", "totals:")
    gone = several().put(second, "")
    assert "items: 1" in stripped(gone.save())
    copied = several().put(second, second + second.replace("68c90001", "68c90002").replace("0001 (1)", "0002"))
    lines = stripped(copied.save())
    assert [line for line in lines if line.startswith("msk_id")] == [f"msk_id: {x}" for x in ("24cb4400", "68c90001", "68c90002")]  # fmt: skip
    assert copied.messages[2].key_id(1) == bytes.fromhex("68c90002")
    new = '  - item: 3\n    key_domain_id: b8709d\n    msk_id: 11223344\n    response_code: "404 Not Found"\n'
    added = several().put("totals:", f"{new}totals:")
    lines = stripped(added.save())
    at = lines.index("- item: 3")
    assert lines[at + 1 : at + 3] == ["key_domain_id: b8709d", "msk_id: 11223344"]
    assert 'response_code: "404 Not Found"' in lines


def test_parts_of_a_message_can_be_taken_away_and_put_in_another_order() -> None:
    edit = several()
    rand = edit.block("        RAND:", "        ID[1]:")
    edit.put(rand, "").put("        KEMAC:", f"{rand}        KEMAC:")
    edit.put(edit.block("          key_ids[1]:", "          key_ids[2]:"), "")
    edit.save()
    assert [payload.label for payload in edit.messages[0].payloads] == ["EXT", "EXT", "T", "ID", "ID", "RAND", "KEMAC"]
    assert [key_id.type for key_id in edit.messages[0].key_ids()] == [1]


def test_an_ltkm_with_another_name_version_or_no_base64_can_be_changed_too() -> None:
    body = edited(clean(), "<bcast:LTKM>", '<bcast:ltkm version="1">')
    body = edited(body, "</bcast:LTKM>", "</bcast:ltkm>")
    edit = Edit(body).put('version: "1"', 'version: "2"')
    edit.put('element: "{urn:oma:xml:bcast:pr:orderqueries:1.0}ltkm"', 'element: "{urn:x}LTKM"')
    lines = stripped(edit.save())
    assert 'element: "{urn:x}LTKM"' in lines
    assert 'version: "2"' in lines
    again = Edit(edit.flow).put('        element: "{urn:x}LTKM"\n', "").put('        version: "2"\n', "")
    lines = again.save()
    assert not any(line.startswith(("        element:", "        version:")) for line in lines)
    broken = Edit(edited(clean(), "<bcast:LTKM>", "<bcast:LTKM>-"))
    text = next(line for line in broken.text.splitlines() if line.strip().startswith("text: "))
    broken.put(text, f"        base64: {base64.b64encode(reference.ltkm(reference.FIRST).encode()).decode()}")
    broken.save()
    assert broken.messages == [reference.ltkm(reference.FIRST)]


def test_key_data_is_encrypted_anew_and_the_mac_is_made_anew_where_the_muk_is_known() -> None:
    edit = several(KEYED).put("value: 0000002a", "value: 000000ff")
    lines = edit.save()
    message = edit.messages[0]
    opened = KEYS.open(message, message.encode())
    assert opened.verdict is Verdict.VALID
    assert opened.key_data is not None
    assert [entry.key for entry in opened.key_data.entries] == [reference.FIRST.msk]
    assert sum("MAC valid" in line for line in lines) == 2


def test_a_mac_that_was_typed_stays_as_typed() -> None:
    edit = several(KEYED).put("value: 0000002a", "value: 000000ff").put("mac: 7053", "mac: 7054")
    edit.save()
    assert edit.messages[0].of(mikey.Kemac)[0].mac.hex().startswith("70545a12")


def test_the_mac_covers_a_next_payload_that_was_typed() -> None:
    edit = several(KEYED).put("next_payload: 21 (EXT)", "next_payload: 99")
    edit.save()
    (document,) = [edit.after.document]
    assert document is not None
    octets = document.ltkms[0].octets or b""
    repaired = octets[:2] + b"\x15" + octets[3:]
    message = mikey.decode(repaired)
    assert KEYS.open(message, repaired).verdict is Verdict.INVALID
    assert octets[2] == 99
    assert octets[-20:] == mac_of(authentication_key(message, MUK, 20), octets[:-20], "sha1")


def rspauth(edit: Edit) -> tuple[str | None, str]:
    """Return the rspauth of the response, and the one that the body as sent asks for."""
    exchange = edit.after
    assert exchange.response is not None
    assert exchange.info is not None
    assert exchange.request.credentials is not None
    body = exchange.response.body or b""
    return exchange.info.get("rspauth"), digest.rspauth(exchange.request.credentials, PASSWORD, body)


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "deflate", "zstd"])
def test_the_digest_is_made_anew_over_the_octets_that_are_sent(coding: str) -> None:
    edit = several(KEYED, coding)
    edit.put("msk_id: 24cb4400", "msk_id: 24cb4401").save()
    assert edit.message is not None
    found, expected = rspauth(edit)
    assert found == expected
    assert edit.message.headers["content-length"] == str(len(edit.message.raw_content or b""))


def test_without_the_mrk_the_log_says_that_the_digest_no_longer_fits(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        several().put("value: 24cb4400", "value: 24cb4401").save()
        several(KEYED).put("value: 24cb4400", "value: 24cb4401").save()
    alone, keyed = caplog.records
    assert alone.levelno == logging.WARNING
    assert alone.getMessage().endswith("the MAC of 1 LTKM was not made anew; the digest was not made anew, for want of the MRK")  # fmt: skip
    assert keyed.levelno == logging.INFO
    assert keyed.getMessage().endswith("response body from 918 to 918 octets")


def test_an_edit_is_written_on_the_flow_and_can_be_reverted() -> None:
    edit = several()
    edit.put('"200 OK"', '"404"').save()
    response = edit.flow.response
    assert response is not None
    assert edit.flow.metadata["ltkm_fault"] == ["edit"]
    assert edit.flow.metadata["ltkm_original"] == hashlib.sha256(edit.before).hexdigest()
    assert edit.flow.metadata["ltkm_faulted"] == hashlib.sha256(response.raw_content or b"").hexdigest()
    assert edit.flow.comment == "[ltkm: fault: edit]"
    assert edit.flow.marked == ":wrench:"
    again = Edit(edit.flow)
    again.put('"404"', '"405"').save()
    assert edit.flow.metadata["ltkm_fault"] == ["edit", "edit"]
    assert edit.flow.metadata["ltkm_original"] == hashlib.sha256(edit.before).hexdigest()
    edit.flow.revert()  # type: ignore[no-untyped-call]
    assert edit.flow.response is not None
    assert edit.flow.response.content == edit.before
    assert "ltkm_fault" not in edit.flow.metadata


def test_a_request_can_be_edited_and_its_response_directive_is_made_anew() -> None:
    edit = Edit(clean("several-keys"), KEYED, request=True)
    edit.put("msk_id: 24cb4400", "msk_id: 24cb4401").put("totals:", "  - msk: 3\n    key_domain_id: b8709d\n    msk_id: 01020304\ntotals:")  # fmt: skip
    edit.save()
    request = edit.after.request
    assert [msk_id.hex() for _, msk_id in edit.after.requested_pairs] == ["24cb4401", "68c90001", "01020304"]
    assert request.credentials is not None
    expected = digest.response(request.credentials, PASSWORD, request.method, request.body or b"")
    assert request.credentials.get("response") == expected
    assert edit.flow.metadata == {"ltkm_fault": ["edit"]}
    gone = Edit(clean("several-keys"), request=True)
    gone.put(gone.block("  - msk: 1", "  - msk: 2"), "").save()
    assert [msk_id.hex() for _, msk_id in gone.after.requested_pairs] == ["68c90001"]


def line_of(edit: Edit, part: str) -> int:
    """Return the number of the first line with that part."""
    return next(number for number, line in enumerate(edit.text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "at", "reason"),
    [
        ("csb_id: 0x5a17c0de", "csb_if: 0x5a17c0de", "csb_if", "expected a field that was shown here, got csb_if; did you mean csb_id?"),
        ("csb_id: 0x5a17c0de", "csb_id: 0x5a17c0de0", "csb_id", "csb_id: expected a number from 0 to 4294967295, got 0x5a17c0de0"),
        ("prf_func: 0", "prf_func: 128", "prf_func", "prf_func: expected a number from 0 to 127, got 128"),
        ("v: 0", "v: yes", "v: yes", "v: expected a number from 0 to 1, got yes"),
        ("value: f0e1", "value: f0e", "value: f0e", 'value: expected octets in hex, "text" or empty, got f0ed2c3'),
        ("value: 24cb4400 (Key Group 0x24cb", "value: 24cb4400 (Key Group 0x24cc", "0x24cc", "value: what stands in brackets follows from the value; change the value itself"),
        ("msk_id: 24cb4400", "msk_id: 24cb440", "msk_id: 24cb440", 'msk_id: expected octets in hex, "text" or empty, got 24cb440'),
        ("key_group: 24cb", "key_group: 24cb00", "key_group", "key_group: expected 2 octets in hex, got 3"),
        ("msk_id: 24cb4400\n    key_group: 24cb", "msk_id: 24cb4401\n    key_group: 24cc", "key_group: 24cc", "key_group: expected 24cb as in msk_id, got 24cc"),
        ("key_domain_id: b8709d", "key_domain_id: b8709d\n    key_domain_id: 00", "key_domain_id: 00", "expected 1 times key_domain_id in this item, got 2"),
        ('"200 OK"', "200 OK", "code: 200", 'response_code: expected text in quotation marks ("…"), got 200 OK'),
        ('"200 OK"', '"200 OK', "code:", "expected a quotation mark that ends the text, got none"),
        ('"200 OK"', '"200 \\x00"', "code:", "response_code: expected characters that XML allows, got others"),
        ("        csb_id:", "         csb_id:", "csb_id", "wrong indentation: expected 10 spaces or fewer, got 11"),
        ("          csb_id:", "\tcsb_id:", "csb_id", "expected spaces as indentation, got a tab"),
        ("v: 0", "v 0", "v 0", "expected `name: value`, got v 0"),
        ("          v: 0\n", "", "HDR:", "HDR: expected all its fields, v is missing"),
        ("          v: 0\n", "          v: 0\n          v: 1\n", "v: 1", "v stands in line 16 already"),
        ("      - ltkm: 1 ", "      - base64: AQ=\n      - ltkm: 1 ", "base64", "base64: expected a multiple of 4 base64 characters, got 3"),
        ("      - ltkm: 1 ", "      - base64: A*==\n      - ltkm: 1 ", "base64", "base64: expected a base64 character, got '*' at character 2"),
        ("      - ltkm: 1 ", "      - message: AQ==\n      - ltkm: 1 ", "message", "expected a copy of an LTKM that was shown, or `- base64: …`, or `- text: …` for a new one"),
        ("items: 2", "items: 3", "items: 3", "expected totals as they were: they are counted, not edited"),
        ("totals:", "total:", "total:", "expected outside_every_item, items or totals, got total"),
        ("    ltkms:", "    ltkm:", "    ltkm:", "expected one of key_domain_id, key_group, key_number, ltkms, msk_id, response_code in an item, got ltkm"),
        ("        HDR:", "        HDR: 1", "HDR", "wrong indentation: expected 8 spaces or fewer, got 10"),
    ],
)  # fmt: skip
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
        ("", "expected the line `items:`, got none"),
        ("Traceback (most recent call last):\n", "line 1: expected `name: value`, got Traceback (most recent"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_tree_is_refused(text: str, reason: str) -> None:
    edit = several()
    edit.text = text
    assert edit.refused().startswith(reason)


def test_what_cannot_be_edited_safely_is_refused_when_changed_and_taken_when_not() -> None:
    small = LtkmView(lambda: Configuration(limits=parse_limit("none,1")))
    cut = several(small)
    assert VIEW.reencode(several().text, cut.metadata) == cut.before
    assert small.reencode(cut.text, cut.metadata) == cut.before
    assert "only 1 of 2 LTKMs are looked at" in cut.put("msk_id: 24cb4400", "msk_id: 24cb4401").refused()
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.content = b"no document at all\n# nor a comment"
    flow.response.headers["content-type"] = "text/plain"
    none = Edit(flow)
    assert VIEW.reencode(none.text, none.metadata) == none.before
    assert "expected a document that can be shown as a tree" in none.put("nor", "not").refused()
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


def test_a_shortened_value_cannot_be_changed_in_part() -> None:
    message = reference.ltkm(reference.FIRST)
    long = replace(message, payloads=(mikey.GeneralExtension(9, bytes(99)), *message.payloads))
    exchange = reference.exchange([reference.FIRST.msk_id], [(reference.FIRST, "200 OK", long)])
    edit = Edit(exchange).put("00… (99 octets)", "01… (99 octets)")
    assert "value: expected the whole value, got one that is shortened" in edit.refused()


def test_a_message_without_a_flow_can_be_edited_too() -> None:
    response = http.Response.make(200, BODY, {"content-type": MSK_RESPONSE_TYPE})
    metadata = Metadata(http_message=response, content_type=MSK_RESPONSE_TYPE)
    text = VIEW.prettify(BODY, metadata)
    octets = VIEW.reencode(text.replace("msk_id: 24cb4400", "msk_id: 24cb4401"), metadata)
    assert octets == BODY.replace(base64.b64encode(bytes.fromhex("24cb4400")), base64.b64encode(bytes.fromhex("24cb4401")))  # fmt: skip


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
    edit = Edit(sample.copy(), KEYED)
    lines = edit.text.split("\n")
    for each in damages:
        lines = each(lines)
    state = edit.flow.get_state()  # type: ignore[no-untyped-call]
    try:
        octets = KEYED.reencode("\n".join(lines), edit.metadata)
    except exceptions.CommandError as error:
        reason = str(error)
    else:
        reason = ""
        assert (octets == edit.before) == (edit.flow.get_state() == state)  # type: ignore[no-untyped-call]
    assert "cannot be encoded" not in reason
    if reason:
        assert edit.flow.get_state() == state  # type: ignore[no-untyped-call]
