"""A report as one self-contained HTML page.

The page is made from the records that `jsonl` writes, in two passes: which terminal a 401 belongs to is only known from
later records. The page opens quickly however long the run was: it shows a limited number of exchanges, and counts the
others by rule.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, TextIO

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ltkm_inspect import catalogue
from ltkm_inspect.finding import UNCHECKED
from ltkm_inspect.output.json_line import kind_of
from ltkm_inspect.report.baseline_text import entry_text
from ltkm_inspect.report.page.exchanges import exchange_view
from ltkm_inspect.report.page.heartbeats import Heartbeats, handshake_rows, host_rows
from ltkm_inspect.report.page.rules import AnswerCounts, Tally
from ltkm_inspect.report.page.run import run_facts, session_view
from ltkm_inspect.report.page.terminals import Terminals
from ltkm_inspect.report.page.timeline import FAULTED, VERDICTS, Timeline
from ltkm_inspect.report.page.value import value_text
from ltkm_inspect.report.run_files import RunFiles
from ltkm_inspect.report.summary import RECENT, Summary, forgotten, results
from ltkm_inspect.wire import inert

MOST_CLEAN = 500
"""How many exchanges without findings the page shows."""
MOST_FLAWED = 500
"""How many exchanges with findings the page shows, besides the first `FEW` of each rule."""
FEW = 5
"""How many exchanges the page shows for each broken rule, however late in the run they are."""
MOST_CHARACTERS = 14_000_000
"""How many characters all exchanges on the page may have; the page is at most 20 MB."""
TEMPLATES = "templates"
SCRIPTS = ("dom.js", "ltkm.js", "http.js", "exchanges.js", "filter.js", "timeline.js", "page.js")
"""The parts of the script; each comes after those that it uses."""


def write(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Write the page of a run from its records, which are read twice."""
    catalogue.load()
    page = _Page(Terminals(records))
    for record in records:
        page.add(record)
    style = _asset("page.css")
    script = "\n".join(['"use strict";', "(() => {", *map(_asset, SCRIPTS), "})();\n"])
    shown = {
        "page": page,
        "style": Markup(style),
        "script": Markup(script),
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
        "form-action 'none'",
    }
    file.writelines(inert(part, "\n\t") for part in _environment().get_template("page.html").generate(shown))


