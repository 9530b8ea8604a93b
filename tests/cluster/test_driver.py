"""A check in pieces: however the input is cut and the registers are shared, the results are those of one machine."""

import gzip
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.catalogue.changes import with_request_header
from ltkm_inspect.checking import Checker, serial
from ltkm_inspect.cluster import Job, driver, kept, pieces, work
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.options.selected import event_selection
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.reference import FIRST, TERMINAL, exchange, ltkm, reference
from ltkm_inspect.report.jsonl import session_record
from tests.checking.test_merging import EVENTS, probes
from tests.checking.test_parallel import FAULTS, KINDS, PRESENTER, checker, named, told
from tests.cluster.inline import InlineCluster
from tests.proxy.parts import TRIAL
from tests.samples.generate import written

PACKETS = TRIAL.with_suffix(".pcapng")


def both(
    monkeypatch: pytest.MonkeyPatch,
    files: Sequence[Input],
    *,
    stretch: int = 20_000,
    parts: int = 2,
    apart: bool = True,
    checkers: tuple[Checker, Checker] | None = None,
) -> list[tuple[str, object]]:
    """Check files on one machine and in pieces; return what both say."""
    monkeypatch.setattr(pieces, "STRETCH", stretch)
    monkeypatch.setattr(driver, "LEAST_EVENTS", 1)
    alone, together = checkers or (checker(), checker())
    expected = told(serial.check(files, alone))
    assert told(driver.check(files, together, InlineCluster(together, parts, apart=apart))) == expected
    assert alone.context.session is not None
    assert together.context.session is not None
    alone.counts.forgotten = +alone.counts.forgotten
    assert together.counts == alone.counts
    assert session_record(together.context.session) == session_record(alone.context.session)
    assert [*together.context.session.pushes] == [*alone.context.session.pushes]
    assert together.context.session.until == alone.context.session.until
    return expected


@pytest.mark.parametrize(
    ("stretch", "parts", "apart"), [(20_000, 2, True), (1 << 24, 5, True), (20_000, 2, False), (1 << 24, 1, False)]
)
def test_a_session_over_many_files_is_the_same_however_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, stretch: int, parts: int, *, apart: bool
) -> None:
    files = named(TRIAL, PACKETS, *FAULTS[::6], TRIAL)
    said = both(monkeypatch, files, stretch=stretch, parts=parts, apart=apart)
    assert len(said) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_every_kind_and_damage_give_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    file, none = tmp_path / kind, tmp_path / "none"
    file.write_bytes(KINDS[kind](FAULTS[1].read_bytes()))
    files = [*named(FAULTS[0], file), Input(str(none)), Input(str(none), "no file matches"), *named(file, FAULTS[2])]
    for stretch in (1000, 1 << 20):
        said = both(monkeypatch, files, stretch=stretch)
        assert {name for name, _ in said} >= {str(FAULTS[0]), str(none)}


def test_captures_that_overlap_are_merged_by_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pieces, "EVENTS", 3)
    monkeypatch.setattr(driver, "LEAST_EVENTS", 1)
    files = [
        *probes(tmp_path, EVENTS),
        *named(PACKETS),
        Input("none"),
        Input("no", "no file matches"),
        *named(FAULTS[0]),
    ]
    alone, together = checker(), checker()
    expected = told(serial.check_by_time(files, alone))
    assert told(driver.check(files, together, InlineCluster(together), by_time=True)) == expected
    assert alone.context.session is not None
    assert together.context.session is not None
    assert session_record(together.context.session) == session_record(alone.context.session)
    assert together.context.session.until == alone.context.session.until
    assert together.counts.summary == alone.counts.summary
    assert expected != told(serial.check(files, checker()))


