"""The reports that are expected of the trial: what stands in tests/report/expected."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring, indent, tostring

from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Answer
from ltkm_inspect.mitm.flows import exchange_of
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.output.json_line import kind_of, to_json
from ltkm_inspect.report import jsonl
from ltkm_inspect.report.jsonl import Record
from ltkm_inspect.report.places import write
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.session import Session
from tests.samples.expected import without_totals

FOLDER = Path(__file__).resolve().parents[1] / "report" / "expected"


def records(file: str, octets: bytes) -> Iterator[Record]:
    """Yield the records of a run over a flow file."""
    values = {name: option.check_default or option.default for name, option in DEFAULTS.items()}
    yield jsonl.run_record([file], values, started=reference.STARTED)
    session, total = Session(), Summary()
    for number, flow in enumerate(FlowReader(io.BytesIO(octets)).stream(), 1):
        assert isinstance(flow, HTTPFlow)
        exchange = exchange_of(flow)
        if not exchange.is_ours:
            total.other()
            continue
        report = replace(inspect(exchange, Context(session=session)), number=number)
        total.add(report)
        yield jsonl.exchange_record(report, file)
    total.forgotten = session.forgotten
    yield jsonl.session_record(session)
    yield jsonl.summary_record(total)


def expected(file: str, octets: bytes) -> dict[Path, bytes]:
    """Return what is expected of each format by the path of the file that holds it.

    They are excerpts, so that they can be read: of JSON Lines one exchange that is broken, of SARIF one rule and the
    results that are no notes, of JUnit the cases that fail. None holds what a rule changes that finds nothing.
    """
    found = [json.loads(to_json(record)) for record in records(file, octets)]
    stem = Path(file).stem
    return {
        FOLDER / f"{stem}.txt": "".join(f"{line}\n" for line in _text(found)).encode(),
        FOLDER / f"{stem}.jsonl.json": pretty(_few(found)),
        FOLDER / f"{stem}.sarif.json": pretty(_results(json.loads(written("sarif", found)))),
        FOLDER / f"{stem}.junit.xml": _failures(written("junit", found)),
    }


def written(format: str, records: list[Any]) -> str:
    """Return records in a format."""
    file = io.StringIO()
    write(format, records, file)
    return file.getvalue()


def pretty(data: Any) -> bytes:
    """Return data as JSON for readers."""
    return f"{json.dumps(data, indent=1, ensure_ascii=False)}\n".encode()


def _text(found: list[Any]) -> list[str]:
    return without_totals(written("text", found).splitlines())


def _few(found: list[Any]) -> list[Any]:
    broken = next(record for record in found if kind_of(record) == "exchange" and record["findings"])
    outcomes = {rule: outcome for rule, outcome in broken["outcomes"].items() if outcome["answer"] == "broken"}
    run, session, summary = found[0], found[-2], found[-1]
    broken = broken | {"counts": _counts(broken), "outcomes": outcomes}
    return [run, broken, session, summary | {"counts": _counts(summary)}]


def _counts(record: Any) -> Any:
    """Return the counts of a record without those of the rules, of which every rule adds to one."""
    return {name: count for name, count in record["counts"].items() if name not in {answer.key for answer in Answer}}


def _results(log: Any) -> Any:
    (run,) = log["runs"]
    run["results"] = [result for result in run["results"] if result["level"] != "note"]
    for result in run["results"]:
        del result["ruleIndex"]
    rules = run["tool"]["driver"]["rules"]
    run["tool"]["driver"]["rules"] = [rule for rule in rules if rule["id"] == "ltkm-missing"]
    summary = run["properties"]["summary"]
    summary["counts"] = _counts(summary)
    return log


def _failures(text: str) -> bytes:
    root = fromstring(text)
    for suite in root:
        for case in suite.findall("testcase"):
            if case.find("failure") is None:
                suite.remove(case)
            for output in case.findall("system-out"):
                case.remove(output)
    for counted in (root, *root):
        for name in ("tests", "skipped"):
            del counted.attrib[name]
    indent(root)
    return f"{tostring(root, 'unicode')}\n".encode()
