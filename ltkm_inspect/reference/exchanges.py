"""Clean exchanges with known keys, which break no rule: faults start from them."""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ltkm_inspect import digest
from ltkm_inspect.digest import AKMA_PREFIX, REALM_PREFIXES
from ltkm_inspect.document import (
    MSK_REQUEST_NS,
    MSK_REQUEST_TYPE,
    MSK_RESPONSE_NS,
    MSK_RESPONSE_TYPE,
    ORDERQUERIES_NS,
)
from ltkm_inspect.keys import KeyRing, Subscriber, akma
from ltkm_inspect.keys.protection import encrypt
from ltkm_inspect.mikey import Message, SecurityPolicy, SrtpParameter, SrtpSession
from ltkm_inspect.sources.recipe import unprotected
from ltkm_inspect.traffic import Exchange, Headers, Request, Response

BSM = "bmsc.home1.net"
B_TID = "MTIzNDU2Nzg5MDEyMzQ1Ng==@bsf.home1.net"
MUK = bytes(range(0x20, 0x40))
MRK = bytes.fromhex("7c3b5373aa0af6f11311a35052c58b641668e3f7429fac322e0f627bbb55c94b")
"""Derived from the MUK, taken as Ks_NAF, as 3GPP TS 33.246 Annex F says."""
KEY_DOMAIN = bytes.fromhex("b8709d")
REQUEST_TARGET = "/keymanagement?requesttype=msk-request"
NONCE = "6629fae49393a05397450978507c4ef1"
OPAQUE = "5ccc069c403ebaf9f0171e9517f40e41"
"""What the BSM of the lab puts into a challenge."""
STARTED = 1_256_716_800.0
"""2009-10-28 08:00 UTC: when the lab trial begins."""


@dataclass(frozen=True, slots=True)
class ReferenceTerminal:
    """One terminal of the lab and what it shares with the BSM."""

    b_tid: str = B_TID
    muk: bytes = MUK
    mrk: bytes = MRK
    address: str = "192.0.2.10:40001"
    server: str = BSM
    """FQDN of the server that it asks: that of the BSM, or in 5G broadcast of the MBSSF."""
    realm_prefix: str = "3GPP-bootstrapping"
    """How it authenticates: the part of the realm before the @."""

    @property
    def subscriber(self) -> Subscriber:
        """Its entry in a key ring."""
        return Subscriber(self.b_tid, self.server, (self.muk,), self.mrk)

    @property
    def realm(self) -> str:
        """The realm that the server asks it for."""
        return f"{self.realm_prefix}@{self.server}"


TERMINAL = ReferenceTerminal()
OTHER_TERMINAL = ReferenceTerminal(
    "QUJDREVGR0hJSktMTU5PUA==@bsf.home1.net", bytes(range(0x60, 0x80)), bytes(range(0x80, 0xA0)), "192.0.2.10:40002"
)
MBSSF = "mbssf.home1.net"
K_AUSF = bytes(range(0xC0, 0xE0))
SUPI = "999700000000001"


def _terminal_of_5g() -> ReferenceTerminal:
    """Return a terminal of 5G broadcast that authenticates by AKMA (3GPP TS 33.501 W.4.1.3)."""
    a_kid = f"rid0012.atid{akma.a_tid(K_AUSF, SUPI).hex()}@5gc.mnc070.mcc999.3gppnetwork.org"
    keys = akma.muk_and_mrk(akma.k_af(akma.k_akma(K_AUSF, SUPI), akma.af_id(MBSSF)))
    return ReferenceTerminal(a_kid, *keys, "192.0.2.10:40004", MBSSF, AKMA_PREFIX)


TERMINAL_OF_5G = _terminal_of_5g()
KEYS = KeyRing((TERMINAL.subscriber, OTHER_TERMINAL.subscriber, TERMINAL_OF_5G.subscriber))
"""The keys of all terminals of the lab."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One MSK to deliver: its identifiers, the key with its validity, and the counter of the message."""

    msk_id: bytes
    counter: int
    msk: bytes = bytes.fromhex("00112233445566778899aabbccddeeff")
    seq_l: bytes = bytes.fromhex("0000")
    seq_u: bytes = bytes.fromhex("0fff")
    csb_id: int = 0x5A17C0DE
    rand: bytes = bytes.fromhex("f0e1d2c3b4a5968778695a4b3c2d1e0f")
    key_domain: bytes = KEY_DOMAIN
    bcast: bool = True
    """The message has the OMA BCAST extension, with a placeholder of one octet as management data."""
    streaming: bool = False

    @property
    def plaintext(self) -> bytes:
        """The key data of the KEMAC: one TEK with an interval (RFC 3830 §6.13, 3GPP TS 33.246 6.4.5.1)."""
        validity = b"".join(len(limit).to_bytes() + limit for limit in (self.seq_l, self.seq_u))
        return b"\0\x22" + len(self.msk).to_bytes(2) + self.msk + validity


