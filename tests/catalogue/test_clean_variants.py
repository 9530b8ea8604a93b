"""False alarms are worse than misses: variants that a naive checker would flag, and that are right."""

import base64
import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.document import MSK_RESPONSE_NS, ORDERQUERIES_NS
from ltkm_inspect.engine import inspect
from ltkm_inspect.engine.sealing import seal
from ltkm_inspect.finding import Answer
from ltkm_inspect.keys import KeyRing, Subscriber
from ltkm_inspect.reference import OTHER_TERMINAL, TERMINAL, TERMINAL_OF_5G, ReferenceTerminal
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange, Headers

DOWNLOAD = reference.reference("download")[0]
type Change = Callable[[str], str]
MESSAGE = base64.b64encode(reference.ltkm(reference.FIRST).encode()).decode()


def _body(change: Change, encoding: str = "utf-8") -> Exchange:
    """Return the download reference with its document changed as text and encoded."""
    assert DOWNLOAD.response is not None
    text = change((DOWNLOAD.response.body or b"").decode())
    return replace(DOWNLOAD, response=DOWNLOAD.response.with_content(text.encode(encoding)))


def _header(name: str, value: str) -> Exchange:
    assert DOWNLOAD.response is not None
    return replace(DOWNLOAD, response=replace(DOWNLOAD.response, headers=DOWNLOAD.response.headers.put(name, value)))


def _trailer() -> Exchange:
    assert DOWNLOAD.response is not None
    info = DOWNLOAD.response.authentication_info_text or ""
    headers = DOWNLOAD.response.headers.without("Authentication-Info")
    trailers = Headers(((b"Authentication-Info", info.encode()),))
    return replace(DOWNLOAD, response=replace(DOWNLOAD.response, headers=headers, trailers=trailers))


def _gzipped() -> Exchange:
    coded = _header("Content-Encoding", "gzip")
    assert coded.response is not None
    body = gzip.compress(coded.response.body or b"", mtime=0)
    return replace(coded, response=replace(coded.response, body=body))


def _wrapped(text: str) -> str:
    lines = "\n   ".join(MESSAGE[at : at + 64] for at in range(0, len(MESSAGE), 64))
    return text.replace(MESSAGE, f"\n   {lines}\n   ")


def _declared(name: str) -> Change:
    return lambda text: text.replace('encoding="UTF-8"', f'encoding="{name}"')


def _after_code(text: str) -> str:
    extension = '<x:note xmlns:x="urn:example:x" a="1">hello</x:note>'
    return text.replace("</ResponseCode>", f"</ResponseCode>{extension}").replace(
        "</Response>", f"{extension}</Response>"
    )


def _many(**changes: object) -> Exchange:
    grant = replace(reference.FIRST, **changes)  # type: ignore[arg-type]
    made = reference.exchange([grant.msk_id], [(grant, "200 OK", reference.ltkm(grant))])
    asked = reference.request_document([grant.msk_id], grant.key_domain)
    return replace(made, request=replace(made.request, body=asked))


def _refused_beside() -> Exchange:
    items = [
        (reference.FIRST, "200 OK", reference.ltkm(reference.FIRST)),
        (reference.SECOND, "403 Forbidden", None),
    ]
    return reference.exchange([reference.FIRST.msk_id, reference.SECOND.msk_id], items)


def _request(document: str) -> Exchange:
    return replace(DOWNLOAD, request=replace(DOWNLOAD.request, body=document.encode()))


def _target(target: str) -> Exchange:
    signed = DOWNLOAD.request.headers.get("Authorization") or ""
    headers = DOWNLOAD.request.headers.put("Authorization", signed.replace(reference.REQUEST_TARGET, target))
    return replace(DOWNLOAD, request=replace(DOWNLOAD.request, target=target, headers=headers))


def _declaration_on_ltkm(text: str) -> str:
    return text.replace("bcast:LTKM>", "LTKM>").replace("<LTKM>", f'<LTKM xmlns="{ORDERQUERIES_NS}">')


