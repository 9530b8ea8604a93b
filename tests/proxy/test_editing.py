"""The content view LTKM taken back edited: what an edit changes and what not, and what is signed anew."""

import base64
import gzip
import hashlib
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions, http
from mitmproxy.contentviews import InteractiveContentview, Metadata

from ltkm_inspect import digest, mikey, reference
from ltkm_inspect.context import Context
from ltkm_inspect.document import MSK_RESPONSE_TYPE, msk_items, read
from ltkm_inspect.keys import Verdict
from ltkm_inspect.keys.protection import authentication_key, mac_of
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.reference import KEYS, MRK, MUK
from tests.document.render import MskOctets, NewItem, NewLtkm, Style, render_response
from tests.proxy.editor import FLOWS, KEYED, Edit, all_messages, flows_of, several, stripped, without_comments
from tests.proxy.parts import clean, edited, flawed
from tests.proxy.test_view import BODY, CUT, VIEW, metadata_of

PASSWORD = base64.b64encode(MRK)


def test_mitmproxy_knows_it_as_a_view_that_can_be_edited() -> None:
    assert isinstance(VIEW, InteractiveContentview)


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_an_edit_of_nothing_changes_nothing_in_any_sample_flow(path: Path) -> None:
    for flow in flows_of(path):
        for message in all_messages(flow):
            metadata = metadata_of(flow, message)
            data = message.get_content(strict=False)
            assert data is not None
            state = flow.get_state()
            shown = VIEW.prettify(data, metadata)
            for text in (shown, without_comments(shown), shown.rstrip("\n"), shown.replace("\n", "  \n")):
                if message.content is not None:
                    assert VIEW.reencode(text, metadata) == data
            message.content = VIEW.reencode(shown, metadata)
            assert flow.get_state() == state


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
        edit.text = re.sub(r" \((?:[^()]|\([^)]*\))*\)", "", edit.text)  # what stands in brackets need not be there
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
        pytest.param(
            "value: 24cb4400 (Key",
            "value: 24cb4401 (Key",
            "value: 24cb4401 (Key Group 0x24cb, Key Number 0x4401)",
            id="key-id",
        ),
        pytest.param("csb_id: 0x5a17c0de", "csb_id: 1", "csb_id: 0x00000001", id="number"),
        pytest.param("value: 0000002a (42)", "value: 00 00 00 2b", "value: 0000002b (43)", id="timestamp"),
        pytest.param(
            "value: 626d73632e686f6d65312e6e6574 (bmsc.home1.net)",
            'value: "b.org"',
            "value: 622e6f7267 (b.org)",
            id="identity-as-text",
        ),
        pytest.param("value: f0e1d2c3b4a5968778695a4b3c2d1e0f", "value: empty", "value: empty", id="no-rand"),
        pytest.param("protocol_version: 0", "protocol_version: 3", "data: 30", id="management-data"),
        pytest.param("mac_alg: 1 (HMAC-SHA-1-160)", "mac_alg: 2", "mac_alg: 2 (HMAC-SHA-256-256)", id="mac-alg"),
        pytest.param("next_payload: 11 (RAND)", "next_payload: 6", "next_payload: 6 (ID)", id="next-payload"),
    ],
)
def test_any_field_of_an_ltkm_can_be_changed(old: str, new: str, shows: str) -> None:
    edit = several(KEYED).put(old, new)
    lines = edit.save()
    assert shows in stripped(lines)
    if "next_payload" not in old:
        changed, untouched = edit.messages
        assert KEYS.open(changed, changed.encode()).verdict is Verdict.VALID
        assert untouched == reference.ltkm(reference.SECOND)


LEAF = re.compile(
    r'( *(?:- )?[\w.\[\]-]+: )("(?:[^"\\\\]|\\\\.)*"|empty|0x[0-9a-f]+|[0-9a-f]+)(?=$| [(#])', re.MULTILINE
)