FIRST = Grant(bytes.fromhex("24cb4400"), 0x2A)
SECOND = Grant(
    bytes.fromhex("68c90001"),
    0x2B,
    bytes.fromhex("ffeeddccbbaa99887766554433221100"),
    csb_id=0x5A17C0DF,
    rand=bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
)
AGAIN = replace(FIRST, counter=0x2B, csb_id=0x5A17C0E0)
"""The first key once more: a message of its own with the next counter, and the RAND that belongs to the MSK."""
STREAMING = replace(FIRST, csb_id=0x01020304, counter=0x2C, seq_l=bytes.fromhex("0001"), streaming=True)
STREAMING_POLICY = (
    (0, "01"),
    (1, "10"),
    (6, "00"),
    (7, "01"),
    (10, "01"),
    (13, "000a"),
    (14, "02"),
    (16, "14"),
    (18, "0e"),
)
"""SRTP parameters by type: AES-CM, HMAC-SHA-1 with RCCm1 (RFC 4771) every 10 packets, tag of 14 octets."""


def ltkm(grant: Grant, terminal: ReferenceTerminal = TERMINAL) -> Message:
    """Build the LTKM of that grant for that terminal, encrypted and authenticated."""
    identities = terminal.server.encode(), terminal.b_tid.encode()
    data = b"\0" if grant.bcast else None
    message = unprotected((grant.key_domain, grant.msk_id), grant.csb_id, grant.counter, grant.rand, identities, data)
    if grant.streaming:
        assert message.header is not None
        session = SrtpSession(1, 0x12345678, 0)
        parameters = tuple(SrtpParameter(number, bytes.fromhex(value)) for number, value in STREAMING_POLICY)
        payloads = (*message.payloads[:-1], SecurityPolicy(1, 0, parameters), message.payloads[-1])
        header = replace(message.header, cs_count=1, cs_id_map_type=0, cs_id_map=(session,))
        message = replace(message, header=header, payloads=payloads)
    return encrypt(message, terminal.muk, grant.plaintext)


def request_document(msk_ids: Iterable[bytes], key_domain: bytes = KEY_DOMAIN) -> bytes:
    """Build the XML of an MSK request for these MSK IDs."""
    msks = "".join(_msk(key_domain, msk_id) for msk_id in msk_ids)
    return f'<mbmsMSKRequest xmlns="{MSK_REQUEST_NS}">{msks}</mbmsMSKRequest>'.encode()


