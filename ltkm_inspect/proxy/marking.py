"""Writes what was found on a flow, and takes back what an earlier check wrote, never what the user did."""

import re

from mitmproxy.flow import Flow

from ltkm_inspect.finding import Level, Report

MARKS = {Level.VIOLATION: ":red_circle:", Level.WARNING: ":yellow_circle:"}
"""The marker of a flow, by the worst level of its findings; a flow that the user marked keeps the user's marker."""
VERDICT = "ltkm_verdict"
RULES = "ltkm_rules"
FINDINGS = "ltkm_findings"
MARK = "ltkm_mark"
METADATA = (VERDICT, RULES, FINDINGS, MARK)
"""The keys in the metadata of a checked flow: verdict, ids of the broken rules, the findings as lines, our marker."""
MOST_LINES = 50
"""How many findings the metadata of one flow lists."""

_TAIL = re.compile(r" ?\[ltkm: (?:violation|warning): [a-z0-9, -]*\]")


def mark(flow: Flow, report: Report) -> None:
    """Write verdict and rule ids on a flow, in place of what was written there by us before."""
    clear(flow)
    rules = list(report.rules)
    flow.metadata[VERDICT] = report.verdict
    if not rules:
        return
    flow.metadata[RULES] = rules
    lines = [finding.line for finding in report.findings[:MOST_LINES]]
    more = len(report.findings) - MOST_LINES
    flow.metadata[FINDINGS] = [*lines, f"and {more} more"] if more > 0 else lines
    tail = f"[ltkm: {report.verdict}: {', '.join(rules)}]"
    flow.comment = f"{flow.comment} {tail}" if flow.comment else tail
    if not flow.marked:
        flow.marked = MARKS[report.worst]
        flow.metadata[MARK] = flow.marked


def clear(flow: Flow) -> None:
    """Take back everything that a check wrote on a flow; a marker or comment of the user stays as it is."""
    if flow.marked and flow.metadata.get(MARK) == flow.marked:
        flow.marked = ""
    for key in METADATA:
        flow.metadata.pop(key, None)
    if "[ltkm: " in flow.comment:
        flow.comment = _TAIL.sub("", flow.comment)
