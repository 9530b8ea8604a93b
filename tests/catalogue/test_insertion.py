"""LTKMs put into a response: where each place is, which one is taken from each source, and what is said of it."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.io import FlowWriter

from ltkm_inspect import catalogue, mikey
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.document import MSK_RESPONSE_NS, ORDERQUERIES_NS, edit
from ltkm_inspect.engine import Injection, inject, injected, inspect
from ltkm_inspect.fault import FaultError, parse_application, prepare
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.mitm.sources import READERS
from ltkm_inspect.reference import AGAIN, FIRST, KEYS, OTHER_TERMINAL, SECOND, ltkm, reference
from ltkm_inspect.reference import exchange as build
from ltkm_inspect.selection import parse_selection
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Document, Exchange

catalogue.load()
DOWNLOAD = reference("download")
RENEWAL = reference("renewal")
SEVERAL = reference("several-keys")
MIXED = build(
    [FIRST.msk_id, SECOND.msk_id, b"\x12\x34\x00\x01"],
    [
        (FIRST, "200 OK", ltkm(FIRST)),
        (SECOND, "200 OK", None),
        (replace(FIRST, msk_id=b"\x12\x34\x00\x01"), "403 Forbidden", None),
    ],
)
"""One item with an LTKM, one without, one refused."""
OCTETS = ltkm(replace(FIRST, counter=0x77)).encode()
BASE64 = base64.b64encode(OCTETS).decode()


def put(fault: str, exchanges: Sequence[Exchange], keys: KeyRing = KEYS) -> Injection[Exchange]:
    """Return what a fault makes of the last exchange, once the others went by."""
    context = Context(Settings(debug=True), keys, Session())
    for exchange in exchanges[:-1]:
        inspect(exchange, context)
    return injected(exchanges[-1], [prepare(parse_application(fault), READERS)], context)


def document_of(exchange: Exchange) -> Document:
    """Return the document of an exchange, which must be there and well-formed."""
    assert exchange.document is not None
    assert exchange.document.xml.well_formed
    return exchange.document


def octets_of(exchange: Exchange) -> list[bytes | None]:
    """Return the octets of every LTKM in the document."""
    return [each.octets for each in document_of(exchange).ltkms]


@pytest.mark.parametrize(
    ("at", "item", "where", "trips"),
    [
        pytest.param("auto", 1, "wildcard", {"ltkm-repeated", "ltkm-missing"}, id="auto"),
        pytest.param("empty", 2, "wildcard", {"msk-id-mismatch"}, id="empty"),
        pytest.param("second", 1, "wildcard", {"ltkm-repeated", "ltkm-missing"}, id="second"),
        pytest.param("refused", 3, "wildcard", {"ltkm-on-error-code", "ltkm-missing", "msk-id-mismatch"}, id="refused"),
        pytest.param("before-code", 1, "early", {"ltkm-misplaced", "ltkm-repeated", "ltkm-missing"}, id="before-code"),
        pytest.param("msk", 1, "in-msk", {"ltkm-misplaced", "ltkm-missing"}, id="msk"),
        pytest.param("root", None, "under-root", {"ltkm-misplaced", "ltkm-missing"}, id="root"),
    ],
)
@pytest.mark.parametrize("keys", [KEYS, KeyRing()], ids=["with keys", "without keys"])
def test_an_ltkm_stands_where_it_was_put_and_trips_the_rules_of_that_place(
    at: str, item: int | None, where: str, trips: set[str], keys: KeyRing
) -> None:
    done = put(f"inject-ltkm:at={at},base64={BASE64}", [MIXED], keys)
    (found,) = [each for each in document_of(done.after).ltkm_elements if each.octets == OCTETS]
    assert found.parts.where == where
    assert (None if found.item is None else found.item.number) == item
    rules = set(inspect(done.after, Context(Settings(debug=True), keys)).rules)
    assert rules == trips


def test_auto_is_a_second_one_where_there_is_one_and_else_the_only_one() -> None:
    text = f"inject-ltkm:base64={BASE64}"
    alone = put(text, reference("plain-mbms")).after
    assert [(each.parts.where, each.octets) for each in document_of(alone).ltkm_elements] == [("wildcard", OCTETS)]
    two = put(text, DOWNLOAD).after
    assert octets_of(two) == [ltkm(FIRST).encode(), OCTETS]
    assert set(inspect(two, Context(Settings(debug=True), KEYS)).rules) == {"ltkm-repeated"}


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("refused", "auto", "the document has no item that says 200 OK or has an LTKM"),
        ("download", "empty", "the document has no item that says 200 OK and has no LTKM"),
        ("plain-mbms", "second", "the document has no item with an LTKM"),
        ("download", "refused", "the document has no item with a response code other than 200 OK"),
    ],
)
def test_a_place_that_there_is_not_is_said(name: str, at: str, said: str) -> None:
    with pytest.raises(FaultError) as raised:
        put(f"inject-ltkm:at={at},base64={BASE64}", reference(name))
    assert str(raised.value) == f"fault inject-ltkm: {said}"


def test_every_empty_item_that_is_chosen_gets_one() -> None:
    empty = inject(SEVERAL[0], [parse_application("strip-ltkm:all=true")])
    assert octets_of(empty) == []
    assert octets_of(put(f"inject-ltkm:base64={BASE64},all=true", [empty]).after) == [OCTETS, OCTETS]
    chosen = parse_selection(["b8709d/68c9"])
    done = injected(empty, [parse_application(f"inject-ltkm:base64={BASE64},all=true")], None, chosen)
    assert [edit.place.item for edit in done.edits] == [2]


def test_the_previous_ltkm_of_the_terminal_is_sent_again() -> None:
    (old,) = octets_of(RENEWAL[0])
    (new,) = octets_of(RENEWAL[1])
    assert octets_of(put("replace-ltkm:previous=true", RENEWAL).after) == [old]
    assert octets_of(put("replace-ltkm", RENEWAL).after) == [old]
    assert octets_of(put("inject-ltkm:previous=true", RENEWAL).after) == [new, old]


def test_the_previous_ltkm_is_of_the_same_terminal_and_of_the_same_msk_if_there_was_one() -> None:
    other = build([FIRST.msk_id], [(FIRST, "200 OK", ltkm(FIRST, OTHER_TERMINAL))], terminal=OTHER_TERMINAL, at=1)
    later = build([FIRST.msk_id], [(FIRST, "200 OK", ltkm(replace(FIRST, counter=0x90)))], nc=3, at=9)
    first, second = octets_of(SEVERAL[0])
    done = put("replace-ltkm", [SEVERAL[0], other, later])
    assert octets_of(done.after) == [first]
    assert done.remarks == ()
    third = replace(FIRST, msk_id=b"\x12\x34\x00\x01", counter=0x90)
    unknown = build([third.msk_id], [(third, "200 OK", ltkm(third))], nc=3, at=9)
    done = put("replace-ltkm", [SEVERAL[0], other, unknown])
    assert octets_of(done.after) == [second]
    assert done.remarks == ("fault replace-ltkm: the terminal has no earlier LTKM of this MSK: used its latest one",)


def test_a_terminal_that_got_nothing_before_has_nothing_to_be_sent_again() -> None:
    for fault in ("replace-ltkm", "inject-ltkm"):
        with pytest.raises(FaultError) as raised:
            put(fault, reference("two-terminals"))
        assert str(raised.value) == f"fault {fault}: the terminal has no earlier LTKM that could be sent again"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(BASE64.encode(), id="base64"),
        pytest.param(OCTETS.hex().encode() + b"\n", id="hex"),
        pytest.param(OCTETS, id="binary"),
        pytest.param("\n".join(BASE64[at : at + 64] for at in range(0, len(BASE64), 64)).encode(), id="wrapped"),
    ],
)
def test_the_ltkm_of_a_file_is_sent(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ltkm.b64"
    path.write_bytes(content)
    assert octets_of(put(f"replace-ltkm:file={path}", DOWNLOAD).after) == [OCTETS]


def recording(path: Path, exchanges: Sequence[Exchange]) -> Path:
    """Write exchanges as a flow file."""
    with path.open("wb") as file:
        writer = FlowWriter(file)  # type: ignore[no-untyped-call]
        for exchange in exchanges:
            writer.add(flow_of(exchange))
    return path


def test_of_recorded_ltkms_that_of_the_same_msk_and_terminal_is_sent_else_the_first(tmp_path: Path) -> None:
    path = recording(tmp_path / "saved.flow", [*reference("two-terminals"), *SEVERAL])
    theirs = ltkm(replace(FIRST, csb_id=0x11223344), OTHER_TERMINAL).encode()
    damaged = inject(SEVERAL[0], [parse_application("shorten-rand:octets=8,all=true")])
    done = put(f"replace-ltkm:flow={path},all=true", [damaged])
    assert octets_of(done.after) == [ltkm(FIRST).encode(), ltkm(SECOND).encode()]
    assert done.remarks == ()
    with pytest.raises(FaultError, match=r"^fault replace-ltkm: makes no difference here$"):
        put(f"replace-ltkm:flow={path},all=true", SEVERAL)
    for_the_other = build([FIRST.msk_id], [(FIRST, "200 OK", ltkm(AGAIN, OTHER_TERMINAL))], terminal=OTHER_TERMINAL)
    assert octets_of(put(f"replace-ltkm:flow={path}", [for_the_other]).after) == [theirs]
    third = replace(FIRST, msk_id=b"\x12\x34\x00\x01")
    unknown = build([third.msk_id], [(third, "200 OK", ltkm(third, OTHER_TERMINAL))], terminal=OTHER_TERMINAL)
    done = put(f"replace-ltkm:flow={path}", [unknown])
    assert octets_of(done.after) == [theirs]
    assert done.remarks == ("fault replace-ltkm: no LTKM of this MSK: used the first one for this terminal",)


def test_what_is_no_mikey_message_is_sent_and_said() -> None:
    application = prepare(parse_application("replace-ltkm:base64=3q2+7w=="), READERS)
    (remark,) = application.remarks
    assert remark.startswith("fault replace-ltkm: it is not a MIKEY message, but is sent unchanged (HDR")
    done = injected(DOWNLOAD[0], [application])
    assert octets_of(done.after) == [b"\xde\xad\xbe\xef"]
    assert prepare(parse_application(f"replace-ltkm:base64={BASE64}"), READERS).remarks == ()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("base64=A!AA", "parameter base64: expected base64, got A!AA"),
        ("base64=", "parameter base64: expected base64, got nothing"),
        ("at=rot", "parameter at: expected one of auto, empty, second, refused, before-code, msk, root, got rot; did"),
        ("at=", "parameter at: expected one of auto, empty, second, refused, before-code, msk, root, got nothing"),
        ("base64=AAAA,previous=true", "expected one source, got base64 and previous"),
        ("file=/nope/x", "parameter file: /nope/x: No such file or directory"),
        ("file=", "parameter file: expected the path of a file with LTKMs in base64, hex or binary, got nothing"),
        ("file={empty}", "parameter file: {empty}: expected an LTKM, got none"),
        ("file={text}", "parameter file: {text}: expected a MIKEY message in base64, hex or binary, got hello!"),
        ("file={folder}", "parameter file: {folder}: Is a directory"),
        ("flow={text}", "parameter flow: {text}: expected a flow file, a HAR or a packet capture, got other text"),
        ("flow={empty}", "parameter flow: {empty}: expected MSK responses or pushes with LTKMs, got none"),
        ("synthetic={text}", "parameter synthetic: {text}: expected TOML, got an error at line 1, column"),
        ("sythetic=x", "expected at=…, base64=…, file=…, flow=…, previous=…, synthetic=…, item=…, all=…, got sythetic"),
    ],
)
def test_a_source_that_is_asked_for_wrongly_is_one_line_before_anything_is_damaged(
    parameters: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello!\n")
    paths = {"empty": tmp_path / "empty", "text": tmp_path / "text", "folder": tmp_path}
    with pytest.raises(FaultError) as raised:
        prepare(parse_application(f"inject-ltkm:{parameters.format(**paths)}"), READERS)
    assert str(raised.value).startswith(f"fault inject-ltkm: {said.format(**paths)}")
    assert str(raised.value).isprintable()


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(FaultError, match="expected at most 16777216 octets, got more"):
        prepare(parse_application(f"inject-ltkm:file={path}"), READERS)


@pytest.mark.parametrize(
    ("declared", "prefix", "written"),
    [
        pytest.param(f' xmlns:bcast="{ORDERQUERIES_NS}"', "bcast", "<bcast:LTKM>", id="on the root"),
        pytest.param(f" xmlns:q='{ORDERQUERIES_NS}'", "q", "<q:LTKM>", id="another prefix"),
        pytest.param("", None, f'<LTKM xmlns="{ORDERQUERIES_NS}">', id="not declared"),
        pytest.param(' xmlns:bcast="urn:x"', None, f'<LTKM xmlns="{ORDERQUERIES_NS}">', id="prefix of another"),
    ],
)
@pytest.mark.parametrize("at", ["empty", "before-code", "msk", "root"])
def test_an_ltkm_has_its_namespace_whatever_the_document_declares(
    declared: str, prefix: str | None, written: str, at: str
) -> None:
    (plain,) = reference("plain-mbms")
    assert plain.response is not None
    assert plain.response.body is not None
    root = f'<mbmsMSKResponse xmlns="{MSK_RESPONSE_NS}"'
    body = plain.response.body.replace(b' xmlns:bcast="' + ORDERQUERIES_NS.encode() + b'"', b"")
    body = body.replace(root.encode(), (root + declared).encode())
    exchange = replace(plain, response=plain.response.with_content(body))
    done = put(f"inject-ltkm:at={at},base64={BASE64}", [exchange]).after
    (found,) = document_of(done).ltkm_elements
    assert found.is_named
    assert found.element.prefix == prefix
    assert edit.source(found.document.xml, found.element).startswith(written)


def test_an_item_may_declare_the_namespace_itself() -> None:
    (plain,) = reference("plain-mbms")
    assert plain.response is not None
    assert plain.response.body is not None
    body = plain.response.body.replace(b' xmlns:bcast="' + ORDERQUERIES_NS.encode() + b'"', b"")
    body = body.replace(b"<Response>", f'<Response xmlns:k="{ORDERQUERIES_NS}">'.encode())
    exchange = replace(plain, response=plain.response.with_content(body))
    texts = {at: put(f"inject-ltkm:at={at},base64={BASE64}", [exchange]).after.document for at in ("empty", "root")}
    for at, document in texts.items():
        assert document is not None
        (found,) = document.ltkm_elements
        assert found.is_named
        assert found.element.prefix == ("k" if at == "empty" else None)


def test_an_empty_element_tag_is_opened_to_take_a_message() -> None:
    (exchange,) = DOWNLOAD
    assert exchange.response is not None
    assert exchange.response.body is not None
    start, _, rest = exchange.response.body.partition(b"<bcast:LTKM>")
    body = start + b"<bcast:LTKM\n/>" + rest.partition(b"</bcast:LTKM>")[2]
    empty = replace(exchange, response=exchange.response.with_content(body))
    done = put(f"replace-ltkm:base64={BASE64}", [empty]).after
    assert done.response is not None
    assert done.response.body == body.replace(b"<bcast:LTKM\n/>", f"<bcast:LTKM\n>{BASE64}</bcast:LTKM>".encode())


def test_two_items_exchange_their_ltkms_and_nothing_else() -> None:
    first, second = octets_of(SEVERAL[0])
    swapped = put("swap-ltkm", SEVERAL)
    assert octets_of(swapped.after) == [second, first]
    assert octets_of(put("swap-ltkm:item=2,other=1", SEVERAL).after) == [second, first]
    again = inject(swapped.after, [parse_application("swap-ltkm")])
    assert again.response is not None
    assert SEVERAL[0].response is not None
    assert again.response.body == SEVERAL[0].response.body


def test_a_chosen_item_exchanges_with_one_that_need_not_be_chosen() -> None:
    first, second = octets_of(SEVERAL[0])
    done = injected(SEVERAL[0], [parse_application("swap-ltkm")], None, parse_selection(["b8709d/68c9"]))
    assert octets_of(done.after) == [second, first]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("swap-ltkm", "expected two items with an LTKM, got none"),
        ("swap-ltkm:item=2", "expected item 2 with an LTKM, got none"),
        ("swap-ltkm:item=1,other=1", "expected item 1 with an LTKM, got none"),
    ],
)
def test_there_must_be_two_to_exchange(fault: str, said: str) -> None:
    with pytest.raises(FaultError, match=said):
        put(fault, DOWNLOAD)


def test_messages_that_are_put_in_are_left_as_they_are() -> None:
    """The MAC is not made anew even where the MUK is known: what is sent is what was given."""
    wrong = bytearray(OCTETS)
    wrong[-1] ^= 1
    done = put(f"replace-ltkm:base64={base64.b64encode(wrong).decode()}", RENEWAL)
    assert octets_of(done.after) == [bytes(wrong)]
    assert done.unsealed == ()
    assert mikey.decode(bytes(wrong)).problem is None
