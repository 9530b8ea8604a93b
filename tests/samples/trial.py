"""One recorded morning of a small trial: three terminals behind one NAT address, and a BSM that gets things wrong."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

from ltkm_inspect.document import MSK_RESPONSE_NS, MSK_RESPONSE_TYPE, ORDERQUERIES_NS
from ltkm_inspect.exchange import Exchange
from tests.samples import traffic
from tests.samples.lab import (
    Handset,
    Sample,
    body_of,
    changed,
    chunked,
    granted,
    numbered,
    replaced,
    with_header,
)

FILE = "trial.flow"
NEWS = granted("24cb0001")
NEXT_NEWS = granted("24cb0002")
SPORT = granted("68c90001")
NEXT_SPORT = granted("68c90002")
CINEMA = granted("31a20001", streaming=True)
PLAIN = granted("47110001", bcast=False)

type Pack = Callable[[str, bytes], bytes]
"""Return the gzip of that content, as committed under that name."""


def samples(pack: Pack) -> list[Sample]:
    """Return the flows of the morning in the order in which they were recorded."""
    return numbered(FILE, (*_as_it_should_be(pack), *_as_it_should_not_be()))


# The terminals go on counting from one half of the morning to the other, so each half says where it begins.
def _handsets(counter: int, nc: int) -> tuple[Handset, Handset, Handset]:
    return Handset("Alder", counter, nc), Handset("Birch", counter, nc), Handset("Cedar", counter, nc)


def _as_it_should_be(pack: Pack) -> Iterator[Sample]:
    """The first hour: every form that a good answer can have, among what else terminals do."""
    alder, birch, cedar = _handsets(0x10, 0)

    yield Sample("Alder looks at the operator's portal: not ours", traffic.page(alder, 0))
    yield Sample("and at its picture: not ours", traffic.picture(alder, 1))
    yield Sample("Alder registers for the news: another procedure", traffic.registration(alder, 30))
    yield Sample("Birch asks for the news key and is challenged", birch.challenged(60, NEWS))
    yield Sample("Birch asks again with credentials and gets one key", birch.answered(61, [birch.item(NEWS)]))
    both = [alder.item(NEWS), alder.item(SPORT)]
    yield Sample("Alder, still known from its registration, gets two keys at once", alder.answered(120, both))
    yield Sample("Cedar asks for two keys and is challenged", cedar.challenged(180, NEWS, SPORT))
    items = [cedar.item(NEWS), cedar.item(SPORT, "403 Forbidden", inside=False)]
    yield Sample("Cedar gets one key and is refused the other", cedar.answered(181, items))
    yield Sample("Birch asks the portal what is on: not ours", traffic.programme(birch, 240))
    streaming = birch.answered(300, [birch.item(CINEMA)])
    yield Sample("Birch gets a key for streaming, with its security policy", streaming)
    items = [cedar.item(SPORT, inside=False)]
    yield Sample("Cedar gets a key over UDP: a plain MBMS response without LTKMs", cedar.answered(360, items))
    yield Sample("Alder gets an LTKM without the BCAST extension", alder.answered(420, [alder.item(PLAIN)]))
    plain = birch.answered(480, [birch.item(SPORT), birch.item(NEXT_NEWS)])
    coded = with_header(birch.signed(plain, pack("two-keys.xml.gz", body_of(plain))), "Content-Encoding", "gzip")
    yield Sample("Birch gets two keys, compressed with gzip", coded)
    yield Sample("Cedar gets a key in chunks", chunked(cedar.answered(540, [cedar.item(SPORT)])))


def _as_it_should_not_be() -> Iterator[Sample]:
    """The second hour: a new release of the BSM, and one broken requirement after the other."""
    alder, birch, cedar = _handsets(0x20, 0x10)

    def flawed(handset: Handset, at: float, edit: Callable[[bytes], bytes]) -> Exchange:
        """Let that terminal ask for the next news key and have the document of the answer changed."""
        return handset.answered(3600 + at, [handset.item(NEXT_NEWS)], edit)

    yield Sample(
        "the LTKM stands in a namespace without its version",
        flawed(alder, 0, replaced(f'"{ORDERQUERIES_NS}"', '"urn:oma:xml:bcast:pr:orderqueries"')),
        frozenset({"ltkm-namespace-wrong"}),
        "CR-1a",
    )
    yield Sample(
        "the LTKM element is written in lower case",
        flawed(birch, 30, replaced("bcast:LTKM>", "bcast:ltkm>", times=2)),
        frozenset({"ltkm-misnamed"}),
        "CR-1a",
    )
    yield Sample(
        "a character that is not base64 has slipped into the LTKM",
        flawed(cedar, 60, replaced("<bcast:LTKM>AQA", "<bcast:LTKM>A!A")),
        frozenset({"ltkm-not-base64"}),
        "CR-1b",
    )
    yield Sample(
        "an octet is left over behind the MAC",
        flawed(alder, 90, _with_messages(lambda octets: octets + b"\0")),
        frozenset({"octets-left-over"}),
        "CR-1c",
    )
    yield Sample(
        "the message is cut off in its MAC",
        flawed(birch, 120, _with_messages(lambda octets: octets[:-7])),
        frozenset({"length-overrun"}),
        "CR-1c",
    )
    yield Sample(
        "the version is written as the table of the change request prints it",
        flawed(cedar, 150, replaced("<bcast:LTKM>", '<bcast:LTKM version="0x00">')),
        frozenset({"ltkm-version-invalid"}),
        "CR-1d",
    )
    yield Sample(
        "one of two successful items has no LTKM",
        alder.answered(3780, [alder.item(NEXT_NEWS), alder.item(NEXT_SPORT, inside=False)]),
        frozenset({"ltkm-missing"}),
        "CR-2a",
    )

    def repeated(body: bytes) -> bytes:
        again = base64.b64encode(birch.ltkm(NEXT_NEWS).encode()).decode()
        return _before("</Response>", f"<bcast:LTKM>{again}</bcast:LTKM>")(body)

    yield Sample(
        "one item has two LTKMs for the same key",
        flawed(birch, 210, repeated),
        frozenset({"ltkm-repeated"}),
        "CR-2b",
    )
    yield Sample(
        "a key that was not found comes with an LTKM",
        cedar.answered(3840, [cedar.item(NEXT_NEWS, "404 Not Found")]),
        frozenset({"ltkm-on-error-code"}),
        "CR-3",
    )
    yield Sample(
        "the response code is not written as 200 OK",
        alder.answered(3870, [alder.item(NEXT_NEWS, "200 Ok", inside=False)]),
        frozenset({"response-code-near-miss"}),
    )
    yield Sample(
        "the LTKM stands before the response code",
        flawed(birch, 300, _moved_before("<ResponseCode>")),
        frozenset({"ltkm-misplaced"}),
        "CR-4",
    )
    yield Sample(
        "the item names another key domain than its LTKM",
        flawed(cedar, 330, replaced("<keyDomainID>uHCd<", "<keyDomainID>uHCe<")),
        frozenset({"key-domain-mismatch"}),
        "CR-5a",
    )
    swapped = [alder.ltkm(NEXT_NEWS), alder.ltkm(NEXT_SPORT)]
    yield Sample(
        "the LTKMs of two items are swapped",
        alder.answered(3960, [(NEXT_SPORT, "200 OK", swapped[0]), (NEXT_NEWS, "200 OK", swapped[1])]),
        frozenset({"msk-id-mismatch"}),
        "CR-5b",
    )
    yield Sample(
        "the status is 202",
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
        "the response is a document of BCAST's own: option 1, which the change request rejected",
        flawed(alder, 450, _in_bcast_document),
        frozenset({"root-element-wrong"}),
        "CR-8a",
    )
    message = base64.b64encode(birch.ltkm(NEXT_NEWS).encode()).decode()
    extension = f'<bcast:LTKM xmlns:bcast="{ORDERQUERIES_NS}">{message}</bcast:LTKM>'
    yield Sample(
        "the answer to a registration carries an LTKM",
        traffic.registration(birch, 4080, extension),
        frozenset({"root-element-wrong"}),
        "CR-8a",
    )
    multipart = cedar.answered(4110, [cedar.item(NEXT_NEWS)], _in_multipart)
    yield Sample(
        "the response is multipart: option 2, which the change request rejected",
        with_header(multipart, "Content-Type", 'multipart/mixed; boundary="part"'),
        frozenset({"media-type-wrong"}),
        "CR-8b",
    )
    yield Sample(
        "a terminal asks for no key, and is given one nevertheless",
        _asking_for_nothing(alder, 4140),
        frozenset({"request-names-no-key"}),
        "CR-9",
    )


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
