"""What the engine itself says, outside the catalogue: that something was not checked, and why."""

from collections.abc import Iterator

from ltkm_inspect.context import Context
from ltkm_inspect.finding import CRASHES, EVENT_CRASHED, RULE_CRASHED, Finding, Level, Place, Report
from ltkm_inspect.rule import Rule
from ltkm_inspect.subject import Site
from ltkm_inspect.traffic import Event, Exchange
from ltkm_inspect.wire import count, crash_of

NOT_CHECKED_IN_FULL = "not-checked-in-full"
OWN_FINDINGS = {
    RULE_CRASHED: "A rule failed on the exchange, so its result is not known.",
    EVENT_CRASHED: "ltkm-inspect failed on the exchange, so it was not checked.",
    NOT_CHECKED_IN_FULL: (
        "Not all of the exchange was checked: over a limit, not captured completely, or too much at once."
    ),
}
"""The warnings of the engine itself, outside the catalogue, with their titles."""

PASSED_UNCHECKED = {
    "damaged": "damaged or not kept by the capture",
    "no_response": "without a response",
    "streamed": "streamed (see stream_large_bodies)",
    "cut": "cut off by the end of the connection",
    "too_large": "with a body over the limit (raise body in ltkm_limit)",
    "over_limit": "with more in it than another part of ltkm_limit allows",
    "queue": "that found no room among those that wait to be inspected",
    "end": "that were not inspected when the run ended",
    "crashed": "on which ltkm-inspect failed",
}
"""Why an event was not checked in full, by the word for it in records and metrics, with the end of `2 events …`."""


def not_in_full(expected: str, got: str, hint: str, place: Place | None = None) -> Finding:
    """Return the finding that not all was checked."""
    return _finding(NOT_CHECKED_IN_FULL, place or Place(), expected, got, hint)


def uninspected_finding(reason: str, got: str) -> Finding:
    """Return the finding that an event was not inspected; the reason is one of the last in `PASSED_UNCHECKED`."""
    if reason == "crashed":
        hint = "please report this bug and attach the flow"
        return _finding(EVENT_CRASHED, Place(), "an exchange that can be checked", got, hint)
    return not_in_full("an inspection", got, "ltkm-inspect check on the saved flow checks it")


def crash_finding(id: str, place: Place, expected: str, error: Exception) -> Finding:
    """Return the finding that the program failed; the text of the error may hold what must not be shown."""
    return _finding(id, place, expected, crash_of(error), "please report this bug and attach the flow")


def rule_crash(rule: Rule, site: Site, context: Context, error: Exception) -> Finding:
    """Return the finding that a rule crashed; where rules may not, raise its error."""
    if context.settings.debug:
        raise error
    return crash_finding(RULE_CRASHED, site.place(), f"a result of {rule.id}", error)


def _finding(id: str, place: Place, expected: str, got: str, hint: str) -> Finding:
    return Finding(id, Level.WARNING, OWN_FINDINGS[id], place, expected, got, hint)


def larger(part: str) -> str:
    """Return how to have more looked at."""
    return f"raise {part} in --limit, or in mitmproxy in ltkm_limit"


def unseen(event: Event) -> Iterator[Finding]:
    """Yield a finding for everything around the document that could not be looked at."""
    if not isinstance(event, Exchange):
        return
    if event.response is None:
        gap = event.unknown("response")
        hint = "there is nothing to check" if gap is None else f"{gap.field}: {gap.reason}"
        yield not_in_full("a response", event.error or "none", hint)
    elif event.response.body is None and event.may_have_body:
        gap = event.unknown("response.body")
        hint = "it was streamed, or the connection ended; the document was not checked"
        if gap is not None:
            hint = f"{gap.field}: {gap.reason}; the document was not checked"
        yield not_in_full("the response body", event.error or "none", hint)
    for side, body in (("request", event.request_content), ("response", event.content)):
        if body is not None and body.truncated:
            yield not_in_full(
                f"at most {count(event.limits.octets or 0, 'octet')} of {side} body", "more", larger("body")
            )
        elif body is not None and (tags := event.limits.tags_beyond(body.octets)):
            expected = f"at most {event.limits.tags} tags and attributes in the {side} body"
            yield not_in_full(expected, str(tags), larger("tags"))
    for name, number in event.long_headers():
        expected = f"at most {count(event.limits.directives or 0, 'directive')} in {name}"
        yield not_in_full(expected, str(number), larger("directives"))


def passed_unchecked(report: Report) -> str | None:
    """Return the main reason why an event was not checked in full, a key of `PASSED_UNCHECKED`; None if it was."""
    if report.unchecked:
        return report.unchecked
    rules, event = frozenset(report.rules), report.event
    if not CRASHES.isdisjoint(rules):
        return "crashed"
    if NOT_CHECKED_IN_FULL not in rules:
        return None
    if not isinstance(event, Exchange):
        return "over_limit"
    if event.unknown("response.body") is not None:  # or all of the response
        return "damaged"
    if event.response is None:
        return "no_response"
    if event.response.body is None and event.may_have_body:
        return "cut" if event.error else "streamed"
    bodies = (event.request_content, event.content)
    return "too_large" if any(body is not None and body.truncated for body in bodies) else "over_limit"
