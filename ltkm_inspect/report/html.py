"""A report as one HTML page: a file that needs nothing else, for the engineer who wants to look.

The page is made from the objects that `jsonl` writes, in one pass. What it does not show is not kept: of exchanges
without findings there are at most 500, and in the timeline each exchange is a few numbers.
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
from ltkm_inspect.report.page.timeline import FAULTED, VERDICTS, Timeline
from ltkm_inspect.report.page.value import value_text
from ltkm_inspect.report.summary import forgotten
from ltkm_inspect.wire import inert

MOST_CLEAN = 500
"""How many exchanges without findings the page shows; those with findings are all on it."""
TEMPLATES = "templates"
SCRIPTS = ("dom.js", "ltkm.js", "exchanges.js", "filter.js", "timeline.js", "page.js")
"""The parts of the script, each after those that it uses."""


def write(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Write the page of a run from its records: the objects of a report in JSON Lines."""
    catalogue.load()
    page = _Page()
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
        "most_clean": MOST_CLEAN,
    }
    file.writelines(inert(part, "\n\t") for part in _environment().get_template("page.html").generate(shown))


class _Page:
    """What the page shows of a run."""

    def __init__(self) -> None:
        self.flawed: list[str] = []
        self.clean: list[str] = []
        self.faulted: list[str] = []
        self.counts: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.timeline = Timeline()
        self.findings, self.notes, self.answers = Tally(), Tally(), AnswerCounts()
        self.shown_terminals: set[int] = set()
        self.faulted_findings = 0
        self.times: tuple[str, str] | None = None
        self.files: dict[str, None] = {}
        self.runs: list[list[tuple[str, str]]] = []
        self.redacted = False
        self.sessions: list[dict[str, Any]] = []
        self.others = self.damaged = 0
        self.forgotten: Counter[str] = Counter()
        self.is_whole = True
        """No exchange came after the last summary."""
        self._row = _environment().get_template("exchange.html")

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in a record of any kind; one that is not known is left out."""
        match str(record.get("schema")).split("/")[1:2]:
            case ["exchange"]:
                self._add_exchange(record)
            case ["summary"]:
                self.others += record["others"]
                self.is_whole = True
            case ["run"]:
                self.runs.append(run_facts(record))
                self.redacted = self.redacted or bool(record.get("redacted"))
            case ["session"]:
                self.sessions.append(session_view(record))
                self.forgotten.update(record["forgotten"])

    @property
    def exchanges(self) -> int:
        """How many exchanges there were, those with faults put in among them."""
        return self.counts["exchanges"]

    @property
    def judged(self) -> int:
        """How many exchanges count: those without faults put in."""
        return self.verdicts.total()

    @property
    def verdict(self) -> str:
        """The worst verdict; empty where there is nothing to judge."""
        return next((verdict for verdict in reversed(VERDICTS) if self.verdicts[verdict]), "")

    def _add_exchange(self, record: Mapping[str, Any]) -> None:
        terminal = self.timeline.terminal(value_text(record["terminal"]) or "unknown")
        view = exchange_view(record, self.counts["exchanges"], terminal) if self._is_shown(record) else None
        self.is_whole = False
        self.counts["exchanges"] += 1
        self.counts.update({name: record["counts"][name] for name in ("items", "ltkms")})
        self.damaged += bool(record.get("damage"))
        self._add_time(record)
        if record.get("file"):
            self.files.setdefault(value_text(record["file"]))
        number = -1
        if view is not None:
            number = view["number"]
            self.shown_terminals.add(terminal)
            group = self.faulted if record["faults"] else self.flawed if record["findings"] else self.clean
            group.append(self._row.render(each=view))
        self.timeline.add(record["started"], terminal, FAULTED if record["faults"] else record["verdict"], number)
        if record["faults"]:  # what was put in says nothing about the server
            self.faulted_findings += len(record["findings"])
            self.counts["faulted"] += 1
            return
        self.verdicts[record["verdict"]] += 1
        self.findings.add(record["findings"], terminal)
        self.notes.add(record["notes"], terminal)
        self.answers.add(record.get("outcomes", {}))

    def _is_shown(self, record: Mapping[str, Any]) -> bool:
        if record["findings"]:
            return True
        self.counts["without findings"] += 1
        return self.counts["without findings"] <= MOST_CLEAN

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
