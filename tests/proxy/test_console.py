"""What a user of the real mitmproxy sees of the addon, in a terminal that tmux holds."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy.utils import emoji

from ltkm_inspect.input import from_file
from ltkm_inspect.mitm.marking import MARKS
from tests.proxy.console import Console
from tests.proxy.parts import TRIAL, inspected

FLAW = "key-domain-mismatch"
"""A rule that breaks near the top of its tree, so that one screen shows it."""

pytestmark = pytest.mark.needs("tmux")


@pytest.fixture(scope="module")
def opened() -> Iterator[Console]:
    """A mitmproxy that has loaded the trial, for all tests of this file."""
    with tempfile.TemporaryDirectory(prefix="ltkm-") as folder:
        opened = Console(Path(folder))
        try:
            opened.screen(lambda shown: f"/{len(inspected(TRIAL))}]" in shown)
            yield opened
        finally:
            opened.close()


@pytest.fixture
def console(opened: Console) -> Iterator[Console]:
    """A mitmproxy that shows the flow list of the trial."""
    yield opened
    opened.home()


def test_the_flow_list_shows_the_marker_of_each_flawed_flow(console: Console) -> None:
    worst = Counter(report.worst for report in inspected(TRIAL) if report is not None)
    expected = {emoji.emoji[marker]: worst[level] for level, marker in MARKS.items()}
    assert all(expected.values())
    console.screen(lambda shown: {marker: shown.count(marker) for marker in expected} == expected)


def test_the_response_of_a_flawed_flow_opens_as_a_tree_with_its_finding(console: Console) -> None:
    reports = inspected(TRIAL)
    number = next(at for at, report in enumerate(reports) if report is not None and FLAW in report.rules)
    console.command(f"view.focus.go {number}")
    console.screen(lambda shown: f"[{number + 1}/{len(reports)}]" in shown)
    console.press("Enter")
    console.screen(lambda shown: "Flow Details" in shown)
    console.press("Tab")
    # the request is an LTKM view too, but only the response has response codes and findings
    console.screen(
        lambda shown: (
            re.search(r"^LTKM +\[m:auto\]$", shown, re.MULTILINE) is not None
            and all(part in shown for part in ("key_group: ", "response_code: ", f"# violation {FLAW}: "))
        )
    )


def test_the_command_findings_shows_the_findings_as_a_table(console: Console) -> None:
    flawed = [report is not None and FLAW in report.rules for report in inspected(TRIAL)]
    console.command(f"view.focus.go {flawed.index(True)}")
    console.command("ltkm.findings @focus")
    heading = re.compile(r"│flow +rule +place +what +│")
    row = re.compile(rf"│#\d+ \S+ \S+ +violation {FLAW} +item 1, LTKM 1, \S+ +expected .*│")
    console.screen(lambda shown: heading.search(shown) is not None and row.search(shown) is not None)


def _go_to(console: Console, rule: str) -> int:
    """Focus the first flow that breaks a rule, and return its number."""
    reports = inspected(TRIAL)
    number = next(at for at, report in enumerate(reports) if report is not None and rule in report.rules)
    console.command(f"view.focus.go {number}")
    console.screen(lambda shown: f"[{number + 1}/{len(reports)}]" in shown)
    return number


def test_a_fault_is_put_into_the_flow_in_focus_and_taken_back(console: Console) -> None:
    _go_to(console, FLAW)
    console.command("ltkm.fault @focus shorten-rand:octets=8")
    console.screen(lambda shown: emoji.emoji[":wrench:"] in shown and "put into 1 of 1 flow" in shown)
    console.command("ltkm.revert @focus")
    console.screen(lambda shown: emoji.emoji[":wrench:"] not in shown and "reverted 1 flow" in shown)


def test_a_mistake_in_a_command_is_one_line(console: Console) -> None:
    console.command("ltkm.fault @focus shorten-rant")
    console.screen(lambda shown: "unknown fault shorten-rant; did you mean shorten-rand?" in shown)
    console.command("set ltkm_fault_when=often")
    console.screen(lambda shown: "ltkm_fault_when: expected always, first" in shown)


def test_options_on_faults_are_set_and_unset_while_it_runs(console: Console) -> None:
    console.command("set ltkm_fault=strip-ltkm")
    console.screen(lambda shown: "faults will be put into live MSK responses: strip-ltkm" in shown)
    console.command("set ltkm_fault_when=nth=2")
    console.command("set ltkm_fault shorten-rand rename-ltkm:name=Ltkm")
    console.screen(
        lambda shown: "faults will be put into live MSK responses: shorten-rand, rename-ltkm:name=Ltkm" in shown
    )
    console.command("set ltkm_fault")
    console.screen(lambda shown: "ltkm_fault_when: has no effect without ltkm_fault or ltkm_fault_delay" in shown)
    console.command("set ltkm_fault_when=always")
    console.command("set ltkm_fault")


def test_a_fault_is_completed_with_the_tab_key(console: Console) -> None:
    console.type(":ltkm.fault @focus shorten-ra")
    console.press("Tab")
    console.screen(lambda shown: ": ltkm.fault @focus shorten-rand" in shown)
    console.type(":o")
    console.press("Tab")
    console.screen(lambda shown: ": ltkm.fault @focus shorten-rand:octets=8" in shown)
    console.press("Escape")


def test_the_faults_are_shown_as_a_table(console: Console) -> None:
    console.command("ltkm.faults")
    console.screen(lambda shown: re.search(r"│fault +damages +takes +what it does +│", shown) is not None)


def test_the_keys_of_the_docs_strip_put_in_take_back_and_show(console: Console) -> None:
    _go_to(console, FLAW)
    console.press("C-t")
    console.screen(lambda shown: "fault strip-ltkm:all=true put into 1 of 1 flow" in shown)
    console.press("C-v")
    console.screen(lambda shown: "reverted 1 flow" in shown)
    console.press("C-y")
    console.screen(lambda shown: ": ltkm.fault @focus" in shown)
    console.type("rename-ltkm")
    console.press("Enter")
    console.screen(lambda shown: "fault rename-ltkm put into 1 of 1 flow" in shown)
    console.press("C-n")
    console.screen(lambda shown: "violation ltkm-misnamed" in shown)


def test_the_command_export_writes_the_ltkms_of_the_flows_shown(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "shown.pcapng"
    console.command(f"ltkm.export pcapng {path} @shown")
    console.screen(lambda shown: "written to" in shown or "Error" in shown)
    messages = [octets for each in from_file(path.read_bytes(), "") if (octets := each.octets)]
    documents = [report.exchange.document for report in inspected(TRIAL) if report is not None]
    ltkms = [ltkm for document in documents if document is not None for ltkm in document.ltkms]
    assert messages == [ltkm.octets for ltkm in ltkms if ltkm.octets]
