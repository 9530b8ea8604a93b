"""One recorded morning of a small trial: three terminals behind one NAT address, and a BSM that gets things wrong."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

from ltkm_inspect.document import MSK_RESPONSE_NS, MSK_RESPONSE_TYPE, ORDERQUERIES_NS
from ltkm_inspect.mikey import Payload, SecurityPolicy
from ltkm_inspect.reference import OPAQUE
from ltkm_inspect.traffic import Exchange
from tests.samples import traffic
from tests.samples.lab import (
    Handset,
    Sample,
    body_of,
    changed,
    chunked,
    granted,
    nonce,
    numbered,
    replaced,
    with_header,
)

FILE = "trial.flow"
KEYS = "trial.keys.toml"
NEWS = granted("24cb0001")
NEXT_NEWS = granted("24cb0002")
SPORT = granted("68c90001")
NEXT_SPORT = granted("68c90002")
CINEMA = granted("31a20001", streaming=True)
PLAIN = granted("47110001", bcast=False)
WEATHER = granted("5e1d0001")
KIDS = granted("7a300001")
MUSIC = granted("0c520001")
RADIO = granted("2f6b0001")
TRAFFIC = replace(granted("4d2e0001"), rand=bytes(16))

ROC_TRANSMISSION_RATE = 13
"""The SRTP parameter that says with how many packets the roll-over counter is sent once (RFC 4771)."""

type Pack = Callable[[str, bytes], bytes]
"""Return the gzip of that content, as committed under that name."""


def samples(pack: Pack) -> list[Sample]:
    """Return the flows of the morning in the order in which they were recorded."""
    return numbered(FILE, (*_as_it_should_be(pack), *_as_it_should_not_be(), *_across_exchanges()))


def _renewed_alder() -> Handset:
    return Handset("Alder", bootstrapped=2)


def key_ring() -> str:
    """Return a key ring with the keys of the terminals of the trial."""
    handsets = [*_handsets(0, 0), _renewed_alder()]
    lines = [
        f"# Test keys of the terminals in {FILE}. They protect nothing.",
        f"# Try it: ltkm-inspect check --keys flows/{KEYS} flows/{FILE}",
    ]
    for handset in handsets:
        keys = handset.terminal.subscriber
        assert keys.mrk is not None
        lines += [
            "",
            "[[subscribers]]",
            f'name = "{handset.name}"',
            f'b_tid = "{keys.b_tid}"',
            f'muk = "{keys.muks[0].hex()}"',
            f'mrk = "{keys.mrk.hex()}"',
        ]
    return "\n".join(lines) + "\n"


# The terminals go on counting from one hour of the morning to the next, so each hour says where it begins.
def _handsets(counter: int, nc: int) -> tuple[Handset, Handset, Handset]:
    return Handset("Alder", counter, nc), Handset("Birch", counter, nc), Handset("Cedar", counter, nc)


def _as_it_should_be(pack: Pack) -> Iterator[Sample]:
    """The first hour: every form that a good answer can have, among what else terminals do."""
    alder, birch, cedar = _handsets(0x10, 0)

    yield Sample("Alder opens the operator's portal (not an MSK exchange)", traffic.page(alder, 0))
    yield Sample("Alder loads a picture of the portal (not an MSK exchange)", traffic.picture(alder, 1))
    yield Sample("Alder registers for the news (another procedure)", traffic.registration(alder, 30))
    yield Sample("Birch asks for the news key and is challenged", birch.challenged(60, NEWS))
    yield Sample("Birch asks again with credentials and gets one key", birch.answered(61, [birch.item(NEWS)]))
    both = [alder.item(NEWS), alder.item(SPORT)]
    yield Sample("Alder, already authenticated by its registration, gets two keys at once", alder.answered(120, both))
    yield Sample("Cedar asks for two keys and is challenged", cedar.challenged(180, NEWS, SPORT))
    items = [cedar.item(NEWS), cedar.item(SPORT, "403 Forbidden", inside=False)]
    yield Sample("Cedar gets one of the two keys; the other one is refused", cedar.answered(181, items))
    yield Sample("Birch asks the portal for the programs (not an MSK exchange)", traffic.programme(birch, 240))
    streaming = birch.answered(300, [birch.item(CINEMA)])
    yield Sample("Birch gets a key for streaming with a security policy", streaming)
    items = [cedar.item(SPORT, inside=False)]
    yield Sample("Cedar is to get a key over UDP: a plain MBMS response without LTKMs", cedar.answered(360, items))
    yield Sample("Alder gets an LTKM without the BCAST extension", alder.answered(420, [alder.item(PLAIN)]))
    plain = birch.answered(480, [birch.item(SPORT), birch.item(NEXT_NEWS)])
    coded = with_header(birch.signed(plain, pack("two-keys.xml.gz", body_of(plain))), "Content-Encoding", "gzip")
    yield Sample("Birch gets two keys, compressed with gzip", coded)
    yield Sample("Cedar gets a key in a chunked body", chunked(cedar.answered(540, [cedar.item(SPORT)])))


def _as_it_should_not_be() -> Iterator[Sample]:
    """The second hour: a new release of the BSM, and one broken requirement after the other."""
    alder, birch, cedar = _handsets(0x20, 0x10)

    def flawed(handset: Handset, at: float, edit: Callable[[bytes], bytes]) -> Exchange:
        """Let that terminal ask for the next news key and have the document of the answer changed."""
        return handset.answered(3600 + at, [handset.item(NEXT_NEWS)], edit)

    yield Sample(
        "The namespace of the LTKM lacks its version",
        flawed(alder, 0, replaced(f'"{ORDERQUERIES_NS}"', '"urn:oma:xml:bcast:pr:orderqueries"')),
        frozenset({"ltkm-namespace-wrong"}),
        "CR-1a",
    )
    yield Sample(
        "The name of the LTKM element is in lower case",
        flawed(birch, 30, replaced("bcast:LTKM>", "bcast:ltkm>", times=2)),
        frozenset({"ltkm-misnamed"}),
        "CR-1a",
    )
    yield Sample(
        "The text of the LTKM has a character that is not base64",
        flawed(cedar, 60, replaced("<bcast:LTKM>AQA", "<bcast:LTKM>A!A")),
        frozenset({"ltkm-not-base64"}),
        "CR-1b",
    )
    yield Sample(
        "An extra octet follows the MAC",
        flawed(alder, 90, _with_messages(lambda octets: octets + b"\0")),
        frozenset({"octets-left-over"}),
        "CR-1c",
    )
    yield Sample(
        "The message ends within its MAC",
        flawed(birch, 120, _with_messages(lambda octets: octets[:-7])),
        frozenset({"length-overrun"}),
        "CR-1c",
    )
    yield Sample(
        "The version attribute is 0x00, as the change request prints it",
        flawed(cedar, 150, replaced("<bcast:LTKM>", '<bcast:LTKM version="0x00">')),
        frozenset({"ltkm-version-invalid"}),
        "CR-1d",
    )
    yield Sample(
        "One of two 200 OK items has no LTKM",
        alder.answered(3780, [alder.item(NEXT_NEWS), alder.item(NEXT_SPORT, inside=False)]),
        frozenset({"ltkm-missing"}),
        "CR-2a",
    )

    def repeated(body: bytes) -> bytes:
        again = base64.b64encode(birch.ltkm(NEXT_NEWS).encode()).decode()
        return _before("</Response>", f"<bcast:LTKM>{again}</bcast:LTKM>")(body)

    yield Sample(
        "An item has two LTKMs for the same key",
        flawed(birch, 210, repeated),
        frozenset({"ltkm-repeated"}),
        "CR-2b",
    )
    yield Sample(
        "An item with 404 Not Found has an LTKM",
        cedar.answered(3840, [cedar.item(NEXT_NEWS, "404 Not Found")]),
        frozenset({"ltkm-on-error-code"}),
        "CR-3",
    )
    yield Sample(
        "The response code is 200 Ok instead of 200 OK",
        alder.answered(3870, [alder.item(NEXT_NEWS, "200 Ok", inside=False)]),
        frozenset({"response-code-near-miss"}),
    )
    yield Sample(
        "The LTKM precedes the response code",
        flawed(birch, 300, _moved_before("<ResponseCode>")),
        frozenset({"ltkm-misplaced"}),
        "CR-4",
    )
    yield Sample(
        "The item names another Key Domain than its LTKM",
        flawed(cedar, 330, replaced("<keyDomainID>uHCd<", "<keyDomainID>uHCe<")),
        frozenset({"key-domain-mismatch"}),
        "CR-5a",
    )
    swapped = [alder.ltkm(NEXT_NEWS), alder.ltkm(NEXT_SPORT)]
    yield Sample(
        "The LTKMs of two items are swapped",
        alder.answered(3960, [(NEXT_SPORT, "200 OK", swapped[0]), (NEXT_NEWS, "200 OK", swapped[1])]),
        frozenset({"msk-id-mismatch"}),
        "CR-5b",
    )
    yield Sample(
        "The HTTP status is 202",
        changed(birch.answered(3990, [birch.item(NEXT_SPORT)]), status=202, reason="Accepted"),
        frozenset({"status-not-200"}),
        "CR-6",
    )
    yield Sample(
        "Authentication-Info is missing",
        with_header(cedar.answered(4020, [cedar.item(NEXT_SPORT)]), "Authentication-Info", None),
        frozenset({"authentication-info-missing"}),
        "CR-7",
    )
    yield Sample(
        "The response is a separate BCAST document (option 1, which the change request rejected)",
        flawed(alder, 450, _in_bcast_document),
        frozenset({"root-element-wrong"}),
        "CR-8a",
    )
    message = base64.b64encode(birch.ltkm(NEXT_NEWS).encode()).decode()
    extension = f'<bcast:LTKM xmlns:bcast="{ORDERQUERIES_NS}">{message}</bcast:LTKM>'
    yield Sample(
        "The response to a registration has an LTKM",
        traffic.registration(birch, 4080, extension),
        frozenset({"root-element-wrong"}),
        "CR-8a",
    )
    multipart = cedar.answered(4110, [cedar.item(NEXT_NEWS)], _in_multipart)
    yield Sample(
        "The response is multipart (option 2, which the change request rejected)",
        with_header(multipart, "Content-Type", 'multipart/mixed; boundary="part"'),
        frozenset({"media-type-wrong"}),
        "CR-8b",
    )
    yield Sample(
        "Alder asks for no key and gets one",
        _asking_for_nothing(alder, 4140),
        frozenset({"request-names-no-key"}),
        "CR-9",
    )


def _across_exchanges() -> Iterator[Sample]:
    """The third hour: what shows when exchanges are compared, between some that are as they should be."""
    alder, birch, cedar = _handsets(0x30, 0x20)

    first = alder.answered(7200, [alder.item(WEATHER)])
    yield Sample("Alder gets the key of the weather channel", first)
    yield Sample("The same exchange again, because two captures overlap: not a replay", first)
    again = alder.ltkm(WEATHER)
    yield Sample(
        "Alder asks again for the key that it just got (a note: Alder did not accept the LTKM)",
        alder.answered(7230, [(WEATHER, "200 OK", again)]),
    )
    yield Sample(
        "Alder asks again and gets exactly the same LTKM",
        alder.answered(7320, [(WEATHER, "200 OK", again)]),
        frozenset({"ltkm-replayed"}),
    )
    yield Sample(
        "Alder gets the same MSK with another RAND",
        alder.answered(7350, [alder.item(replace(WEATHER, rand=KIDS.rand))]),
        frozenset({"rand-changed"}),
    )
    yield Sample(
        "The BSM lost its counters in a restart, and Birch's begins at 1 again",
        birch.answered(7380, [(WEATHER, "200 OK", Handset("Birch").ltkm(WEATHER))]),
        frozenset({"counter-backward"}),
    )
    yield Sample("Cedar gets the key of the weather channel", cedar.answered(7410, [cedar.item(WEATHER)]))
    cedar.counter -= 1
    yield Sample(
        "Cedar gets another key in a message with the same counter",
        cedar.answered(7440, [cedar.item(KIDS)]),
        frozenset({"counter-repeated"}),
    )
    one = birch.item(KIDS)
    birch.counter -= 1
    other = birch.ltkm(replace(RADIO, rand=KIDS.rand, csb_id=KIDS.csb_id))
    yield Sample(
        "Birch gets two keys that are encrypted with the same key stream",
        birch.answered(7470, [one, (RADIO, "200 OK", other)]),
        frozenset({"keystream-reused"}),
    )
    later = birch.ltkm(NEXT_NEWS), birch.ltkm(NEXT_SPORT)
    yield Sample(
        "Birch gets two keys, with the higher counter first",
        birch.answered(7500, [(NEXT_SPORT, "200 OK", later[1]), (NEXT_NEWS, "200 OK", later[0])]),
        frozenset({"counters-disordered"}),
    )
    yield Sample("Cedar gets a key for streaming", cedar.answered(7530, [cedar.item(CINEMA)]))
    yield Sample(
        "Cedar gets the key again with another security policy",
        cedar.answered(7620, [(CINEMA, "200 OK", cedar.changed_ltkm(CINEMA, _with_rarer_counter))]),
        frozenset({"policy-changed"}),
    )
    yield Sample(
        "Alder gets its first key for streaming, without a security policy",
        alder.answered(7650, [(CINEMA, "200 OK", alder.changed_ltkm(CINEMA, _without_policy))]),
        frozenset({"policy-missing"}),
    )
    birch.nc -= 1
    yield Sample(
        "Birch sends another request with a nonce count that it used before",
        birch.answered(7680, [birch.item(SPORT)]),
        frozenset({"nonce-count-reused"}),
    )
    cedar.nc -= 6
    yield Sample(
        "Cedar sends a lower nonce count than before",
        cedar.answered(7710, [cedar.item(MUSIC)]),
        frozenset({"nonce-count-backward"}),
    )
    given = alder.answered(7740, [alder.item(MUSIC)], next_nonce=nonce("Alder, next"))
    yield Sample("Alder gets a key and a nonce for its next request", given)
    yield Sample(
        "Alder still uses the old nonce",
        alder.answered(7770, [alder.item(KIDS)]),
        frozenset({"nextnonce-ignored"}),
    )
    cedar.nonce, cedar.nc = nonce("Cedar, next"), 0
    yield Sample("Cedar starts again and is challenged", cedar.challenged(7800, SPORT))
    yield Sample(
        "Cedar answers with another opaque than the challenge's",
        cedar.answered(7801, [cedar.item(SPORT)], opaque=OPAQUE[::-1]),
        frozenset({"credentials-unlike-challenge"}),
    )
    yield Sample(
        "Cedar answers with the realm for the key of its card, which the challenge did not offer",
        cedar.by_card(cedar.answered(7815, [cedar.item(MUSIC)])),
        frozenset({"realm-not-offered"}),
    )
    renewed = _renewed_alder()
    yield Sample("Alder bootstraps again and is challenged", renewed.challenged(7830, NEXT_SPORT))
    yield Sample(
        "Alder uses its new B-TID: another MUK, so its counter correctly begins at 1",
        renewed.answered(7831, [renewed.item(NEXT_SPORT)]),
    )
    yield Sample(
        "Alder goes back to its old B-TID on the same connection",
        alder.answered(7860, [alder.item(NEXT_SPORT)]),
        frozenset({"identities-alternate"}),
    )
    yield Sample(
        "Birch gets a key with a RAND of zeros",
        birch.answered(7890, [birch.item(TRAFFIC)]),
        frozenset({"rand-constant"}),
    )


def _with_rarer_counter(payload: Payload) -> Payload:
    """Let a security policy send the roll-over counter with every 20th packet instead of every 10th."""
    if not isinstance(payload, SecurityPolicy):
        return payload
    params = [replace(each, value=b"\0\x14") if each.type == ROC_TRANSMISSION_RATE else each for each in payload.params]
    return replace(payload, params=tuple(params))


def _without_policy(payload: Payload) -> Payload | None:
    return None if isinstance(payload, SecurityPolicy) else payload


def _with_messages(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return an edit that changes the octets of the one LTKM of a document."""

    def edit(body: bytes) -> bytes:
        head, tag, rest = body.partition(b"<bcast:LTKM>")
        text, end, tail = rest.partition(b"</bcast:LTKM>")
        return head + tag + base64.b64encode(change(base64.b64decode(text, validate=True))) + end + tail

    return edit