ODD = ("item", "ltkm", "payloads", "schema", "xml_text")
"""Samples of faults whose documents and messages have something in them that the clean ones lack."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.sweep if path.parent.name == "faults" and path.stem not in ODD else ())
        for path in FLOWS
    ],
    ids=lambda path: path.stem,
)
def test_no_edit_of_any_value_is_lost_without_a_word(path: Path) -> None:
    for flow in flows_of(path)[:4]:
        for message in all_messages(flow):
            metadata = metadata_of(flow, message)
            text = VIEW.prettify(message.get_content(strict=False) or b"", metadata)
            if "# no document" in text or message.content is None:
                continue
            body, _, _ = text.partition("totals:")
            for match in LEAF.finditer(body):
                value = match[2]
                if match[1].strip() in ("- item:", "- ltkm:", "- msk:"):
                    continue
                other = '"x"' if value[0] == '"' else "00" if value == "empty" else value[:-1] + "10"[value[-1] == "1"]
                copy = flow.copy()  # type: ignore[no-untyped-call]
                of = copy.response if message is flow.response else copy.request
                edited = text[: match.start(2)] + other + text[match.end(2) :]
                try:
                    octets = VIEW.reencode(edited, metadata_of(copy, of))
                except exceptions.CommandError:
                    octets = b""
                assert octets != message.content, match[0]


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


def test_an_ltkm_that_is_overwritten_with_another_is_that_one_octet_for_octet() -> None:
    long = mikey.GeneralExtension(9, bytes(99))
    first = reference.ltkm(reference.FIRST)
    messages = [first, replace(first, payloads=(long, *first.payloads)), replace(first, payloads=(long, long))]
    items = [(grant, "200 OK", message) for grant, message in zip([reference.FIRST] * 3, messages, strict=True)]
    edit = Edit(reference.exchange([reference.FIRST.msk_id], items))
    blocks = re.split(r"(?m)^  - item: \d\n|^totals:", edit.text)[1:4]
    ltkms = [block[block.index("      - ltkm:") :] for block in blocks]
    edit.put(ltkms[0], ltkms[1]).put(ltkms[2], ltkms[0])
    edit.save()
    assert edit.messages == [messages[1], messages[1], messages[0]]


def test_a_copy_of_an_ltkm_that_is_no_base64_is_one_too() -> None:
    edit = Edit(edited(clean(), "<bcast:LTKM>", "<bcast:LTKM>-"))
    block = edit.block("      - ltkm: 1", "totals:")
    edit.put(block, block * 2)
    lines = stripped(edit.save())
    assert len([line for line in lines if line.startswith('text: "-AQ')]) == 2


def test_an_item_can_be_taken_away_copied_and_added() -> None:
    second = several().block("  - item: 2", "totals:")
    gone = several().put(second, "")
    assert "items: 1" in stripped(gone.save())
    copied = several().put(second, second + second.replace("68c90001", "68c90002").replace("0001 (1)", "0002"))
    lines = stripped(copied.save())
    assert [line for line in lines if line.startswith("msk_id")] == [
        f"msk_id: {x}" for x in ("24cb4400", "68c90001", "68c90002")
    ]
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


def test_a_mac_that_was_wrong_stays_wrong() -> None:
    wrong = reference.ltkm(reference.FIRST)
    kemac = replace(wrong.of(mikey.Kemac)[0], mac=bytes(20))
    wrong = replace(wrong, payloads=(*wrong.payloads[:-1], kemac))
    exchange = reference.exchange([reference.FIRST.msk_id], [(reference.FIRST, "200 OK", wrong)])
    edit = Edit(exchange, KEYED).put("value: 0000002a", "value: 000000ff")
    edit.save()
    assert edit.messages[0].of(mikey.Kemac)[0] == kemac


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
    assert exchange.authentication_info is not None
    assert exchange.request.credentials is not None
    body = exchange.response.body or b""
    return exchange.authentication_info.get("rspauth"), digest.rspauth(exchange.request.credentials, PASSWORD, body)


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "deflate", "zstd"])
def test_the_digest_is_made_anew_over_the_octets_that_are_sent(coding: str) -> None:
    edit = several(KEYED, coding)
    edit.put("msk_id: 24cb4400", "msk_id: 24cb4401").save()
    assert edit.message is not None
    found, expected = rspauth(edit)
    assert found == expected
    assert edit.message.headers["content-length"] == str(len(edit.message.raw_content or b""))


def test_the_log_says_what_was_edited_and_what_no_longer_fits(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        several(KEYED).put("value: 24cb4400", "value: 24cb4401").save()
        several().put("value: 24cb4400", "value: 24cb4401").save()
        Edit(clean(), request=True).put("msk_id: 24cb4400", "msk_id: 24cb4401").save()
    where = "#- edit: POST /keymanagement?requesttype=msk-request: "
    assert [(record.levelname, record.getMessage().removeprefix(where)) for record in caplog.records] == [
        ("INFO", "response body 918 -> 918 octets"),
        ("INFO", "response body 918 -> 918 octets"),
        ("WARNING", "MAC not recomputed (no key ring); the terminal will reject it"),
        ("WARNING", "digest not recomputed (no key ring); the terminal will reject it"),
        ("INFO", "request body 145 -> 145 octets"),
        ("WARNING", "digest not recomputed (no key ring); the BSM will reject it"),
    ]


def test_names_that_are_redacted_in_the_text_stay_what_they_are_in_the_body(caplog: pytest.LogCaptureFixture) -> None:
    configuration = Configuration(context=Context(keys=KEYS), wording=Wording(Redaction()))
    edit = several(LtkmView(lambda: configuration))
    assert reference.B_TID not in edit.text
    block = edit.block("      - ltkm: 1", "  - item: 2")
    with caplog.at_level(logging.INFO):
        edit.put(block, block + block.replace("0000002a", "0000002c")).save()
    assert [message.of(mikey.Identity)[1].text for message in edit.messages] == [reference.B_TID] * 3
    assert [message.of(mikey.Timestamp)[0].number for message in edit.messages] == [42, 44, 43]
    assert len(caplog.records) == 1


def test_an_edit_is_written_on_the_flow_and_can_be_reverted() -> None:
    edit = several()
    edit.put('"200 OK"', '"404"').save()
    response = edit.flow.response
    assert response is not None
    assert edit.flow.metadata["ltkm_fault"] == ["edit"]
    assert edit.flow.metadata["ltkm_original"] == hashlib.sha256(edit.before).hexdigest()
    assert edit.flow.metadata["ltkm_faulted"] == hashlib.sha256(response.raw_content or b"").hexdigest()
    assert edit.flow.comment == "[edit; ltkm: fault]"
    assert edit.flow.marked == ":wrench:"
    again = Edit(edit.flow)
    again.put('"404"', '"405"').save()
    assert edit.flow.metadata["ltkm_fault"] == ["edit", "edit"]
    assert edit.flow.metadata["ltkm_original"] == hashlib.sha256(edit.before).hexdigest()
    edit.flow.revert()  # type: ignore[no-untyped-call]
    assert edit.flow.response is not None
    assert edit.flow.response.content == edit.before
    assert "ltkm_fault" not in edit.flow.metadata


def test_what_was_wrong_with_a_response_before_it_was_edited_stays_in_sight() -> None:
    edit = Edit(flawed())
    edit.put("csb_id: 0x5a17c0de", "csb_id: 1").save()
    Edit(edit.flow).put("csb_id: 0x00000001", "csb_id: 2").save()
    assert edit.flow.metadata["ltkm_came"] == "violation: ltkm-missing"
    assert edit.flow.comment == "[edit, edit; it came with violation: ltkm-missing; ltkm: fault]"


def test_a_request_can_be_edited_and_its_response_directive_is_made_anew() -> None:
    edit = Edit(clean("several-keys"), KEYED, request=True)
    edit.put("msk_id: 24cb4400", "msk_id: 24cb4401").put(
        "totals:", "  - msk: 3\n    key_domain_id: b8709d\n    msk_id: 01020304\ntotals:"
    )
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


def test_a_message_without_a_flow_can_be_edited_too() -> None:
    response = http.Response.make(200, BODY, {"content-type": MSK_RESPONSE_TYPE})
    metadata = Metadata(http_message=response, content_type=MSK_RESPONSE_TYPE)
    text = VIEW.prettify(BODY, metadata)
    octets = VIEW.reencode(text.replace("msk_id: 24cb4400", "msk_id: 24cb4401"), metadata)
    assert octets == BODY.replace(
        base64.b64encode(bytes.fromhex("24cb4400")), base64.b64encode(bytes.fromhex("24cb4401"))
    )


STYLES = {
    "utf-16": Style(encoding="UTF-16", bom=True),
    "gb18030": Style(encoding="GB18030", prefix=""),
    "indented": Style(indent="\t", newline="\r\n", prefix="oq", wrap=64),
    "latin-1": Style(encoding="ISO-8859-1", final_newline=False),
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_documents_of_every_style_are_edited_in_place(style: Style) -> None:
    grant, message = reference.FIRST, reference.ltkm(reference.FIRST)
    pair = MskOctets(reference.KEY_DOMAIN, grant.msk_id)
    items = [NewItem(pair, "200 OK", (NewLtkm(message.encode()),)), NewItem(pair, "404 N\xe9")]
    body = render_response(items, style)
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.content = body
    edit = Edit(flow)
    assert VIEW.reencode(edit.text, edit.metadata) == body
    edit.put("csb_id: 0x5a17c0de", "csb_id: 0x5a17c0df").put('"404 N\xe9"', '"405 N\xe9"').put(
        "ltkms: []", f"ltkms:\n      - base64: {'AQAA' * 5}"
    )
    edit.save()
    after = flow.response.content or b""
    old, new = read(body), read(after)
    assert old.root is not None
    assert new.root is not None
    before, now = msk_items(old.root).items, msk_items(new.root).items
    header = mikey.decode(base64.b64decode(now[0].candidates[0].text)).header
    assert header is not None
    assert header.csb_id == 0x5A17C0DF
    assert (now[1].code, now[1].candidates[0].miss) == ("405 N\xe9", None)
    # Put back what was typed: then every octet is as it was.
    written = before[0].candidates[0].text.replace("\n", style.newline)
    text = (new.text or "").replace(now[0].candidates[0].text, written).replace("405 N", "404 N")
    added = new.place(now[1].candidates[0].element)
    assert added is not None
    source = (new.text or "")[added.text.start : added.text.end]
    space = "\r\n\t\t" if style.indent else ""
    assert text.count(f"{space}{source}") == 1
    restored = text.replace(f"{space}{source}", "").encode(old.encoding.codec)
    assert body[: old.encoding.bom] + restored == body
