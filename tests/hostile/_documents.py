"""Forms of XML documents, of responses and of requests: every element in every other, and all that XML can repeat."""

import base64
from collections.abc import Callable, Iterator

from ltkm_inspect.document import MSK_REQUEST_NS, ORDERQUERIES_NS
from ltkm_inspect.traffic import Exchange
from tests.hostile._form import ITEM, MESSAGE, Form, repeated, sized, with_body, with_items, with_request_body

LTKM = base64.b64encode(MESSAGE.encode()).decode()
ELEMENTS: dict[str, str | Callable[[int], str]] = {
    "mbmsMSKResponse": "<mbmsMSKResponse/>",
    "Response": "<Response/>",
    "MSK": "<MSK/>",
    "keyDomainID": "<keyDomainID>uHCd</keyDomainID>",
    "MSKID": "<MSKID>JMtEAA==</MSKID>",
    "ResponseCode": "<ResponseCode>200 OK</ResponseCode>",
    "LTKM": f"<bcast:LTKM>{LTKM}</bcast:LTKM>",
    "an empty LTKM": "<bcast:LTKM/>",
    "an LTKM of another namespace": f'<a:LTKM xmlns:a="urn:a">{LTKM}</a:LTKM>',
    "an LTKM in lower case": "<bcast:ltkm>AQAV</bcast:ltkm>",
    "an unknown element": "<a/>",
    "an unknown element of a namespace": '<a:b xmlns:a="urn:a"/>',
    "unknown elements, each of its own name": lambda n: f"<a{n}/>",
    "text": "a ",
    "a comment": "<!---->",
    "a CDATA section": "<![CDATA[a]]>",
    "a processing instruction": "<?a?>",
    "a character reference": "&#97;",
    "a reference to no character": "&#xD800;",
    "an entity": "&amp;",
    "an unknown entity": "&a;",
    "white space": "\n\t ",
    "a stray end tag": "</a>",
    "a control character": "\x01",
    "an element that is not closed": "<a>",
    "nested elements": lambda n: "<a>",
    "a message in base64": LTKM,
}
"""What can be repeated inside an element."""

PLACES: dict[str, Callable[[str], str]] = {
    "the root": lambda inside: inside,
    "Response": lambda inside: f"<Response>{inside}</Response>",
    "MSK": lambda inside: f"<Response><MSK>{inside}</MSK><ResponseCode>200 OK</ResponseCode></Response>",
    "MSKID": lambda inside: f"<Response><MSK><keyDomainID>uHCd</keyDomainID><MSKID>{inside}</MSKID></MSK></Response>",
    "ResponseCode": lambda inside: f"<Response><ResponseCode>{inside}</ResponseCode></Response>",
    "LTKM": lambda inside: f"<Response>{ITEM}<bcast:LTKM>{inside}</bcast:LTKM></Response>",
    "an unknown element": lambda inside: f"<a>{inside}</a>",
}
"""Where it can be."""

TAGS: dict[str, str | Callable[[int], str]] = {
    "attributes, each of its own name": lambda n: f' a{n}="b"',
    "the same attribute": ' a="b"',
    "namespaces": lambda n: f' xmlns:a{n}="urn:{n}"',
    "the same namespace": ' xmlns:a="urn:a"',
    "white space": " ",
    "attributes of a namespace": lambda n: f' xmlns:a{n}="urn:{n}" a{n}:b="c"',
}
"""What can be repeated inside a tag."""

VALUES: dict[str, Callable[[int], str]] = {
    "base64 in lines of 4": lambda count: "AAAA\n" * count,
    "base64 in lines of 76": lambda count: ("A" * 76 + "\r\n") * count,
    "base64 in words": lambda count: "A A " * count,
    "white space in base64": lambda count: LTKM[:8] + " " * count + LTKM[8:],
    "characters that are not base64": lambda count: "!" * count,
    "padding in base64": lambda count: "AA==" * count,
    "base64 of the other alphabet": lambda count: "-_" * count,
    "equals signs": lambda count: "=" * count,
    "base64 of zeros": lambda count: "AAAA" * count,
    "hex": lambda count: "0100" * count,
    "letters that are not ASCII": lambda count: "\N{LATIN SMALL LETTER E WITH ACUTE}" * count,
}
"""What a text can be."""


