"""Runs the rules on messages and their payloads; those that look at the shape alone once for each shape."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ltkm_inspect.context import Settings
from ltkm_inspect.engine.answers import NOT_APPLICABLE, Answers
from ltkm_inspect.engine.own_findings import larger, not_in_full
from ltkm_inspect.engine.rule_plan import groups, not_applicable, unanswered_by_shape, unanswered_in_messages
from ltkm_inspect.finding import Outcome
from ltkm_inspect.mikey import Message, message_shape
from ltkm_inspect.subject import Site, message_sites
from ltkm_inspect.traffic import Ltkm
from ltkm_inspect.wire import count

MOST_SHAPES = 1024
"""How many shapes of messages without a finding are remembered."""
LONGEST_SHAPE = 4096
"""How many octets a shape has at most that is remembered."""


@dataclass(slots=True)
class ShapeCache:
    """What the rules that look at the shape alone answer for the shapes of messages in which they found nothing.

    Several threads may share this: no step here needs another one to be undisturbed.
    """

    answers: dict[bytes, Mapping[str, Outcome]] = field(default_factory=dict)
    latest: Mapping[str, Outcome] = field(default_factory=dict)


@lru_cache(maxsize=16)
def shape_cache(settings: Settings) -> ShapeCache:
    """Return what is remembered under these settings."""
    return ShapeCache()


def run_on_messages(ltkms: Iterable[Ltkm], answers: Answers) -> None:
    """Run the rules on the messages of LTKMs, and on the payloads of those that decode to their end."""
    settings = answers.context.settings
    shaped, unshaped, shapes = groups(settings, True), groups(settings, False), shape_cache(settings)
    merged: Mapping[str, Outcome] | None = None
    for ltkm in ltkms:
        message = ltkm.message
        if message is None or ltkm.octets is None:
            continue
        if message.problem is not None:
            # What was read before the damage may only look wrong because of it: one cause, one finding.
            sites = [*message_sites(ltkm, message, (Message,))]
            if message.is_cut:
                _say_cut(sites[0], message, answers)
            else:
                answers.run_again(sites, groups(settings))
            merged = {}
            continue
        shape = message_shape(message, ltkm.octets)
        known = shapes.answers.get(shape)
        if known is None:
            known = _first_of_shape(shape, [*message_sites(ltkm, message, shaped)], answers, merged)
        if unshaped:
            answers.run_again([*message_sites(ltkm, message, unshaped)], unshaped)
        if known is not merged:
            first, merged = merged is None, known
            answers.merge(known, first=first)


def _first_of_shape(
    shape: bytes, sites: Iterable[Site], answers: Answers, merged: Mapping[str, Outcome] | None
) -> Mapping[str, Outcome]:
    """Run the rules that look at the shape alone; their answers are kept for it unless they found something."""
    settings = answers.context.settings
    shapes = shape_cache(settings)
    found, is_clean = answers.run_apart(sites, groups(settings, True), dict(unanswered_by_shape(settings)))
    if is_clean:
        if merged is not None and merged == found:
            found = merged  # the same mapping for similar shapes: then nothing needs to be merged
        elif shapes.latest == found:
            found = shapes.latest  # nor is there more than one kept
        if len(shapes.answers) >= MOST_SHAPES:
            shapes.answers.clear()
        if len(shape) <= LONGEST_SHAPE:
            shapes.answers[shape] = shapes.latest = found
    return found


def _say_cut(site: Site, message: Message, answers: Answers) -> None:
    """Say of a message that it has more payloads than were decoded: no rule is asked what it cannot know."""
    got = f"more, in {count(len(message.trailing), 'octet')} that were not decoded"
    most = site.event.limits.payloads
    finding = not_in_full(f"at most {count(most or 0, 'payload')} of a message", got, larger("payloads"), site.place())
    answers.keep(finding, site.order)
    for id in unanswered_in_messages(answers.context.settings):
        if answers.outcomes[id].answer is NOT_APPLICABLE:
            answers.outcomes[id] = not_applicable("the message has more payloads than are decoded")
