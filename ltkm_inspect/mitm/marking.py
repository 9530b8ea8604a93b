"""Writes what was found on a flow, and takes back what an earlier check wrote, never what the user did."""

import re
from collections.abc import Iterable
from typing import Any

from mitmproxy.flow import Flow
from mitmproxy.udp import UDPFlow

from ltkm_inspect.capture import DATAGRAM_FAULTS
from ltkm_inspect.finding import UNCHECKED, Level, shorten
from ltkm_inspect.mitm.flows import FAULT
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.marks import MOST_LINES, Marks

LATE = "late"
LATE_MARK = ":hourglass:"
"""What is written on a flow that went on before it was inspected, until it is."""
MARKS = {Level.VIOLATION: ":red_circle:", Level.WARNING: ":yellow_circle:"}
"""The marker of a flow, by the worst level of its findings; a flow that the user marked keeps the user's marker."""
VERDICT = "ltkm_verdict"
RULES = "ltkm_rules"
FINDINGS = "ltkm_findings"
MARK = "ltkm_mark"
METADATA = (VERDICT, RULES, FINDINGS, MARK)
"""The keys in the metadata of a checked flow: verdict, ids of the broken rules, the findings as lines, our marker."""
FAULT_MARK = ":wrench:"
"""The marker of a flow that a fault was put into; no check takes it away or puts its own in that place."""
ORIGINAL = "ltkm_original"
FAULTED = "ltkm_faulted"
FAULT_METADATA = (FAULT, ORIGINAL, FAULTED)
"""The keys in the metadata of a flow with faults: these, SHA-256 of the response body as it came and as it now is."""
CAME = "ltkm_came"
"""The key of what was wrong with the response of such a flow as it came, where that was seen and something was."""

# In a narrow column only the first characters of a comment are seen. So the word that tells ours from others comes
# last; earlier versions had it first.
_TAIL = re.compile(
    r" ?\[(?:[a-z0-9, -]*; ltkm: (?:violation|warning|late)|ltkm: (?:violation|warning): [a-z0-9, -]*)\]"
)
_FAULT_TAIL = re.compile(r" ?\[(?:[^\[\]]*; ltkm: fault|ltkm: fault: [^\[\]]*)\]")
_OURS = "ltkm: "
_LATE_TAIL = f"[not inspected in time; {_OURS}{LATE}]"
_MORE = re.compile(r"and (\d{1,9}) more").fullmatch
_ORDER = (LATE, UNCHECKED, "clean", "warning", "violation")
"""The verdicts, the worst last; one that is not known yet comes first."""
_NO_BRACKETS = str.maketrans("[]", "()")


def mark(flow: Flow, marks: Marks) -> None:
    """Write verdict and rule ids on a flow, in place of what was written there by us before."""
    clear(flow)
    _write(flow, marks.verdict, marks.rules, marks.lines, marks.number)


def mark_late(flow: Flow) -> None:
    """Write on a flow that it was not inspected in time, in place of what was written there by us before.

    What was found in earlier messages of a UDP flow stays.
    """
    if not isinstance(flow, UDPFlow):
        clear(flow)
    flow.metadata.setdefault(VERDICT, LATE)
    if not flow.comment.endswith(_LATE_TAIL):
        _append(flow, _LATE_TAIL)
    if not flow.marked:
        flow.marked = flow.metadata[MARK] = LATE_MARK


def mark_datagram(flow: Flow, marks: Marks, place: int, *, adds: bool) -> None:
    """Write what was found in the message at that place of a UDP flow on the flow.

    It replaces what was written there by us before, or `adds` to it what the next message has.
    """
    verdict, rules, lines, number = marks.verdict, dict.fromkeys(marks.rules), list[str](), marks.number
    if adds:
        earlier: Any = flow.metadata
        verdict = max(earlier.get(VERDICT, UNCHECKED), verdict, key=_ORDER.index)
        rules = dict.fromkeys((*earlier.get(RULES, ()), *rules))
        lines = list(earlier.get(FINDINGS, ()))
        more = _MORE(lines[-1]) if lines else None
        number += len(lines) if more is None else len(lines) - 1 + int(more[1])
        lines = lines if more is None else lines[:-1]
    lines += [f"message {place}: {line}" for line in marks.lines[: MOST_LINES - len(lines)]]
    clear(flow)
    _write(flow, verdict, list(rules), lines, number)


