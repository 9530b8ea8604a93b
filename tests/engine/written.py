"""MSK responses written in many ways, and the pieces that they are made of."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.document import MSK_RESPONSE_NS, ORDERQUERIES_NS
from ltkm_inspect.reference import FIRST, SECOND, TERMINAL, Grant
from ltkm_inspect.traffic import Exchange

GRANTS = (FIRST, SECOND)


@dataclass(frozen=True)
class Style:
    """How a document is written."""

    encoding: str
    bom: bool
    quote: str
    prefix: str
    msk_prefix: str
    line: str
    space: str
    foreign: str
    cdata: bool
    wrap: int
    final: str
    version: str


@dataclass(frozen=True)
class Written:
    """A document, and the pieces that it is made of: the head, then each item with its LTKM apart, and the tail."""

    head: bytes
    items: tuple[tuple[bytes, bytes, bytes], ...]
    tail: bytes

    @property
    def octets(self) -> bytes:
        """The whole document."""
        return b"".join((self.head, *(b"".join(item) for item in self.items), self.tail))

    @property
    def exchange(self) -> Exchange:
        """An exchange whose response is this document."""
        return self.put_into(reference.reference("several-keys")[0])

    def put_into(self, exchange: Exchange) -> Exchange:
        """Return the exchange with this document as its response."""
        assert exchange.response is not None
        return replace(exchange, response=exchange.response.with_content(self.octets))

    def around(self, item: int) -> tuple[bytes, bytes]:
        """Return what stands before and behind an item, from 0."""
        pieces = [b"".join(each) for each in self.items]
        return self.head + b"".join(pieces[:item]), b"".join(pieces[item + 1 :]) + self.tail

    def around_ltkm(self, item: int) -> tuple[bytes, bytes]:
        """Return what stands before and behind the LTKM of an item, from 0."""
        before, behind = self.around(item)
        return before + self.items[item][0], self.items[item][2] + behind


FOREIGN = {
    "UTF-8": "é中\N{GRINNING FACE}",
    "UTF-16": "é中\N{GRINNING FACE}",
    "ISO-8859-1": "éÿ",
    "GB18030": "é中啊鱫",
    "US-ASCII": "~",
}
CODECS = {"UTF-16": "utf_16_le"}

STYLES = st.builds(
    Style,
    encoding=st.sampled_from(sorted(FOREIGN)),
    bom=st.booleans(),
    quote=st.sampled_from("'\""),
    prefix=st.sampled_from(["bcast", "b", "x-1.y", "LTKM", ""]),
    msk_prefix=st.sampled_from(["", "m", "mbms"]),
    line=st.sampled_from(["", "\n", "\r\n", "\n\t", "  "]),
    space=st.sampled_from(["", " ", "\n"]),
    foreign=st.sampled_from(["", "<!-- <LTKM>{}</LTKM> -->", "<?pi {} ?>", f"<!--{{}} {MSK_RESPONSE_NS}-->"]),
    cdata=st.booleans(),
    wrap=st.sampled_from([0, 64, 76]),
    final=st.sampled_from(["", "\n", "\r\n", "\n<!-- end -->\n"]),
    version=st.sampled_from(["", " version={}0{}", "\tversion\n= {}0{}"]),
)


def written(
    style: Style, grants: Sequence[Grant] = GRANTS, codes: Sequence[str] = (), *, bare: bool = False
) -> Written:
    """Write an MSK response in this style; with `bare` without LTKMs."""
    codec = CODECS.get(style.encoding, style.encoding)
    q, line, space = style.quote, style.line, style.space
    foreign = style.foreign.format(FOREIGN[style.encoding])
    bom = "\ufeff" if style.encoding == "UTF-16" or (style.encoding == "UTF-8" and style.bom) else ""
    m = f"{style.msk_prefix}:" if style.msk_prefix else ""
    name = f"{style.prefix}:LTKM" if style.prefix else "LTKM"
    declares = f" xmlns:{style.prefix}={q}{ORDERQUERIES_NS}{q}" if style.prefix else ""
    own = "" if style.prefix else f" xmlns={q}{ORDERQUERIES_NS}{q}"
    namespace = f"xmlns:{style.msk_prefix}" if m else "xmlns"
    head = f"{bom}<?xml version={q}1.0{q} encoding={q}{style.encoding}{q}?>{line}{foreign}"
    head += f"<{m}mbmsMSKResponse {namespace}={q}{MSK_RESPONSE_NS}{q}{declares}{space}>{line}"

    def coded(text: str) -> bytes:
        return text.encode(codec)

    def element(tag: str, text: str) -> str:
        return f"<{tag}{space}>{text}</{tag.split()[0]}{space}>"

    items = []
    for number, grant in enumerate(grants):
        pair = (
            element(f"{m}keyDomainID", base64_text(grant.key_domain))
            + line
            + element(f"{m}MSKID", base64_text(grant.msk_id))
        )
        code = codes[number] if codes else "200 OK"
        code = f"<![CDATA[{code}]]>" if style.cdata else code
        opens = f"{foreign}<{m}Response{space}>{line}" + element(f"{m}MSK", line + pair + line) + line
        opens += element(f"{m}ResponseCode", code)
        text = _wrapped(base64_text(reference.ltkm(grant, TERMINAL).encode()), style)
        ltkm = (
            ""
            if bare
            else element(name + own + style.version.format(q, q), f"<![CDATA[{text}]]>" if style.cdata else text)
        )
        items.append((coded(opens), coded(ltkm), coded(f"{line}</{m}Response>{line}{foreign}")))
    return Written(coded(head), tuple(items), coded(f"</{m}mbmsMSKResponse>{style.final}"))


def base64_text(octets: bytes) -> str:
    return b64encode(octets).decode()


def _wrapped(text: str, style: Style) -> str:
    if not style.wrap:
        return text
    return (style.line.strip(" ") or "\n").join(text[at : at + style.wrap] for at in range(0, len(text), style.wrap))
