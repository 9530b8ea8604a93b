"""Edits of attributes, and of elements that are written as one empty-element tag."""

import pytest

from ltkm_inspect.document import edit, read


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("<a><b/></a>", "<a><b>x</b></a>"),
        ("<a><b /></a>", "<a><b >x</b></a>"),
        ("<a><b c='/>'\n/></a>", "<a><b c='/>'\n>x</b></a>"),
        ("<a xmlns:p='urn:p'><p:b/></a>", "<a xmlns:p='urn:p'><p:b>x</p:b></a>"),
        ("<a><b></b></a>", "<a><b>x</b></a>"),
        ("<a><b c='/'></b></a>", "<a><b c='/'>x</b></a>"),
    ],
)
@pytest.mark.parametrize("put", [edit.refilled, edit.appended])
def test_a_text_put_into_an_empty_element_stands_between_two_tags(put: object, text: str, filled: str) -> None:
    xml = read(text.encode())
    assert xml.root is not None
    assert xml.splice([put(xml, xml.root[0], "x")]) == filled.encode()  # type: ignore[operator]


@pytest.mark.parametrize("text", ["<a><b/></a>", "<a><b></b></a>"])
def test_nothing_put_into_an_empty_element_changes_nothing(text: str) -> None:
    xml = read(text.encode())
    assert xml.root is not None
    for put in (edit.refilled, edit.appended):
        assert xml.splice([put(xml, xml.root[0], "")]) == text.encode()
    assert edit.content(xml, xml.root[0]) == ""


@pytest.mark.parametrize(
    ("text", "name", "value", "changed"),
    [
        ("<a><b/></a>", "v", "1", '<a><b v="1"/></a>'),
        ("<a><b v = '0'\n/></a>", "v", "1", '<a><b v = "1"\n/></a>'),
        ("<a><b w='v=\"0\" v=2' v='3'>v='4'</b></a>", "v", "1", "<a><b w='v=\"0\" v=2' v=\"1\">v='4'</b></a>"),
        ("<a><b/></a>", "v", 'x"<&', '<a><b v="x&quot;&lt;&amp;"/></a>'),
        ("<a><b/></a>", "p:v", "1", '<a><b xmlns:p="urn:p" p:v="1"/></a>'),
        ("<a xmlns:p='urn:q'><b/></a>", "p:v", "1", "<a xmlns:p='urn:q'><b p:v=\"1\"/></a>"),
        ("<a><b/></a>", "xml:lang", "en", '<a><b xml:lang="en"/></a>'),
        ("<a><b xmlns='urn:q'/></a>", "xmlns", "urn:p", '<a><b xmlns="urn:p"/></a>'),
    ],
)
def test_an_attribute_gets_another_value_or_is_added_with_its_prefix(
    text: str, name: str, value: str, changed: str
) -> None:
    xml = read(text.encode())
    assert xml.root is not None
    octets = xml.splice(edit.with_attribute(xml, xml.root[0], name, value, "urn:p"))
    assert octets.decode() == changed
    assert read(octets).well_formed
