"""A report as one HTML page: a file that needs nothing else, for the engineer who wants to look.

The page is made from the objects that `jsonl` writes, in two passes: which terminal a 401 belongs to is known by what
follows. It opens at once however long the run was: what it shows of single exchanges is limited, and the others are
counted by rule.
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
from ltkm_inspect.report.page.exchanges import exchange_view
from ltkm_inspect.report.page.rules import AnswerCounts, Tally
from ltkm_inspect.report.page.run import run_facts, session_view
from ltkm_inspect.report.page.terminals import Terminals
from ltkm_inspect.report.page.timeline import FAULTED, VERDICTS, Timeline
from ltkm_inspect.report.page.value import value_text
from ltkm_inspect.report.summary import RECENT, Summary, forgotten, results
from ltkm_inspect.wire import inert

MOST_CLEAN = 500
"""How many exchanges without findings the page shows."""
MOST_FLAWED = 500
"""How many exchanges with findings it shows, besides the first few of each rule."""
FEW = 5
"""So many exchanges that break a rule are on the page, however late in the run they come."""
MOST_CHARACTERS = 14_000_000
"""How many characters all of these may have; the page is 20 MB at most."""
TEMPLATES = "templates"
SCRIPTS = ("dom.js", "ltkm.js", "http.js", "exchanges.js", "filter.js", "timeline.js", "page.js")
"""The parts of the script, each after those that it uses."""


def write(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Write the page of a run from its records, which are gone through twice: the objects of a report in JSON Lines."""
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
        """Exchanges on the page by what they are to the filter: `flawed`, `clean` or `faulted`."""
        self.folded = Tally()
        """The findings of exchanges that are not on the page."""
        self.left_out: Counter[str] = Counter()
        """Exchanges that are not on the page, by the same kinds."""
        self.shown_terminals: set[int] = set()
        self.times: tuple[str, str] | None = None
        self.files: dict[str, None] = {}
        self.runs: list[list[tuple[str, str]]] = []
        self.redacted = False
        self.sessions: list[dict[str, Any]] = []
        self.is_whole = True
        """No exchange came after the last summary."""
        self._rows: list[tuple[str, int, str]] = []
        """When each exchange on the page began, its number on the page, and its row."""
        self._characters = 0
        self._came: dict[str, int] = {}
        """The numbers of the latest exchanges on the page, by their ids: they may go on with faults put in."""
        self._seen: Counter[str] = Counter()
        """Exchanges on the page by the rules that they break."""
        self._template = _environment().get_template("exchange.html")

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in a record of any kind; one that is not known is left out."""
        kind = str(record.get("schema")).split("/")[1:2]
        match kind:
            case ["exchange"]:
                self._add_exchange(record)
            case ["summary"]:
                self.is_whole = True
            case ["run"]:
                self.runs.append(run_facts(record))
                self.redacted = self.redacted or bool(record.get("redacted"))
            case ["session"]:
                self.sessions.append(session_view(record))
        if kind in (["exchange"], ["summary"], ["session"]):
            self.summary.add_record(record)

    @property
    def rows(self) -> list[str]:
        """The exchanges in the order of time; those without one where they came."""
        return [row for _, _, row in sorted(self._rows)]

    @property
    def results(self) -> dict[str, int]:
        """How many rules gave each answer, by its word."""
        return results(self.summary.answers, self.summary.noted) if self.answers else {}

    @property
    def total(self) -> int:
        """How many findings count."""
        return self.summary.findings.total()

    @property
    def faulted_findings(self) -> int:
        """How many findings faults have made."""
        return self.summary.put_in.total()

    @property
    def judged(self) -> int:
        """How many exchanges count: those without faults put in."""
        return self.summary.verdicts.total()

    @property
    def verdict(self) -> str:
        """The worst verdict; empty where there is nothing to judge."""
        return next((verdict for verdict in reversed(VERDICTS) if self.summary.verdicts[verdict]), "")

    def _add_exchange(self, record: Mapping[str, Any]) -> None:
        goes_on = self.summary.goes_on(record)
        record = self._terminals.attributed(record)
        terminal = self.timeline.terminal(value_text(self._terminals.latest_name(record)) or "unknown")
        kind = "faulted" if record["faults"] else "flawed" if record["findings"] else "clean"
        number = self._show(record, kind, terminal, goes_on)
        if number < 0:
            self.left_out[kind] += 1
            self.folded.add(record, terminal)
        self.is_whole = False
        self._add_time(record)
        if record.get("file"):
            self.files.setdefault(value_text(record["file"]))
        shown_verdict = FAULTED if record["faults"] else record["verdict"]
        self.timeline.add(record["started"], terminal, shown_verdict, number, again=goes_on)
        if record["faults"]:  # what was put in says nothing about the server
            return
        self.findings.add(record, terminal)
        self.notes.add(record, terminal, "notes")
        self.answers.add(record)

    def _show(self, record: Mapping[str, Any], kind: str, terminal: int, goes_on: bool) -> int:
        """Put an exchange on the page if there is room; return its number there, else -1."""
        rules = {finding["rule"] for finding in record["findings"]}
        group, most = ("with findings", MOST_FLAWED) if rules else ("without findings", MOST_CLEAN)
        if self._seen[group] >= most and all(self._seen[rule] >= FEW for rule in rules):
            return -1
        came = self._came.pop(record["id"], None) if goes_on else None
        row = self._template.render(each=exchange_view(record, len(self._rows), terminal, kind, came))
        if self._characters + len(row) > MOST_CHARACTERS:
            return -1
        self._characters += len(row)
        number = len(self._rows)
        started = value_text(record["started"]) or (self._rows[-1][0] if self._rows else "")
        self._rows.append((started, number, row))
        self._seen.update([group, *rules])
        self.kinds[kind] += 1
        self.shown_terminals.add(terminal)
        if not record["faults"]:
            self._came = dict([*self._came.items(), (record["id"], number)][-RECENT:])
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
    }
    return environment


def _ticked(text: str) -> Markup:
    """Return text of a rule with what stands in backticks as code."""
    parts = re.split(r"`([^`]*)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def _counted(number: int, word: str) -> str:
    """Return a number with its word, as `text.count` does, but with separators."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


@cache
def _asset(name: str) -> str:
    return (files("ltkm_inspect.report") / TEMPLATES / name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return the source expression by which a content security policy allows this inline text and no other."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
