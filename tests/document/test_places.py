import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.document import Splice, Xml, read

# Encodings with the characters that they can write; the byte order mark, where there is one, is put by the test.
ENCODINGS = {
    "utf-8": "az\u00e9\u4e2d\U0001f511",
    "utf-8-sig": "az\u00e9\u4e2d\U0001f511",
    "utf-16": "az\u00e9\u4e2d\U0001f511",
    "utf-16-be": "az\u00e9\u4e2d\U0001f511",
    "utf-32": "az\u4e2d\U0001f511",
    "gb18030": "az\u00e9\u4e2d\u6587\U0001f511\u1e3f\ue7c7",
    "gbk": "az\u4e2d\u6587",
    "big5": "az\u4e2d\u529f",
    "shift_jis": "az\u8868\u30bd\uff71\u2252",
    "euc-jp": "az\u4e2d\u4e02",
    "iso-8859-1": "az\u00e9\u00ff",
    "cp037": "az\u00e9",
    "iso-2022-jp": "az\u4e2d",
}
STATELESS = [name for name in ENCODINGS if name != "iso-2022-jp"]

Built = tuple[str, str]


@st.composite
def documents(draw: st.DrawFn, names: list[str]) -> Built:
    """A well-formed text that is hard to scan, and the encoding that it declares."""
    name = draw(st.sampled_from(names))
    letters = st.text(alphabet=ENCODINGS[name], max_size=4)
    tag = st.sampled_from(["a", "b", "p:c", "Response"])
    special = letters.flatmap(
        lambda text: st.sampled_from(
            [
                text,
                f"<!-- {text}<a>>' -->",
                f"<![CDATA[</a>{text}<b x=']]>",
                f"<?p {text}<a> ?>",
                "&lt;&#x41;",
                "\r\n\t",
                "]]&gt; > ' \"",
            ]
        )
    )

    def element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        attribute = st.builds(
            lambda text, quote, space: f"{space}x{space}={space}{quote}{text}>/{quote}",
            letters,
            st.sampled_from("'\""),
            st.sampled_from([" ", "\n "]),
        )
        attributes = st.just("") | attribute
        full = st.builds(
            lambda tag, attributes, inner, space: f"<{tag}{attributes}{space}>{''.join(inner)}</{tag}{space}>",
            tag,
            attributes,
            st.lists(children, max_size=4),
            st.sampled_from(["", " ", "\n"]),
        )
        empty = st.builds(lambda tag, attributes, space: f"<{tag}{attributes}{space}/>", tag, attributes, st.just(" "))
        return full | empty

    inner = draw(st.lists(st.recursive(special, element, max_leaves=12), max_size=4))
    encoding = {"utf-8-sig": "utf-8", "utf-16-be": "UTF-16BE"}.get(name, name)
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<!-- <r> --><r xmlns:p="urn:p">{"".join(inner)}</r>\n'
    return text, name


def built(document: Built) -> tuple[Xml, str]:
    text, name = document
    xml = read(text.encode(name))
    assert xml.error is None, (xml.error, text)
    assert xml.text == text
    return xml, text


@given(documents(list(ENCODINGS)))
def test_every_element_of_a_right_document_is_found_in_text_and_octets(document: Built) -> None:
    xml, text = built(document)
    assert xml.root is not None
    elements = list(xml.root.iter("*"))
    starts = []
    for element in elements:
        place = xml.place(element)
        assert place is not None
        written = text[place.text.start : place.text.end]
        local = str(element.tag).rpartition("}")[2]
        assert re.match(rf"<(?:p:)?{local}[\s/>]", written)
        if "p:" not in written:
            assert read(written.encode()).error is None
        assert text[place.text.content - 1] == ">"
        codec = xml.encoding.codec
        inside = xml.octets[place.octets.start : place.octets.end]
        assert inside.decode(codec) == written
        content = xml.octets[place.octets.content : place.octets.content_end]
        assert content.decode(codec) == text[place.text.content : place.text.content_end]
        starts.append(place.text.start)
    assert starts == sorted(set(starts))


