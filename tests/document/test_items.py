import pytest
from lxml import etree

from ltkm_inspect.document import MSK_RESPONSE_NS, ORDERQUERIES_NS, WHERE, MskItems, msk_items, msk_pairs, read

MSK = "<MSK><keyDomainID>uHCd</keyDomainID><MSKID>JMtEAA==</MSKID></MSK>"
CODE = "<ResponseCode>200 OK</ResponseCode>"
LTKM = "<bcast:LTKM>AQAVAFoXwN4AARUD</bcast:LTKM>"


def items_of(inner: str, namespace: str = MSK_RESPONSE_NS) -> MskItems:
    document = read(
        f'<mbmsMSKResponse xmlns="{namespace}" xmlns:bcast="{ORDERQUERIES_NS}" xmlns:x="urn:x"'
        f' xmlns:later="urn:oma:xml:bcast:pr:orderqueries:1.1">{inner}</mbmsMSKResponse>'.encode()
    )
    assert document.root is not None
    assert document.error is None
    return msk_items(document.root)


def test_an_item_has_its_parts() -> None:
    found = items_of(f"<Response>{MSK}{CODE}{LTKM}<x:more/></Response>" * 2)
    assert len(found.items) == 2
    for item in found.items:
        assert [element.text for element in item.key_domain_ids] == ["uHCd"]
        assert [element.text for element in item.msk_ids] == ["JMtEAA=="]
        assert item.code == "200 OK"
        assert [(one.miss, one.where, one.later, one.text) for one in item.candidates] == [
            (None, "wildcard", False, "AQAVAFoXwN4AARUD")
        ]
        assert [element.tag for element in item.foreign] == ["{urn:x}more"]
    assert (found.outside, found.foreign) == ((), ())


PLACES = [
    ("wildcard", f"<Response>{MSK}{CODE}{LTKM}</Response>"),
    ("wildcard", f"<Response>{MSK}{CODE}<x:a/>{LTKM}</Response>"),
    ("early", f"<Response>{MSK}{LTKM}{CODE}</Response>"),
    ("early", f"<Response>{LTKM}{MSK}{CODE}</Response>"),
    ("in-msk", f"<Response><MSK><keyDomainID>uHCd</keyDomainID>{LTKM}</MSK>{CODE}</Response>"),
    ("in-msk", f"<Response><MSK><keyDomainID>{LTKM}</keyDomainID></MSK>{CODE}</Response>"),
    ("in-code", f"<Response>{MSK}<ResponseCode>{LTKM}</ResponseCode></Response>"),
    ("nested", f"<Response>{MSK}{CODE}<x:a><x:b>{LTKM}</x:b></x:a></Response>"),
    ("under-root", f"<Response>{MSK}{CODE}</Response>{LTKM}"),
    ("elsewhere", f"<Response>{MSK}{CODE}</Response><x:a>{LTKM}</x:a>"),
]


@pytest.mark.parametrize(("where", "inner"), PLACES)
def test_a_candidate_says_where_it_stands(where: str, inner: str) -> None:
    (candidate,) = items_of(inner).candidates()
    assert candidate.where == where
    assert candidate.miss is None


def test_the_root_itself_can_be_a_candidate() -> None:
    root = etree.fromstring(f'<LTKM xmlns="{ORDERQUERIES_NS}">AQAV</LTKM>')
    (candidate,) = msk_items(root).candidates()
    assert candidate.where == "root"
    assert {where for where, _ in PLACES} | {"root"} == set(WHERE)


def test_one_that_stands_early_does_not_move_those_that_follow() -> None:
    found = items_of(f"<Response>{LTKM}{MSK}{LTKM}{CODE}{LTKM}{LTKM}</Response>")
    assert [one.where for one in found.candidates()] == ["early", "early", "wildcard", "wildcard"]


