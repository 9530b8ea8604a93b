"""Selectors: how they are written, what they mean, and that a fault damages nothing that is not chosen."""

from dataclasses import replace
from typing import Any

import pytest

from ltkm_inspect import catalogue
from ltkm_inspect.context import Context
from ltkm_inspect.document import edit
from ltkm_inspect.engine import inject, injected, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError, parse_application
from ltkm_inspect.reference import FIRST, KEYS, SECOND, events, reference
from ltkm_inspect.selection import EVERY, SelectionError, parse_selection
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Document, Exchange

catalogue.load()
SEVERAL = reference("several-keys")[0]
SECOND_ALONE = parse_selection(["b8709d/68c9/0001"])


def document_of(exchange: Exchange) -> Document:
    """Return the document of an exchange, which must be there."""
    assert exchange.document is not None
    return exchange.document


@pytest.mark.parametrize(
    ("texts", "first", "second"),
    [
        pytest.param([], True, True, id="none means every key"),
        pytest.param(["b8709d"], True, True, id="key domain"),
        pytest.param(["B8709D"], True, True, id="upper case"),
        pytest.param(["b8709e"], False, False, id="another domain"),
        pytest.param(["b8709d/24cb"], True, False, id="key group"),
        pytest.param(["b8709d/24cb/4400"], True, False, id="key number"),
        pytest.param(["b8709d/24cb/4401"], False, False, id="another number"),
        pytest.param(["b8709d/24cb", " b8709d/68c9/0001 "], True, True, id="several"),
    ],
)
def test_a_selector_means_a_domain_a_group_or_one_key(texts: list[str], first: bool, second: bool) -> None:
    selection = parse_selection(texts)
    assert selection.takes_pair((FIRST.key_domain, FIRST.msk_id)) is first
    assert selection.takes_pair((SECOND.key_domain, SECOND.msk_id)) is second
    assert [item.number for item in selection.of(document_of(SEVERAL)).items] == [1] * first + [2] * second
    assert len(selection.of(document_of(SEVERAL)).ltkms) == first + second
    assert selection.takes(SEVERAL) is (first or second)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "b8709", "b8709d/", "b8709d/24", "b8709d/24cb44", "b8709d/24cb/44", "b8709d/24cb/4400/1"),
        *("xyz", "é", "b8 70 9d", "b8709d//4400", "/24cb", "\x1b[2J"),
    ],
)
def test_what_is_no_selector_is_refused_in_one_line_that_says_how_it_is_written(text: str) -> None:
    with pytest.raises(
        SelectionError, match=r"^expected KEYDOMAIN\[/GROUP\[/NUMBER\]\] with 6, 4 and 4 hex digits"
    ) as raised:
        parse_selection([text])
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("text", ["b8709d", "b8709d/24cb", "b8709d/24cb/4400"])
def test_a_selector_is_shown_as_it_is_typed(text: str) -> None:
    assert str(parse_selection([text, text])) == text
    assert str(EVERY) == "every key"


def test_an_ltkm_is_chosen_by_the_msk_of_its_item_and_by_its_own() -> None:
    other = inject(SEVERAL, [parse_application("replace-key-number:item=1")], Context(keys=KEYS))
    (first, second) = document_of(other).ltkms
    assert first.message is not None
    own = first.message.key_id(1)
    assert own is not None
    assert own != FIRST.msk_id
    for msk_id in (own, FIRST.msk_id):
        selection = parse_selection([f"b8709d/{msk_id[:2].hex()}/{msk_id[2:].hex()}"])
        assert (selection.takes_ltkm(first), selection.takes_ltkm(second)) == (True, False)
        assert [item.number for item in selection.of(document_of(other)).items] == [1]


def test_an_exchange_without_items_is_chosen_by_what_is_asked_for() -> None:
    challenge = reference("challenged")[0]
    assert parse_selection(["b8709d/24cb"]).takes(challenge)
    assert not SECOND_ALONE.takes(challenge)


def ltkm_texts(exchange: Exchange) -> list[str]:
    """Return what stands in each item, from tag to tag."""
    document = document_of(exchange)
    return [edit.source(document.xml, item.element) for item in document.items]


PAIRED = ("copy-ltkm", "copy-msk", "insert-extension", "swap-ltkm")
"""Faults that are about two items at once."""
REFERENCES = ("download", "plain-mbms", "several-keys")
WITHIN = [
    id
    for id, fault in FAULTS.items()
    if (fault.is_within or fault.on is Document) and fault.reference in REFERENCES and id not in PAIRED
]


