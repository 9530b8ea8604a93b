"""Inspects an event: gives it its place in the session, and runs the rules on every kind of subject in it."""

from collections import Counter
from contextlib import suppress

from ltkm_inspect.context import Context
from ltkm_inspect.engine.answers import Answers
from ltkm_inspect.engine.crash import failed
from ltkm_inspect.engine.messages import run_on_messages
from ltkm_inspect.engine.own_findings import larger, not_in_full, unseen
from ltkm_inspect.engine.rule_plan import groups, of_datagram
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.session import PendingPush, SessionEvent, pending_at_end
from ltkm_inspect.subject import FOUND, KINDS
from ltkm_inspect.traffic import Datagram, Event
from ltkm_inspect.wire import count

_UNSEEN, _MORE_LTKMS = (2,), (4,)
"""Where these findings come in the order of the sites."""


def inspect(event: Event, context: Context | None = None, *, remember: bool = True) -> Report:
    """Return what the selected rules say of an event; what crashes becomes a finding.

    The session of the context remembers the event, unless it is only looked at (`remember=False`), or a fault was put
    into it: what the server sends next is not to be measured by what it did not send.
    """
    context = context or Context()
    return inspect_step(context.event(event), context, remember=remember)


def inspect_step(step: SessionEvent, context: Context, *, remember: bool = True) -> Report:
    """Return the same of an event that was made a step, with the keys of the context, before its turn came."""
    return place(step, context, remember=remember) or judge(step, context)


def prepare(step: SessionEvent) -> None:
    """Work out what the session keeps of a step: its event is read, decoded and opened with the keys.

    That takes no session, so it may be done before the turn of the step comes. What fails will fail again in its place.
    """
    with suppress(Exception):
        _ = step.summary


def place(step: SessionEvent, context: Context, *, remember: bool = True) -> Report | None:
    """Give a step its place in the session, if there is one; return the report of a step that the program fails on."""
    if context.session is None:
        return None
    try:
        step.before = context.session.follow(step.summary, remember=remember and not step.event.faults)
    except Exception as error:
        return failed(step.event, error, context)
    return None


def judge(step: SessionEvent, context: Context) -> Report:
    """Return what the selected rules say of a step that has its place in the session."""
    try:
        return _judged(step, context)
    except Exception as error:  # law 1: no input makes a hook raise
        return failed(step.event, error, context)


def take_apart(step: SessionEvent) -> None:
    """Empty an event that is done with, and what was worked out of it: these refer to each other.

    So they are gone at once: a long run would else have to look for thousands of such objects again and again, and use
    other memory for each event.
    """
    document = vars(step.event).get("document")
    parts = {} if document is None else vars(document)
    for each in (*parts.get("items", ()), *parts.get("ltkm_elements", ()), step.event, step):
        vars(each).clear()
    parts.clear()


def waiting_at_end(context: Context) -> Counter[str]:
    """Count the pushes for which the terminal was not seen again in time, by the rule that its next event would break.

    They are no findings: a finding is on an event, and the end of a run is none.
    """
    if context.session is None:
        return Counter()
    answers, waiting = Answers(context, None), [*pending_at_end(context.session)]
    chosen = groups(context.settings).get(PendingPush)
    if waiting and chosen is not None:
        answers.run(waiting, chosen, KINDS[PendingPush].site)
    return Counter(finding.rule for finding in answers.findings)


def _judged(step: SessionEvent, context: Context) -> Report:
    event = step.event
    answers, rules = Answers(context, event.limits.findings), groups(context.settings)
    for kind in FOUND:
        if kind.on in rules and (subjects := kind.subjects(step)):
            answers.run(subjects, rules[kind.on], kind.site)
    run_on_messages(event.judged_ltkms, answers)
    for finding in unseen(event):
        answers.add(finding, _UNSEEN)
    ltkms, most = len(event.ltkms), event.limits.ltkms
    if most is not None and ltkms > most and event.judged_ltkms:
        answers.add(not_in_full(f"at most {count(most, 'LTKM')}", str(ltkms), larger("ltkms")), _MORE_LTKMS)
    answers.say_what_is_left_out()
    if event.gaps:
        answers.withhold(event)
    found = answers.findings
    return Report(
        event,
        findings=tuple([finding for finding in found if finding.level >= Level.WARNING]),
        notes=tuple([finding for finding in found if finding.level is Level.NOTE]),
        outcomes=of_datagram(answers.outcomes, context.settings) if isinstance(event, Datagram) else answers.outcomes,
        items=len(event.document.items) if event.document else 0,
        ltkms=ltkms,
        left_out=answers.left_out,
        terminal=step.terminal_identity,
    )
