"""The people and tools of the recorded trial: terminals that count, and edits that leave a response properly signed."""

import base64
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from ltkm_inspect import digest, reference
from ltkm_inspect.keys.protection import authenticate
from ltkm_inspect.mikey import Message, Payload
from ltkm_inspect.reference import OPAQUE, Grant, ReferenceTerminal, ltkm
from ltkm_inspect.traffic import Exchange, Response

NAT = "192.0.2.10"
"""The one public address that all terminals of the trial share."""
BSM_ADDRESS = "198.51.100.1:80"
PORTS = {"Alder": 40001, "Birch": 40002, "Cedar": 40003}
"""The terminals of the trial by name, each with its port of the NAT."""

type Delivery = tuple[Grant, str, Message | None]
"""One item of a response: what is granted, the response code, and the LTKM if there is one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One flow of a sample file, with what a reader is told of it and the rules that it must break."""

    title: str
    exchange: Exchange
    breaks: frozenset[str] = frozenset()
    """Ids of the rules that must be found broken, and no others: written down from what the rules say."""
    requirement: str = ""
    """The reference of the requirement that is broken (`CR-2a`), as the rules name it in `covers`."""


def granted(msk_id: str, *, streaming: bool = False, bcast: bool = True) -> Grant:
    """Describe the MSK of that ID (hex); key, RAND and CSB ID belong to the MSK and are the same for every terminal."""
    octets = bytes.fromhex(msk_id)

    def derived(what: str, length: int) -> bytes:
        return sha256(f"sample {what} {msk_id}".encode()).digest()[:length]

    return Grant(
        octets,
        counter=0,
        msk=derived("MSK", 16),
        csb_id=int.from_bytes(derived("CSB ID", 4)),
        rand=derived("RAND", 16),
        bcast=bcast,
        streaming=streaming,
    )


class Handset:
    """One terminal during the morning: it has one TCP connection, and counts its requests and the LTKMs sent to it."""

    def __init__(
        self, name: str, counter: int = 0, nc: int = 0, *, bootstrapped: int = 1, by_akma: bool = False
    ) -> None:
        """Take up the terminal of that name after the last counter it was sent and the last nc that it used.

        `bootstrapped` is how often it has bootstrapped; each time gives it another B-TID and other keys. With
        `by_akma` it has the A-KID and the keys of the reference.
        """
        seed = name if bootstrapped == 1 else f"{name} {bootstrapped}"
        rand = sha256(f"sample RAND {seed}".encode()).digest()[:16]
        self.name = name
        self.nonce = nonce(seed)
        self.counter = counter
        self.nc = nc
        if by_akma:
            self.terminal = reference.TERMINAL_OF_5G
            return
        self.terminal = ReferenceTerminal(
            f"{base64.b64encode(rand).decode()}@bsf.home1.net",
            sha256(f"sample MUK {seed}".encode()).digest(),
            sha256(f"sample MRK {seed}".encode()).digest(),
            f"{NAT}:{PORTS[name]}",
        )

    def ltkm(self, grant: Grant) -> Message:
        """Build the LTKM that delivers that MSK to this terminal, with the next value of its counter."""
        self.counter += 1
        return ltkm(replace(grant, counter=self.counter), self.terminal)

    def changed_ltkm(self, grant: Grant, change: Callable[[Payload], Payload | None]) -> Message:
        """Build the LTKM with each payload changed (None takes it out), and the MAC that fits."""
        message = self.ltkm(grant)
        payloads = [new for each in message.payloads if (new := change(each)) is not None]
        return authenticate(replace(message, payloads=tuple(payloads)), self.terminal.muk)

    def item(self, grant: Grant, code: str = "200 OK", *, inside: bool = True) -> Delivery:
        """Return the item of a response that delivers that MSK, or (`inside=False`) only tells what became of it."""
        return grant, code, self.ltkm(grant) if inside else None

    def challenged(self, at: float, *grants: Grant) -> Exchange:
        """Return the exchange in which this terminal asks for MSKs without credentials and is challenged."""
        made = reference.challenge([grant.msk_id for grant in grants], terminal=self.terminal, at=at)
        return self.recorded(with_nonce(made, self.nonce))

    def answered(
        self,
        at: float,
        items: Sequence[Delivery],
        edit: Callable[[bytes], bytes] | None = None,
        *,
        opaque: str = OPAQUE,
        next_nonce: str = "",
    ) -> Exchange:
        """Return the exchange that asks for the MSKs of these items and gets them; `edit` changes the document."""
        self.nc += 1
        made = reference.exchange(
            [grant.msk_id for grant, _, _ in items],
            items,
            terminal=self.terminal,
            nonce=self.nonce,
            nc=self.nc,
            opaque=opaque,
            next_nonce=next_nonce,
            at=at,
        )
        if edit is not None:
            made = self.signed(made, edit(body_of(made)))
        return self.recorded(made)

    def signed(self, exchange: Exchange, body: bytes) -> Exchange:
        """Put that body into the response, with the length and the digest that fit it."""
        response, credentials = exchange.response, exchange.request.credentials
        password = self.terminal.subscriber.password
        assert response is not None
        assert credentials is not None
        assert password is not None
        rspauth = digest.rspauth(credentials, password, body)
        info = f'qop=auth-int, rspauth="{rspauth}", cnonce="{credentials.get("cnonce")}", nc={credentials.get("nc")}'
        headers = response.headers.put("Authentication-Info", info).put("Content-Length", str(len(body)))
        return replace(exchange, response=replace(response, headers=headers, body=body))

    def by_card(self, exchange: Exchange) -> Exchange:
        """Return the exchange with the realm of a card and its product token, and digests that fit them."""
        request, password = exchange.request, self.terminal.subscriber.password
        assert request.credentials is not None
        assert password is not None
        asked = request.credentials.put("realm", f"3GPP-bootstrapping-uicc@{reference.BSM}", quoted=True)
        proof = digest.response(asked, password, request.method, request.body or b"")
        request = request.with_credentials(asked.put("response", proof, quoted=True))
        request = replace(request, headers=request.headers.put("User-Agent", "bcast-terminal/1.0 3gpp-gba-uicc"))
        return self.signed(replace(exchange, request=request), body_of(exchange))

    def recorded(self, exchange: Exchange) -> Exchange:
        """Return the exchange as recorded on the connection of this terminal."""
        return replace(
            exchange, client=self.terminal.address, server=BSM_ADDRESS, connection=identifier(self.terminal.address)
        )


