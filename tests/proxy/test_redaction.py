"""Redaction in the real mitmdump: log, metadata, comment, view and report files."""

import io
import re
from pathlib import Path

from mitmproxy.io import FlowReader

from ltkm_inspect.engine import inject
from ltkm_inspect.fault import parse_application
from ltkm_inspect.reference import B_TID, OTHER_TERMINAL
from ltkm_inspect.traffic import Exchange
from tests.output.test_redaction import KEY, found_in, names_in, personal, redacted
from tests.proxy.parts import TRIAL, Mitmdump, Save, clean
from tests.recorded import exchanges


def test_no_output_of_mitmdump_says_who_asked(mitmdump: Mitmdump, tmp_path: Path) -> None:
    report, out = tmp_path / "r.jsonl", tmp_path / "out.flow"
    values = {value for each in exchanges(TRIAL) if isinstance(each, Exchange) for value in personal(each)}
    key = tmp_path / "redact.key"
    key.write_text(KEY)
    flags = ["ltkm_redact=true", f"ltkm_redact_key_file={key}", f"ltkm_report={report}", "termlog_verbosity=debug"]
    run = mitmdump("-nr", TRIAL, *(word for each in flags for word in ("--set", each)), "-w", out, "--flow-detail", "0")
    assert run.status == 0
    with io.BytesIO(out.read_bytes()) as file:
        flows = [*FlowReader(file).stream()]
    written = "\n".join(f"{flow.metadata} {flow.comment} {flow.marked}" for flow in flows)
    assert "ltkm_findings" in written
    said = [run.output, run.errors, report.read_text(), written]
    assert found_in(said, values) == []
    assert not [text for text in said if KEY in text]
    # whoever has the key gives the same names
    assert "identity-" in report.read_text()
    assert names_in(report.read_text()) == names_in(redacted(key, "jsonl"))
    assert any("ltkm_redact is on" in line for line in run.log)


def test_no_view_says_who_asked(mitmdump: Mitmdump, save: Save) -> None:
    saved = save([clean("several-keys"), inject(clean(), [parse_application("replace-terminal-identity")])])
    run = mitmdump("-nr", saved, "--set", "ltkm_redact=true", "--flow-detail", "3")
    view = [line for line in run.output.splitlines() if line.startswith("      ") or "# " in line]
    assert any("Key Group" in line for line in view)
    assert found_in(view, [B_TID, OTHER_TERMINAL.b_tid]) == []
    assert len(set(re.findall(r"identity-[0-9a-f]{10}", "\n".join(view)))) == 2
