"""Captures of probes that overlap in time are checked as if one probe had seen everything."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from ltkm_inspect.capture import CaptureSource, opened
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking import Shown, merging, parallel, pieces, serial
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import reference
from ltkm_inspect.traffic import OFFLINE, Exchange
from tests.checking.test_parallel import checker, named, told
from tests.command import run_text
from tests.packets.build import Record, pcap
from tests.packets.traffic import Wire
from tests.proxy.parts import TRIAL
from tests.recorded import exchanges
from tests.samples.generate import written
from tests.test_cli import BROKEN, CLEAN

EVENTS = [each for each in exchanges(TRIAL) if isinstance(each, Exchange)]
(REFERENCE,) = reference("download")


def records(said: Sequence[tuple[str, object]]) -> list[dict[str, object]]:
    """Return the records of exchanges without what tells the file that they were in."""
    every = [json.loads(shown.json) for _, shown in said if isinstance(shown, Shown)]
    return [{name: value for name, value in each.items() if name not in ("file", "number")} for each in every]


def by_time(files: Sequence[Input], jobs: int) -> list[tuple[str, object]]:
    check = serial.check_by_time if jobs == 1 else partial(parallel.check, jobs=jobs, by_time=True)
    return told(check(files, checker()))


def probes(folder: Path, events: Sequence[Exchange]) -> list[Input]:
    """Deal events out to two probes; a terminal is now with one of them and now with the other."""
    dealt: tuple[list[Exchange], list[Exchange]] = ([], [])
    chance = Random(17)
    for each in events:
        dealt[chance.random() < 0.4].append(each)
    for name, of_probe in zip(("one", "two"), dealt, strict=True):
        (folder / name).write_bytes(written(map(flow_of, of_probe)))
    return named(folder / "one", folder / "two")


def test_two_probes_are_checked_like_one_that_saw_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "BATCH", 3)
    files = probes(tmp_path, EVENTS)
    (tmp_path / "all").write_bytes(written(map(flow_of, EVENTS)))
    expected = records(told(serial.check(named(tmp_path / "all"), checker())))
    said = by_time(files, 1)
    assert records(said) == expected
    assert by_time(list(reversed(files)), 1) == said
    assert by_time(files, 2) == said
    # the order of the files is another one, in which more is wrong
    assert records(told(serial.check(files, checker()))) != expected


def timed(*times: tuple[float | None, float | None]) -> list[Exchange]:
    return [replace(REFERENCE, id=str(number), started=one, ended=two) for number, (one, two) in enumerate(times)]


def order(folder: Path, *files: list[Exchange]) -> list[tuple[str, str]]:
    for number, events in enumerate(files):
        (folder / str(number)).write_bytes(written(map(flow_of, events)))
    items = merging.MergedCaptures(named(*(folder / str(number) for number in range(len(files)))), OFFLINE).items()
    return [(Path(each.name).name, each.held.id) for each in items if isinstance(each.held, Exchange)]


def test_what_comes_next_is_the_earliest_of_what_comes_next_in_each_file(tmp_path: Path) -> None:
    chance = Random(17)
    files = [timed(*((at := float(chance.randrange(50)), at + chance.randrange(9)) for _ in range(20))) for _ in "abcd"]
    waiting = [[(str(name), each) for each in events] for name, events in enumerate(files)]
    expected = []
    while any(waiting):
        first = min((events for events in waiting if events), key=lambda events: events[0][1].ended or 0)
        name, event = first.pop(0)
        expected.append((name, event.id))
    assert order(tmp_path, *files) == expected


def test_an_event_without_a_time_follows_the_one_before_it(tmp_path: Path) -> None:
    one, two = timed((5, 6), (None, None), (2, 3)), timed((None, None), (6, None), (7, 8))
    assert order(tmp_path, one, two) == [("1", "0"), ("0", "0"), ("0", "1"), ("0", "2"), ("1", "1"), ("1", "2")]


def test_a_file_is_open_only_while_its_time_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    are_open, most = 0, 0

    @contextmanager
    def counting(location: str) -> Iterator[CaptureSource]:
        nonlocal are_open, most
        with opened(location) as source:
            are_open += 1
            most = max(most, are_open)
            yield source
        are_open -= 1

    monkeypatch.setattr(merging, "opened", counting)
    files = [timed(*((hour + at, hour + at + 1) for at in range(3))) for hour in range(0, 200, 10)]
    Random(17).shuffle(files)
    assert len(order(tmp_path, *files)) == 60
    assert (are_open, most) == (0, 1)


def test_captures_in_several_files_are_read_as_one_for_each_probe(tmp_path: Path) -> None:
    probes: list[list[Record]] = [[], []]
    for number in range(12):
        client = f"192.0.2.{number + 1}:40000"
        wire = Wire(client, at=1e9 + number).open().exchange(CLEAN, 200).close()
        probes[number % 2] += wire.records
    parts = []
    for name, captured in zip("ab", probes, strict=True):
        size = len(captured) // 3 + 1
        for at in range(3):
            parts.append(tmp_path / f"{name}.pcap{at or ''}")
            parts[-1].write_bytes(pcap(captured[at * size : (at + 1) * size]))
        parts.append(tmp_path / f"{name}.pcap3")
        parts[-1].write_bytes(pcap([]))  # an hour without a packet
    files = named(*parts)
    assert [each.files for each in merging.streams(files, OFFLINE)] == [files[:4], files[4:]]
    said = by_time(files, 1)
    assert by_time(files, 2) == said
    shown = records(said)
    assert [each["client"] for each in shown] == [f"192.0.2.{number + 1}:40000" for number in range(12)]
    assert {each["verdict"] for each in shown} == {"clean"}


def test_damage_is_said_in_its_place_and_other_files_go_on(tmp_path: Path) -> None:
    files = probes(tmp_path, EVENTS)
    (tmp_path / "one").write_bytes((tmp_path / "one").read_bytes()[:-700])
    files += [Input(str(tmp_path / "none")), Input("s3://nothing", "there is none")]
    said = by_time(files, 1)
    assert len(records(said)) == len(EVENTS) - 1
    problems = {Path(name).name: what for name, what in said if not isinstance(what, Shown)}
    assert {name: what[1] for name, what in problems.items() if isinstance(what, tuple)} == {
        "one": False,
        "none": True,
        "nothing": True,
    }
    assert by_time(files, 2) == said


def test_the_command_prints_in_the_order_of_time_also_what_comes_through_a_pipe(tmp_path: Path) -> None:
    early, late = replace(BROKEN, started=1.0, ended=2.0), replace(CLEAN, started=3.0, ended=4.0)
    os.mkfifo(tmp_path / "a")
    octets = written(map(flow_of, [late]))
    writer = threading.Thread(target=lambda: (tmp_path / "a").write_bytes(octets), daemon=True)
    writer.start()
    (tmp_path / "b").write_bytes(written(map(flow_of, [early])))
    done = run_text("check", "--order", "time", tmp_path / "a", tmp_path / "b")
    writer.join(10)
    assert (done.stderr, done.returncode) == ("", 3)
    assert [line for line in done.stdout.splitlines() if line.startswith(str(tmp_path))] == [
        f"{tmp_path / 'b'}:",
        f"{tmp_path / 'a'}:",
    ]
