"""Keeps a flood of findings out of the log: of a rule that many exchanges break, the log shows a few findings."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.report.text import ExchangeText, FindingText
from ltkm_inspect.wire import count


class FloodControl:
    """Counts the findings of a run by rule, and says which of them are logged.

    The findings that faults cause and those that the baseline accepts are counted apart, so that they use up nothing of
    what the server is shown to break.
    """

    def __init__(self) -> None:
        self._found: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[tuple[str, str]] = Counter()
        """How many of them were not logged since the last one that was."""
        self._all_left_out: Counter[str] = Counter()

    def limited(self, exchange: ExchangeText, configuration: Configuration, where: str) -> ExchangeText | None:
        """Return the text with those findings only that are to be logged; `where` names the report that has all.

        It is None if nothing is left of an exchange that is logged only for its findings.
        """
        if not (exchange.findings or exchange.accepted):
            return exchange
        kind = "faulted" if exchange.faults else ""
        shown = self._shown(exchange.findings, kind, configuration, where)
        accepted = self._shown(exchange.accepted, "accepted", configuration, where)
        left_out = len(exchange.findings) + len(exchange.accepted) - len(shown) - len(accepted)
        if configuration.log == "findings" and left_out and not (shown or exchange.damage or exchange.faults):
            return None
        return replace(exchange, findings=tuple(shown), accepted=tuple(accepted), left_out=left_out)

    def _shown(
        self, findings: Iterable[FindingText], kind: str, configuration: Configuration, where: str
    ) -> list[FindingText]:
        """Return those findings of that kind that are to be logged."""
        shown = []
        for finding in findings:
            key = finding.rule, kind
            self._found[key] += 1
            number, first, every = self._found[key], configuration.log_first, configuration.log_every
            if first is None or number < first:
                shown.append(finding)
            elif number == first:
                shown.append(_with(finding, f"finding {number} of this rule; {_from_here_on(every, where)}"))
            elif every is not None and number % every == 0:
                before = f"{self._left_out.pop(key, 0)} before it not shown"
                shown.append(_with(finding, f"finding {number} of this rule; {before}; {_kept(where)}"))
            else:
                self._left_out[key] += 1
                self._all_left_out[finding.rule] += 1
        return shown

    def lines(self, where: str) -> list[str]:
        """Return a line for the end of the log that says how much it does not show; none if it shows everything."""
        number = self._all_left_out.total()
        if not number:
            return []
        of = count(len(self._all_left_out), "rule")
        return [f"summary: {count(number, 'finding')} of {of} not shown in this log; {_kept(where)}"]


def _with(finding: FindingText, remark: str) -> FindingText:
    return finding._replace(line=f"{finding.line} ({remark})")


def _from_here_on(every: int | None, where: str) -> str:
    """Say what the log shows after the last of the first findings."""
    return f"from here on {'none' if every is None else f'one in {every}'} is shown; {_kept(where)}"


def _kept(where: str) -> str:
    return f"all are in {where}" if where else "all are counted, and ltkm_report=run.jsonl keeps them"
