"""What was sent through the proxy, and what its reports have of it."""

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVENTS = ("ltkm-inspect/exchange/", "ltkm-inspect/datagram/")
USUAL, KILLED, ASLEEP = "usual traffic", "killed", "asleep"
"""What a proxy goes through; exchanges may break off during the latter two."""
HIDDEN = frozenset({"foreign"})
"""The kinds of traffic that reports leave out."""


@dataclass(slots=True)
class Sent:
    """What was sent from one address."""

    kind: str
    begun: int = 0
    ended: int = 0
    """How many of them got their whole response, or in a datagram arrived. The others may be in a report, or not."""
    is_disturbed: bool = False
    """The proxy went through something meanwhile."""


class Ledger:
    """What was sent, by address of its sender: each connection has an address of its own on the loopback."""

    def __init__(self, first: int = 64) -> None:
        """Give out addresses from 127.FIRST.0.0 on."""
        self._first = first
        self.sent: dict[str, Sent] = {}
        self.failed: Counter[str] = Counter()
        """How many exchanges did not end, by what the proxy went through then."""
        self.flows = 0
        self._lock = threading.Lock()

    def address(self) -> str:
        """Return an address of 127.0.0.0/8 that nothing was sent from."""
        with self._lock:
            number = len(self.sent)
            host = f"127.{self._first + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
            self.sent[host] = Sent("")
        return host

    def begin(self, host: str, kind: str, while_: str = USUAL) -> None:
        """Record that something is about to be sent."""
        with self._lock:
            self.sent[host].kind = kind
            self.sent[host].is_disturbed |= while_ != USUAL
            self.sent[host].begun += 1
            self.flows += 1

    def end(self, host: str) -> None:
        """Record that it went the whole way."""
        with self._lock:
            self.sent[host].ended += 1

    def fail(self, while_: str) -> None:
        """Record that it did not."""
        with self._lock:
            self.failed[while_] += 1


@dataclass(slots=True)
class Reported:
    """What all report files of a run have together."""

    files: int = 0
    octets: int = 0
    records: Counter[str] = field(default_factory=Counter)
    """How many events each address sent, without those that faults were put into: these are told twice."""
    faulted: int = 0
    repeated: int = 0
    """How many records have the id of another one."""
    missing: int = 0
    """How many records the files say that they lack."""
    torn: int = 0
    """How many lines are no records: a proxy was killed while it wrote them."""
    damaged: list[str] = field(default_factory=list)
    """What is wrong with a file, by its name."""
    findings: dict[str, Counter[str]] = field(default_factory=dict)
    """The rules that were broken, by address, of events that no fault was put into."""
    _ids: set[int] = field(default_factory=set)
    """Hashes of the ids of events that have a record, each with whether it is the one after a fault."""

    def add(self, path: Path) -> None:
        """Read one report file."""
        self.files += 1
        self.octets += path.stat().st_size
        first = True
        with path.open("rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    self.torn += 1
                    continue
                if first and not record["schema"].startswith("ltkm-inspect/run/"):
                    self.damaged.append(f"{path.name} does not begin with the record of a run")
                first = False
                self._add(record)
        if first:
            self.damaged.append(f"{path.name} has no record")

    def _add(self, record: dict[str, Any]) -> None:
        schema = record["schema"]
        if schema == "ltkm-inspect/missing/1":
            self.missing += record["records"]
        if not schema.startswith(EVENTS):
            return
        key = hash((record["id"], bool(record["faults"])))
        self.repeated += key in self._ids
        self._ids.add(key)
        if record["faults"]:
            self.faulted += 1
            return
        side = "client" if "/exchange/" in schema else "server"  # a datagram has the pusher as its server
        host = record[side].rpartition(":")[0]
        self.records[host] += 1
        rules = [finding["rule"] for finding in record["findings"]]
        if rules:
            self.findings.setdefault(host, Counter()).update(rules)


@dataclass(frozen=True, slots=True)
class Balance:
    """What was sent beside what was reported."""

    sent: int
    """Events that went the whole way and are none of the hidden kinds."""
    unsure: int
    """Events that broke off: each may have been reported, or not."""
    lost: int
    """Events that went the whole way and that no report has."""
    surplus: int
    """Records of events that were not sent."""
    findings: dict[str, Counter[str]]
    """The rules that were broken in what an undisturbed proxy handled, by kind of traffic."""


def balance(ledger: Ledger, reported: Reported) -> Balance:
    """Compare what was sent with what was reported, address by address."""
    sent = unsure = lost = surplus = 0
    findings: dict[str, Counter[str]] = {}
    for host, each in ledger.sent.items():
        begun, ended = (0, 0) if each.kind in HIDDEN else (each.begun, each.ended)
        sent, unsure = sent + ended, unsure + begun - ended
        lost += max(0, ended - reported.records[host])
        surplus += max(0, reported.records[host] - begun)
        if host in reported.findings and not each.is_disturbed:
            findings.setdefault(each.kind, Counter()).update(reported.findings[host])
    surplus += sum(number for host, number in reported.records.items() if host not in ledger.sent)
    return Balance(sent, unsure, lost, surplus, findings)