def response_document(items: Iterable[tuple[Grant, str, Message | None]]) -> bytes:
    """Build the XML of an MSK response: for each item the MSK, its response code, and the LTKM if it has one."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<mbmsMSKResponse xmlns="{MSK_RESPONSE_NS}" xmlns:bcast="{ORDERQUERIES_NS}">',
    ]
    for grant, code, message in items:
        text = f"<bcast:LTKM>{_base64(message.encode())}</bcast:LTKM>" if message else ""
        msk = _msk(grant.key_domain, grant.msk_id)
        lines.append(f"<Response>{msk}<ResponseCode>{code}</ResponseCode>{text}</Response>")
    return "\n".join([*lines, "</mbmsMSKResponse>\n"]).encode()


def _msk(key_domain: bytes, msk_id: bytes) -> str:
    return f"<MSK><keyDomainID>{_base64(key_domain)}</keyDomainID><MSKID>{_base64(msk_id)}</MSKID></MSK>"


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def exchange(
    requested: Sequence[bytes],
    items: Iterable[tuple[Grant, str, Message | None]],
    *,
    terminal: ReferenceTerminal = TERMINAL,
    nonce: str = NONCE,
    nc: int = 1,
    opaque: str = "",
    next_nonce: str = "",
    key_domain: bytes = KEY_DOMAIN,
    at: float = 0.0,
    id: str = "",
) -> Exchange:
    """Build a whole exchange of the LTKM request procedure, `at` seconds into the trial, its digests right."""
    request = _request(terminal, request_document(requested, key_domain), nonce, nc, opaque)
    body = response_document(items)
    credentials = request.credentials
    password = terminal.subscriber.password
    assert credentials is not None
    assert password is not None
    rspauth = digest.rspauth(credentials, password, body)
    info = f'qop=auth-int, rspauth="{rspauth}", cnonce="{credentials.get("cnonce")}", nc={credentials.get("nc")}'
    info += f', nextnonce="{next_nonce}"' if next_nonce else ""
    headers = _headers(
        ("Authentication-Info", info), ("Content-Type", MSK_RESPONSE_TYPE), ("Content-Length", str(len(body)))
    )
    return _exchange(request, Response(200, "OK", headers=headers, body=body), terminal, at, id)


def challenge(
    requested: Sequence[bytes],
    *,
    terminal: ReferenceTerminal = TERMINAL,
    key_domain: bytes = KEY_DOMAIN,
    at: float = 0.0,
    id: str = "",
) -> Exchange:
    """Build the exchange in which the BSM asks a terminal to authenticate."""
    asks = f'Digest realm="{terminal.realm}", nonce="{NONCE}", algorithm=MD5, qop="auth-int", opaque="{OPAQUE}"'
    answer = Response(
        401, "Unauthorized", headers=_headers(("WWW-Authenticate", asks), ("Content-Length", "0")), body=b""
    )
    return _exchange(_post(terminal, request_document(requested, key_domain)), answer, terminal, at, id)


def _request(terminal: ReferenceTerminal, body: bytes, nonce: str, nc: int, opaque: str) -> Request:
    directives = digest.parse_directives(
        f'username="{terminal.b_tid}", realm="{terminal.realm}", nonce="{nonce}", uri="{REQUEST_TARGET}", '
        f'algorithm=MD5, qop=auth-int, nc={nc:08x}, cnonce="0a4f113b"' + (f', opaque="{opaque}"' if opaque else "")
    )
    password = terminal.subscriber.password
    assert password is not None
    answer = digest.response(directives, password, "POST", body)
    return _post(terminal, body, ("Authorization", f'Digest {directives}, response="{answer}"'))


def _post(terminal: ReferenceTerminal, body: bytes, *fields: tuple[str, str]) -> Request:
    content = ("Content-Type", MSK_REQUEST_TYPE), ("Content-Length", str(len(body)))
    headers = _headers(*fields, *content, terminal=terminal)
    return Request("POST", "http", terminal.server, 80, REQUEST_TARGET, headers=headers, body=body)


def _headers(*fields: tuple[str, str], terminal: ReferenceTerminal | None = None) -> Headers:
    """Return the header of a request of that terminal, or else of a response, with these fields at its end."""
    common = [("Server", "bsm/1.0")]
    if terminal is not None:
        agent = f"bcast-terminal/1.0 {REALM_PREFIXES[terminal.realm_prefix]}"
        common = [("Host", terminal.server), ("User-Agent", agent)]
    return Headers(tuple((name.encode(), value.encode()) for name, value in (*common, *fields)))


def _exchange(request: Request, response: Response, terminal: ReferenceTerminal, at: float, id: str) -> Exchange:
    return Exchange(
        request,
        response,
        id=id,
        client=terminal.address,
        server="198.51.100.1:80",
        connection=terminal.address,
        started=STARTED + at,
        ended=STARTED + at + 0.25,
    )


def granted(*grants: Grant, terminal: ReferenceTerminal = TERMINAL, **more: Any) -> Exchange:
    """Build an exchange that delivers these keys, with the parameters of `exchange`."""
    items = [(grant, "200 OK", ltkm(grant, terminal)) for grant in grants]
    return exchange([grant.msk_id for grant in grants], items, terminal=terminal, **more)


def _rebootstrapped() -> tuple[Exchange, ...]:
    """Build a session in which a connection goes over to another B-TID, and the first one comes back on a new one."""
    second = replace(granted(FIRST, terminal=OTHER_TERMINAL, at=60), connection=TERMINAL.address)
    third = replace(granted(AGAIN, nc=2, at=120), connection="192.0.2.10:40003")
    return granted(FIRST), second, third


REFERENCES: dict[str, Callable[[], tuple[Exchange, ...]]] = {
    "download": lambda: (granted(FIRST),),
    "streaming": lambda: (granted(STREAMING),),
    "several-keys": lambda: (granted(FIRST, SECOND),),
    "plain-message": lambda: (granted(replace(FIRST, bcast=False)),),
    "plain-mbms": lambda: (exchange([FIRST.msk_id], [(FIRST, "200 OK", None)]),),
    "refused": lambda: (exchange([FIRST.msk_id], [(FIRST, "403 Forbidden", None)]),),
    "challenge": lambda: (challenge([FIRST.msk_id]), granted(FIRST, opaque=OPAQUE, at=1)),
    "challenged": lambda: (challenge([FIRST.msk_id]),),
    "two-terminals": lambda: (granted(FIRST), granted(replace(FIRST, csb_id=0x11223344), terminal=OTHER_TERMINAL)),
    "streaming-two-terminals": lambda: (
        granted(STREAMING),
        granted(replace(STREAMING, csb_id=0x01020306), terminal=OTHER_TERMINAL),
    ),
    "renewal": lambda: (granted(FIRST, nc=2), granted(AGAIN, nc=3, at=3600)),
    "streaming-renewal": lambda: (
        granted(STREAMING, nc=2),
        granted(replace(STREAMING, counter=0x2D, csb_id=0x01020305), nc=3, at=3600),
    ),
    "next-nonce": lambda: (
        granted(FIRST, next_nonce=NONCE[::-1]),
        granted(AGAIN, nonce=NONCE[::-1], at=3600),
    ),
    "rebootstrapped": _rebootstrapped,
    "akma": lambda: (granted(FIRST, terminal=TERMINAL_OF_5G),),
    "akma-challenge": lambda: (
        challenge([FIRST.msk_id], terminal=TERMINAL_OF_5G),
        granted(FIRST, terminal=TERMINAL_OF_5G, opaque=OPAQUE, at=1),
    ),
    "captured-twice": lambda: (granted(FIRST), granted(FIRST, at=3600)),
}
"""The clean references by name, each a session of one exchange or more; faults damage the last exchange."""


@cache
def reference(name: str) -> tuple[Exchange, ...]:
    """Return the clean reference of that name; KeyError where there is none."""
    return REFERENCES[name]()