def forms() -> Iterator[Form]:
    """Yield the forms of documents."""
    for what, piece in ELEMENTS.items():
        for where, around in PLACES.items():
            yield _inside(f"document: {what} in {where}", piece, around)
    for what, piece in TAGS.items():
        yield sized(f"document: {what} in the root's tag", lambda n, piece: with_items("", repeated(piece, n)), piece)
        yield _inside(
            f"document: {what} in an LTKM's tag", piece, lambda inside: f"<Response><bcast:LTKM{inside}/></Response>"
        )
        yield _inside(f"document: Responses with {what}", f"<Response{repeated(piece, 3)}/>", str)
    for what, value in VALUES.items():
        for where in ("LTKM", "MSKID", "ResponseCode"):
            around = PLACES[where]
            yield sized(
                f"document: {what} in {where}", lambda n, value, around: with_items(around(value(n))), value, around
            )
    yield _inside("document: items, each of its own MSK", _item, str)
    yield _inside("document: items with the same LTKM", f"<Response>{ITEM}{ELEMENTS['LTKM']}</Response>", str)
    yield _inside("document: items without LTKM", f"<Response>{ITEM}</Response>", str)
    yield _inside("document: items, each of its own response code", _coded_item, str)
    for what, text in {
        "a DOCTYPE": lambda n: "<!DOCTYPE a [" + '<!ENTITY b "c">' * n + "]><a>&b;</a>",
        "entities in entities": lambda n: (
            "<!DOCTYPE a [" + "".join(f'<!ENTITY b{i} "&b{i - 1};">' for i in range(n)) + "]><a/>"
        ),
        "less-than signs": lambda n: "<r>" + "<" * n,
        "an unclosed comment": lambda n: "<r><!--" + "-" * n,
        "an unclosed tag": lambda n: "<r " + "a" * n,
        "white space before the declaration": lambda n: " " * n + '<?xml version="1.0"?><r/>',
        "octets of zero": lambda n: "\0" * n,
    }.items():
        yield sized(f"document: {what}", lambda n, text: with_body(text(n).encode()), text)
    head = b'<?xml version="1.0" encoding="%s"?>'
    for codec in ("utf-16", "gb18030", "iso-8859-1", "utf-7", "iso-2022-jp"):
        yield sized(
            f"document: items in {codec}",
            lambda n, codec: with_body(
                (head.decode() % codec + _root(f"<Response>{ITEM}</Response>" * n)).encode(codec)
            ),
            codec,
        )
    yield sized("document: octets that are not UTF-8", lambda n: with_body(b"<r>" + b"\xff" * n + b"</r>"))
    yield from _requests()


def _requests() -> Iterator[Form]:
    pair = "<MSK><keyDomainID>uHCd</keyDomainID><MSKID>JMtEAA==</MSKID></MSK>"
    for what, piece in {**ELEMENTS, "MSK, the same": pair, "MSK, each its own": lambda n: _pair(n)}.items():
        yield sized(
            f"request: {what}", lambda n, piece: with_request_body(_request(repeated(piece, n)).encode()), piece
        )
    for what, piece in TAGS.items():
        yield sized(
            f"request: {what} in the root's tag",
            lambda n, piece: with_request_body(_request("", repeated(piece, n)).encode()),
            piece,
        )


def _request(inside: str, attributes: str = "") -> str:
    head = f'<mbmsMSKRequest xmlns="{MSK_REQUEST_NS}" xmlns:bcast="{ORDERQUERIES_NS}"{attributes}>'
    return f"{head}{inside}</mbmsMSKRequest>"


def _root(inside: str) -> str:
    return f'<mbmsMSKResponse xmlns="urn:3GPP:metadata:2005:MBMS:mskResponse">{inside}</mbmsMSKResponse>'


def _pair(number: int) -> str:
    msk_id = base64.b64encode((0x24CB0000 + number).to_bytes(4)).decode()
    return f"<MSK><keyDomainID>uHCd</keyDomainID><MSKID>{msk_id}</MSKID></MSK>"


def _item(number: int) -> str:
    return f"<Response>{_pair(number)}<ResponseCode>200 OK</ResponseCode></Response>"


def _coded_item(number: int) -> str:
    return f"<Response>{_pair(number)}<ResponseCode>{number} a</ResponseCode></Response>"


def _inside(name: str, piece: str | Callable[[int], str], around: Callable[[str], str]) -> Form:
    def make(count: int) -> Exchange:
        inside = repeated(piece, count)
        if name.startswith("document: nested"):
            inside += "</a>" * count
        return with_items(around(inside))

    return sized(name, make)
