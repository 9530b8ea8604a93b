from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.document import SLIPS, msk_items, read
from ltkm_inspect.document.reading import MAX_DEPTH

EXAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<mbmsMSKResponse xmlns="urn:3GPP:metadata:2005:MBMS:mskResponse"
   xmlns:bcast=" urn:oma:xml:bcast:pr:orderqueries:1.0"
   xmlns:xsi=http://www.w3.org/2001/XMLSchema-instance
   xsi:schemaLocation="urn:3GPP:metadata:2005:MBMS:mskResponse">
   <Response>
      <MSK><keyDomainID>uHCd</keyDomainID><MSKID>aMkAAA==</MSKID></MSK>
      <ResponseCode>200 OK</ResponseCode>
      <bcast:LTKM>AQAV</bcast:LTKM>
   </Response>
</mbmsMSKResponse>"""
QUOTED = EXAMPLE.replace("=http://www.w3.org/2001/XMLSchema-instance", '="http://www.w3.org/2001/XMLSchema-instance"')
CORRECT = QUOTED.replace('" urn:oma', '"urn:oma')


def test_a_right_document_has_no_error() -> None:
    document = read(CORRECT.encode())
    assert (document.error, document.well_formed) == (None, True)
    assert document.slips == ()
    assert document.editable


def test_both_slips_of_the_printed_example_are_named_at_once() -> None:
    document = read(EXAMPLE.encode())
    assert document.error is not None
    assert document.error.kind == "syntax"
    assert not document.well_formed
    assert [(slip.kind, slip.attribute) for slip in document.slips] == [
        ("space-in-namespace", "xmlns:bcast"),
        ("unquoted-attribute", "xmlns:xsi"),
    ]
    assert [EXAMPLE[slip.start : slip.end] for slip in document.slips] == [
        " urn:oma:xml:bcast:pr:orderqueries:1.0",
        "http://www.w3.org/2001/XMLSchema-instance",
    ]
    assert {slip.kind for slip in document.slips} == set(SLIPS)


def test_the_printed_example_is_still_shown() -> None:
    document = read(EXAMPLE.encode())
    assert document.root is not None
    items = msk_items(document.root)
    assert [item.code for item in items.items] == ["200 OK"]
    (candidate,) = items.candidates()
    assert candidate.miss == "namespace-space"
    place = document.place(candidate.element)
    assert place is not None
    assert EXAMPLE[place.text.start : place.text.end] == "<bcast:LTKM>AQAV</bcast:LTKM>"


def test_the_example_in_the_change_request_is_read_so_too() -> None:
    file = Path(__file__).parents[3] / "shared" / "change-request.txt"
    if not file.is_file():
        pytest.skip("needs shared: the change request is not beside the checkout")
    text = file.read_text()
    end = "</mbmsMSKResponse>"
    document = read(text[text.index("<?xml") : text.index(end) + len(end)].encode())
    assert {slip.kind for slip in document.slips} == set(SLIPS)
    assert document.root is not None
    assert len(msk_items(document.root).items) == 2


@pytest.mark.parametrize("space", [" urn:oma:xml:bcast:pr:orderqueries:1.0", "urn:oma:xml:bcast:pr:orderqueries:1.1\t"])
def test_a_namespace_with_space_is_well_formed_but_an_error_of_its_own(space: str) -> None:
    text = QUOTED.replace(" urn:oma:xml:bcast:pr:orderqueries:1.0", space)
    document = read(text.encode())
    assert document.error is not None
    assert document.error.kind == "namespace"
    assert document.well_formed
    assert [slip.kind for slip in document.slips] == ["space-in-namespace"]
    assert document.root is not None
    assert len(list(document.root.iter())) == 7


@pytest.mark.parametrize(
    ("octets", "kind", "offset"),
    [
        pytest.param(b"", "empty", 0, id="no octets"),
        pytest.param(b" \n", "syntax", 2, id="white space alone"),
        pytest.param(b"hello", "syntax", 0, id="no markup"),
        pytest.param(b"<a>\xc3\xa9\x00</a>", "syntax", 5, id="NUL"),
        pytest.param(b"<a>\xc3\xa9<b>\x1b[31m</b></a>", "syntax", 8, id="terminal escape"),
        pytest.param("<a>\ufffe</a>".encode(), "syntax", 3, id="no character"),
        pytest.param("<?xml version='1.0' encoding='UTF-16'?><a>\x01".encode("utf-16"), "syntax", 86, id="in UTF-16"),
        pytest.param(b"<a>\xff</a>", "encoding", 3, id="no UTF-8"),
        pytest.param(b"\xef\xbb\xbf<a>\xed\xa0\x80</a>", "encoding", 6, id="lone surrogate in UTF-8"),
        pytest.param(b"\xff\xfe<\0a\0>\0\0\xd8<\0/\0a\0>\0", "encoding", 8, id="lone surrogate in UTF-16"),
        pytest.param(b"<?xml version='1.0' encoding='ascii'?><a>\xe9</a>", "encoding", 41, id="not as declared"),
        pytest.param(b"<a>&#0;</a>", "syntax", 7, id="reference to NUL"),
        pytest.param(b"<a>&unknown;</a>", "syntax", 12, id="unknown entity"),
        pytest.param(b"<x:a/>", "syntax", 4, id="undeclared prefix"),
        pytest.param(b"<!DOCTYPE a><a/>", "doctype", 0, id="DOCTYPE"),
        pytest.param(b"<?xml version='1.0'?><!-- x --><?p q?>\n<!DOCTYPE a><a/>", "doctype", 39, id="after comment"),
        pytest.param(b"junk <!DOCTYPE a><a/>", "doctype", 5, id="DOCTYPE after junk"),
        pytest.param(b"<?xml version='1.0' encoding='ascii'?><!DOCTYPE a><a>\xe9</a>", "encoding", 53, id="both"),
        pytest.param(b"<a>" * 257 + b"</a>" * 257, "too-deep", 770, id="too deep"),
    ],
)
def test_what_is_not_accepted_has_a_kind_and_an_offset(octets: bytes, kind: str, offset: int) -> None:
    error = read(octets).error
    assert error is not None
    assert (error.kind, error.offset) == (kind, offset), error
    assert error.reason.startswith("expected ")
    assert error.reason.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "<!-- <!DOCTYPE a> --><a/>",
        "<?p <!DOCTYPE a> ?><a/>",
        "<a><!-- <!DOCTYPE a> --></a>",
        "<a><![CDATA[<!DOCTYPE a>]]></a>",
        "<a b='&lt;!DOCTYPE a>'/>",
        "<a/><!-- <!DOCTYPE a> -->",
    ],
)
def test_the_word_doctype_elsewhere_is_no_document_type_declaration(text: str) -> None:
    assert read(text.encode()).error is None
    assert read(text.encode("utf-16")).error is None


def test_a_billion_laughs_is_refused_before_it_is_parsed() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    document = read(f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">{entities}]><l>&l9;</l>'.encode())
    assert document.error is not None
    assert document.error.kind == "doctype"
    assert document.root is None


def test_nothing_outside_the_document_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("ltkm secret")
    octets = f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></a>'.encode()
    document = read(octets)
    assert document.root is not None
    assert "secret" not in "".join(map(str, document.root.itertext()))
    external = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]><a>&e;</a>'.encode()
    assert read(external).root is None


def test_line_and_column_count_characters() -> None:
    error = read("<a>\n\u4e2d\u6587\x01</a>".encode()).error
    assert error is not None
    assert (error.line, error.column, error.text_offset, error.offset) == (2, 3, 6, 10)


def test_one_error_does_not_colour_the_next() -> None:
    first = read(b"<a><b></a>").error
    read(b"\x00")
    read(b"<a>" * 300)
    assert read(b"<a><b></a>").error == first


def test_damaged_octets_still_give_a_tree() -> None:
    document = read(b"<a><b>\xff</b><c>ok</c></a>")
    assert document.root is not None
    assert [element.tag for element in document.root] == ["b", "c"]
    assert not document.editable
    control = read(b"<a><b>\x00\x01</b><c>ok</c></a>")
    assert control.root is not None
    assert [element.tag for element in control.root] == ["b", "c"]


def test_depth_is_bounded() -> None:
    fits = read(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
    assert fits.error is None
    deep = read(b"<a>" * 100_000 + b"</a>" * 100_000)
    assert deep.error is not None
    assert deep.error.kind == "too-deep"
    assert deep.root is not None
    assert deep.place(deep.root) is not None


@given(st.binary(max_size=200))
def test_reading_is_total_for_octets(octets: bytes) -> None:
    document = read(octets)
    assert (document.error is None) <= (document.root is not None)
    if document.error is not None:
        assert 0 <= document.error.offset <= len(octets)


PIECES = st.sampled_from(
    [
        *(
            "<a>",
            "</a>",
            "<a ",
            "/>",
            ">",
            "<",
            "&",
            "&lt;",
            "&#x41;",
            "&#0;",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?p ",
            "?>",
        ),
        *(
            ' b="',
            "'",
            '"',
            "=",
            " xmlns:p=",
            " urn:x",
            "<p:LTKM>",
            "</p:LTKM>",
            "AQAVAFoXwN4AARUD",
            "\x00",
            "\x1b",
            "\ud800",
        ),
        *(
            "\u4e2d",
            "\ufffe",
            "<!DOCTYPE a>",
            '<?xml version="1.0" encoding="GBK"?>',
            "\n",
            "\t",
            " ",
            "<Response>",
            "</Response>",
        ),
    ]
)


@given(
    st.lists(PIECES, max_size=25), st.sampled_from(["utf-8", "utf-16", "gb18030", "utf-7", "latin-1"]), st.booleans()
)
def test_reading_is_total_for_pieces_of_xml(pieces: list[str], codec: str, tell: bool) -> None:
    document = read(
        "".join(pieces).encode(codec, "surrogatepass" if "utf-" in codec else "replace"), codec * tell or None
    )
    if document.root is not None:
        items = msk_items(document.root)
        for candidate in items.candidates():
            document.place(candidate.element)
        for element in document.root.iter("*"):
            place = document.place(element)
            assert place is None or place.text.start < place.text.content <= place.text.content_end <= place.text.end
    assert len(document.slips) <= len(SLIPS)
