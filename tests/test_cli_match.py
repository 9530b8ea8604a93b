"""What a user of `ltkm-inspect match` types, what is printed, and the exit codes."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ltkm_inspect.export.packets import pcap_head
from ltkm_inspect.reference import B_TID, FIRST, SECOND, exchange, ltkm
from ltkm_inspect.traffic import Exchange
from tests.command import run_text
from tests.test_cli import save

START = datetime(2009, 10, 28, 8, tzinfo=UTC).timestamp()
MSK = FIRST.msk_id.hex()


def sent(counter: int) -> Exchange:
    """Return an exchange that delivers a key one minute after the one with the counter before."""
    at = START + 60 * counter
    message = ltkm(replace(FIRST, counter=counter))
    return replace(
        exchange([FIRST.msk_id], [(FIRST, "200 OK", message)], id=f"id-{counter}", nc=counter), started=at, ended=at
    )


def row(counter: int, ahead: float = 0.0, ts: int | None = None) -> list[str]:
    """Return the row of that exchange, by a clock that is some seconds ahead."""
    at = datetime.fromtimestamp(START + 60 * counter + ahead, UTC)
    return [f"{at:%d.%m.%Y %H:%M:%S.%f}", B_TID, MSK, str(counter if ts is None else ts)]


def text_of(rows: list[list[str]], headers: str = "Zeit;B-TID;MSK-ID;Counter") -> str:
    return "\n".join([headers, *map(";".join, rows), ""])


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("match") / "a.flow", [*map(sent, range(1, 9))])


def test_what_only_one_side_has_is_listed_and_the_clock_of_the_log_is_told(capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "bsm.csv"
    rows = [row(number, 7200.4) for number in (1, 2, 3, 5, 6, 7, 8)]
    log.write_text(text_of([*rows, row(4, 7200.4, ts=99)]), "utf-16")
    done = run_text("match", capture, log)
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        f"2009-10-28T08:04:00.000Z log only: line 9, B-TID {B_TID}, MSK 24cb/4400, TS 99",
        f"2009-10-28T08:04:00.000Z capture only: {capture} #4, item 1, LTKM 1, B-TID {B_TID}, "
        "MSK b8709d/24cb/4400, TS 4",
        "summary: 8 LTKMs in the captures, 8 rows in the log, 7 matched",
        "summary: 1 only in the log, 1 only in the captures",
        "summary: captures: 2009-10-28T08:01:00Z to 2009-10-28T08:08:00Z; "
        "log, by the same clock: 2009-10-28T08:01:00Z to 2009-10-28T08:08:00Z",
        "summary: clock of the log: 2 h 0 min 0.400 s ahead of that of the captures "
        "(from 7 pairs, half of them within 0.000 s)",
        "summary: the log seems to be in local time, UTC+02:00; beside that, the offset is +0.400 s",
    ]
    assert done.stderr.splitlines() == [
        f"ltkm-inspect: {log}: guessed from the headers: --columns 'time=Zeit,b_tid=B-TID,msk=MSK-ID,ts=Counter' "
        "(UTF-16, separator semicolon; time as day, month, year; msk as hex; ts as decimal)"
    ]


def test_what_export_writes_matches_also_as_datagrams_through_standard_input(capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "own.csv"
    assert run_text("export", "csv", capture, "-o", log).returncode == 0
    packets = tmp_path / "a.pcap"
    assert run_text("export", "pcap", capture, "-o", packets).returncode == 0
    assert packets.read_bytes().startswith(pcap_head())
    for file in (capture, packets):
        done = run_text("match", file, "-", given=log.read_text())
        assert (done.returncode, done.stdout.splitlines()[0]) == (
            0,
            "summary: 8 LTKMs in the captures, 8 rows in the log, 8 matched",
        )


def test_csv_and_json_have_every_delivery_and_the_summary(capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "bsm.csv"
    log.write_text(text_of([row(number) for number in (1, 1, 2, 30)]))  # of 8 minutes
    found = json.loads(run_text("match", "--format", "json", "--all", capture, log).stdout)
    assert found["schema"] == "ltkm-inspect/match/1"
    assert found["log"]["columns"] == {"time": "Zeit", "b_tid": "B-TID", "msk": "MSK-ID", "ts": "Counter"}
    counted = {"deliveries": 8, "rows": 4, "unread": 0, "matched": 2, "log_only": 2, "capture_only": 6}
    assert found["counts"] == {**counted, "repeated": 0, "beyond": 1}
    sides = {(each["side"], each["line"], each["ts"], each["beyond"]) for each in found["deliveries"]}
    wanted = {("both", 2, 1, False), ("both", 4, 2, False), ("log", 3, 1, False), ("log", 5, 30, True)}
    assert sides == wanted | {("capture", None, ts, False) for ts in range(3, 9)}
    assert [each["note"] for each in found["deliveries"] if each["line"] == 3] == ["repeats line 2"]
    done = run_text("match", "--format", "csv", "--overlap", capture, log)
    rows = [*csv.DictReader(io.StringIO(done.stdout))]
    assert [each["side"] for each in rows] == ["log", *["capture"] * 6]
    assert "ltkm-inspect: 1 only in the log, 6 only in the captures" in done.stderr.splitlines()


def test_keys_and_terminals_have_the_names_that_people_gave_them(capture: Path, tmp_path: Path) -> None:
    log, names = tmp_path / "bsm.csv", tmp_path / "names.toml"
    log.write_text(text_of([row(number) for number in range(1, 8)]))
    names.write_text(f'[msks]\n"b8709d/24cb/4400" = "News"\n[b_tids]\n"{B_TID}" = "Birch"\n')
    done = run_text("match", "--names", names, capture, log)
    assert f"B-TID {B_TID} (Birch), MSK b8709d/24cb/4400 (News), TS 8" in done.stdout
    (found,) = json.loads(run_text("match", "--names", names, "--format", "json", capture, log).stdout)["deliveries"]
    assert (found["terminal_name"], found["key_name"]) == ("Birch", "News")
    done = run_text("match", "--names", names, "--redact", capture, log)
    assert ("News" in done.stdout, "Birch" in done.stdout) == (True, False)


def test_redacted_output_has_one_name_for_a_b_tid_of_both_sides(capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "bsm.csv"
    other = "AAAAAAAAAAAAAAAAAAAAAA==@bsf.home1.net"
    bad = [[B_TID, B_TID, MSK, "1"], ["28.10.2009 08:00:00", other, MSK, "7"]]
    log.write_text(text_of([*map(row, range(1, 8)), *bad]))
    for shape in ("text", "csv", "json"):
        done = run_text("match", "--redact", "--all", "--format", shape, capture, log)
        printed = done.stdout + done.stderr
        assert done.returncode == 5
        assert B_TID.partition("@")[0] not in printed
        assert other.partition("@")[0] not in printed
    named = {each["b_tid"] for each in json.loads(done.stdout)["deliveries"]}
    assert len(named) == 2
    assert "line 9: column Zeit: expected a time, got other text (not shown)" in done.stderr


def test_rows_that_cannot_be_read_are_named_and_counted(capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "bsm.csv"
    key = "00112233445566778899aabbccddeeff"
    bad = [["soon", B_TID, MSK, "1"], [*row(2)[:2], key, "2"], [*row(3)[:3], ""], [row(4)[0]]]
    log.write_text(text_of([row(1), *bad, *([["x", "y"]] * 60)]))
    done = run_text("match", capture, log)
    assert done.returncode == 5
    lines = [line.removeprefix(f"ltkm-inspect: {log}: ") for line in done.stderr.splitlines()[1:]]
    assert lines[:4] == [
        "line 3: column Zeit: expected a time, got soon; see --time-format",
        "line 4: column MSK-ID: expected an MSK ID, got other text (not shown)",
        "line 5: column Counter: expected a TS, got nothing",
        "line 6: column B-TID: expected a B-TID, got nothing",
    ]
    assert (len(lines), lines[-1]) == (51, "14 more damaged places, not listed")
    assert key not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"b_tid": "alice@home"}, "no B-TID of the log is in the captures: the log has alice@home, the captures"),
        ({"msk": "00000001"}, "no MSK ID of the log (read as hex) is in the captures: the log has 00000001"),
        ({"ts": "77"}, "no TS of the log (read as decimal) is in the captures: the log has 77, the captures"),
        ({"msk": SECOND.msk_id.hex()}, "never together: are they of another run?"),
    ],
)
def test_if_nothing_matches_the_likeliest_reason_is_told(change: dict[str, str], why: str, tmp_path: Path) -> None:
    other = exchange([SECOND.msk_id], [(SECOND, "200 OK", ltkm(replace(SECOND, counter=50)))], id="other", nc=9)
    capture = save(tmp_path / "a.flow", [sent(1), other])
    plain = dict(zip(("time", "b_tid", "msk", "ts"), row(1), strict=True))
    log = tmp_path / "bsm.csv"
    log.write_text(text_of([[*({**plain, **change}).values()]], ";".join(plain)))
    done = run_text("match", capture, log)
    assert done.returncode == 3
    assert why in done.stdout.splitlines()[-1]
    assert "only: " not in done.stdout, "a list of everything says nothing"


def test_what_cannot_be_compared_is_one_line(capture: Path, tmp_path: Path) -> None:
    log, empty = tmp_path / "bsm.csv", save(tmp_path / "empty.flow", [], foreign=2)
    log.write_text(text_of([row(1)]))
    headers = tmp_path / "headers.csv"
    headers.write_text(text_of([]))
    unread = tmp_path / "unread.csv"
    unread.write_text(text_of([["x", "y", "z", "1"]]))
    for words, code, line in (
        ([capture, tmp_path / "no.csv"], 1, "No such file or directory"),
        ([tmp_path / "no.flow", log], 1, "No such file or directory"),
        ([log, capture], 1, "expected a flow file, a HAR or a packet capture, got other text"),
        ([capture, capture], 1, "expected the log of a BSM as a table (CSV), got a flow file"),
        ([capture, log, "--columns", "time=when,ts=4"], 1, "no column when for time; the headers are: 1 Zeit, 2 B-TID"),
        ([capture, unread], 1, "no row can be read: line 2: column Zeit: expected a time, got x"),
        ([empty, log], 4, "no MSK exchange was seen, so nothing was compared"),
        ([capture, headers], 4, "the log has no rows, so nothing was compared"),
    ):
        done = run_text("match", *words)
        assert (done.returncode, done.stdout) == (code, "")
        assert line in done.stderr.splitlines()[-1]
    for wrong in (["--columns", "time"], ["--window", "x"], ["--separator", "ab"], ["--encoding", "x"]):
        assert run_text("match", *wrong, capture, log).returncode == 2


def test_a_log_without_headers_is_read_by_numbers(capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "bsm.txt"
    log.write_text("\n".join("\t".join(row(number)) for number in range(1, 9)))
    done = run_text("match", capture, log, "--columns", "time=1,b_tid=2,msk=3,ts=4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("summary: 8 LTKMs in the captures, 8 rows in the log, 8 matched\n")
