"""What the page shows of the heartbeats of a proxy, and of what it could not look into."""

from collections.abc import Mapping
from typing import Any

from ltkm_inspect.report.blind_spots import CAUSES, BlindSpots
from ltkm_inspect.report.page.value import value_text

MOST_HEARTBEATS = 500
"""How many heartbeats the page lists: the latest ones."""
MOST_ROWS = 100
"""How many rows the tables of handshakes and hosts have."""


class Heartbeats:
    """The latest heartbeats as rows, and how many there were."""

    def __init__(self) -> None:
        self.number = 0
        self.rows: list[list[str]] = []

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a heartbeat."""
        self.number += 1
        failed = sum(each["number"] for each in record["handshakes"]) + record["more"]["handshakes"]
        numbers = (
            record["flows"],
            record["connections"],
            record["exchanges"],
            sum(record["datagrams"].values()),
            sum(each["number"] for each in record["findings"]),
            failed,
            sum(record["unchecked"].values()),
        )
        times = (value_text(record[name]).replace("T", " ")[:19] for name in ("started", "ended"))
        self.rows = [*self.rows, [*times, *(f"{number:,}" for number in numbers)]][-MOST_HEARTBEATS:]


def handshake_rows(spots: BlindSpots) -> list[list[str]]:
    """Return client, server, likely cause, what TLS says, number and last time of failed handshakes."""
    return [
        [
            f"{key.client} {key.client_name}".strip(),
            key.server,
            CAUSES.get(key.cause, key.cause),
            each.detail,
            f"{each.number:,}",
            each.last or "",
        ]
        for key, each in spots.ordered_handshakes[:MOST_ROWS]
    ]


def host_rows(spots: BlindSpots) -> list[list[str]]:
    """Return host, number of flows, and media types of other traffic."""
    return [
        [host, f"{types.total():,}", ", ".join(name for name, _ in types.most_common(5))]
        for host, types in [*spots.hosts.items()][:MOST_ROWS]
    ]
