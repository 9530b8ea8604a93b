"""Rules on the request document, on what the schema says besides the order of elements, and on pairs: the edges."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.catalogue.pairs import plmn
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.document import MSK_REQUEST_NS, MSK_RESPONSE_NS, ORDERQUERIES_NS
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Answer, Level, Report
from ltkm_inspect.mikey import GeneralExtension, KeyId, KeyIds, Message
from ltkm_inspect.reference import FIRST, SECOND, Grant
from ltkm_inspect.traffic import Exchange

DOWNLOAD = reference.reference("download")[0]
PLAIN = reference.reference("plain-mbms")[0]
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
CURRENT = FIRST.msk_id[:2] + b"\0\0"


def look(exchange: Exchange) -> Report:
    return inspect(exchange, Context(Settings(debug=True)))


def broken(exchange: Exchange) -> list[str]:
    return [finding.rule for finding in look(exchange).findings]


def changed(change: Callable[[str], str], exchange: Exchange = PLAIN) -> Exchange:
    """The exchange with the text of its response changed."""
    assert exchange.response is not None
    text = change((exchange.response.body or b"").decode())
    return replace(exchange, response=exchange.response.with_content(text.encode()))


def swapped(old: str, new: str, exchange: Exchange = PLAIN) -> Exchange:
    """The exchange with one piece of text for another in its response, which must be there."""
    body = exchange.response and exchange.response.body
    assert body
    assert old in body.decode()
    return changed(lambda text: text.replace(old, new, 1), exchange)


def asking(body: str | bytes | None, exchange: Exchange = DOWNLOAD) -> Exchange:
    """The exchange with another body of its request."""
    octets = body.encode() if isinstance(body, str) else body
    return replace(exchange, request=replace(exchange.request, body=octets))


def answered(asked: Sequence[bytes], *items: tuple[Grant, str, Message | None]) -> Exchange:
    return reference.exchange(asked, items)


def plain(*msk_ids: bytes) -> list[tuple[Grant, str, None]]:
    """Granted items without LTKMs for these MSK IDs."""
    return [(replace(FIRST, msk_id=msk_id), "200 OK", None) for msk_id in msk_ids]


# --- attributes, text, extensions


@pytest.mark.parametrize("name", ["mbmsMSKResponse", "Response", "MSK", "keyDomainID", "MSKID", "ResponseCode"])
@pytest.mark.parametrize("attribute", ['xml:lang="en"', 'version="0"'])
def test_no_element_of_the_response_has_an_attribute(name: str, attribute: str) -> None:
    report = look(changed(lambda text: text.replace(f"<{name}", f"<{name} {attribute}", 1)))
    (finding,) = report.findings
    assert (finding.rule, finding.level) == ("attribute-unexpected", Level.VIOLATION)
    assert finding.place.item == (None if name == "mbmsMSKResponse" else 1)
    assert finding.span is not None


@pytest.mark.parametrize(
    "attribute", ['xsi:type="x"', 'xsi:nil="false"', 'xsi:schemaLocation="a b"', 'xmlns:q="urn:q"']
)
def test_namespaces_and_the_attributes_of_xml_schema_are_allowed_everywhere(attribute: str) -> None:
    assert broken(swapped("<Response>", f"<Response {XSI} {attribute}>")) == []


@pytest.mark.parametrize("before", ["<MSK>", "<keyDomainID>", "<Response>", "<ResponseCode>", "</MSK>", "</Response>"])
@pytest.mark.parametrize("text", ["key", "&#160;", "<![CDATA[x]]>"])
def test_text_between_elements_is_reported(before: str, text: str) -> None:
    assert broken(swapped(before, text + before)) == ["text-misplaced"]


@pytest.mark.parametrize("text", [" \t\r\n", "<!-- key -->", "<?key 1?>", "<![CDATA[ ]]>"])
def test_white_space_and_comments_between_elements_are_right(text: str) -> None:
    assert broken(changed(lambda whole: whole.replace("><", f">{text}<"))) == []


@pytest.mark.parametrize("name", ["keyDomainID", "MSKID", "ResponseCode"])
def test_a_value_with_an_element_inside_is_reported(name: str) -> None:
    assert broken(swapped(f"</{name}>", f'<x xmlns="urn:x"/></{name}>')) == ["value-has-children"]


def test_a_value_with_an_ltkm_inside_is_the_misplaced_ltkm_alone() -> None:
    ltkm = f'<LTKM xmlns="{ORDERQUERIES_NS}">AQAVAAAAAAAAAQ==</LTKM>'
    found = broken(swapped("</ResponseCode>", f"{ltkm}</ResponseCode>"))
    assert "ltkm-misplaced" in found
    assert "value-has-children" not in found


def test_an_unknown_extension_under_the_root_is_a_warning() -> None:
    (finding,) = look(swapped("</mbms", '<x:y xmlns:x="urn:example:x"/></mbms')).findings
    assert (finding.rule, finding.level) == ("root-extension-unknown", Level.WARNING)


@pytest.mark.parametrize("namespace", [ORDERQUERIES_NS, f" {ORDERQUERIES_NS}", "urn:oma:bcast:orderqueries"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_an_ltkm_under_the_root_is_no_unknown_extension(namespace: str, wrapped: bool) -> None:
    text = base64.b64encode(reference.ltkm(FIRST).encode()).decode()
    ltkm = f'<LTKM xmlns="{namespace}">{text}</LTKM>'
    stray = f'<k:keys xmlns:k="urn:k">{ltkm}</k:keys>' if wrapped else ltkm
    found = broken(swapped("</mbms", f"{stray}</mbms", DOWNLOAD))
    assert "ltkm-misplaced" in found
    assert "root-extension-unknown" not in found


def test_unknown_extensions_of_an_item_are_listed_as_a_note() -> None:
    report = look(swapped("</Response>", '<x:a xmlns:x="urn:x"/><x:b xmlns:x="urn:x"/></Response>', DOWNLOAD))
    assert report.findings == ()
    (told,) = (note for note in report.notes if note.rule == "extension-unknown")
    assert (told.got, told.place.item) == ("{urn:x}a, {urn:x}b", 1)


def test_very_many_extensions_make_a_short_note() -> None:
    many = "".join(f'<x:a{number} xmlns:x="urn:x"/>' for number in range(1000))
    (told,) = (
        note for note in look(swapped("</Response>", f"{many}</Response>")).notes if note.rule == "extension-unknown"
    )
    assert told.got.endswith("{urn:x}a7, and 992 more")


@pytest.mark.parametrize(("value", "odd"), [("", False), ("a", True), ("a b", False), (" a\n b\tc ", True)])
@pytest.mark.parametrize("name", ["mbmsMSKResponse", "MSK"])
def test_a_schema_location_of_odd_length_is_a_note(value: str, odd: bool, name: str) -> None:
    report = look(changed(lambda text: text.replace(f"<{name}", f'<{name} {XSI} xsi:schemaLocation="{value}"', 1)))
    assert report.findings == ()
    assert ("schema-location-unpaired" in {note.rule for note in report.notes}) is odd


# --- what items say of their keys


@pytest.mark.parametrize("number", [200, 400, 401, 402, 403, 404, 405, 406, 417, 500, 501, 502, 503, 504, 505])
def test_a_code_number_that_the_procedure_lists_is_right(number: int) -> None:
    code = "200 OK" if number == 200 else f"{number} Some Reason"
    assert broken(swapped("200 OK", code)) == []


@pytest.mark.parametrize("number", ["100", "201", "299", "302", "418", "499", "506", "599", "000", "999"])
def test_a_code_number_that_the_procedure_does_not_list_is_a_warning(number: str) -> None:
    (finding,) = look(swapped("200 OK", f"{number} Some Reason")).findings
    assert (finding.rule, finding.level, finding.got) == ("response-code-unknown", Level.WARNING, number)


@pytest.mark.parametrize("code", ["", "299", "two hundred", "200", "20 0 OK", "²⁹⁹ x", "2999 x"])
def test_what_is_no_code_with_a_reason_is_the_near_miss_alone(code: str) -> None:
    assert broken(swapped("200 OK", code)) == ["response-code-near-miss"]


def test_one_msk_in_two_items_is_a_warning() -> None:
    (finding,) = look(answered([FIRST.msk_id], *plain(FIRST.msk_id, FIRST.msk_id))).findings
    assert (finding.rule, finding.level, finding.place.item) == ("msk-repeated", Level.WARNING, 2)


def test_one_msk_in_two_items_with_different_ltkms_is_a_violation() -> None:
    again = replace(FIRST, counter=FIRST.counter + 1)
    items = [(grant, "200 OK", reference.ltkm(grant)) for grant in (FIRST, again)]
    (finding,) = (each for each in look(answered([FIRST.msk_id], *items)).findings if each.rule == "msk-repeated")
    assert finding.level is Level.VIOLATION


def test_an_item_that_is_there_twice_with_its_ltkm_is_the_duplicated_ltkm_alone() -> None:
    item = (FIRST, "200 OK", reference.ltkm(FIRST))
    assert broken(answered([FIRST.msk_id], item, item)) == ["ltkm-duplicated"]


@pytest.mark.parametrize("asked", [[CURRENT, FIRST.msk_id], [FIRST.msk_id, FIRST.msk_id]])
def test_one_msk_that_was_requested_twice_may_be_answered_twice(asked: list[bytes]) -> None:
    assert broken(answered(asked, *plain(FIRST.msk_id, FIRST.msk_id))) == []
    assert broken(answered(asked, *plain(FIRST.msk_id))) == []
    assert broken(answered(asked, *plain(*[FIRST.msk_id] * 3))) == ["msk-repeated"]


def test_the_same_msk_id_in_two_key_domains_is_two_keys() -> None:
    other = replace(FIRST, key_domain=b"\1\2\3")
    both = answered([], *plain(FIRST.msk_id), (other, "200 OK", None))
    request = reference.request_document([FIRST.msk_id])
    more = reference.request_document([FIRST.msk_id], other.key_domain)
    pair = more[more.index(b"<MSK>") : more.index(b"</mbms")]
    assert broken(asking(request.replace(b"</mbms", pair + b"</mbms"), both)) == []


def test_key_group_0_in_an_item_and_in_its_ltkm_is_two_places() -> None:
    grant = replace(FIRST, msk_id=bytes.fromhex("00004400"))
    exchange = answered([FIRST.msk_id], (grant, "200 OK", reference.ltkm(grant)))
    assert sorted(broken(exchange)) == ["key-group-reserved", "key-group-zero"]


@pytest.mark.parametrize("text", ["", "AAA=", "AAAAAAA=", "!!!!"])
def test_an_msk_id_that_cannot_be_read_has_no_key_group(text: str) -> None:
    assert "key-group-reserved" not in broken(swapped("JMtEAA==", text))


@pytest.mark.parametrize(
    ("octets", "read"),
    [
        ("62f210", ("262", "01")),
        ("130014", ("310", "410")),
        ("64f000", ("460", "00")),
        ("b8709d", None),
        ("68ca0c", None),
        ("18cf0c", None),
        ("ffffff", None),
        ("6ff210", None),
        ("62f2f0", None),
        ("62f2", None),
        ("", None),
    ],
)
def test_a_key_domain_is_read_as_bcd_only_if_every_digit_fits(octets: str, read: tuple[str, str] | None) -> None:
    assert plmn(bytes.fromhex(octets)) == read


def test_a_readable_key_domain_is_told_once_a_document() -> None:
    grants = [replace(grant, key_domain=bytes.fromhex("62f210")) for grant in (FIRST, SECOND)]
    report = look(answered([], *((grant, "200 OK", None) for grant in grants)))
    (told,) = (note for note in report.notes if note.rule == "key-domain-readable")
    assert told.got == "62f210: MCC 262, MNC 01"


@pytest.mark.parametrize(("code", "rules"), [("404 Not Found", {"ltkm-on-error-code"}), ("200 OK", {"ltkm-misplaced"})])
def test_an_ltkm_inside_the_response_code_is_one_finding(code: str, rules: set[str]) -> None:
    message = base64.b64encode(reference.ltkm(FIRST).encode()).decode()
    ltkm = f'<b:LTKM xmlns:b="urn:oma:xml:bcast:pr:orderqueries:1.0">{message}</b:LTKM>'
    response = answered([], (FIRST, code, None))
    assert response.response is not None
    body = (response.response.body or b"").replace(b"</ResponseCode>", f"{ltkm}</ResponseCode>".encode())
    found = look(replace(response, response=response.response.with_content(body)))
    assert set(found.rules) & {"ltkm-on-error-code", "ltkm-misplaced", "ltkm-missing"} == rules


def test_a_private_key_id_is_a_note() -> None:
    message = reference.ltkm(FIRST)
    octets = KeyIds((*message.key_ids(), KeyId(241, b"x")))
    private = replace(message, payloads=(GeneralExtension(3, octets), *message.payloads[1:]))
    report = look(reference.exchange([FIRST.msk_id], [(FIRST, "200 OK", private)]))
    assert [note.got for note in report.notes if note.rule == "key-id-unknown"] == ["type 241: 78"]


# --- the request document

PAIR = "<keyDomainID>uHCd</keyDomainID><MSKID>JMtEAA==</MSKID>"
MSK = f"<MSK>{PAIR}</MSK>"


def document(inside: str, namespace: str = MSK_REQUEST_NS) -> str:
    return f'<mbmsMSKRequest xmlns="{namespace}">{inside}</mbmsMSKRequest>'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            document(MSK).replace("<mbmsMSKRequest ", '<mbmsMSKRequest x="1" xml:lang="en" '), id="attributes"
        ),
        pytest.param(document(f"\n <!-- c --> {MSK} <?x y?>\n"), id="comments"),
        pytest.param(document(MSK.replace("><", ">\n<")), id="white space"),
        pytest.param(document(MSK.replace("uHCd", " uH\nCd ")), id="white space in base64"),
        pytest.param(document(MSK.replace("JMtEAA==", "JMsAAA==")), id="the current MSK"),
        pytest.param(document(MSK).encode("utf-16"), id="utf-16"),
        pytest.param(
            f'<q:mbmsMSKRequest xmlns:q="{MSK_REQUEST_NS}"><q:MSK><q:keyDomainID>uHCd</q:keyDomainID>'
            "<q:MSKID>JMtEAA==</q:MSKID></q:MSK></q:mbmsMSKRequest>",
            id="prefix",
        ),
    ],
)
def test_a_request_that_is_right_is_not_flagged(body: str | bytes) -> None:
    assert broken(asking(body)) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(document(MSK, MSK_RESPONSE_NS), id="namespace of the response"),
        pytest.param(document(MSK, MSK_REQUEST_NS.lower()), id="namespace in lower case"),
        pytest.param(document(MSK).replace("mbmsMSKRequest", "mskRequest"), id="another root"),
        pytest.param(document(f'{MSK}<x xmlns="urn:x"/>'), id="a foreign element"),
        pytest.param(document(f"{MSK}<MSKID>JMtEAA==</MSKID>"), id="an identifier under the root"),
        pytest.param(document(f"<MSK><MSKID>JMtEAA==</MSKID>{PAIR[: PAIR.index('<MSKID')]}</MSK>"), id="order"),
        pytest.param(document(MSK.replace("</MSK>", '<x xmlns="urn:x"/></MSK>')), id="an extension in MSK"),
        pytest.param(document(MSK.replace("<MSK>", '<MSK a="1">')), id="an attribute of MSK"),
        pytest.param(document(f"and {MSK}"), id="text"),
        pytest.param(document(MSK.replace("</MSKID>", '<x xmlns="urn:x"/></MSKID>')), id="an element in MSKID"),
        pytest.param(document(f"{MSK}<MSK/>"), id="an empty MSK besides"),
    ],
)
def test_a_request_that_departs_from_its_schema_is_one_finding(body: str) -> None:
    assert broken(asking(body)) == ["request-structure-wrong"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uHCd", "uHCdAA=="),
        ("uHCd", ""),
        ("uHCd", "uH!d"),
        ("JMtEAA==", "JMtE"),
        ("JMtEAA==", ""),
        ("JMtEAA==", "JMtEAB=="),
        ("JMtEAA==", "AABEAA=="),
        ("JMtEAA==", "24cb4400"),
    ],
)
def test_an_identifier_that_no_key_can_have_is_one_finding(old: str, new: str) -> None:
    (finding,) = look(asking(document(MSK.replace(old, new)))).findings
    assert (finding.rule, finding.level) == ("request-identifier-invalid", Level.VIOLATION)
    assert finding.hint == "MSK 1 of the request"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\xff\xfe<",
        document("").encode(),
        document("<MSK/>").encode(),
        document("<MSK><MSKID>JMtEAA==</MSKID></MSK>").encode(),
        b"<mbmsMSKRequest",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
def test_a_request_without_a_pair_is_reported_as_that_alone(body: bytes) -> None:
    assert broken(asking(body)) == ["request-names-no-key"]


def test_a_request_that_was_not_captured_is_not_judged() -> None:
    report = look(asking(None))
    for rule in ("request-structure-wrong", "request-identifier-invalid", "requested-msk-unanswered"):
        assert report.outcomes[rule].answer is Answer.NOT_APPLICABLE
    assert report.findings == ()


# --- what was requested against what was answered

A, B, C = FIRST.msk_id, SECOND.msk_id, bytes.fromhex("00010002")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ([A, B], [A, B]),
        ([A, B], [B, A]),
        ([CURRENT], [A]),
        ([CURRENT], [CURRENT]),
        ([CURRENT], [A, A[:2] + b"\0\1"]),
        ([CURRENT, B], [B, A]),
        ([A, A], [A]),
        ([CURRENT, A], [A]),
        ([CURRENT, A], [A, A]),
        ([CURRENT, CURRENT], [A, A[:2] + b"\0\1"]),
    ],
)
def test_what_answers_the_request_is_not_flagged(asked: list[bytes], given: list[bytes]) -> None:
    report = look(answered(asked, *plain(*given)))
    assert [finding.line for finding in report.findings] == []
    assert report.outcomes["requested-msk-unanswered"].answer is Answer.PASSED
    assert report.outcomes["answered-msk-unrequested"].answer is Answer.PASSED


@pytest.mark.parametrize(
    ("asked", "given", "rules"),
    [
        ([A, B], [A], ["requested-msk-unanswered"]),
        ([A, B, C], [B], ["requested-msk-unanswered"] * 2),
        ([CURRENT, B], [B], ["requested-msk-unanswered"]),
        ([A], [A, B], ["answered-msk-unrequested"]),
        ([CURRENT], [A, B], ["answered-msk-unrequested"]),
        ([A], [B], ["answered-msk-unrequested"]),
        ([A], [CURRENT], ["answered-msk-unrequested"]),
        ([A, B], [A, C], ["answered-msk-unrequested"]),
        ([A], [A, B, B], ["answered-msk-unrequested", "msk-repeated"]),
        ([A, B], [A, A], ["msk-repeated"]),
        ([A], [], ["responses-missing"]),
    ],
)
def test_what_does_not_answer_the_request_is_flagged_once(
    asked: list[bytes], given: list[bytes], rules: list[str]
) -> None:
    report = look(answered(asked, *plain(*given)))
    assert sorted(finding.rule for finding in report.findings) == rules
    assert {finding.level for finding in report.findings if "answered" in finding.rule} <= {Level.WARNING}


def test_another_key_domain_is_another_key() -> None:
    other = replace(FIRST, key_domain=b"\1\2\3")
    assert broken(answered([CURRENT], (other, "200 OK", None))) == ["answered-msk-unrequested"]


def test_an_item_whose_ltkm_is_the_requested_key_is_the_mismatch_alone() -> None:
    wrong = replace(FIRST, msk_id=C)
    assert broken(answered([A], (wrong, "200 OK", reference.ltkm(FIRST)))) == ["msk-id-mismatch"]


def test_an_item_that_cannot_be_told_is_neither_unrequested_nor_does_it_leave_a_key_unanswered() -> None:
    exchange = answered([A, B], *plain(A, B))
    first = base64.b64encode(A).decode()
    assert broken(swapped(first, "AAAA", exchange)) == ["msk-id-length-wrong"]
    assert broken(swapped(f"<MSKID>{first}</MSKID>", "", exchange)) == ["msk-children-wrong"]
    assert broken(
        changed(
            lambda text: text.replace("Response>\n<Response>", "Response>\n<Answer>").replace(
                "Response>\n</mbms", "Answer>\n</mbms"
            ),
            exchange,
        )
    ) == ["response-children-wrong"]


def test_two_items_without_identifiers_do_not_repeat_a_key() -> None:
    exchange = answered([A, B], *plain(A, A))
    text = base64.b64encode(A).decode()
    assert broken(changed(lambda whole: whole.replace(text, ""), exchange)) == ["msk-id-length-wrong"] * 2


def test_the_response_to_a_request_that_failed_is_not_compared() -> None:
    exchange = answered([A], *plain(B))
    assert exchange.response is not None
    report = look(replace(exchange, response=replace(exchange.response, status=500)))
    assert report.outcomes["answered-msk-unrequested"].answer is Answer.NOT_APPLICABLE
    assert report.outcomes["requested-msk-unanswered"].answer is Answer.NOT_APPLICABLE


def test_very_many_keys_are_compared_in_linear_time() -> None:
    ids = [(0x10000 + number).to_bytes(4) for number in range(5000)]
    report = look(answered(ids, *plain(*reversed(ids))))
    assert [finding.rule for finding in report.findings] == []