@pytest.mark.parametrize(
    ("element", "miss", "later"),
    [
        ("<later:LTKM>AQAV</later:LTKM>", None, True),
        ("<later:ltkm>AQAV</later:ltkm>", "name-case", False),
        ("<bcast:Ltkm>AQAV</bcast:Ltkm>", "name-case", False),
        ("<LTKM>AQAV</LTKM>", "msk-response-namespace", False),
        ("<LTKM xmlns=''/>", "no-namespace", False),
        ("<x:LTKM/>", "other-namespace", False),
        ("<x:key>\n AQAVAFoXwN4AARUD</x:key>", "other-name", False),
        ("<MIKEY>AQAVAFoXwN4AARUD</MIKEY>", "other-name", False),
        ("<x:key><![CDATA[AQAVAFoXwN4AARUD]]></x:key>", "other-name", False),
    ],
)
def test_near_misses_are_candidates(element: str, miss: str | None, later: bool) -> None:
    (candidate,) = items_of(f"<Response>{MSK}{CODE}{element}</Response>").candidates()
    assert (candidate.miss, candidate.later) == (miss, later)


@pytest.mark.parametrize("element", ["<x:key>AQAV</x:key>", "<x:key>AAAAAAAAAAAAAAAAAAAA</x:key>", "<x:NotLTKM/>"])
def test_other_elements_are_foreign_not_candidates(element: str) -> None:
    found = items_of(f"<Response>{MSK}{CODE}{element}</Response>{element}")
    assert list(found.candidates()) == []
    assert len(found.items[0].foreign) == len(found.foreign) == 1


def test_a_message_in_an_element_of_the_document_is_a_candidate() -> None:
    found = items_of(f"<Response>{MSK}<ResponseCode>AQAVAFoXwN4AARUD</ResponseCode></Response>")
    assert [(one.local, one.miss, one.where) for one in found.candidates()] == [
        ("ResponseCode", "other-name", "in-code")
    ]


def test_text_around_comments_and_instructions_is_one_text() -> None:
    found = items_of(f"<Response>{MSK}{CODE}<bcast:LTKM>AQ<!-- c -->AV<?p?>AA==</bcast:LTKM></Response>")
    assert [one.text for one in found.candidates()] == ["AQAVAA=="]


@pytest.mark.parametrize("namespace", ["urn:3gpp:metadata:2005:MBMS:mskResponse", "urn:oma:other"])
def test_items_are_shown_under_a_foreign_root_too(namespace: str) -> None:
    found = items_of(f"<Response>{MSK}{CODE}{LTKM}</Response>", namespace)
    assert [item.code for item in found.items] == ["200 OK"]
    assert len(list(found.candidates())) == 1


def test_comments_are_no_items() -> None:
    found = items_of(f"<!-- a --><?p?><Response><!-- b -->{MSK}<!-- c -->{CODE}<!-- d --></Response>")
    assert len(found.items) == 1
    assert found.items[0].foreign == ()


def test_a_request_gives_its_pairs() -> None:
    document = read(
        b'<mbmsMSKRequest xmlns="urn:3GPP:metadata:2005:MBMS:mskRequest"><MSK><keyDomainID>uHCd</keyDomainID>'
        b"<MSKID>JMtEAA==</MSKID></MSK><!-- c --><MSK><MSKID>aMkAAA==</MSKID></MSK><other/></mbmsMSKRequest>"
    )
    assert document.root is not None
    pairs = msk_pairs(document.root)
    assert [[element.text for element in pair.key_domain_ids] for pair in pairs] == [["uHCd"], []]
    assert [[element.text for element in pair.msk_ids] for pair in pairs] == [["JMtEAA=="], ["aMkAAA=="]]


def test_ten_thousand_candidates_are_found_in_one_pass() -> None:
    assert len(list(items_of(f"<Response>{MSK}{CODE}{LTKM}</Response>" * 10_000).candidates())) == 10_000
    assert len(list(items_of(f"<Response>{LTKM * 10_000}{MSK}{CODE}</Response>").candidates())) == 10_000
    assert len(list(items_of(f"<Response>{f'{LTKM}<MSK/>' * 10_000}</Response>").candidates())) == 10_000
