"""What a proxy could not look into, and what it saw besides MSK traffic: counted in tables that stay small."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ltkm_inspect.finding import shorten
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.wire import count, inert

MOST = 1000
"""How many rows a table has in memory; what comes after that is only counted."""
LISTED = 100
"""How many rows of a table a record has, the most frequent ones."""
SHOWN = 10
"""How many rows of a table are printed."""
CAUSES = {
    "psk_only": "the client offers only PSK-TLS (as GBA uses it), which cannot be intercepted",
    "untrusted_ca": "the client does not know the proxy's CA: install mitmproxy-ca-cert there",
    "refused_certificate": "the client refuses the certificate: it does not know the proxy's CA, or the program pins",
    "pinned": "the client refuses the certificate, but others at its address accept it: it pins, or has its own CAs",
    "no_shared_version": "the client and the proxy have no TLS version in common (see tls_version_client_min)",
    "no_shared_cipher": "the client and the proxy have no cipher suite in common (see ciphers_client)",
    "closed_in_handshake": "the client closed the connection: it may not know the proxy's CA, or the program pins",
    "closed_before_request": "the client closed the connection without a request: the program may pin",
    "no_client_hello": "the client sent no valid ClientHello",
    "client_error": "the handshake with the client failed",
    "server_certificate": "the proxy does not trust the server's certificate (see ssl_verify_upstream_trusted_ca)",
    "server_no_tls": "the server does not speak TLS",
    "server_version": "the server and the proxy have no TLS version in common (see tls_version_server_min)",
    "server_refused": "the server refused the handshake: it may want a client certificate (client_certs) or PSK-TLS",
    "server_closed": "the server closed the connection in the handshake",
    "server_error": "the handshake with the server failed",
}
"""The likely causes of failed TLS handshakes, with the text for each. Those of servers begin with `server_`.