@given(documents(STATELESS), st.data())
def test_octets_outside_the_edits_stay_as_they_were(document: Built, data: st.DataObject) -> None:
    xml, text = built(document)
    points = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    ranges = list(zip(points[::2], points[1::2], strict=False))
    replacements = st.text(alphabet=ENCODINGS[document[1]], max_size=5)
    edits = [Splice(start, end, data.draw(replacements)) for start, end in ranges]
    expected = text
    for edit in reversed(edits):
        expected = expected[: edit.start] + edit.text + expected[edit.end :]
    changed = xml.splice(data.draw(st.permutations(edits)) if len({e.start for e in edits}) == len(edits) else edits)
    bom = xml.octets[: xml.encoding.bom]
    assert changed == bom + expected.encode(xml.encoding.codec)


@given(documents(STATELESS))
def test_no_edit_gives_the_same_octets(document: Built) -> None:
    xml, _ = built(document)
    assert xml.splice([]) == xml.octets


@pytest.mark.parametrize(
    ("name", "twice"),
    [
        pytest.param("cp932", b"\x87\x90\x81\xe0\xfa\x54\xee\xf9", id="two codes for one character"),
        pytest.param("big5hkscs", b"\x88\x62\x88\x66", id="one code for two characters"),
        pytest.param("euc_jis_2004", b"\xab\xc4\xab\xe0", id="one code for two, in EUC"),
    ],
)
@pytest.mark.parametrize("repeat", [1, 4095, 9000])
def test_codes_that_do_not_encode_back_are_kept(name: str, twice: bytes, repeat: int) -> None:
    head = f'<?xml version="1.0" encoding="{name}"?>'.encode()
    octets = head + b"<a>" + twice * repeat + b"<b/>" + twice + b"<c>x</c></a>"
    xml = read(octets)
    assert xml.root is not None
    place = xml.place(xml.root[1])
    assert place is not None
    assert octets[place.octets.start : place.octets.end] == b"<c>x</c>"
    edited = xml.splice([Splice(place.text.content, place.text.content_end, "y")])
    assert edited == octets.replace(b">x<", b">y<")


@pytest.mark.parametrize(
    ("octets", "got"),
    [
        pytest.param("<?xml version='1.0' encoding='utf-7'?><a>\u4e2d</a>".encode("utf-7"), "UTF-7", id="stateful"),
        pytest.param(b"<a>\xff</a>", "octets that are not UTF-8", id="undecodable"),
        pytest.param(b"", "an empty document", id="empty"),
    ],
)
def test_what_cannot_be_edited_is_refused_in_one_line(octets: bytes, got: str) -> None:
    xml = read(octets)
    assert not xml.editable
    with pytest.raises(ValueError, match="expected an encoding whose parts can be edited") as raised:
        xml.splice([])
    assert str(raised.value).endswith(f", got {got}")


@pytest.mark.parametrize("edits", [[(0, 2, ""), (1, 3, "")], [(0, 99, "")], [(-1, 2, "")], [(3, 2, "")]])
def test_edits_outside_the_text_or_over_each_other_are_refused(edits: list[tuple[int, int, str]]) -> None:
    with pytest.raises(ValueError, match="expected an edit between characters"):
        read(b"<a>b</a>").splice(edits)


def test_characters_without_a_code_are_refused() -> None:
    xml = read(b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>')
    with pytest.raises(ValueError, match="expected characters that ISO-8859-1 can encode"):
        xml.splice([(43, 43, "\u4e2d")])


def test_insertions_at_one_place_keep_their_order() -> None:
    assert read(b"<a></a>").splice([(3, 3, "1"), (3, 3, "2")]) == b"<a>12</a>"


def test_an_element_of_another_document_has_no_place() -> None:
    other = read(b"<a/>")
    assert other.root is not None
    assert read(b"<a/>").place(other.root) is None


def test_a_damaged_document_has_places_where_the_tags_can_be_told() -> None:
    octets = b"<a><b>1</b><c d=e>2</c><f>3"
    xml = read(octets)
    assert xml.error is not None
    assert xml.root is not None
    found = {}
    for element in xml.root.iter("*"):
        place = xml.place(element)
        assert place is not None
        found[element.tag] = octets[place.octets.start : place.octets.end]
    assert found["b"] == b"<b>1</b>"
    assert found["c"] == b"<c d=e>2</c>"
    assert found["f"] == b"<f>3"


def test_an_undecodable_document_has_octet_offsets_too() -> None:
    octets = b"<a><b>\xff\xc3</b><c/></a>"
    xml = read(octets)
    assert xml.root is not None
    place = xml.place(xml.root[1])
    assert place is not None
    assert octets[place.octets.start : place.octets.end] == b"<c/>"
