"""Law 1: what the program fails on becomes a finding, or a line for its file, and everything else is checked."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ltkm_inspect import engine
from ltkm_inspect.capture import har
from ltkm_inspect.checking import Checker, Presenter, parallel, pieces, serial, work
from ltkm_inspect.cli.program import commands
from ltkm_inspect.cli.shared import say_crashes
from ltkm_inspect.context import Context
from ltkm_inspect.finding import EVENT_CRASHED, Level
from ltkm_inspect.mitm import reading, rewriting
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.output.console import InputErrors
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.reference import KEYS
from ltkm_inspect.report import datagram, text
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.session import EventSummary, Session, SessionEvent
from ltkm_inspect.traffic import Exchange, Request
from tests import recorded
from tests.checking.test_parallel import named
from tests.proxy.parts import TRIAL
from tests.samples.generate import written

SECRET = "not to be shown"
EXCHANGES = [each for each in recorded.exchanges(TRIAL) if isinstance(each, Exchange)][:8]
VICTIM = EXCHANGES[3].id


def id_of(subject: Any) -> object:
    """Return the id of the exchange that something is or is about; None for one of which nothing else is known."""
    if isinstance(subject, EventSummary):
        return subject.origin.id
    exchange = subject if isinstance(subject, Exchange) else getattr(subject, "exchange", subject)
    return exchange.id if not isinstance(exchange, Exchange) or exchange.request.method else None


NAMES = ("id", "exchange", "origin")


def crashing(original: Any) -> Any:
    """Make a function or property of exchanges that crashes on the victim."""

    def crash(*arguments: Any, **options: Any) -> Any:
        if any(id_of(each) == VICTIM for each in arguments if any(hasattr(each, name) for name in NAMES)):
            raise TypeError(SECRET)
        return original(*arguments, **options)

    if isinstance(original, property) or hasattr(original, "func"):
        get = original.fget if isinstance(original, property) else original.func
        original = get
        return property(crash)
    return crash


PLACES: dict[str, tuple[Any, str]] = {
    "document": (Exchange, "document"),
    "request": (Exchange, "request_content"),
    "ours": (Exchange, "asks_for_msk"),
    "terminal": (Exchange, "terminal"),
    "session": (Session, "follow"),
    "memory": (SessionEvent, "summary"),
    "keys": (SessionEvent, "opened"),
    "text": (text, "exchange_text"),
    "record": (datagram, "exchange_line"),
    "redaction": (Redaction, "redactor"),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the program crash on one exchange, in one place after the other."""
    owner, name = PLACES[request.param]
    original = owner.__dict__[name]
    monkeypatch.setattr(owner, name, crashing(original))
    return str(request.param)


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first exchanges of the trial in a flow file: enough for others before and behind the victim."""
    path = tmp_path_factory.mktemp("crashes") / "first.flow"
    path.write_bytes(written(map(flow_of, EXCHANGES)))
    return path


def checker(wording: Wording = PLAIN) -> Checker:
    presenter = Presenter(keys=Keys(KEYS), style=LineStyle(), as_json=True, wording=wording)
    return Checker(context=Context(keys=KEYS, session=Session()), presenter=presenter)


def test_an_event_that_the_program_fails_on_has_a_finding_and_all_others_are_checked(
    capture: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "STRETCH", 3000)
    told = []
    for check in (serial.check, partial(parallel.check, jobs=2)):
        checked = checker(Wording(Redaction()))
        results = [*check(named(capture), checked)]
        assert [each.problem for each in results if each.problem] == []
        summary = checked.counts.summary
        assert summary.exchanges == len(EXCHANGES)
        assert summary.crashed == 1
        assert summary.findings[Level.WARNING, EVENT_CRASHED] + summary.findings[Level.WARNING, "rule-crashed"] >= 1
        shown = [each for result in results for each in result.shown]
        records = [json.loads(each.json) for each in shown]
        crashes = [
            (number, finding["got"].partition(" ")[0])
            for number, record in enumerate(records)
            for finding in record["findings"]
            if finding["rule"].endswith("-crashed")
        ]
        assert set(crashes) == {(3, "TypeError")}
        output = "\n".join(line for each in shown for line in (*each.lines, each.json))
        assert SECRET not in output
        told.append([each.lines[0] for each in shown])
    if place != "redaction":  # where the names of the two runs differ
        assert [len(each) for each in told[0]] == [len(each) for each in told[1]]


def invoke(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(commands, [*map(str, arguments)])
    assert SECRET not in done.output
    return done.exit_code, done.stdout, done.stderr


def test_check_and_report_end_with_5_where_the_program_failed(capture: Path, place: str, tmp_path: Path) -> None:
    code, _, _ = invoke("check", "--fail-on", "never", "--redact", "--report", tmp_path / "run.jsonl", capture)
    assert code == 5 or place in ("text", "keys")  # what is not asked for is not run
    if code == 5:
        assert invoke("report", "--fail-on", "never", tmp_path / "run.jsonl")[0] == 5


@pytest.mark.parametrize("command", ["export", "diff"])
def test_other_commands_name_what_they_could_not_check(
    command: str, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SessionEvent, "summary", crashing(SessionEvent.summary))
    arguments = ["csv", capture] if command == "export" else [capture, capture]
    code, _, errors = invoke(command, *arguments)
    assert code == 5
    assert f"{EVENT_CRASHED}: exchange: expected an exchange that can be checked, got TypeError at " in errors
    assert VICTIM in errors


def test_a_fault_that_crashes_on_a_flow_leaves_it_and_damages_the_others(
    capture: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rewriting.FlowRewriter, "_changed", crashing(rewriting.FlowRewriter._changed))
    code, said, _ = invoke("fault", "strip-ltkm", capture, tmp_path / "out.flow")
    assert code == 5
    assert "fault strip-ltkm: TypeError at " in said
    flows = [each for each in reading.flows(tmp_path / "out.flow") if isinstance(each, tuple)]
    assert len(flows) == len(EXCHANGES)


@pytest.mark.parametrize("command", ["check", "export", "diff"])
def test_a_file_that_the_program_fails_on_has_a_line_and_the_others_are_read(
    command: str, capture: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.har"
    bad.write_text('{"log": {"entries": []}}')
    (tmp_path / "good.flow").write_bytes(capture.read_bytes())

    def crash(*_: object) -> None:
        raise TypeError(SECRET)

    monkeypatch.setattr(har, "exchanges", crash)
    before: dict[str, tuple[str | Path, ...]] = {"check": (), "export": ("csv",), "diff": (capture,)}
    code, _, errors = invoke(command, *before[command], tmp_path)
    assert code == 5
    assert f"{bad}: ltkm-inspect failed here, so the rest was not checked: TypeError at " in errors


def test_a_file_that_a_worker_fails_on_has_a_line_and_the_others_are_read(
    capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def crash(*_: object) -> None:
        raise TypeError(SECRET)

    monkeypatch.setattr(work, "scan", crash)
    results = [*parallel.check(named(capture), checker(), 2)]
    assert [each.problem.partition(":")[2].split()[0] for each in results if each.problem] == ["TypeError"]


def test_an_exchange_of_which_nothing_can_be_presented_is_still_named() -> None:
    report = engine.inspect(EXCHANGES[0])

    def present(report: Any) -> str:
        if report.exchange.request != Request("", "", "", 0, ""):
            raise ValueError(SECRET)
        return "\n".join(text.lines(report))

    told, said = engine.presented(report, present)
    assert told.exchange.id == EXCHANGES[0].id
    assert "ValueError at " in said
    assert SECRET not in said


def test_a_crash_is_named_without_the_addresses_in_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    exchange = Exchange(Request("", "", "", 0, ""), id="from 198.51.100.7")
    report = engine.crashed(exchange, TypeError(SECRET), Context())
    for redaction, shown in ((None, True), (Redaction(), False)):
        say_crashes("a file", report, InputErrors(), Wording(redaction))
        errors = capsys.readouterr().err
        assert EVENT_CRASHED in errors
        assert ("198.51.100.7" in errors) is shown
