"""The morning as packets: its exchanges are judged as those of the flow file, and its datagrams break what they say."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.wire import time_text
from tests.command import run
from tests.samples import packets, trial
from tests.samples.generate import FOLDER

CAPTURE = FOLDER / packets.FILE
BETWEEN = {time_text(each.at): each for each in packets.samples()}
SESSION = {"id", "number", "connection", "file", "lacks", "notes", "answers", "counts", "outcomes"}
"""Fields that depend on the capture, or on the datagrams in between."""


def records(*options: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the records of exchanges and datagrams that the check of a capture gives."""
    for line in run("check", "--format", "jsonl", *options).stdout.splitlines():
        record = json.loads(line)
        if record["schema"].split("/")[1] in ("exchange", "datagram"):
            yield record


def without_capture(record: dict[str, Any]) -> dict[str, Any]:
    """Return what is the same in both captures; a terminal without B-TID has an id that is made of the connection."""
    same = {name: value for name, value in record.items() if name not in SESSION}
    return same | {"terminal": record["terminal_name"]}


@pytest.mark.parametrize("options", [(), ("--keys", FOLDER / trial.KEYS)], ids=["without keys", "with keys"])
def test_exchanges_in_packets_are_judged_as_those_in_flows(options: tuple[str, Path]) -> None:
    in_packets = [without_capture(each) for each in records(*options, CAPTURE) if each["started"] not in BETWEEN]
    in_flows = [without_capture(each) for each in records(*options, FOLDER / trial.FILE)]
    seen = [each for number, each in enumerate(in_flows) if each not in in_flows[:number]]  # one was captured twice
    assert len(in_flows) - len(seen) == 1
    assert len(seen) > 50
    assert in_packets == seen


def test_what_is_between_the_hours_breaks_what_it_says_and_nothing_else() -> None:
    found = {each["started"]: each for each in records(CAPTURE) if each["started"] in BETWEEN}
    assert found.keys() == BETWEEN.keys()
    for time, sample in BETWEEN.items():
        assert {finding["rule"] for finding in found[time]["findings"]} == sample.breaks, sample.title


@pytest.mark.needs("tshark")
def test_tshark_finds_the_same_messages_and_responses() -> None:
    def seen(filter: str) -> int:
        command = ["tshark", "-r", str(CAPTURE), "-Y", filter, "-T", "fields", "-e", "frame.number"]
        return len(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.split())

    found = [*records(CAPTURE)]
    datagrams = [each for each in found if each["schema"].startswith("ltkm-inspect/datagram/")]
    assert seen("mikey") == sum(each["kind"] != "other" for each in datagrams) == len(datagrams) - 1
    others = 4  # of the portal, and of other procedures
    assert seen("http.response") == len(found) - len(datagrams) + others
