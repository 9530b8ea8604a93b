"""How all text of a run is worded: with or without identities, and with the names that people gave to IDs."""

from dataclasses import dataclass

from ltkm_inspect.finding import Report, shorten
from ltkm_inspect.mikey import Message
from ltkm_inspect.names import NO_NAMES, Names
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.traffic import Event


@dataclass(frozen=True, slots=True)
class Wording:
    """The redaction and the names of a run."""

    redaction: Redaction | None = None
    """Replaces B-TIDs, IMPIs and addresses; None if they are shown."""
    names: Names = NO_NAMES

    def redactor(self, event: Event, report: Report | None = None) -> Redactor:
        """Return the redactor for all text about an event, with the names of what is in it and in its report."""
        redactor = NO_REDACTOR if self.redaction is None else self.redaction.redactor(event)
        return redactor.with_names(self.names.of(event, report)) if self.names else redactor

    def redactor_of(self, message: Message | None) -> Redactor:
        """Return the redactor for all text about a message outside any event."""
        redactor = NO_REDACTOR if self.redaction is None else self.redaction.redactor_of(message)
        if not self.names or message is None:
            return redactor
        return redactor.with_names(self.names.of_message(message))

    def text(self, text: str) -> str:
        """Return a text that belongs to no event, without identities."""
        return text if self.redaction is None else self.redaction.text(text)

    def selector(self, text: str, shown: str) -> str:
        """Return a key, terminal or address that can be selected, as it is shown, with its name behind it."""
        name = self.names.of_selector(text)
        return f"{shorten(shown)} ({shorten(name)})" if name not in ("", shown) else shorten(shown)

    def terminal(self, text: str) -> str:
        """Return a terminal as records name it, without identities."""
        return text if self.redaction is None else self.redaction.terminal(text)


PLAIN = Wording()
"""Text as it is."""
