"""On several cores: what is said, in which order, and what the session knows is the same as on one."""

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader
from mitmproxy.test import tflow, tutils

from ltkm_inspect.capture.damage import REPLACED
from ltkm_inspect.capture.inputs import Input, inputs
from ltkm_inspect.checking import Checker, Presenter, Shown, StretchResult, parallel, pieces, serial
from ltkm_inspect.checking.work import Share, Stretch
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import FIRST, KEYS, SECOND, exchange, ltkm, reference
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.session import Session, SessionSettings
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import TRIAL
from tests.samples.generate import written

FAULTS = sorted((TRIAL.parent / "faults").glob("*.flow"))
PRESENTER = Presenter(keys=Keys(KEYS), style=LineStyle(), as_json=True)


def checker(limit: int = 10_000) -> Checker:
    context = Context(Settings(debug=True), KEYS, Session(SessionSettings(limit, hash_key=bytes(16))))
    return Checker(context=context, presenter=PRESENTER)


def told(results: Iterator[StretchResult]) -> list[tuple[str, object]]:
    """Return what is printed in its order, with the file that it is about."""
    said: list[tuple[str, object]] = []
    for each in results:
        said += [(each.name, shown) for shown in each.shown]
        if each.problem:
            said.append((each.name, (each.problem, each.unread)))
    return said


def both(
    monkeypatch: pytest.MonkeyPatch, files: Sequence[Input], *, jobs: int = 2, stretch: int = 3000, limit: int = 10_000
) -> list[tuple[str, object]]:
    """Check files in one process and in several; return what both say."""
    monkeypatch.setattr(pieces, "STRETCH", stretch)
    monkeypatch.setattr(pieces, "BATCH", 3)
    alone, together = checker(limit), checker(limit)
    expected = told(serial.check(files, alone))
    assert told(parallel.check(files, together, jobs)) == expected
    assert together.counts == alone.counts
    assert together.context.session is not None
    assert alone.context.session is not None
    assert together.context.session.forgotten == alone.context.session.forgotten == together.counts.forgotten
    assert [*together.counts.forgotten] == [*alone.counts.forgotten]  # the summary has them in this order
    return expected


def named(*paths: Path) -> list[Input]:
    return [*inputs(map(str, paths))]


@pytest.mark.parametrize(
    ("jobs", "stretch"),
    [
        (1, 3000),
        (2, 500),
        pytest.param(2, 50_000, marks=pytest.mark.sweep),
        pytest.param(3, 3000, marks=pytest.mark.sweep),
        (3, 1 << 20),
    ],
)
def test_a_session_over_many_files_is_the_same_however_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, jobs: int, stretch: int
) -> None:
    said = both(monkeypatch, named(TRIAL, *FAULTS, TRIAL), jobs=jobs, stretch=stretch)
    assert len(said) > 100


def test_copies_in_two_captures_and_replays_in_one_are_told_apart_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (first,) = reference("download")
    assert first.started is not None
    assert first.ended is not None
    paths = []
    for name, offset in (("a", 0.0), ("b", 59.0), ("c", -61.0)):
        paths.append(tmp_path / name)
        copies = [
            replace(first, connection=f"{name}{at}", started=first.started + at, ended=first.ended + at)
            for at in (offset, offset + 3600)
        ]
        paths[-1].write_bytes(written(map(flow_of, copies)))
    for files in (named(*paths), named(*reversed(paths))):
        said = both(monkeypatch, files, stretch=500)
        levels = [json.loads(shown.json)["findings"] for _, shown in said if isinstance(shown, Shown)]
        replays = [[finding["rule"] for finding in each].count("nonce-count-reused") for each in levels]
        # b is a copy of a, and c is one minute and more away from a
        assert replays == ([0, 1, 0, 0, 1, 1] if files[0].name.endswith("a") else [0, 1, 1, 1, 0, 0])