def nonce(seed: str) -> str:
    """Return the nonce that belongs to these words."""
    return sha256(f"sample nonce {seed}".encode()).hexdigest()[:32]


def identifier(*parts: str) -> str:
    """Return an id that depends on these words alone."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(("ltkm-inspect samples", *parts))))


def numbered(file: str, samples: Iterable[Sample]) -> list[Sample]:
    """Give each flow of a file the id that belongs to its place, so that inserting one is seen as such."""
    return [
        replace(sample, exchange=replace(sample.exchange, id=identifier(file, str(number))))
        for number, sample in enumerate(samples, 1)
    ]


def with_nonce(challenge: Exchange, nonce: str) -> Exchange:
    """Return the challenge with another nonce."""
    response = challenge.response
    assert response is not None
    asks = digest.parse_credentials(response.headers.get("WWW-Authenticate"))
    assert asks is not None
    text = f"Digest {asks}".replace(str(asks.get("nonce")), nonce)
    return replace(challenge, response=replace(response, headers=response.headers.put("WWW-Authenticate", text)))


def body_of(exchange: Exchange) -> bytes:
    """Return the body of the response as sent."""
    assert exchange.response is not None
    assert exchange.response.body is not None
    return exchange.response.body


def replaced(old: str, new: str, *, times: int = 1) -> Callable[[bytes], bytes]:
    """Return an edit that replaces a text which stands that often in the document; ValueError if it does not."""

    def edit(body: bytes) -> bytes:
        found = body.count(old.encode())
        if found != times:
            raise ValueError(f"expected {old!r} {times} times in the document, got {found}")
        return body.replace(old.encode(), new.encode())

    return edit


def changed(exchange: Exchange, **response: object) -> Exchange:
    """Return the exchange with these fields of its response changed."""
    assert exchange.response is not None
    new: Response = replace(exchange.response, **response)  # type: ignore[arg-type]
    return replace(exchange, response=new)


def with_header(exchange: Exchange, name: str, value: str | None) -> Exchange:
    """Return the exchange with that field in the header of its response, or (None) without it."""
    assert exchange.response is not None
    headers = exchange.response.headers
    return changed(exchange, headers=headers.without(name) if value is None else headers.put(name, value))


def chunked(exchange: Exchange) -> Exchange:
    """Return the exchange with its response sent in chunks; a recording holds the body without them."""
    return with_header(with_header(exchange, "Content-Length", None), "Transfer-Encoding", "chunked")
