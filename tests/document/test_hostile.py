"""Large and hostile bodies: read to the end, in one piece, within the bounds."""

import pytest

from ltkm_inspect.document import base64_octets, msk_items, read
from tests.document.render import MskOctets, NewItem, NewLtkm, render_response

ITEM = NewItem(MskOctets(b"\xb8\x70\x9d", b"\x24\xcb\x44\x00"), ltkms=(NewLtkm(bytes([1, 0]) + bytes(164)),))
MEGA = 1_000_000


def test_ten_thousand_ltkms_are_read_and_placed() -> None:
    octets = render_response([ITEM] * 10_000)
    document = read(octets)
    assert document.root is not None
    candidates = list(msk_items(document.root).candidates())
    assert len(candidates) == 10_000
    place = document.place(candidates[-1].element)
    assert place is not None
    assert octets[place.octets.start : place.octets.end].startswith(b"<bcast:LTKM>AQAA")


def test_a_text_above_ten_million_octets_is_read() -> None:
    octets = render_response([NewItem(ITEM.pair, ltkms=(NewLtkm(bytes([1, 0]) + bytes(12 * MEGA)),))])
    document = read(octets)
    assert document.error is None
    assert document.root is not None
    (candidate,) = msk_items(document.root).candidates()
    assert len(base64_octets(candidate.text).octets or b"") == 12 * MEGA + 2


@pytest.mark.parametrize(
    "piece",
    [
        *(
            b"<a ",
            b"<a b=c ",
            b'<a b="',
            b"<a b='<",
            b"&",
            b"&a;",
            b"&#1;",
            b"]]>",
            b"<!--",
            b"<![CDATA[",
            b"<?x ",
            b"</a>",
        ),
        *(
            b"<a b=c>",
            b" xmlns=",
            b"<x:y>",
            b'<a xmlns:b=" x"/>',
            b"<a  \t ",
            b" =",
            b"\x01",
            b"<\x01>",
            b"\0",
            b"<",
            b"\xff",
        ),
        *(b"<!DOCTYPE a>", b"<!-- --><", b" \t", b"<a>", b"<b/>", b"\xe4\xb8\xad", b"<!-- <!DOCTYPE ", b"'\"", b"x=' "),
    ],
    ids=repr,
)
@pytest.mark.parametrize("start", [b"", b"<r>", b"<r "], ids=["alone", "inside an element", "inside a tag"])
def test_any_piece_repeated_is_survived(piece: bytes, start: bytes) -> None:
    document = read(start + piece * (MEGA // 20 // len(piece)))
    if document.root is not None:
        list(msk_items(document.root).candidates())
        document.place(document.root)
    assert len(document.slips) <= 2


@pytest.mark.parametrize("codec", ["utf-16", "gb18030", "iso-2022-jp", "utf-7"])
def test_large_bodies_in_other_encodings_are_placed(codec: str) -> None:
    text = f'<?xml version="1.0" encoding="{codec}"?><r>' + "<a>\u4e2d\u6587</a>" * 5_000 + "</r>"
    octets = text.encode(codec)
    document = read(octets)
    assert document.root is not None
    place = document.place(document.root[-1])
    assert place is not None
    wide = "utf-16-le" if codec == "utf-16" else codec
    assert octets[place.octets.start : place.octets.end].decode(wide) == "<a>\u4e2d\u6587</a>"


def test_many_attributes_and_declarations_are_survived() -> None:
    attributes = " ".join(f'a{n}="1"' for n in range(20_000))
    declarations = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(5_000))
    assert read(f"<r {attributes}/>".encode()).error is None
    assert read(f"<r {declarations}>{'<n4999:x/>' * 5_000}</r>".encode()).error is None
    error = read(f"<r {'a="1" ' * 20_000}/>".encode()).error
    assert error is not None
    assert error.kind == "syntax"


@pytest.mark.parametrize(
    "reference",
    ["&#xD800;", "&#55296;", "&#xdFFF;", "&#x0000D800;", "&#xD800", "&#xD83D;&#xDE00;", "&#x110000;", "&#0;", "&#x1;"],
)
@pytest.mark.parametrize(
    "place", ["<a b='{}'/>", "<a>{}</a>", "<a><b/>{}</a>", "<a xmlns:b='{}'><b:c/></a>", "<a b={}/>"]
)
def test_a_reference_to_what_is_no_character_leaves_text_that_can_be_encoded(reference: str, place: str) -> None:
    document = read(place.format(reference).encode())
    assert document.error is not None
    assert document.error.kind == "syntax"
    assert document.root is not None
    for element in document.root.iter():
        texts = (element.tag, element.text, element.tail, *element.attrib.values(), *element.nsmap.values())
        assert [str(each).encode() for each in texts]
