"""One run of the command `check`: prints results as they come, and at the end what there is to say of all of them."""

from collections.abc import Generator, Sequence
from contextlib import closing

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking import Checker, StretchResult, WorkerError
from ltkm_inspect.cli.progress import Progress
from ltkm_inspect.cli.signals import INTERRUPTED, code_of, reason_of
from ltkm_inspect.engine import waiting_at_end
from ltkm_inspect.finding import Level
from ltkm_inspect.options.table import LINE_FORMATS
from ltkm_inspect.output.console import InputErrors, Output, complain, say_nothing
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.unmatched import unmatched
from ltkm_inspect.report import jsonl, summary
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.wire import count, printable

MOST_UNCHECKED = 10
"""How many datagrams that no rule applies to are listed as text: a service sends an STKM every few seconds."""


class CheckRun:
    """Prints the results of a check, and writes its reports."""

    def __init__(
        self,
        files: Sequence[Input],
        checker: Checker,
        style: LineStyle,
        reports: ReportFiles,
        record: jsonl.Record,
        *,
        has_reports: bool,
        follow: bool,
    ) -> None:
        """Take what is checked and how it is printed; `record` is that of the run.

        `follow` says that the results have no end: the run ends once nobody reads them.
        """
        self._files = files
        self._checker = checker
        self._style = style
        self._in_lines = style.format in LINE_FORMATS
        self._reports = reports
        self._has_reports = has_reports
        self._follow = follow
        self._head = [] if self._in_lines else [to_json(record)]
        """What is printed in front of the first exchange."""
        self._heading = "" if len(files) > 1 else files[0].name
        """The file that the exchanges printed last are in."""
        self._unchecked = 0
        """How many datagrams that no rule applies to there were."""
        self._output = Output(color=style.color)
        self._trouble = InputErrors()
        self._stopped = ""
        """Why the run ended early; empty if it did not."""
        self.stop_code: int | None = None
        """The exit code of a run that ended early."""

    @property
    def has_failed(self) -> bool:
        """Nothing more can be printed, and not because nobody reads it."""
        return self._output.failed

    def print_all(self, results: Generator[StretchResult]) -> None:
        """Print what there is of each stretch, and what is wrong with its file, until the end or until it stops."""
        with Progress(() if self._follow else self._files) as progress, closing(results):
            try:
                for result in results:
                    progress.make_room()
                    if not self._print(result):
                        break
                    for line in (*result.damaged, *([result.problem] if result.problem else [])):
                        progress.hide()
                        self._trouble.say(result.name, line, unread=result.unread)
                    progress.advance(result.octets, self._checker.counts.summary.findings)
            except KeyboardInterrupt as error:
                self._stopped, self.stop_code = f"{reason_of(error)}, so the report is partial", code_of(error)
            except WorkerError as error:
                self._stopped, self.stop_code = str(error), INTERRUPTED

    def _print(self, result: StretchResult) -> bool:
        """Print the exchanges of a stretch; return whether there is any use in the next one."""
        lines: list[str] = []
        if self._head and result.shown:
            lines, self._head = self._head, lines
        for shown in result.shown:
            if self._has_reports:
                self._trouble.lost(self._reports.write(shown.json))
            printed = shown.lines if self._in_lines else [shown.json]
            if printed and shown.is_unchecked:
                self._unchecked += 1
                if self._unchecked > MOST_UNCHECKED:
                    continue
            if printed and self._style.format == "text" and result.name != self._heading:
                self._heading = result.name
                lines.append(f"{printable(result.name)}:")
            lines += printed
        return self._output.say(lines) or not (self._follow or (self._output.failed and not self._has_reports))

    def finish(self) -> None:
        """Print what there is to say of the whole run, and complete its reports."""
        checker, total = self._checker, self._checker.counts.summary
        context, wording, selection = checker.context, checker.presenter.wording, checker.selection
        assert context.session is not None
        if self._stopped:
            complain(self._stopped)
        # records without a session and a summary say of themselves that the run did not end
        elif selection.takes_all:
            total.waiting = waiting_at_end(context)
        total.forgotten = checker.counts.forgotten
        total.baseline = checker.baseline.records(total.matched, wording.terminal, wording.text)
        ending = [] if self._stopped else [jsonl.session_record(context.session, wording), jsonl.summary_record(total)]
        last = [*map(to_json, ending)]
        self._trouble.lost(self._reports.finish(last))
        self._print_summary(total, last)
        if not total.seen and not self._is_unread:
            say_nothing(self._files, "" if self._style.format == "text" else total.nothing)
        if total.unselected:
            has_ring = bool(checker.presenter.keys.ring)
            for name, line in unmatched(checker.counts.matches, selection, wording, has_ring=has_ring):
                complain(f"--{name}: {line}")

    @property
    def _is_unread(self) -> bool:
        """No file could be read; each of them has its line then."""
        return self._trouble.unread == len(self._files)

    def _print_summary(self, total: summary.Summary, last: list[str]) -> None:
        if self._is_unread:
            return
        if self._style.format == "text":
            self._output.say(total.lines())
            if self._unchecked > MOST_UNCHECKED:
                more = count(self._unchecked - MOST_UNCHECKED, "more unchecked datagram")
                self._output.say([f"summary: {more} not listed; --format jsonl and reports have all of them"])
            return
        self._output.say([] if self._in_lines else [*self._head, *last])
        if total.damaged:
            complain(summary.damaged(total.damaged))
        for line in total.baseline_lines:
            complain(f"--baseline: {line}")

    def exit_code(self, level: Level | None) -> int:
        """Return the exit code: what is wrong with files counts more than findings of that level or worse."""
        total = self._checker.counts.summary
        self._trouble.damaged += total.crashed + total.damaged
        return self._trouble.exit_code(len(self._files), total.exit_code(level))