def test_packet_captures_that_go_on_in_each_other_are_one_piece(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    octets = PACKETS.read_bytes()
    first, second, packed = tmp_path / "a.pcapng", tmp_path / "b.pcapng", tmp_path / "c.pcapng.gz"
    first.write_bytes(octets)
    second.write_bytes(octets)
    packed.write_bytes(gzip.compress(octets))
    both(monkeypatch, [*named(TRIAL, first), Input("none"), *named(second, packed, FAULTS[0])], stretch=5000)


def test_exchanges_with_faults_put_in_count_for_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exchanges = [*reference("renewal")] * 3
    faulted = [replace(each, id=f"{n}", faults=("x",) if n % 2 else ()) for n, each in enumerate(exchanges)]
    file = tmp_path / "faulted.flow"
    file.write_bytes(written(map(flow_of, faulted)))
    both(monkeypatch, named(file, FAULTS[0], file), stretch=2000)


@pytest.mark.parametrize("flows", [(), ("2",)], ids=["all", "one selected"])
def test_who_was_named_in_one_piece_is_hidden_in_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flows: tuple[str, ...]
) -> None:
    """An identity without a form of its own is hidden where others write it, also if its own exchange is not shown."""
    someone = replace(TERMINAL, b_tid="sunny valley")
    named_here = exchange([FIRST.msk_id], [(FIRST, "200 OK", ltkm(FIRST, someone))], terminal=someone)
    written_here = with_request_header(reference("download")[0], "User-Agent", "seen by sunny valley")
    paths = [tmp_path / name for name in ("a.flow", "b.flow")]
    for path, each in zip(paths, (named_here, written_here), strict=True):
        path.write_bytes(written(map(flow_of, (reference("renewal")[0], each))))
    made = []
    for _ in range(2):
        presenter = replace(PRESENTER, wording=Wording(Redaction(bytes(16))))
        made.append(replace(checker(), presenter=presenter, selection=event_selection((), (), flows, "", "")))
    said = both(monkeypatch, named(*paths), stretch=1000, checkers=(made[0], made[1]))
    assert "seen by identity-" in str(said)
    assert "sunny" not in str(said)


@pytest.mark.parametrize("most", [0, 150_000, 1 << 30], ids=["nothing", "small stretches", "everything"])
def test_events_are_read_again_only_where_they_are_too_much_to_keep(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", most)
    read = Counter[str]()
    for name in ("_indexed", "_noted"):
        function = getattr(work, name)

        def counting(*arguments: Any, name: str = name, function: Any = function) -> Any:
            read[name] += 1
            return function(*arguments)

        monkeypatch.setattr(work, name, counting)
    both(monkeypatch, named(TRIAL, *FAULTS[::6]), stretch=20_000, apart=False)
    again, first = read["_indexed"], read["_noted"]
    assert again == first if not most else 0 < again < first if most < 1 << 30 else not again


@pytest.mark.parametrize("stretch", [2000, 1 << 24], ids=["stretches", "whole"])
def test_a_file_that_is_changed_between_both_readings_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stretch: int
) -> None:
    monkeypatch.setattr(pieces, "STRETCH", stretch)
    file = tmp_path / "changed.flow"
    file.write_bytes(TRIAL.read_bytes())
    expected, other = checker(), checker()
    rest = told(serial.check(named(FAULTS[0], file, FAULTS[1]), expected))
    cluster = InlineCluster(other)
    judge = cluster.submit

    def submit(stage, function, *arguments, worker=""):  # type: ignore[no-untyped-def]
        if stage == "split":
            os.utime(file, (1, 1))
        return judge(stage, function, *arguments, worker=worker)

    monkeypatch.setattr(cluster, "submit", submit)
    said = told(driver.check(named(FAULTS[0], file, FAULTS[1]), other, cluster))
    assert [each for each in said if each[0] == str(file)] == [(str(file), (work.CHANGED, True))]
    assert [each for each in said if each[0] != str(file)] == [each for each in rest if each[0] != str(file)]


def test_packet_captures_beside_a_changed_one_are_not_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.pcapng" for name in "ab"]
    for path in paths:
        path.write_bytes(PACKETS.read_bytes())
    alone = checker()
    job = Job(alone)
    task = pieces.Batch(tuple(named(*paths)), are_packets=True)
    mapped = work.map_piece(job, task)
    os.utime(paths[1], (1, 1))
    results, _ = work.judge_piece(job, task, mapped.summary, None, [], 0, ())
    assert [(each.problem, each.unread) for each in results] == [(work.BESIDE_CHANGED, True), (work.CHANGED, True)]


def test_what_can_be_read_only_once_is_refused() -> None:
    (piece,) = pieces.cut([Input("-"), Input("/dev/null")], 2)
    assert isinstance(piece.task, pieces.Batch)
    assert [each.problem for each in piece.task.files] == [
        pieces.NOT_A_FILE.format("standard input"),
        pieces.NOT_A_FILE.format("a pipe or a device"),
    ]
