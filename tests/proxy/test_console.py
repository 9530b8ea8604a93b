"""What a user of the real mitmproxy sees of the addon, in a terminal that tmux holds."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mitmproxy.utils import emoji

from ltkm_inspect.input import from_file
from ltkm_inspect.mitm.marking import MARKS
from tests.proxy.parts import PATIENCE, ROOT, SCRIPT, TRIAL, inspected

MITMPROXY = Path(sys.executable).with_name("mitmproxy")
FLAW = "key-domain-mismatch"
"""A rule that breaks near the top of its tree, so that one screen shows it."""

pytestmark = pytest.mark.needs("tmux")


class Console:
    """A mitmproxy in a terminal of 200 by 60, in a tmux server of its own."""

    def __init__(self, folder: Path, *arguments: str | Path, **environment: str) -> None:
        """Start it, with the trial unless told otherwise; the folder is for the socket, whose path must be short."""
        self._environment = {name: value for name, value in os.environ.items() if name != "TMUX"}
        self._environment |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | environment
        (folder / "conf").write_text("set -g default-terminal screen-256color\nset -g remain-on-exit on\n")
        readme = (ROOT / "README.md").read_text("utf-8")
        (folder / "keys.yaml").write_text(readme[readme.index("- key: ") :].partition("```")[0])
        self._tmux = ["tmux", "-u", "-S", str(folder / "socket"), "-f", str(folder / "conf")]
        program = [str(MITMPROXY), "--set", f"confdir={folder}", "-s", str(SCRIPT)]
        self._do(
            "new-session", "-d", "-x", "200", "-y", "80", "--", *program, *map(str, arguments or ("-n", "-r", TRIAL))
        )

    def _do(self, *command: str) -> str:
        done = subprocess.run(
            [*self._tmux, *command],
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._do("send-keys", "-l", text)

    def press(self, key: str) -> None:
        """Press a key that has a name."""
        self._do("send-keys", key)

    def command(self, text: str) -> None:
        """Run a command of mitmproxy."""
        self.type(f":{text}")
        self.press("Enter")

    def screen(self, until: Callable[[str], bool]) -> str:
        """Return what the terminal shows as soon as it is what is waited for."""
        deadline = time.monotonic() + PATIENCE
        while not until(shown := self._do("capture-pane", "-p")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)
        return shown

    def home(self) -> None:
        """Show the flow list as at the beginning: leave what a test has opened, and take back its faults."""
        if not _at_home(self.screen(bool)):
            self.press("q")
            self.screen(_at_home)
        self.command("ltkm.revert @all")
        self.command("view.focus.go 0")
        self.screen(lambda shown: _at_home(shown) and "[1/" in shown and emoji.emoji[":wrench:"] not in shown)

    def close(self) -> None:
        """End mitmproxy, and the tmux server once it has seen that end."""
        with suppress(ProcessLookupError):
            os.kill(int(self._do("display-message", "-p", "#{pane_pid}")), signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while self._do("display-message", "-p", "#{pane_dead}").strip() != "1" and time.monotonic() < deadline:
            time.sleep(0.1)
        self._do("kill-server")


def _at_home(shown: str) -> bool:
    """Tell whether the flow list is shown, with no table before it."""
    return shown.startswith("Flows") and "│" not in shown


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
    row = re.compile(rf"│http://\S+ +violation {FLAW} +item 1, LTKM 1, \S+ +expected .*│")
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
    console.screen(lambda shown: emoji.emoji[":wrench:"] not in shown and "1 flow as before the faults" in shown)


def test_a_mistake_in_a_command_is_one_line(console: Console) -> None:
    console.command("ltkm.fault @focus shorten-rant")
    console.screen(lambda shown: "unknown fault shorten-rant; did you mean shorten-rand?" in shown)
    console.command("set ltkm_fault_when=often")
    console.screen(lambda shown: "ltkm_fault_when: expected always, first" in shown)


def test_options_on_faults_are_set_and_unset_while_it_runs(console: Console) -> None:
    console.command("set ltkm_fault=strip-ltkm")
    console.screen(lambda shown: "faults are put into MSK responses: strip-ltkm" in shown)
    console.command("set ltkm_fault_when=nth=2")
    console.command("set ltkm_fault shorten-rand rename-ltkm:name=Ltkm")
    console.screen(lambda shown: "faults are put into MSK responses: shorten-rand, rename-ltkm:name=Ltkm" in shown)
    console.command("set ltkm_fault")
    console.screen(lambda shown: "ltkm_fault_when: expected ltkm_fault or ltkm_fault_delay beside it" in shown)
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
    console.screen(lambda shown: re.search(r"│fault +damages +takes +what +│", shown) is not None)


def test_the_keys_of_the_readme_strip_put_in_take_back_and_show(console: Console) -> None:
    _go_to(console, FLAW)
    console.press("C-t")
    console.screen(lambda shown: "fault strip-ltkm:all=true put into 1 of 1 flow" in shown)
    console.press("C-v")
    console.screen(lambda shown: "1 flow as before the faults" in shown)
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
