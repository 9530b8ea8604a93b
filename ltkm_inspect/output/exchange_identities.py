"""Which identities and addresses an event has, by their places in it."""

from collections.abc import Callable, Container, Iterator

from ltkm_inspect.mikey import Identity, Message
from ltkm_inspect.output import identities
from ltkm_inspect.traffic import Event, Exchange

LONGEST_TEXT = 10_000
"""Characters of one text from the wire; to search a longer one would hold up other traffic, and nothing lawful is."""


def identities_of(event: Event, is_domain: Callable[[bytes], bool]) -> Iterator[tuple[bytes, bool]]:
    """Yield the username and the identities of the messages of an event, each with whether it names a terminal."""
    if event.b_tid:
        yield event.b_tid.encode("utf-8", "surrogateescape"), True
    hosts = {*_hosts(event)} if isinstance(event, Exchange) else set()
    for ltkm in event.checked_ltkms:
        yield from message_identities(ltkm.message, is_domain, hosts)


def message_identities(
    message: Message | None, is_domain: Callable[[bytes], bool], hosts: Container[bytes] = ()
) -> Iterator[tuple[bytes, bool]]:
    """Yield the identities of a message, each with whether it names a terminal: by its place, or as it is no host."""
    values = [identity.value for identity in message.of(Identity)] if message is not None else []
    for number, value in enumerate(values, 1):
        is_terminal = number == len(values) > 1 and value not in values[:-1] and value.lower() not in hosts
        yield value, bool(value) and (is_terminal or not is_domain(value))


def _hosts(exchange: Exchange) -> Iterator[bytes]:
    """Yield the names of the BM-SC: of the connection, of Host and of the realm."""
    yield exchange.request.host.lower().encode()
    yield (exchange.request.headers.get("Host") or "").rpartition(":")[0].lower().encode("utf-8", "surrogateescape")
    credentials = exchange.request.credentials
    realm = credentials.get("realm") if credentials is not None else None
    yield (realm or "").rpartition("@")[2].lower().encode("utf-8", "surrogateescape")


def addresses_of(event: Event) -> Iterator[str]:
    """Yield the addresses of an event, so that they are found as numbers, too."""
    for text in (event.client, event.server, event.connection):
        yield split_port(text)[0]
    if not isinstance(event, Exchange):
        return
    yield split_port(event.request.host)[0]
    response = event.response
    for headers in (event.request.headers, response.headers if response is not None else event.request.headers):
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