REQUEST = reference.request_document([reference.FIRST.msk_id]).decode()
VARIANTS: dict[str, Exchange] = {
    "another prefix": _body(lambda text: text.replace("bcast:LTKM", "b:LTKM").replace("xmlns:bcast", "xmlns:b")),
    "the namespace declared on the element": _body(_declaration_on_ltkm),
    "a prefix for the MSK response": _body(
        lambda text: (
            text.replace("xmlns=", "xmlns:m=")
            .replace("<mbms", "<m:mbms")
            .replace("</mbms", "</m:mbms")
            .replace("<Resp", "<m:Resp")
            .replace("</Resp", "</m:Resp")
            .replace("<MSK", "<m:MSK")
            .replace("</MSK", "</m:MSK")
            .replace("<key", "<m:key")
            .replace("</key", "</m:key")
        )
    ),
    "no declaration": _body(lambda text: text.partition("\n")[2]),
    "single quotes in the declaration": _body(lambda text: text.replace('"UTF-8"', "'UTF-8'")),
    "standalone": _body(lambda text: text.replace("?>", ' standalone="yes"?>')),
    "utf-8 with byte order mark": _body(lambda text: text, "utf-8-sig"),
    "utf-16 with byte order mark": _body(_declared("UTF-16"), "utf-16"),
    "utf-16 little endian without declaration": _body(lambda text: "\ufeff" + text.partition("\n")[2], "utf-16-le"),
    "utf-16 big endian": _body(lambda text: "\ufeff" + _declared("UTF-16")(text), "utf-16-be"),
    "iso-8859-1, declared": _body(_declared("ISO-8859-1"), "latin-1"),
    "gb18030, declared, with Chinese in a comment": _body(
        lambda text: _declared("GB18030")(text).replace("\n<Resp", "\n<!-- 广播 --><Resp"), "gb18030"
    ),
    "us-ascii, declared": _body(_declared("US-ASCII"), "ascii"),
    "crlf line ends": _body(lambda text: text.replace("\n", "\r\n")),
    "no final newline": _body(str.strip),
    "comments everywhere but in text": _body(lambda text: text.replace("><", "><!-- c --><")),
    "processing instructions": _body(lambda text: text.replace("<Response>", "<?x y?><Response>")),
    "white space between elements": _body(lambda text: text.replace("><", ">\n\t<")),
    "white space in base64": _body(_wrapped),
    "base64 in CDATA": _body(lambda text: text.replace(MESSAGE, f"<![CDATA[{MESSAGE}]]>")),
    "a character reference in base64": _body(lambda text: text.replace("AQAV", "&#65;QA&#x56;", 1)),
    "white space around identifiers": _body(lambda text: text.replace("uHCd", " uHCd\n")),
    "an extension before and after the LTKM": _body(_after_code),
    "version 0": _body(lambda text: text.replace("<bcast:LTKM>", '<bcast:LTKM version="0">')),
    "version 00 within white space": _body(lambda text: text.replace("<bcast:LTKM>", '<bcast:LTKM version=" 00 ">')),
    "version +0": _body(lambda text: text.replace("<bcast:LTKM>", '<bcast:LTKM version="+0">')),
    "xsi:schemaLocation on the root": _body(
        lambda text: text.replace(
            "<mbmsMSKResponse ",
            '<mbmsMSKResponse xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'xsi:schemaLocation="{MSK_RESPONSE_NS} mskResponse.xsd" ',
        )
    ),
    "xsi:type on the LTKM": _body(
        lambda text: text.replace(
            "<bcast:LTKM>",
            '<bcast:LTKM xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="bcast:LTKMType">',
        )
    ),
    "> in an attribute value": _body(
        lambda text: text.replace("<mbmsMSKResponse ", '<mbmsMSKResponse xmlns:x="urn:>" ')
    ),
    "media type in upper case with charset": _header(
        "content-type", 'Application/MBMS-MSK-Response+XML; charset="UTF-8"; x=y'
    ),
    "media type with an empty parameter": _header("Content-Type", "application/mbms-msk-response+xml;"),
    "another reason phrase": replace(DOWNLOAD, response=replace(DOWNLOAD.response, reason="Alles gut")),  # type: ignore[type-var]
    "no reason phrase": replace(DOWNLOAD, response=replace(DOWNLOAD.response, reason="")),  # type: ignore[type-var]
    "authentication-info in the trailer": _trailer(),
    "gzip": _gzipped(),
    "identity as content encoding": _header("Content-Encoding", "identity"),
    "plain MBMS message": _many(bcast=False),
    "streaming form": _many(streaming=True),
    "validity of 4 octets": _many(seq_l=bytes.fromhex("d0000000"), seq_u=bytes.fromhex("d0015180")),
    "a key of 256 bits": _many(msk=bytes(range(32))),
    "a RAND of 32 octets": _many(rand=bytes(range(32))),
    "counter 0": _many(counter=0),
    "counter at its maximum": _many(counter=0xFFFFFFFF),
    "CSB ID 0": _many(csb_id=0),
    "a Key Domain ID that is no BCD": _many(key_domain=bytes.fromhex("ffffff")),
    "a refused key beside a granted one": _refused_beside(),
    "a request with attributes and comments": _request(REQUEST.replace("<MSK>", "<!-- c --><MSK>")),
    "a request with Key Number 0": _request(REQUEST.replace("JMtEAA==", "JMsAAA==")),
    "a request for one key, twice": _request(reference.request_document([reference.FIRST.msk_id] * 2).decode()),
    "a request that was not captured": replace(DOWNLOAD, request=replace(DOWNLOAD.request, body=None)),
    "HTTP/2": replace(DOWNLOAD, request=replace(DOWNLOAD.request, http_version="HTTP/2.0")),
    "a base URI before the path": _target("/bsm/keymanagement?x=1&requesttype=msk-request"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_that_is_right_is_not_flagged(name: str) -> None:
    exchange = VARIANTS[name]
    report = inspect(exchange, Context(Settings(debug=True)))
    assert [finding.line for finding in report.findings] == []
    assert exchange.document is not None
    assert report.ltkms == 1, "the LTKM is found and looked at"


def test_there_are_enough_variants() -> None:
    assert len(VARIANTS) >= 40


def _delivered(
    counter: int, nc: int, terminal: ReferenceTerminal = TERMINAL, opaque: str = "", **changes: object
) -> Exchange:
    """Build an exchange that delivers an LTKM with that counter; with the opaque of the challenge, in its nonce."""
    grant = replace(reference.FIRST, counter=counter, csb_id=0x20000000 + nc, **changes)  # type: ignore[arg-type]
    item = (grant, "200 OK", reference.ltkm(grant, terminal))
    nonce = reference.NONCE if opaque else reference.NONCE[::-1]
    id = f"{terminal.address} {nc}"
    return reference.exchange(
        [grant.msk_id], [item], terminal=terminal, nonce=nonce, nc=nc, opaque=opaque, at=nc * 900, id=id
    )


NEW_B_TID = replace(OTHER_TERMINAL, address=TERMINAL.address)
LOST = replace(_delivered(7, 2), error="the client closed the connection")
CHALLENGE, ANSWER = reference.reference("challenge")


def _of_realms(offered: str, answered: str, agent: str = "x 3gpp-gba", algorithm: str = "MD5") -> tuple[Exchange, ...]:
    """Build a challenge with that realm, and its answer with that one and another User-Agent, rightly signed."""
    credentials = ANSWER.request.credentials
    assert credentials is not None
    assert CHALLENGE.response is not None
    directives = CHALLENGE.response.challenges[0].put("realm", offered, quoted=True).put("algorithm", algorithm)
    headers = CHALLENGE.response.headers.put("WWW-Authenticate", f"Digest {directives}")
    asks = replace(CHALLENGE, response=replace(CHALLENGE.response, headers=headers))
    proof = credentials.put("realm", answered, quoted=True).put("algorithm", algorithm)
    request = ANSWER.request.with_credentials(proof)
    request = replace(request, headers=request.headers.put("User-Agent", agent))
    return asks, seal(replace(ANSWER, request=request), ANSWER, Context(keys=reference.KEYS))


PLAIN_REALM, UICC_REALM = f"3GPP-bootstrapping@{reference.BSM}", f"3GPP-bootstrapping-uicc@{reference.BSM}"
BOTH_REALMS = f"{UICC_REALM};{PLAIN_REALM}"
SESSIONS: dict[str, tuple[Exchange, ...]] = {
    "a counter that jumps": (_delivered(5, 1), _delivered(60_000, 2)),
    "a counter that wraps": (_delivered(0xFFFFFFFF, 1), _delivered(0, 2)),
    "a counter that jumps just less than half the range": (_delivered(5, 1), _delivered(4 + 2**31, 2)),
    "a key delivered again under a new MUK, its counter from 1": (_delivered(500, 1), _delivered(1, 1, NEW_B_TID)),
    "a terminal that goes over from GBA to AKMA": (
        _delivered(500, 1),
        _delivered(1, 1, replace(TERMINAL_OF_5G, address=TERMINAL.address)),
    ),
    "AKMA beside GBA behind one address": (_delivered(5, 1), _delivered(5, 1, TERMINAL_OF_5G), _delivered(6, 2)),
    "two terminals behind one address": (_delivered(5, 1), _delivered(5, 1, OTHER_TERMINAL), _delivered(6, 2)),
    "one key with one RAND for all terminals": (_delivered(5, 1), _delivered(9, 1, OTHER_TERMINAL)),
    "an exchange captured at two places": (_delivered(5, 1), replace(_delivered(5, 1), id="the other capture")),
    "an exchange captured at two places whose clocks differ": (
        _delivered(5, 1),
        replace(_delivered(5, 1), id="b", capture="b", connection="b", started=reference.STARTED + 960, ended=None),
    ),
    "an exchange repeated over one connection": (
        _delivered(5, 1),
        replace(_delivered(5, 1), id="again", started=reference.STARTED + 4500, ended=reference.STARTED + 4501),
    ),
    "an exchange that mitmproxy replayed": (
        _delivered(5, 1),
        replace(_delivered(5, 1), id="b", connection="b", started=reference.STARTED + 4500, is_replayed=True),
    ),
    "a message sent again because the first was lost": (LOST, replace(LOST, id="again", error=None)),
    "captures in the wrong order": (_delivered(6, 2), _delivered(5, 1)),
    "nonce counts with a gap": (_delivered(5, 1), _delivered(6, 9)),
    "a nonce count of one's own for each terminal": (_delivered(5, 1), _delivered(5, 1, OTHER_TERMINAL)),
    "a challenge that is never answered": (CHALLENGE, _delivered(5, 1)),
    "a challenge answered twice": (CHALLENGE, ANSWER, _delivered(0x2B, 2, opaque=reference.OPAQUE)),
    "a refused key asked for again": (reference.reference("refused")[0], _delivered(5, 2)),
    "two realms offered, the plain one answered": _of_realms(BOTH_REALMS, PLAIN_REALM),
    "two realms offered, that of the card answered": _of_realms(BOTH_REALMS, UICC_REALM, "x 3gpp-gba-uicc"),
    "two realms offered and both answered": _of_realms(BOTH_REALMS, BOTH_REALMS),
    "two realms offered and both answered, by the card": _of_realms(BOTH_REALMS, BOTH_REALMS, "x 3gpp-gba-uicc"),
    "two realms in the other order with a space": _of_realms(f"{PLAIN_REALM}; {UICC_REALM}", BOTH_REALMS),
    "a realm in other case": _of_realms(PLAIN_REALM, PLAIN_REALM.replace(".net", ".NET")),
    "MD5-sess": _of_realms(PLAIN_REALM, PLAIN_REALM, algorithm="MD5-sess"),
    "SHA-256": _of_realms(PLAIN_REALM, PLAIN_REALM, algorithm="SHA-256"),
    "SHA-256-sess": _of_realms(PLAIN_REALM, PLAIN_REALM, algorithm="SHA-256-sess"),
    "another key of the same group": (
        _delivered(5, 1),
        _delivered(6, 2, msk_id=b"\x24\xcb\0\1", rand=reference.SECOND.rand),
    ),
}


def test_both_realms_at_once_prove_with_the_key_of_their_server() -> None:
    others = Subscriber(reference.B_TID, "bsm.home2.net", (bytes(32),), bytes(32))
    context = Context(Settings(debug=True), KeyRing((others, *reference.KEYS.subscribers)), Session())
    for exchange in SESSIONS["two realms offered and both answered"]:
        report = inspect(exchange, context)
    assert report.outcomes["request-digest-wrong"].answer is Answer.PASSED
    assert report.outcomes["response-digest-wrong"].answer is Answer.PASSED
    assert report.outcomes["mac-invalid"].answer is Answer.PASSED


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("keys", [reference.KEYS, KeyRing()], ids=["with keys", "without keys"])
def test_a_session_that_is_right_is_not_flagged(name: str, keys: KeyRing) -> None:
    context = Context(Settings(debug=True), keys, Session())
    said = [finding.line for exchange in SESSIONS[name] for finding in inspect(exchange, context).findings]
    assert said == []
