"""A table in any encoding, with any separator, and which of its columns are meant."""

import gzip
from pathlib import Path

import pytest

from ltkm_inspect.capture import unpacked
from ltkm_inspect.matching import LogError, LogTable, parse_columns, parse_encoding, parse_separator
from ltkm_inspect.matching.columns import chosen, guessed
from ltkm_inspect.options.words import OptionError

ROWS = [["Zeit", "B-TID", "Zähler"], ["08:00", "a,b;c", "17"], ["08:01", 'says "no"', "18"]]


def table_of(path: Path, octets: bytes, *given: str) -> tuple[LogTable, list[list[str]]]:
    path.write_bytes(octets)
    with unpacked(str(path)) as source:
        table = LogTable.of(source, *given)
        return table, [row.cells for row in table.rest]


def text_of(separator: str) -> str:
    quoted = [[f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in row] for row in ROWS]
    return "\r\n".join(separator.join(row) for row in quoted) + "\r\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encoding_and_separator_are_detected(encoding: str, separator: str, tmp_path: Path) -> None:
    table, rows = table_of(tmp_path / "log", text_of(separator).encode(encoding))
    assert [table.headers, *rows] == ROWS
    assert (table.encoding, table.separator) == (encoding, separator)


def test_what_is_given_is_not_detected(tmp_path: Path) -> None:
    table, rows = table_of(tmp_path / "log", text_of("#").encode("cp850"), "cp850", "#")
    assert [table.headers, *rows] == ROWS


def test_titles_empty_lines_and_the_line_of_excel_are_passed_over_and_lines_are_counted(tmp_path: Path) -> None:
    octets = gzip.compress(b'sep=;\nThe log of our BSM\n\ntime;b_tid\n8;"a\nb"\n\n9;c\n')
    path = tmp_path / "log.gz"
    path.write_bytes(octets)
    with unpacked(str(path)) as source:
        table = LogTable.of(source)
        assert table.headers == ["time", "b_tid"]
        assert [*table.rest] == [(5, ["8", "a\nb"], ""), (8, ["9", "c"], "")]


@pytest.mark.parametrize("octets", [b"", b"PK\x03\x04zip", b'{"log": {}}', bytes(range(256)), b"one column\nof text\n"])
def test_what_is_no_table_is_refused(octets: bytes, tmp_path: Path) -> None:
    with pytest.raises(LogError, match="expected the log of a BSM as a table"):
        table_of(tmp_path / "log", octets)


def test_a_damaged_archive_gives_the_rows_before_the_damage(tmp_path: Path) -> None:
    octets = gzip.compress(b"time,b_tid\n8,a\n9,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(9999)))
    path = tmp_path / "log.gz"
    path.write_bytes(octets[:-30])
    with unpacked(str(path)) as source:
        *rows, last = LogTable.of(source).rest
    assert rows[0].cells == ["8", "a"]
    assert "ends too early" in last.problem


@pytest.mark.parametrize(
    ("headers", "columns"),
    [
        ("time,b_tid,msk,ts", "time b_tid msk ts"),
        ("Timestamp;User-Name;Key Domain ID;MSK-ID;Counter", "Timestamp User-Name Key Domain ID MSK-ID Counter"),
        ("ts;IDr;keyId;ltkm_counter", "ts IDr keyId ltkm_counter"),
        ("Datum;Zeit;Benutzer;MSK;TS", "Datum+Zeit Benutzer MSK TS"),
        ("file,id,time,client,b_tid,key_domain_id,msk_id,ltkm_key_domain_id,ltkm_msk_id,ts,verdict", None),
    ],
)
def test_columns_are_guessed_from_headers(headers: str, columns: str | None) -> None:
    names = headers.split(";" if ";" in headers else ",")
    found = " ".join(each.name for each in guessed(names).values())
    assert found == (columns or "time b_tid ltkm_key_domain_id ltkm_msk_id ts")  # what `export csv` writes


def test_columns_are_typed_as_headers_in_any_case_as_numbers_and_joined() -> None:
    assert parse_columns(["time=Day, local+3,b_tid=A=B", "ts=2"]) == {"time": "Day, local+3", "b_tid": "A=B", "ts": "2"}
    found = chosen({"time": "day+3", "ts": "2", "b_tid": "A"}, ["Day", "N", "Clock", "a"])
    assert {name: column.places for name, column in found.items()} == {"time": (0, 2), "ts": (1,), "b_tid": (3,)}


def test_a_column_that_is_missing_names_the_headers_that_there_are() -> None:
    with pytest.raises(LogError, match=r"no column Zeit for time; the headers are: 1 when, 2 who"):
        chosen({"time": "Zeit"}, ["when", "who"])
    with pytest.raises(LogError, match=r"no header says time: .*--columns.*; the headers are: 1 foo, 2 bar"):
        guessed(["foo", "bar"])


@pytest.mark.parametrize(
    "typed", ["time", "time=", "when=1", "b_tid=1", "time=1", "time=1,time=2,ts=3", "time=1,b_tid=2,other=3"]
)
def test_columns_that_mean_nothing_are_refused(typed: str) -> None:
    with pytest.raises(OptionError):
        parse_columns([typed])


def test_an_unknown_encoding_or_separator_is_refused() -> None:
    assert (parse_encoding("Latin-1"), parse_separator("tab"), parse_separator("\\t")) == ("latin-1", "\t", "\t")
    with pytest.raises(OptionError):
        parse_encoding("utf-9")
    with pytest.raises(OptionError):
        parse_separator("two")
