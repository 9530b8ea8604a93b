"""One sample for each family of faults: the clean reference that a fault is proved on, with that fault put into it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mitmproxy.flow import Flow

from ltkm_inspect import catalogue
from ltkm_inspect.context import Context
from ltkm_inspect.fault import FAULTS, Application, Fault, parse_application
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mitm.rewriting import FlowRewriter
from ltkm_inspect.mitm.udp_flows import events_of, flow_of_event
from ltkm_inspect.reference import KEYS, events
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.rule import RULES
from ltkm_inspect.traffic import Event
from tests.samples.lab import identifier

FOLDER = "faults"
"""Where the files stand, below the folder of the sample flows."""
TELLING = {
    "authentication_info": "replace-cnonce",
    "authorization": "downgrade-request-qop",
    "challenge": "downgrade-challenge",
    "counters": "rewind-counter",
    "exchange": "drop-authentication-info",
    "kemac": "drop-mac",
    "ltkm": "rename-ltkm",
    "message": "replace-data-type",
    "pairs": "repeat-response",
    "profile": "shorten-rand:octets=8",
    "request": "drop-response",
    "srtp": "drop-transmission-rate",
    "xml_text": "unquote-attribute",
}
"""The fault shown for a family, where its first one is not the one that tells most."""


@dataclass(frozen=True, slots=True)
class Faulted:
    """The sample of one family of faults."""

    family: str
    """The module of the catalogue that the fault stands in."""
    application: Application

    @property
    def fault(self) -> Fault:
        """The fault that is put in."""
        return self.application.fault

    @property
    def file(self) -> str:
        """The path of the recording, below the folder of the sample flows."""
        return f"{FOLDER}/{self.family}.flow"

    @property
    def clean(self) -> list[Event]:
        """The events of the reference, each with the id that belongs to its place in the file."""
        return [
            replace(event, id=identifier(self.file, str(number)))
            for number, event in enumerate(events(self.fault.reference), 1)
        ]

    def flows(self, keys: KeyRing = KEYS) -> list[Flow]:
        """Return the events as flows, the last one with the fault in it, as `ltkm-inspect fault` writes it.

        These keys make anew what the fault leaves undone otherwise: MACs and digests.
        """
        flows = [flow_of_event(event) for event in self.clean]
        rewriting = FlowRewriter(Orders((self.application,)), Context(keys=keys))
        for flow in flows[:-1]:
            rewriting.remember(*events_of(flow))
        if not rewriting.apply(flows[-1], events_of(flows[-1])):
            raise ValueError(f"{self.application}: {rewriting.reason}")
        return flows

    @property
    def titles(self) -> list[str]:
        """What a reader is told of each flow."""
        clean = f"The clean reference {self.fault.reference}"
        seen = " Only seen with the keys of the reference." if self.takes_keys else ""
        return [*[clean] * (len(self.clean) - 1), f"{self.application}: {self.fault.title}{seen}"]

    @property
    def takes_keys(self) -> bool:
        """Every rule that it breaks takes keys, so that it is not seen without them."""
        return all(RULES[rule].is_keyed for rule in self.fault.trips)


def families() -> dict[str, list[Fault]]:
    """Return the faults by the module of the catalogue that they are in, in the order of registration."""
    catalogue.load()
    found: dict[str, list[Fault]] = {}
    for fault in FAULTS.values():
        found.setdefault(fault.apply.__module__.rpartition(".")[2], []).append(fault)
    return dict(sorted(found.items()))


def samples() -> list[Faulted]:
    """Return one sample for each family, in the order of their names."""
    return [
        Faulted(family, parse_application(TELLING.get(family, faults[0].id))) for family, faults in families().items()
    ]


def section(samples: Iterable[Faulted]) -> list[str]:
    """Return the lines of the index that tell what is in these files."""
    lines = ["| file | fault | put into the reference | breaks |", "|---|---|---|---|"]
    for sample in samples:
        breaks = ", ".join(f"`{rule}`" for rule in sorted(sample.fault.trips))
        breaks += " (with keys)" if sample.takes_keys else ""
        link = f"[{sample.family}.flow]({sample.file})"
        lines.append(f"| {link} | `{sample.application}` | {sample.fault.reference} | {breaks} |")
    return lines
