"""Inputs that once went wrong, each with what is right for it: one line of expected.jsonl per case.

The fields of a line: file; keys, args (of `check`); verdict (of the whole run: clean, warning, violation); must, not
(patterns for a line `level rule: place …`, or for the whole output); rc; exchanges (how many MSK exchanges); decode
with messages (how many decode without an error) or or_rc; addon (mitmdump reports the same exchanges and findings as
`check`); not_passed (rules that must not answer "passed"); notes_not (patterns that no note matches); leaks (patterns
that are in no output). Their max_s and max_mb belong to `make hostile`: no test asserts a time.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ltkm_inspect.cli.program import commands
from tests.proxy.parts import Mitmdump

HERE = Path(__file__).resolve().parent
LONG = 10
"""What may take more seconds than this is for `make sweep`."""
SHOWN = ("place", "expected", "got", "hint", "title")

type Case = dict[str, Any]


def cases() -> Iterator[Any]:
    for line in (HERE / "expected.jsonl").read_text().splitlines():
        case = json.loads(line)
        # beside one that takes long there is a smaller one of its kind
        marks = pytest.mark.sweep if case.get("max_s", 0) > LONG else ()
        yield pytest.param(case, id=case["file"], marks=marks)


def run(*words: str | Path) -> Result:
    """Run a command in this process; it must end with an exit code, never with an exception."""
    done = CliRunner().invoke(commands, [*map(str, words)])
    assert not isinstance(done.exception, Exception), repr(done.exception)
    assert "Traceback" not in done.output
    return done


def records(text: str) -> list[dict[str, Any]]:
    objects = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [each for each in objects if "/exchange/" in each["schema"]]


def everything(path: Path, options: list[str], folder: Path) -> str:
    """Return what every format says, without the name of the file, which the user gave."""
    reports = {name: folder / name for name in ("html", "sarif", "junit")}
    words = [f"--report={name}={report}" for name, report in reports.items()]
    said = [run("check", *options, *words, path).output, run("check", "--format", "jsonl", *options, path).output]
    said += [report.read_text("utf-8") for report in reports.values() if report.exists()]
    said.append(run("export", "csv", "--redact", path).output)
    return "".join(said).replace(str(path), "")


@pytest.mark.parametrize("case", [*cases()])
def test_a_case_is_judged_right(case: Case, tmp_path: Path, mitmdump: Mitmdump) -> None:
    path = HERE / case["file"]
    keys = ["--keys", str(HERE / case["keys"])] if "keys" in case else []
    options = [*keys, *case.get("args", ())]
    text = _decoded(case, path, options) if case.get("decode") else _checked(case, path, options, tmp_path)
    for pattern in case.get("must", ()):
        assert re.search(pattern, text), f"expected {pattern}, got {text}"
    for pattern in case.get("not", ()):
        assert not re.search(pattern, text), f"expected no {pattern}, got {text}"
    if case.get("addon"):
        _same_in_the_addon(path, keys, mitmdump, tmp_path)


def _decoded(case: Case, path: Path, options: list[str]) -> str:
    done = run("decode", "--format", "jsonl", *options, path)
    good = [each for each in map(json.loads, done.stdout.splitlines()) if not each.get("error")]
    if done.exit_code not in case.get("or_rc", ()):
        assert (len(good), done.exit_code) == (case["messages"], 0), done.output
    return run("decode", *options, path).output


def _checked(case: Case, path: Path, options: list[str], folder: Path) -> str:
    done = run("check", "--format", "jsonl", *options, path)
    exchanges = records(done.stdout)
    findings = [finding for each in exchanges for finding in each["findings"]]
    levels = {finding["level"] for finding in findings}
    verdict = "violation" if "violation" in levels else "warning" if levels else "clean"
    if "verdict" in case:
        assert verdict == case["verdict"], done.output
    if "rc" in case:
        assert done.exit_code in case["rc"], done.output
    if "exchanges" in case:
        assert len(exchanges) == case["exchanges"]
    for rule in case.get("not_passed", ()):
        assert [each for each in exchanges if each["outcomes"].get(rule, {}).get("answer") == "passed"] == []
    notes = [json.dumps(note) for each in exchanges for note in each["notes"]]
    for pattern in case.get("notes_not", ()):
        assert [note for note in notes if re.search(pattern, note)] == []
    if leaks := case.get("leaks", ()):
        said = everything(path, options, folder)
        assert [pattern for pattern in leaks if re.search(pattern, said)] == []
    lines = [f"{each['level']} {each['rule']}: {json.dumps([each.get(name) for name in SHOWN])}" for each in findings]
    return "\n".join([*lines, done.stderr, run("check", *options, path).output])


def _same_in_the_addon(path: Path, keys: list[str], mitmdump: Mitmdump, folder: Path) -> None:
    report = folder / "addon.jsonl"
    ring = ["--set", f"ltkm_keys={keys[1]}"] if keys else []
    mitmdump("-q", "-nr", path, "--set", f"ltkm_report={report}", *ring)
    offline = records(run("check", "--format", "jsonl", *keys, path).stdout)
    assert _judged(records(report.read_text("utf-8"))) == _judged(offline)


def _judged(exchanges: list[dict[str, Any]]) -> list[list[tuple[str, str]]]:
    return [[(finding["level"], finding["rule"]) for finding in each["findings"]] for each in exchanges]
