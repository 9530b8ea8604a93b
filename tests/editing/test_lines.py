"""The lines that show a document, read back as a tree."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.document import Splice, read
from ltkm_inspect.editing.lines import EditError, LineTree, parse, significant
from ltkm_inspect.editing.lists import edited

TEXT = """\
# a comment
items: # 2
  - item: 1
    msk_id: 24cb4400 (a (b) # c)
    response_code: "200 # \\"OK\\" (" # note

    # violation: of something
    ltkms:
      - ltkm: 1 # 166 octets
        EXT[1]: (unverified)
          key_ids[1]:
            value: 16 octets, hidden
      - ltkm: 2
totals:
  items: 1
"""


def plain(entry: LineTree) -> list[object]:
    """Return an entry as a list: its line, and the lists of those below."""
    dash = "- " if entry.is_item else ""
    return [f"{entry.line} {dash}{entry.key}|{entry.value}|{entry.note}", *map(plain, entry.children)]


def test_a_text_is_read_as_a_tree_of_names_and_values() -> None:
    assert [plain(entry) for entry in parse(TEXT).children] == [
        [
            "2 items||",
            [
                "3 - item|1|",
                ["4 msk_id|24cb4400|(a (b) # c)"],
                ['5 response_code|"200 # \\"OK\\" ("|'],
                [
                    "8 ltkms||",
                    ["9 - ltkm|1|", ["10 EXT[1]||(unverified)", ["11 key_ids[1]||", ["12 value|16 octets, hidden|"]]]],
                    ["13 - ltkm|2|"],
                ],
            ],
        ],
        ["14 totals||", ["15 items|1|"]],
    ]


def test_comments_blank_lines_and_white_space_at_line_ends_stand_for_nothing() -> None:
    other = "\r\n".join(f"{line}  " for line in TEXT.split("\n") if not line.startswith("#"))
    assert significant(other) == significant(TEXT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\n b: 2", "line 2: wrong indentation: expected at most 0 spaces, got 1"),
        (" a: 1", "line 1: wrong indentation: expected 0 spaces, got 1"),
        ("a:\n    b: 1\n  c: 2", "line 3: wrong indentation: expected 4 spaces, got 2"),
        ("a:\n  - b: 1\n  c: 2", "line 3: expected a dash, like the lines next to it"),
        ("a:\n  b: 1\n  - c: 2", "line 3: expected no dash, like the lines next to it"),
        ("a:\n  - b: 1\n   c: 2", "line 3: wrong indentation: expected 4 spaces, got 3"),
        ("a\n", "line 1: expected `name: value`, got a"),
        ("a:1", "line 1: expected `name: value`, got a:1"),
        ('a: "1" 2', "line 1: expected nothing after the quoted text, got 2"),
        ('a: "1\\"', "line 1: the closing quotation mark is missing"),
        ("a:\n\tb: 1", "line 2: expected spaces as indentation, got a tab"),
    ],
)
def test_a_line_that_fits_nowhere_is_named(text: str, reason: str) -> None:
    with pytest.raises(EditError) as error:
        parse(text)
    assert str(error.value) == reason


@given(st.text(st.sampled_from('ab:- \n#"\\()[]1')))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        tree = parse(text)
    except EditError as error:
        reason = str(error)
    else:
        reason = "line "
        assert isinstance(tree, LineTree)
    assert reason.startswith("line ")


def entries(numbers: str) -> list[LineTree]:
    """Return the entries of a list with these numbers."""
    return [LineTree(line, 0, "ltkm", number, is_item=True) for line, number in enumerate(numbers, 1)]


@pytest.mark.parametrize(
    ("new", "own"),
    [
        ("123", [0, 1, 2]),
        ("13", [0, 2]),
        ("1123", [0, None, 1, 2]),
        ("213", [1, None, 2]),
        ("4123", [None, 0, 1, 2]),
        ("", []),
    ],
)
def test_what_comes_again_or_too_early_is_a_copy(new: str, own: list[int | None]) -> None:
    xml, found = read(b"<a><b/><b/><b/></a>"), list[int | None]()
    assert xml.root is not None

    def changed(index: int, entry: LineTree) -> Iterator[Splice]:
        found.append(index)
        return iter(())

    def written(entry: LineTree) -> str:
        found.append(None)
        return "<c/>"

    edits = [*edited(xml, [*xml.root], entries("123"), entries(new), changed, written, lambda text: Splice(3, 3, text))]
    assert found == own
    gone = sum(text == "" for _, _, text in edits)
    assert (gone, len(edits) - gone) == (3 - len(own) + own.count(None), own.count(None))
