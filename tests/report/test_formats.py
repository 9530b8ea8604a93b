"""What holds for every format: it is made of the records alone, takes no more memory for a longer run, and is whole."""

import io
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from ltkm_inspect.options.table import REPORT_FORMATS
from ltkm_inspect.report.blind_spots import BlindSpots, Failures, Handshake
from ltkm_inspect.report.heartbeat import Heartbeat
from ltkm_inspect.report.places import write
from ltkm_inspect.report.summary import Summary
from tests.report.runs import FAULTED, TRIAL, Counted, checked, one_by_one

HOSTILE = "\x1b[2J\u202e<script>alert(1)</script>]]>&amp;\x00\ufffe\ud800\\ [x](http://evil.example)"


def written(format: str, records: Iterable[dict[str, Any]]) -> str:
    file = io.StringIO()
    write(format, records, file)
    return file.getvalue()


@pytest.mark.parametrize("keys", [False, True], ids=["without-keys", "with-keys"])
@pytest.mark.parametrize("files", [[TRIAL], [TRIAL, *FAULTED]], ids=["one-file", "several-files"])
def test_text_is_what_check_prints(files: list[Path], keys: bool, ring: str) -> None:
    flags = ["--keys", ring] if keys else []
    printed = CliRunner().invoke(commands, ["check", *flags, *map(str, files)]).stdout
    text = written("text", checked(*flags, *files))
    assert text == printed
    assert ("key item 1, LTKM 1: MAC valid" in text) is (keys and len(files) > 1)


def test_jsonl_is_what_was_read() -> None:
    records = checked(TRIAL)
    assert [json.loads(line) for line in written("jsonl", records).splitlines()] == records


@pytest.mark.parametrize("format", [name for name in REPORT_FORMATS if name != "html"])
def test_records_are_not_held(format: str) -> None:
    run, *exchanges, session, summary = checked(TRIAL)
    written(format, one_by_one([run, *exchanges * 5, session, summary]))
    assert Counted.most <= 4


@pytest.mark.parametrize("format", REPORT_FORMATS)
def test_nothing_at_all_is_a_report_too(format: str) -> None:
    written(format, [])


@pytest.mark.parametrize("format", [name for name in REPORT_FORMATS if name not in ("jsonl", "html")])
def test_text_from_the_wire_cannot_act(format: str) -> None:
    run, *exchanges, session, summary = checked(TRIAL)
    exchange = next(each for each in exchanges if each["findings"])
    finding = exchange["findings"][0] | dict.fromkeys(("expected", "got", "hint"), HOSTILE)
    place = finding["place"] | {"path": HOSTILE}
    hostile = exchange | dict.fromkeys(("method", "url", "terminal", "id", "file"), HOSTILE)
    hostile |= {"findings": [finding | {"place": place}], "faults": [HOSTILE]}
    for record in (hostile, hostile | {"faults": []}):
        output = written(format, [run, record, session, summary])
        assert "\x1b" not in output
        assert "\u202e" not in output
        assert "\x00" not in output
        assert all(line.isprintable() for line in output.splitlines())
        output.encode()


DAMAGED = Path(__file__).resolve().parents[1] / "cases" / "field" / "03a-har-says-base64-but-is-plain.har"


@pytest.mark.parametrize("format", [name for name in REPORT_FORMATS if name != "jsonl"])
def test_every_format_says_what_the_capture_damaged(format: str) -> None:
    text = written(format, checked(DAMAGED))
    assert "1 exchange damaged by the capture" in text.lower()
    assert "response.content.text" in text
    assert "the capture damaged" not in written(format, checked(TRIAL)).lower()


def heartbeat_record(**changes: Any) -> dict[str, Any]:
    """Return the record of a heartbeat with a failed handshake and other traffic."""
    spots = BlindSpots()
    spots.fail(Handshake("10.0.0.7", HOSTILE, "psk_only"), Failures(3, "2026-01-01T00:00:00.000Z", None, "no cipher"))
    spots.other("app.example", "text/html")
    return Heartbeat(1.0, 601.0, Summary(unchecked=Counter(too_large=2)), spots, 4, 5).record | changes


@pytest.mark.parametrize("format", [name for name in REPORT_FORMATS if name != "jsonl"])
def test_every_format_tells_of_failed_handshakes(format: str) -> None:
    run, *_, session, summary = trial = checked(TRIAL)
    text = written(format, [run, heartbeat_record(), heartbeat_record(final=True), session, summary])
    assert "6 failed TLS handshakes" in text
    assert "PSK-TLS (as GBA uses it)" in text
    assert "\x1b" not in text
    assert "<script>alert" not in text or format in ("text", "sarif")
    assert "failed TLS" not in written(format, trial)


def test_text_has_the_lines_of_a_heartbeat_but_for_the_last_one() -> None:
    lines = written("text", [heartbeat_record(), heartbeat_record(final=True)]).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["heartbeat"] * 4 + ["summary"] * 3
    assert lines[0].endswith(": 4 flows and 5 client connections; 0 MSK exchanges, 0 violations, 0 warnings")
    assert lines[1] == "heartbeat: no MSK exchange yet; seen instead: 1 flow of app.example (text/html)"
    assert lines[2] == "heartbeat: not checked in full: 2 with a body over the limit (raise body in ltkm_limit)"
    assert lines[5] == "summary: seen instead: 2 flows of app.example (text/html)"
