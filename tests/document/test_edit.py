"""Edits in place: what is put where, whatever the tags look like, and what cannot be put is refused."""

import pytest
from lxml import etree

from ltkm_inspect.document import Splice, Xml, edit, read


def root(xml: Xml) -> etree._Element:
    """Return the root element."""
    assert xml.root is not None
    return xml.root


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param("<a><b>1</b></a>", "<a><b>x</b></a>", id="text"),
        pytest.param("<a><b> \n1 2\t</b></a>", "<a><b> \nx\t</b></a>", id="white-space-at-the-ends-stays"),
        pytest.param("<a><b></b></a>", "<a><b>x</b></a>", id="nothing"),
        pytest.param("<a><b/></a>", "<a><b>x</b></a>", id="empty-element-tag"),
        pytest.param("<a><p:b xmlns:p='u' c='/>' /></a>", "<a><p:b xmlns:p='u' c='/>' >x</p:b></a>", id="prefix"),
        pytest.param("<a><b>1<!-- c -->2</b></a>", "<a><b>x</b></a>", id="comment"),
    ],
)
def test_an_element_is_filled_whatever_its_tags(document: str, expected: str) -> None:
    xml = read(document.encode())
    assert xml.splice([edit.filled(xml, root(xml)[0], "x")]).decode() == expected


def test_an_element_with_elements_in_it_is_not_filled() -> None:
    xml = read(b"<a><b>1<c/></b></a>")
    with pytest.raises(ValueError, match="expected an element that contains only text"):
        edit.filled(xml, root(xml)[0], "x")


@pytest.mark.parametrize(("document", "expected"), [("<a><b/></a>", "<a><b/>x</a>"), ("<a/>", "<a>x</a>")])
def test_a_text_is_put_at_the_end_of_an_element_whatever_its_tags(document: str, expected: str) -> None:
    xml = read(document.encode())
    assert xml.splice([edit.appended(xml, root(xml), "x")]).decode() == expected


@pytest.mark.parametrize(
    ("document", "value", "expected"),
    [
        pytest.param("<a v='1'/>", "2", '<a v="2"/>', id="another"),
        pytest.param("<a w=' v=\"1\"' v = '1' >t</a>", "2", '<a w=\' v="1"\' v = "2" >t</a>', id="among-others"),
        pytest.param("<a v='1' w='2'/>", None, "<a w='2'/>", id="away"),
        pytest.param("<a w='2'/>", "<&\">'", "<a v=\"&lt;&amp;&quot;&gt;'\" w='2'/>", id="new"),
    ],
)
def test_an_attribute_is_set_and_taken_away(document: str, value: str | None, expected: str) -> None:
    xml = read(document.encode())
    written = xml.splice([edit.attribute_set(xml, root(xml), "v", value)]).decode()
    assert written == expected
    assert root(read(written.encode())).get("v") == value


def test_an_attribute_that_is_not_there_cannot_be_taken_away() -> None:
    xml = read(b"<a w='2'/>")
    with pytest.raises(ValueError, match="expected the attribute v in the start tag"):
        edit.attribute_set(xml, root(xml), "v", None)
    assert isinstance(edit.attribute_set(xml, root(xml), "w", "1"), Splice)


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
    ("text", "name", "changed"),
    [
        ("<a/>", "p:v", '<a xmlns:p="urn:p"/>'),
        ("<a xmlns:p='urn:q'/>", "p:v", "<a xmlns:p='urn:q'/>"),
        ("<a/>", "v", "<a/>"),
        ("<a/>", "xml:lang", "<a/>"),
        ("<a/>", "xmlns:q", "<a/>"),
    ],
)
def test_a_prefix_is_declared_only_where_it_is_not(text: str, name: str, changed: str) -> None:
    xml = read(text.encode())
    assert xml.splice(edit.declared(xml, root(xml), name, "urn:p")).decode() == changed


def test_a_namespace_gets_another_name_wherever_the_start_tag_declares_it_and_nowhere_else() -> None:
    xml = read(b"<!--urn:a--><a xmlns='urn:a' xmlns:b = \"urn:a\" xmlns:c='urn:ab' d='urn:a'>urn:a</a>")
    changed = xml.splice(edit.namespace_replaced(xml, root(xml), "urn:a", "urn:A"))
    assert changed == b"<!--urn:a--><a xmlns=\"urn:A\" xmlns:b = \"urn:A\" xmlns:c='urn:ab' d='urn:a'>urn:a</a>"