A program pins if it accepts only the certificate, or the CA, that it was made for.
"""


class Handshake(NamedTuple):
    """What failed TLS handshakes have in common that are counted together."""

    client: str
    """Address of the client, without its port."""
    server: str
    """Name of the server that the client asked for; without one its address."""
    cause: str
    """One of `CAUSES`."""
    client_name: str = ""
    """What people call the client."""


def side_of(cause: str) -> str:
    """Return the side of the proxy where a handshake failed: `client` or `server`."""
    return "server" if cause.startswith("server_") else "client"


@dataclass(slots=True)
class Failures:
    """How often such a handshake failed."""

    number: int
    first: str | None
    """When the first one failed, in UTC."""
    last: str | None
    detail: str
    """What TLS says about the last one; empty if it says nothing."""

    def merge(self, later: "Failures") -> None:
        """Add later ones."""
        self.number += later.number
        self.last, self.detail = later.last, later.detail


@dataclass(slots=True)
class BlindSpots:
    """What could not be looked into, and the traffic that is not MSK, in some time or in a whole run."""

    handshakes: dict[Handshake, Failures] = field(default_factory=dict)
    """Failed TLS handshakes."""
    others: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Flows without MSK traffic, by host and media type."""
    more_handshakes: int = 0
    more_others: int = 0
    """How many had no room in the tables."""

    def __bool__(self) -> bool:
        """There are any."""
        return bool(self.handshakes or self.others)

    def fail(self, handshake: Handshake, failures: Failures) -> None:
        """Count failed handshakes."""
        if (known := self.handshakes.get(handshake)) is not None:
            known.merge(failures)
        elif len(self.handshakes) < MOST:
            self.handshakes[handshake] = failures
        else:
            self.more_handshakes += failures.number

    def other(self, host: str, media_type: str, number: int = 1) -> None:
        """Count flows without MSK traffic."""
        key = host, media_type
        if key in self.others or len(self.others) < MOST:
            self.others[key] += number
        else:
            self.more_others += number

    def merge(self, later: "BlindSpots") -> None:
        """Add what came later."""
        for handshake, failures in later.handshakes.items():
            self.fail(handshake, replace(failures))
        for (host, media_type), number in later.others.items():
            self.other(host, media_type, number)
        self.more_handshakes += later.more_handshakes
        self.more_others += later.more_others

    def top(self) -> "BlindSpots":
        """Return the most frequent rows, as many as a record has; the rest is counted."""
        handshakes, others = self.ordered_handshakes, self.others.most_common()
        return BlindSpots(
            dict(handshakes[:LISTED]),
            Counter(dict(others[:LISTED])),
            self.more_handshakes + sum(each.number for _, each in handshakes[LISTED:]),
            self.more_others + sum(number for _, number in others[LISTED:]),
        )

    def worded(self, wording: Wording) -> "BlindSpots":
        """Return the top without addresses and identities if these are hidden, else with the names of clients."""
        top = self.top()
        worded = BlindSpots(more_handshakes=top.more_handshakes, more_others=top.more_others)
        for key, failures in top.handshakes.items():
            client = wording.terminal(key.client) if key.client else ""
            name = wording.names.of_selector(key.client) if wording.redaction is None else ""
            worded.fail(
                Handshake(client, wording.text(key.server), key.cause, name),
                replace(failures, detail=wording.text(failures.detail)),
            )
        for (host, media_type), number in top.others.items():
            worded.other(wording.text(host), wording.text(media_type), number)
        return worded

    @property
    def failed_handshakes(self) -> int:
        """How many handshakes failed."""
        return sum(each.number for each in self.handshakes.values()) + self.more_handshakes

    @property
    def ordered_handshakes(self) -> list[tuple[Handshake, Failures]]:
        """The failed handshakes, the most frequent first."""
        return sorted(self.handshakes.items(), key=lambda row: -row[1].number)

    @property
    def hosts(self) -> dict[str, Counter[str]]:
        """The other flows by host and by media type, the most frequent host first."""
        found: dict[str, Counter[str]] = {}
        for (host, media_type), number in self.others.items():
            found.setdefault(host, Counter())[media_type] += number
        return dict(sorted(found.items(), key=lambda row: -row[1].total()))

    def fields(self) -> dict[str, Any]:
        """Return the fields of a record."""
        top = self.top()
        return {
            "handshakes": [
                {
                    "side": side_of(key.cause),
                    "client": key.client,
                    "client_name": key.client_name,
                    "server": key.server,
                    "cause": key.cause,
                    "detail": failures.detail,
                    "number": failures.number,
                    "first": failures.first,
                    "last": failures.last,
                }
                for key, failures in top.ordered_handshakes
            ],
            "others": [
                {"host": host, "media_type": media_type, "number": number}
                for (host, media_type), number in top.others.most_common()
            ],
            "more": {"handshakes": top.more_handshakes, "others": top.more_others},
        }

    def add_record(self, record: Mapping[str, Any]) -> None:
        """Add the fields of a record."""
        for each in record["handshakes"]:
            key = Handshake(each["client"], each["server"], each["cause"], each["client_name"])
            self.fail(key, Failures(each["number"], each["first"], each["last"], each["detail"]))
        for each in record["others"]:
            self.other(each["host"], each["media_type"], each["number"])
        self.more_handshakes += record["more"]["handshakes"]
        self.more_others += record["more"]["others"]

    def handshake_lines(self) -> Iterator[str]:
        """Yield a line for each kind of failed handshake, safe to print."""
        rows = self.ordered_handshakes
        for key, failures in rows[:SHOWN]:
            detail = f"; TLS says: {shorten(failures.detail)}" if failures.detail else ""
            client = _word(key.client) + (f" ({shorten(key.client_name)})" if key.client_name else "")
            between = f"client {client}, server {_word(key.server)}"
            times = count(failures.number, "failed TLS handshake")
            yield f"{times}: {between}: {inert(CAUSES.get(key.cause, key.cause))}{detail}"
        more = self.more_handshakes + sum(failures.number for _, failures in rows[SHOWN:])
        if more:
            yield f"{count(more, 'more failed TLS handshake')}"

    def other_line(self) -> str:
        """Return the hosts of the other flows, the most frequent first, safe to print; empty without any."""
        hosts = self.hosts
        shown = [
            f"{count(types.total(), 'flow')} of {_word(host)} ({_types(types)})"
            for host, types in [*hosts.items()][:SHOWN]
        ]
        more = self.more_others + sum(types.total() for types in [*hosts.values()][SHOWN:])
        return ", ".join([*shown, *([count(more, "more flow")] if more else [])])


def _types(types: Mapping[str, int]) -> str:
    ordered = Counter(types).most_common()
    return ", ".join([*(shorten(name) for name, _ in ordered[:3]), *(["…"] if len(ordered) > 3 else [])])


def _word(text: str) -> str:
    return shorten(text).replace(" ", "\\x20") or "unknown"


def unchecked_text(numbers: Mapping[str, int], words: Mapping[str, str]) -> str:
    """Return how many events were not checked in full, by reason; empty if all were."""
    return ", ".join(f"{number} {words.get(reason, reason)}" for reason, number in numbers.items() if number)
