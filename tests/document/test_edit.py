"""Edits of elements that are written as one empty-element tag."""

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