@pytest.mark.parametrize("limit", [1, 7])
def test_what_a_session_forgets_is_the_same(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    both(monkeypatch, named(TRIAL), limit=limit)


def cut(octets: bytes) -> bytes:
    return octets[:-700]


def with_garbage(octets: bytes) -> bytes:
    middle = octets.index(b"7:version;2:21#}", len(octets) // 2) + len(b"7:version;2:21#}")
    return octets[:middle] + b"garbage" + octets[middle:]


def with_a_record_that_is_none(octets: bytes) -> bytes:
    middle = octets.index(b"7:version;2:21#}", len(octets) // 3) + len(b"7:version;2:21#}")
    return octets[:middle] + b"0:}" + octets[middle:]


def of_another_format(octets: bytes) -> bytes:
    return octets.replace(b"7:version;2:21#", b"7:version;2:20#")


def with_one_of_a_newer_format(octets: bytes) -> bytes:
    return octets.replace(b"7:version;2:21#}", b"7:version;2:99#}", 9).replace(b"2:99#", b"2:21#", 8)


def as_har(octets: bytes) -> bytes:
    flows = [each for each in FlowReader(io.BytesIO(octets)).stream() if isinstance(each, http.HTTPFlow)]
    made = SaveHar().make_har(flows)
    made["log"]["entries"].insert(3, {"request": {}})
    return json.dumps(made).encode()


KINDS: dict[str, Callable[[bytes], bytes]] = {
    "cut": cut,
    "garbage": with_garbage,
    "no-flow": with_a_record_that_is_none,
    "older": of_another_format,
    "newer": with_one_of_a_newer_format,
    "gzip": gzip.compress,
    "gzip-cut": lambda octets: gzip.compress(octets)[:-1000],
    "gzip-damaged-within": lambda octets: gzip.compress(with_a_record_that_is_none(octets)),
    "har": as_har,
    "har-gzip": lambda octets: gzip.compress(as_har(octets)),
    "empty": lambda octets: b"",
    "text": lambda octets: b"not a capture\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_every_kind_and_damage_give_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    file, rest = tmp_path / kind, tmp_path / "rest.flow"
    with TRIAL.open("rb") as octets:
        flows = [*FlowReader(octets).stream()]
    file.write_bytes(KINDS[kind](written(flows[:20])))
    rest.write_bytes(written(flows[20:30]))
    said = both(monkeypatch, [*named(FAULTS[0], file), Input(str(tmp_path / "none")), *named(rest)])
    assert {name for name, _ in said} >= {str(FAULTS[0]), str(rest), str(tmp_path / "none")}


def test_a_body_that_looks_like_a_flow_file_is_no_flow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    response = tutils.tresp(content=TRIAL.read_bytes()[:40_000])
    flows: list[Flow] = [
        flow_of(reference("download")[0]),
        tflow.tflow(resp=response),
        flow_of(reference("renewal")[1]),
    ]
    file = tmp_path / "nested.flow"
    file.write_bytes(written(flows))
    said = both(monkeypatch, named(file))
    assert len(said) == 2


def test_flows_beside_http_and_flows_larger_than_a_stretch_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    many = exchange([FIRST.msk_id], [(FIRST, "200 OK", ltkm(FIRST)), (SECOND, "200 OK", ltkm(SECOND))] * 40)
    flows: list[Flow] = [
        tflow.ttcpflow(),
        flow_of(many),
        tflow.tdnsflow(),
        tflow.twebsocketflow(),
        flow_of(replace(many, id="again", started=1.0)),
        tflow.tudpflow(),
    ]
    file = tmp_path / "large.flow"
    file.write_bytes(written(flows))
    both(monkeypatch, named(file), stretch=700)


def test_exchanges_with_faults_put_in_count_for_nothing_anywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exchanges: list[Exchange] = [*reference("renewal")] * 3
    faulted = [replace(each, id=f"{n}", faults=("x",) if n % 2 else ()) for n, each in enumerate(exchanges)]
    file = tmp_path / "faulted.flow"
    file.write_bytes(written(map(flow_of, faulted)))
    both(monkeypatch, named(file))


def test_a_file_that_was_replaced_meanwhile_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "a.flow"
    file.write_bytes(TRIAL.read_bytes())
    status = os.stat(file)
    (tmp_path / "b.flow").write_bytes(TRIAL.read_bytes())
    os.replace(tmp_path / "b.flow", file)
    task = Stretch(str(file), str(file), (status.st_dev, status.st_ino), 0, None, status.st_size, True)
    with closing(Share(checker())) as share:
        assert share.find(0, task).error == REPLACED


def test_a_file_that_became_shorter_meanwhile_is_damaged_where_it_ends(tmp_path: Path) -> None:
    octets = TRIAL.read_bytes()
    file = tmp_path / "a.flow"
    file.write_bytes(octets)
    status = os.stat(file)
    first = octets.index(b":") + 2 + int(octets[: octets.index(b":")])
    os.truncate(file, first)
    task = Stretch(str(file), str(file), (status.st_dev, status.st_ino), 0, None, status.st_size, True)
    with closing(Share(checker())) as share:
        damage = share.find(0, task).damage
    assert str(damage) == f"the file shrank while it was being read (after 1 flow, at octet {first})"
