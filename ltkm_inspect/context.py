"""The input of an inspection besides the exchange: the settings of the run, the key ring, and the session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ltkm_inspect.finding import Level
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.session import Session, SessionEvent, SessionSettings
from ltkm_inspect.traffic import Event, Limits

EXPECT = ("auto", "always")
PROFILES = ("auto", "usim", "ruim", "bcast", "mbms")


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """The settings of one run; docs/options.md says what each is for."""

    expect: str = "auto"
    """`always`: every 200 OK item must carry an LTKM even if none in the document does."""
    profile: frozenset[str] = frozenset({"auto"})
    """`usim` or `ruim` for identities, `bcast` or `mbms` for the message; `auto`: (U)SIM, and what the message is."""
    session: SessionSettings = field(default_factory=SessionSettings)
    """How much the session of the run remembers, and for how long."""
    strict: bool = False
    """Ambiguities count as violations."""
    namespaces: frozenset[str] = frozenset({"1.0"})
    """The orderqueries versions accepted without a finding."""
    select: frozenset[str] = frozenset()
    """Rule ids, subjects or documents to run; empty means all."""
    ignore: frozenset[str] = frozenset()
    """Rule ids, subjects or documents left out."""
    severity: Mapping[str, Level] = field(default_factory=dict)
    """Levels by rule id, in place of the rules' own."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of rules, by rule id and name."""
    debug: bool = False
    """A rule that crashes raises, instead of becoming a finding; for tests."""

    @property
    def wants_ltkms(self) -> bool:
        """Every 200 OK item must carry an LTKM, even if none in the document does."""
        return self.strict or self.expect == "always"


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What rules and faults may ask besides their subject."""

    settings: Settings = field(default_factory=Settings)
    keys: KeyRing = field(default_factory=KeyRing)
    session: Session | None = None
    """What the run has seen so far; without one each exchange is a session of its own."""
    limits: Limits = field(default=Limits())
    """How much is looked at of each exchange that is read from a file."""

    def event(self, event: Event) -> SessionEvent:
        """Return an event for the session, without what happened before it: `Session.take` adds that."""
        settings = self.settings.session if self.session is None else self.session.settings
        return SessionEvent(event, self.keys, settings)
