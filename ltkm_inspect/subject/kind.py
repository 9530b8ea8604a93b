"""A kind of subject: it finds its subjects in an event, tells where they are, and what a fault makes of one of them.

A rule or a fault names its kind by a class, in `on=`. Where a subject is, and in which order, tells its site.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ltkm_inspect.finding import Place
from ltkm_inspect.mikey import Message
from ltkm_inspect.selection import Selection
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.subject.site import Site
from ltkm_inspect.traffic import Event

type Look = Callable[[], SessionEvent]
"""Returns the event with what went before it."""


class Kind:
    """A kind of subject."""

    group = 5
    """Sites come group by group, and in a group item by item, LTKM by LTKM, and stage by stage."""
    stage = 0
    is_single = False
    """There is one of it in an event."""
    is_event = False
    """It is the event itself, and what a fault makes of it is another event."""
    is_inside = False
    """It is a message, or is in one, and what a fault makes of it are octets of another message."""
    takes_session = False
    """It takes the session to find it."""
    noun = ""
    """What a message calls it of which there is none; its name, unless another word says more."""

    def __init__(self, on: type) -> None:
        """Make the kind of the subjects of a class."""
        self.on = self.listed_with = on
        """In lists of rules it comes with the subjects of that class, as one kind in the eyes of a user."""
        self.name = str(getattr(on, "label", on.__name__)).lower()
        """As typed after `--select`: the label of the class, else its name, in lower case."""
        self.noun = self.noun or self.name

    def subjects(self, step: SessionEvent) -> Sequence[Any]:
        """Return the subjects in an event that rules look at, in order."""
        raise NotImplementedError

    def site(self, subject: Any) -> Site:
        """Return the site of one of them: few are asked for, as a rule says something of few subjects."""
        return Site(self, subject, subject.event)

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterable[Site]:
        """Return the sites in an event that a fault may damage, the first choice first."""
        return map(self.site, self.subjects(look()))

    def place(self, site: Site, path: str, element: Any) -> Place:
        """Return the place of what is below a subject."""
        return Place(*site.numbers, path)

    def changed(self, site: Site, result: Any) -> Message:
        """Return the message that a fault made of one, given what it returned for a subject inside."""
        assert isinstance(result, Message)
        return result
