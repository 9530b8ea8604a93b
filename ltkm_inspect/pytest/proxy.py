"""A proxy between what a test suite tests: what went through it, and that there is nothing to find in it."""

import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ltkm_inspect.cli.catalogue import addon_script
from ltkm_inspect.finding import Level
from ltkm_inspect.options.rule_words import known_rules, parse_rule_words
from ltkm_inspect.options.settings import parse_fail_on
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.json_line import is_event, kind_of
from ltkm_inspect.pytest.running import RunningMitmdump, StartError, SteeringWheel, set_words, start
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.report.places import write
from ltkm_inspect.wire import count

type Record = dict[str, Any]


class LtkmProxy:
    """A mitmdump with the addon, on a free port of the loopback. It is a context manager that starts and ends it."""

    def __init__(
        self,
        folder: Path,
        confdir: Path,
        *,
        upstream: str = "",
        keys: str | Path | None = None,
        options: Mapping[str, object] | None = None,
        arguments: Sequence[str | Path] = (),
    ) -> None:
        """Take where it keeps its files, and mitmproxy its certificates, and what the proxy is to do.

        With an `upstream` (`http://bsm.example:8080`) it is in front of that server, without it is a regular proxy.
        `keys` is a key ring file. `options` are options of mitmproxy and of the addon, by their names (`ltkm_profile`).
        """
        self.folder = folder
        self.capture = folder / "capture.flow"
        """The flow file that all traffic is written to; complete when the proxy has ended."""
        self.report = folder / "report.jsonl"
        """The records of all exchanges and datagrams, as JSON Lines."""
        self.log = folder / "mitmdump.log"
        """What mitmdump printed; written when it has ended."""
        self.ca = confdir / "mitmproxy-ca-cert.pem"
        """The certificate that a client must trust if it speaks HTTPS."""
        self.is_kept = False
        """The folder stays when the proxy has ended."""
        mode = ["--mode", f"reverse:{upstream}", "--set", "keep_host_header=true"] if upstream else []
        given: dict[str, object] = {"flow_detail": 0, "ltkm_deadline": "never", **(options or {})}
        reports = given.get("ltkm_report", ())
        reports = reports if isinstance(reports, list | tuple) else (reports,)
        given["ltkm_report"] = [*reports, f"jsonl={_plain(self.report)}"]
        if keys is not None:
            given["ltkm_keys"] = Path(keys).absolute()
        self._words: list[str | Path] = ["--set", f"confdir={confdir}", *mode, "-s", addon_script(), "-w", self.capture]
        self._words += [*set_words(given), *arguments]
        self._wheel: SteeringWheel | None = None
        self._mitmdump: RunningMitmdump | None = None
        self._judged = self._seen = self._at = 0

    def __enter__(self) -> Self:
        """Start it; StartError if that fails."""
        self._wheel = SteeringWheel()
        try:
            self._mitmdump = start(self._words, self._wheel)
        except StartError:
            self._wheel.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it, and remove its files unless they are to be kept."""
        if self._wheel is not None and self._mitmdump is not None:
            self._wheel.close()
            self._mitmdump.end()
            if self.is_kept:
                self.log.write_text(self._mitmdump.output, "utf-8", "backslashreplace")
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
        self._wheel = self._mitmdump = None

    def kill(self) -> None:
        """End it at once; its files stay."""
        if self._mitmdump is not None:
            self._mitmdump.end(kill=True)

    @property
    def port(self) -> int:
        """The port that it listens on, at 127.0.0.1."""
        return 0 if self._mitmdump is None else self._mitmdump.port

    @property
    def url(self) -> str:
        """The URL of the proxy, or with an upstream the URL that takes its place."""
        return f"http://127.0.0.1:{self.port}"

    def set(self, **options: object) -> None:
        """Change options of mitmproxy and of the addon while it runs (`ltkm_fault=["strip-ltkm"]`).

        Raises ValueError for one that cannot mean anything.
        """
        assert self._wheel is not None
        problem = self._wheel.set(**options)
        if problem:
            raise ValueError(problem)

    def assert_clean(
        self, ignore: Iterable[str] = (), at_least: int = 1, *, fail_on: str = "warning", timeout: float = 10.0
    ) -> None:
        """Fail if something was found since the last call, or if too little was seen.

        It waits until no request is in flight and `at_least` MSK exchanges and datagrams were checked, for `timeout`
        seconds at most. `ignore` are ids of rules, subjects or documents, as `ltkm_ignore` takes them. What is below
        `fail_on` (`warning` or `violation`) does not count, nor do the findings of exchanges with faults.
        """
        __tracebackhide__ = True
        level, ignored = parse_fail_on(fail_on), _rules(ignore)
        if level is None:
            raise OptionError("fail_on", "expected warning or violation, got never")
        waited = self._wait(at_least, timeout)
        records = self._new_records()
        bad = [found for each in records if (found := _without(each, ignored, level)) is not None]
        problems = []
        if waited["in_flight"]:
            problems.append(f"{count(waited['in_flight'], 'request')} without an answer after {timeout:g} s")
        seen = waited["events"] - self._judged
        if seen < at_least:
            others = f"; {count(waited['others'] - self._seen, 'other flow')} went through the proxy"
            what = "MSK exchanges and datagrams"
            problems.append(f"expected at least {at_least} {what}, got {seen}{others}")
        self._judged, self._seen = waited["events"], waited["others"]
        if bad or problems:
            raise AssertionError("\n".join([*problems, *_text(bad)]))

    def _wait(self, at_least: int, timeout: float) -> dict[str, int]:
        assert self._wheel is not None
        try:
            return self._wheel.tell("wait", self._judged + at_least, timeout, timeout=timeout + 30)
        except OSError as error:
            output = "" if self._mitmdump is None else self._mitmdump.output[-2000:]
            raise AssertionError(f"the proxy has ended or does not answer ({error}); it printed: {output}") from None

    def _new_records(self) -> list[Record]:
        """Return the records since the last call."""
        with self.report.open("rb") as file:
            file.seek(self._at)
            lines = file.readlines()
        self._at += sum(map(len, lines))
        return [json.loads(line) for line in lines]


def _plain(path: Path) -> str:
    """Return a path for an option that may hold strftime codes."""
    return str(path).replace("%", "%%")


def _rules(words: Iterable[str]) -> frozenset[str]:
    """Return the ids of the rules that these words mean; OptionError for one that means nothing."""
    if isinstance(words, str):
        words = [words]
    ignored = parse_rule_words("ignore", words)
    return frozenset(id for id, rule in known_rules().items() if not ignored.isdisjoint(rule.names()))


def _without(record: Record, ignored: frozenset[str], level: Level) -> Record | None:
    """Return a record with the findings that count; None without any, or if a fault was put in."""
    if kind_of(record) == "missing":
        return record
    if not is_event(record) or record["faults"]:
        return None
    findings = [each for each in record["findings"] if each["rule"] not in ignored and Level.of(each["level"]) >= level]
    return {**record, "findings": findings} if findings else None


def _text(records: Sequence[Record]) -> list[str]:
    """Return records as the text report prints them."""
    file = io.StringIO()
    write("text", records, file, LineStyle("text", quiet=True))
    return [line for line in file.getvalue().splitlines() if not line.startswith("summary: ")]