class _Page:
    """What the page shows of a run."""

    def __init__(self, terminals: Terminals) -> None:
        self._terminals = terminals
        self.summary = Summary()
        self.timeline = Timeline()
        self.findings, self.notes, self.answers = Tally(), Tally(), AnswerCounts()
        self.kinds: Counter[str] = Counter()
        """The number of exchanges on the page, by the kind that the filter uses: `flawed`, `clean` or `faulted`."""
        self.folded = Tally()
        """The findings of exchanges that are not on the page."""
        self.left_out: Counter[str] = Counter()
        """The number of exchanges that are not on the page, by the same kinds."""
        self.shown_terminals: set[int] = set()
        self.paths: set[str] = set()
        """How the events were delivered: `http`, `udp`."""
        self.times: tuple[str, str] | None = None
        self.files: dict[str, None] = {}
        self.runs: list[list[tuple[str, str]]] = []
        self.redacted = False
        self.sessions: list[dict[str, Any]] = []
        self.run_files = RunFiles()
        self.heartbeats = Heartbeats()
        self._rows: list[tuple[str, int, str]] = []
        """For each exchange on the page: when it began, its number on the page, and its row."""
        self._characters = 0
        self._latest: dict[str, int] = {}
        """The numbers of the latest exchanges on the page, by their ids: a record with faults put in may follow."""
        self._shown: Counter[str] = Counter()
        """The number of exchanges on the page, by broken rule and by whether there is any."""
        self._template = _environment().get_template("exchange.html")

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record of any kind; an unknown kind is ignored."""
        kind = str(record.get("schema")).split("/")[1:2]
        match kind:
            case ["exchange"] | ["datagram"]:
                self._add_exchange(record)
            case ["run"]:
                if (about := run_facts(record)) not in self.runs:  # each file of a run has it
                    self.runs.append(about)
                self.redacted = self.redacted or bool(record.get("redacted"))
            case ["session"]:
                self.sessions.append(session_view(record))
            case ["heartbeat"]:
                self.heartbeats.add(record)
        if kind in (["exchange"], ["datagram"], ["missing"], ["heartbeat"], ["summary"], ["session"]):
            self.summary.add_record(record)
        if kind:
            self.run_files.add(record)

    @property
    def rows(self) -> list[str]:
        """The rows in the order of time; a row without a time keeps its position."""
        return [row for _, _, row in sorted(self._rows)]

    @property
    def results(self) -> dict[str, int]:
        """The number of rule results, by the word for each."""
        return results(self.summary.answers, self.summary.noted) if self.answers else {}

    @property
    def total(self) -> int:
        """The number of findings, without those that faults caused."""
        return self.summary.findings.total()

    @property
    def faulted_findings(self) -> int:
        """The number of findings in exchanges with faults put in."""
        return self.summary.faulted_findings.total()

    @property
    def judged(self) -> int:
        """The number of exchanges and datagrams that were checked, without those with faults put in."""
        return self.summary.verdicts.total() - self.summary.verdicts[UNCHECKED]

    @property
    def noun(self) -> str:
        """What the page shows, in the plural."""
        names = {"http": "exchanges", "udp": "datagrams"}
        return " and ".join(names[path] for path in names if path in self.paths) or "exchanges"

    def counted_events(self, number: int) -> str:
        """Return a number of exchanges and datagrams in words."""
        return f"{number:,} {self.noun.removesuffix('s') if number == 1 and len(self.paths) < 2 else self.noun}"

    @property
    def verdict(self) -> str:
        """The worst verdict; empty without exchanges."""
        return next((verdict for verdict in reversed(VERDICTS) if self.summary.verdicts[verdict]), "")

    def _add_exchange(self, record: Mapping[str, Any]) -> None:
        goes_on = self.summary.goes_on(record)
        record = self._terminals.attributed(record)
        terminal = self.timeline.terminal(value_text(self._terminals.latest_name(record)) or "unknown")
        kind = "faulted" if record["faults"] else "flawed" if record["findings"] else record["verdict"]
        path = "udp" if kind_of(record) == "datagram" else "http"
        self.paths.add(path)
        number = self._show(record, kind, terminal, goes_on)
        if number < 0:
            self.left_out[kind] += 1
            self.folded.add(record, terminal)
        self._add_time(record)
        if record.get("file"):
            self.files.setdefault(value_text(record["file"]))
        shown_verdict = FAULTED if record["faults"] else record["verdict"]
        self.timeline.add(record["started"], terminal, shown_verdict, number, path, again=goes_on)
        if record["faults"]:  # the findings say nothing about the server
            return
        self.findings.add(record, terminal)
        self.notes.add(record, terminal, "notes")
        self.answers.add(record)

    def _show(self, record: Mapping[str, Any], kind: str, terminal: int, goes_on: bool) -> int:
        """Put an exchange on the page if there is room; return its number there, else -1."""
        rules = {finding["rule"] for finding in record["findings"]}
        group, most = ("with findings", MOST_FLAWED) if rules else ("without findings", MOST_CLEAN)
        if self._shown[group] >= most and all(self._shown[rule] >= FEW for rule in rules):
            return -1
        original = self._latest.pop(record["id"], None) if goes_on else None
        row = self._template.render(each=exchange_view(record, len(self._rows), terminal, kind, original))
        if self._characters + len(row) > MOST_CHARACTERS:
            return -1
        self._characters += len(row)
        number = len(self._rows)
        started = value_text(record["started"]) or (self._rows[-1][0] if self._rows else "")
        self._rows.append((started, number, row))
        self._shown.update([group, *rules])
        self.kinds[kind] += 1
        self.shown_terminals.add(terminal)
        if not record["faults"]:
            self._latest = dict([*self._latest.items(), (record["id"], number)][-RECENT:])
        return number

    def _add_time(self, record: Mapping[str, Any]) -> None:
        started, ended = value_text(record["started"]), value_text(record["ended"]) or value_text(record["started"])
        if started:
            first, last = self.times or (started, ended)
            self.times = (min(first, started), max(last, ended))


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("ltkm_inspect.report", TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {
        "ticked": _ticked,
        "number": lambda number: f"{number:,}",
        "counted": _counted,
        "forgotten": forgotten,
        "handshake_rows": handshake_rows,
        "host_rows": host_rows,
        "entry": entry_text,
    }
    return environment


def _ticked(text: str) -> Markup:
    """Return the text of a rule as HTML, with the parts in backticks as code."""
    parts = re.split(r"`([^`]*)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def _counted(number: int, word: str) -> str:
    """Return a number with thousands separators and its noun in the singular or plural."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


@cache
def _asset(name: str) -> str:
    return (files("ltkm_inspect.report") / TEMPLATES / name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return the source expression with which a content security policy only allows this inline text."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