def _before(mark: str, text: str) -> Callable[[bytes], bytes]:
    return replaced(mark, text + mark)


def _moved_before(mark: str) -> Callable[[bytes], bytes]:
    """Return an edit that moves the one LTKM of a document to that mark."""

    def edit(body: bytes) -> bytes:
        start = body.index(b"<bcast:LTKM>")
        end = body.index(b"</bcast:LTKM>") + len(b"</bcast:LTKM>")
        element = body[start:end]
        return _before(mark, element.decode())(body[:start] + body[end:])

    return edit


def _in_bcast_document(body: bytes) -> bytes:
    """Give the document a root element of BCAST's own, and everything in it BCAST's namespace."""
    opened = f'<mbmsMSKResponse xmlns="{MSK_RESPONSE_NS}" xmlns:bcast="{ORDERQUERIES_NS}">'
    body = replaced(opened, f'<LTKMResponse xmlns="{ORDERQUERIES_NS}">')(body)
    body = replaced("</mbmsMSKResponse>", "</LTKMResponse>")(body)
    return replaced("bcast:LTKM>", "LTKM>", times=2)(body)


def _in_multipart(body: bytes) -> bytes:
    """Put the document into one part and the message of its LTKM into another, as the rejected option would have it."""
    head, _, rest = body.partition(b"<bcast:LTKM>")
    text, _, tail = rest.partition(b"</bcast:LTKM>")
    parts = (MSK_RESPONSE_TYPE.encode(), head + tail), (b"application/octet-stream", base64.b64decode(text))
    written = b"".join(b"--part\r\nContent-Type: " + kind + b"\r\n\r\n" + part + b"\r\n" for kind, part in parts)
    return written + b"--part--\r\n"


def _asking_for_nothing(handset: Handset, at: float) -> Exchange:
    """Return an exchange whose request is a document without a single MSK, rightly signed."""
    given = handset.answered(at, [handset.item(NEXT_SPORT)])
    empty = handset.answered(at, [])  # takes the next nc, so it is the request that the recording shows
    return handset.signed(replace(given, request=empty.request), body_of(given))