@pytest.mark.parametrize("id", WITHIN)
def test_a_fault_damages_the_chosen_item_and_no_other(id: str) -> None:
    context = Context(keys=KEYS, session=Session())
    done = injected(SEVERAL, [Application(FAULTS[id])], context, SECOND_ALONE)
    assert done.edits
    assert {edit.place.item for edit in done.edits} <= {2, None if FAULTS[id].on is Document else 2}
    before, after = document_of(SEVERAL), done.after.document
    assert after is not None
    if after.items and len(after.items) == len(before.items):
        assert ltkm_texts(done.after)[0] == ltkm_texts(SEVERAL)[0]


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_whose_subject_is_not_chosen_says_so(id: str) -> None:
    nothing = parse_selection(["ffffff"])
    *before, last = events(FAULTS[id].reference)
    context = Context(keys=KEYS, session=Session())
    for exchange in before:
        inspect(exchange, context)
    with pytest.raises(FaultError, match=rf"^fault {id}: no .* of ffffff$"):
        inject(last, [Application(FAULTS[id])], context, nothing)


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        pytest.param("shorten-rand:octets=8,item=2", [2], id="item"),
        pytest.param("shorten-rand:octets=8,all=true", [1, 2], id="all"),
        pytest.param("shorten-rand:octets=8,all=false", [1], id="not all"),
        pytest.param("rename-ltkm:all=true", [1, 2], id="all elements"),
        pytest.param("misspell-response-code:item=2", [2], id="a fault on an item"),
        pytest.param("rewind-counter:item=1", [1], id="a fault on a delivery"),
        pytest.param("weaken-key:all=true", [2, 1], id="a fault on what is encrypted"),
    ],
)
def test_a_fault_damages_the_item_it_is_told_or_all_of_them(fault: str, broken: list[int]) -> None:
    session = Session()
    session.take(replace(reference("renewal")[0], started=None))
    done = injected(SEVERAL, [parse_application(fault)], Context(keys=KEYS, session=session))
    assert [edit.place.item for edit in done.edits if edit.place.item] == [
        number for number in broken for _ in range(len(done.edits) // len(broken))
    ]


def test_all_leaves_alone_what_cannot_be_damaged_and_fails_where_nothing_can() -> None:
    every = [parse_application("flip-mac:all=true")]
    without = inject(SEVERAL, [parse_application("drop-mac:item=1")])
    assert [edit.place.item for edit in injected(without, every).edits] == [2]
    with pytest.raises(FaultError, match="the message has no MAC"):
        inject(inject(SEVERAL, [parse_application("drop-mac:all=true")]), every)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("shorten-rand:item=0", "fault shorten-rand: parameter item: expected a whole number from 1, got 0"),
        ("shorten-rand:item=x", "fault shorten-rand: parameter item: expected a whole number from 1, got x"),
        ("shorten-rand:item=1,all=true", "fault shorten-rand: use either item or all, not both"),
        ("strip-ltkm:item=1,all=true", "fault strip-ltkm: use either item or all, not both"),
        ("replace-status:item=1", "fault replace-status: expected status=…, reason=…, got item=1"),
    ],
)
def test_which_item_is_asked_for_wrongly_is_one_line(fault: str, said: str) -> None:
    with pytest.raises(FaultError) as raised:
        parse_application(fault)
    assert str(raised.value) == said


def test_an_item_that_is_not_there_or_not_chosen_is_said() -> None:
    for text, chosen, said in (
        ("repeat-ltkm:item=3", EVERY, "fault repeat-ltkm: the document has no item 3: it has 2 items"),
        ("shorten-rand:item=1", SECOND_ALONE, "fault shorten-rand: no rand of b8709d/68c9/0001 in item 1"),
    ):
        with pytest.raises(FaultError) as raised:
            inject(SEVERAL, [parse_application(text)], None, chosen)
        assert str(raised.value) == said


def test_where_a_fault_was_put_in_is_told_with_the_octets() -> None:
    body = SEVERAL.response.body if SEVERAL.response is not None else None
    assert body is not None
    done = injected(SEVERAL, [parse_application("strip-ltkm:item=2")])
    (edit,) = done.edits
    assert body[edit.octets.start : edit.octets.end].startswith(b"<bcast:LTKM>")
    assert body[edit.octets.start : edit.octets.end].endswith(b"</bcast:LTKM>")
    assert edit.length == 0
    assert str(edit) == f"item 2: removed octets {edit.octets.start}–{edit.octets.end - 1} of the body"
    response: Any = done.after.response
    assert response.body == body[: edit.octets.start] + body[edit.octets.end :]


def test_all_ltkms_are_taken_out_also_those_outside_the_items_and_within_each_other() -> None:
    moved = inject(SEVERAL, [parse_application("move-ltkm-under-root:item=1"), parse_application("bury-ltkm:item=2")])
    assert len(document_of(moved).elements_outside_items) == 1
    assert document_of(inject(moved, [parse_application("strip-ltkm:all=true")])).ltkms == ()
    assert len(document_of(inject(moved, [parse_application("strip-ltkm")])).ltkms) == 1
    with pytest.raises(FaultError, match=r"^fault strip-ltkm: the document has no LTKM to remove in item 1$"):
        inject(moved, [parse_application("strip-ltkm:item=1")])


def test_a_number_that_does_not_fit_its_field_is_said() -> None:
    with pytest.raises(FaultError, match=r"^fault lengthen-kemac: expected numbers that fit their fields"):
        inject(SEVERAL, [parse_application("lengthen-kemac:length=70000")])