def _write(flow: Flow, verdict: str, rules: list[str], lines: list[str], number: int) -> None:
    """Write verdict, rules, and the first of that number of findings on a flow."""
    flow.metadata[VERDICT] = verdict
    if not rules:
        return
    flow.metadata[RULES] = rules
    more = number - len(lines)
    flow.metadata[FINDINGS] = [*lines, f"and {more} more"] if more > 0 else lines
    _append(flow, f"[{', '.join(rules)}; {_OURS}{verdict}]")
    if not flow.marked and not flow.metadata.get(FAULT):
        flow.marked = MARKS[Level.of(verdict)]
        flow.metadata[MARK] = flow.marked


def clear(flow: Flow) -> None:
    """Take back everything that a check wrote on a flow; a marker or comment of the user stays as it is."""
    if flow.marked and flow.metadata.get(MARK) == flow.marked:
        flow.marked = ""
    for key in METADATA:
        flow.metadata.pop(key, None)
    if _OURS in flow.comment:
        flow.comment = _TAIL.sub("", flow.comment)


def mark_faults(
    flow: Flow,
    faults: Iterable[str],
    original: str | None,
    faulted: str | None,
    came: Marks | None = None,
    redactor: Redactor = NO_REDACTOR,
) -> None:
    """Write on a flow which faults are in it, and the digests of its response body; what a check wrote is out of date.

    The digest of the body as it came stays the one that was written first. `came` is what was written of the response
    as it came: what is wrong with that stays in sight.
    """
    clear(flow)
    faults = _storable(faults, redactor)
    flow.metadata[FAULT] = faults
    flow.metadata.setdefault(ORIGINAL, original)
    flow.metadata[FAULTED] = faulted
    flow.comment = _FAULT_TAIL.sub("", flow.comment)
    text = ", ".join(shorten(fault).translate(_NO_BRACKETS) for fault in faults)
    if came is not None:
        flow.metadata.pop(CAME, None)
        if came.rules:
            flow.metadata[CAME] = f"{came.verdict}: {', '.join(came.rules)}"
    if CAME in flow.metadata:
        text += f"; it came with {flow.metadata[CAME]}"
    _append(flow, f"[{text}; {_OURS}fault]")
    if not flow.marked:
        flow.marked = FAULT_MARK


def mark_datagram_faults(flow: Flow, number: int, faults: Iterable[str], redactor: Redactor = NO_REDACTOR) -> None:
    """Write on a UDP flow which faults are in its message of that number, from 1."""
    by_number = {**flow.metadata.get(DATAGRAM_FAULTS, {}), str(number): _storable(faults, redactor)}
    flow.metadata[DATAGRAM_FAULTS] = by_number
    mark_faults(flow, dict.fromkeys(fault for each in by_number.values() for fault in each), None, None)


def _storable(faults: Iterable[str], redactor: Redactor) -> list[str]:
    """Return faults as a flow file can hold them: what a shell passed on and that is no text becomes escapes."""
    return [redactor.text(fault).encode("utf-8", "backslashreplace").decode() for fault in faults]


def clear_faults(flow: Flow) -> None:
    """Take back everything that was written on a flow about faults, and what a check wrote: both are out of date."""
    clear(flow)
    if FAULT in flow.metadata and flow.marked == FAULT_MARK:
        flow.marked = ""
    for key in (*FAULT_METADATA, CAME, DATAGRAM_FAULTS):
        flow.metadata.pop(key, None)
    if _OURS in flow.comment:
        flow.comment = _FAULT_TAIL.sub("", flow.comment)


def _append(flow: Flow, tail: str) -> None:
    flow.comment = f"{flow.comment} {tail}" if flow.comment else tail
