"""Which identities and addresses an exchange has, by their places in it."""

from collections.abc import Callable, Iterator

from ltkm_inspect.mikey import Identity
from ltkm_inspect.output import identities
from ltkm_inspect.traffic import Exchange

LONGEST_TEXT = 10_000
"""Characters of one text from the wire; to search a longer one would hold up other traffic, and nothing lawful is."""


def identities_of(exchange: Exchange, is_domain: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Yield whatever names a terminal by its place: the username, and what is an identity and no host in a message."""
    credentials = exchange.request.credentials
    username = credentials.get("username") if credentials is not None else None
    if username:
        yield username.encode("utf-8", "surrogateescape")
    hosts = {exchange.request.host.lower().encode(), *_hosts(exchange)}
    document = exchange.document
    for ltkm in document.ltkms[: exchange.limits.ltkms] if document is not None else ():
        values = [identity.value for identity in ltkm.message.of(Identity)] if ltkm.message is not None else []
        for number, value in enumerate(values, 1):
            is_terminal = number == len(values) > 1 and value not in values[:-1] and value.lower() not in hosts
            if value and (is_terminal or not is_domain(value)):
                yield value


def message_identities(exchange: Exchange) -> Iterator[bytes]:
    document = exchange.document
    for ltkm in document.ltkms[: exchange.limits.ltkms] if document is not None else ():
        if ltkm.message is not None:
            yield from (identity.value for identity in ltkm.message.of(Identity))


def _hosts(exchange: Exchange) -> Iterator[bytes]:
    """Yield the names of the BM-SC: of Host and of the realm."""
    yield (exchange.request.headers.get("Host") or "").rpartition(":")[0].lower().encode("utf-8", "surrogateescape")
    credentials = exchange.request.credentials
    realm = credentials.get("realm") if credentials is not None else None
    yield (realm or "").rpartition("@")[2].lower().encode("utf-8", "surrogateescape")


def addresses_of(exchange: Exchange) -> Iterator[str]:
    """Yield the addresses of an exchange, so that they are found as numbers, too."""
    for text in (exchange.client, exchange.server, exchange.connection, exchange.request.host):
        yield split_port(text)[0]
    response = exchange.response
    for headers in (exchange.request.headers, response.headers if response is not None else exchange.request.headers):
        for _, value in headers.fields:
            if len(value) <= LONGEST_TEXT:  # of a longer one nothing is shown
                yield from map(str, identities.addresses(value.decode("latin-1")))


def split_port(text: str) -> tuple[str, str]:
    """Return the address in a text like `192.0.2.1:80` or `[2001:db8::1]:80`, and its port with the colon."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port
    host, colon, port = text.rpartition(":")
    return (host, colon + port) if colon and ":" not in host else (text, "")
