import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.document import (
    base64_octets,
    content_text,
    msk_items,
    msk_pairs,
    read,
    request_departures,
    response_departures,
)
from tests.document.render import MskOctets, NewItem, NewLtkm, Style, render_ltkm, render_request, render_response

VECTOR_A = (
    "AQAVAFoXwN4AARUDAAsAA7hwnQEEJMtEAAUFAAIBAAsCAAAAKgYQ8OHSw7Sllod4aVpLPC0eDwYAAA5ibXNjLmhvbWUxLm5ldAEAACZNVEl6TkRVMk56"
    "ZzVNREV5TXpRMU5nPT1AYnNmLmhvbWUxLm5ldAABABr2h90f7eRVxvmt7kDTELDAw4Wa7UW/RpnWGgFwU1oSjvfvetbEaMylJx/OX+NDTA=="
)
PAIR = MskOctets(bytes.fromhex("b8709d"), bytes.fromhex("24cb4400"))

pairs = st.builds(MskOctets, st.binary(max_size=4), st.binary(max_size=5))
ltkms = st.builds(NewLtkm, st.binary(max_size=60), st.sampled_from([None, "0", "1", "0x00"]))
items = st.builds(
    NewItem, pairs, st.sampled_from(["200 OK", "404 Not Found", "a < b & c"]), st.lists(ltkms, max_size=3).map(tuple)
)
styles = st.builds(
    Style,
    prefix=st.sampled_from(["bcast", "", "q"]),
    encoding=st.sampled_from(["UTF-8", "UTF-16", "UTF-16BE", "GB18030", "ISO-8859-1", "UTF-32"]),
    declaration=st.just(True),
    indent=st.sampled_from([None, "  ", "\t", ""]),
    newline=st.sampled_from(["\n", "\r\n", ""]),
    final_newline=st.booleans(),
    wrap=st.sampled_from([0, 10, 76]),
)


def test_the_reference_documents_come_out_octet_for_octet() -> None:
    message = base64_octets(VECTOR_A).octets
    assert message is not None
    response = render_response([NewItem(PAIR, ltkms=(NewLtkm(message),))])
    assert len(response) == 547
    assert hashlib.md5(response).hexdigest() == "c446dd6712d9b285626763060b2d3629"
    assert hashlib.md5(render_request([PAIR])).hexdigest() == "a6ebc17af18e69d1dfd46193b83f27e7"


@given(st.lists(items, min_size=1, max_size=4), styles)
def test_what_is_written_is_read_back(written: list[NewItem], style: Style) -> None:
    document = read(render_response(written, style))
    assert document.error is None
    assert document.encoding.problem is None or style.encoding == "UTF-16"
    assert document.root is not None
    assert not list(response_departures(document.root))
    found = msk_items(document.root)
    assert [item.code for item in found.items] == [item.code for item in written]
    for item, new in zip(found.items, written, strict=True):
        assert base64_octets(item.key_domain_ids[0].text).octets == new.pair.key_domain_id
        assert base64_octets(item.msk_ids[0].text).octets == new.pair.msk_id
        named = [one for one in item.candidates if one.miss is None]
        assert [base64_octets(one.text).octets for one in named] == [ltkm.octets for ltkm in new.ltkms]
        assert [one.element.get("version") for one in named] == [ltkm.version for ltkm in new.ltkms]
        assert {one.where for one in named} <= {"wildcard"}


@given(st.lists(pairs, min_size=1, max_size=4), styles)
def test_a_request_is_read_back(written: list[MskOctets], style: Style) -> None:
    for octets in (render_request(written), render_request(written, style)):
        document = read(octets)
        assert document.root is not None
        assert not list(request_departures(document.root))
        assert [
            MskOctets(
                base64_octets(content_text(pair.key_domain_ids[0])).octets or b"",
                base64_octets(content_text(pair.msk_ids[0])).octets or b"",
            )
            for pair in msk_pairs(document.root)
        ] == written


def test_a_byte_order_mark_is_put_where_asked_and_where_needed() -> None:
    assert render_response([], Style(bom=True)).startswith(b"\xef\xbb\xbf<?xml")
    assert render_response([], Style(encoding="UTF-16")).startswith(b"\xff\xfe<\0")
    assert render_response([], Style(encoding="UTF-16LE")).startswith(b"<\0?\0")
    assert not render_response([], Style(declaration=False)).startswith(b"<?xml")


def test_one_element_is_written_for_an_edit() -> None:
    document = read(render_response([NewItem(PAIR)], Style(prefix="q")))
    assert document.root is not None
    place = document.place(document.root[0])
    assert place is not None
    style = Style(prefix="")
    edited = read(
        document.splice([(place.text.content_end, place.text.content_end, render_ltkm(NewLtkm(b"x"), style))])
    )
    assert edited.root is not None
    (candidate,) = msk_items(edited.root).candidates()
    assert (candidate.miss, candidate.text) == (None, "eA==")


def test_an_encoding_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a known encoding, got 'rot13'"):
        render_response([], Style(encoding="rot13"))
