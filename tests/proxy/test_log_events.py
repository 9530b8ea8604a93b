"""The deprecated log events of mitmproxy: made for whoever listens, and for nobody else."""

import logging
from pathlib import Path

from mitmproxy.test import taddons

from ltkm_inspect.proxy.log_events import UnheardFilter
from tests.proxy.parts import Mitmdump, Save, clean

LISTENER = """
from mitmproxy import hooks

class Counting:
    lines = []

    def add_log(self, entry):
        self.lines.append(entry.msg)

    def done(self):
        print("HEARD", sum(" POST " in line for line in self.lines))

addons = [Counting()]
"""


class Listener:
    """An addon with the deprecated hook."""

    name = "listener"

    def add_log(self, entry: object) -> None:
        """Listen."""


def record(name: str) -> logging.LogRecord:
    """Return a log record of that logger."""
    return logging.LogRecord(name, logging.INFO, "", 1, "a line", (), None)


def test_a_line_of_ours_becomes_an_event_only_where_an_addon_listens() -> None:
    unheard = UnheardFilter()
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        assert not unheard.filter(record("ltkm_inspect.proxy.addon"))
        assert unheard.filter(record("mitmproxy.proxy.server"))
        context.master.addons.register(Listener())
        assert unheard.filter(record("ltkm_inspect.proxy.addon"))


def test_a_script_that_listens_still_hears_our_lines(mitmdump: Mitmdump, save: Save, tmp_path: Path) -> None:
    script = tmp_path / "listener.py"
    script.write_text(LISTENER)
    run = mitmdump("-nr", save([clean()]), "-s", script)
    assert "HEARD 1" in run.output
    assert any(line.endswith(": clean") for line in run.log)
