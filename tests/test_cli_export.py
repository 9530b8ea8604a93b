"""What a user of `ltkm-inspect export` types, what comes of it, and the exit codes."""

import csv
import gzip
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.addons.savehar import SaveHar

from ltkm_inspect.capture.damage import RECORD
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.options.table import EXPORT_FORMATS
from ltkm_inspect.reference import FIRST, KEYS, SECOND, TERMINAL, exchange, ltkm
from ltkm_inspect.selection import short_name
from ltkm_inspect.traffic import Exchange
from tests.command import little_room, run, run_shell
from tests.test_cli import CLEAN, lines, objects, save

TWO = exchange([FIRST.msk_id, SECOND.msk_id], [(grant, "200 OK", ltkm(grant)) for grant in (FIRST, SECOND)], id="two")
FLAWED = exchange(
    [FIRST.msk_id], [(FIRST, "200 OK", ltkm(replace(FIRST, rand=b"short", counter=99)))], id="flawed", nc=3, at=5
)
MESSAGES = [ltkm(grant).encode() for grant in (FIRST, SECOND)]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A flow file with two LTKMs in one exchange, and traffic of others."""
    return save(tmp_path / "two.flow", [TWO], foreign=2)


def table(octets: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(octets.decode(), newline=""), strict=True))


@pytest.mark.parametrize("name", ["base64", "pcap", "pcapng", "xml", "json"])
def test_what_export_writes_decode_reads(two: Path, name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("export", name, two, "-o", out)
    assert done.returncode == 0
    assert done.stderr == b""
    what = "1 MSK response of 1 MSK exchange" if name == "xml" else "2 of 2 LTKMs in 1 MSK exchange"
    assert lines(done.stdout) == [f"{what} written to {out}"]
    decoded = run("decode", "--format", "jsonl", out / "000001.xml" if name == "xml" else out)
    assert decoded.returncode == 0
    direct = run("decode", "--format", "jsonl", *(message.hex() for message in MESSAGES))
    assert [{**each, "source": ""} for each in objects(decoded.stdout)] == [
        {**each, "source": ""} for each in objects(direct.stdout)
    ]


@pytest.mark.parametrize("name", ["base64", "pcap", "pcapng", "xml", "json"])
def test_a_pipe_from_export_to_decode_gives_the_same(two: Path, name: str) -> None:
    done = run("export", name, two)
    assert done.returncode == 0
    decoded = run("decode", "--format", "jsonl", "-", given=done.stdout)
    assert [each["length"] for each in objects(decoded.stdout)] == list(map(len, MESSAGES))
    assert decoded.returncode == 0


def test_table_and_objects_go_to_standard_output(two: Path) -> None:
    rows = table(run("export", "csv", two).stdout)
    assert [row["msk_id"] for row in rows] == ["0x24cb4400", "0x68c90001"]
    assert [row["file"] for row in rows] == [str(two)] * 2
    found = json.loads(run("export", "json", two).stdout)
    assert [each["msk_id"] for each in found] == ["24cb4400", "68c90001"]


def test_several_files_are_one_export(two: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "other.flow", [CLEAN])
    rows = table(run("export", "csv", two, other).stdout)
    assert [row["file"] for row in rows] == [str(two), str(two), str(other)]


def test_whatever_check_reads_is_exported(two: Path, tmp_path: Path) -> None:
    rows = table(run("export", "csv", two).stdout)
    packed = tmp_path / "captures" / "two.flow.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(two.read_bytes()))
    for name, given in ((packed, b""), (packed.parent, b""), (tmp_path / "*.flow", b""), ("-", two.read_bytes())):
        found = table(run("export", "csv", name, given=given).stdout)
        assert [{**row, "file": ""} for row in found] == [{**row, "file": ""} for row in rows]
    done = run("diff", two, packed.parent)
    assert (done.returncode, lines(done.stdout)[-1]) == (
        0,
        "summary: 0 findings only in B, 0 only in A, 0 fields differ",
    )


def test_ltkms_are_selected_on_the_command_line(tmp_path: Path) -> None:
    file = save(tmp_path / "some.flow", [TWO, FLAWED])

    def ids(*arguments: str) -> list[tuple[str, str]]:
        return [(row["msk_id"], row["verdict"]) for row in table(run("export", "csv", file, *arguments).stdout)]

    assert ids() == [("0x24cb4400", "clean"), ("0x68c90001", "clean"), ("0x24cb4400", "violation")]
    assert ids("--msk", "b8709d/68c9") == [("0x68c90001", "clean")]
    assert ids("--msk", "b8709d/68c9", "--msk", "b8709d/24cb/4400") == ids()
    assert ids("--flawed") == [("0x24cb4400", "violation")]
    assert ids("--terminal", TERMINAL.b_tid, "--flawed") == ids("--flawed")
    assert ids("--flow", "2") == ids("--flow", "2-9", "--flow", "2") == ids("--flawed")
    assert ids("--flow", "1", "--flawed") == ids("--terminal", "other@bsf") == []
    done = run("export", "csv", file, "--terminal", "other@bsf")
    assert (done.returncode, done.stdout) == (4, b"")
    assert lines(done.stderr) == [
        f"ltkm-inspect: --terminal: no MSK exchange matches other@bsf; terminals seen: {short_name(TERMINAL.b_tid)}",
        "ltkm-inspect: no LTKM matches --terminal, so nothing was written",
    ]


def test_the_rules_that_judge_are_chosen_as_for_check(tmp_path: Path) -> None:
    file = save(tmp_path / "some.flow", [FLAWED])
    (row,) = table(run("export", "csv", file, "--select", "ltkm-missing").stdout)
    assert (row["verdict"], row["rules"]) == ("clean", "")
    done = run("export", "csv", file, "--select", "no-such-rule")
    assert done.returncode == 2
    assert b"--select: " in done.stderr


def test_a_key_ring_says_which_keys_are_delivered(two: Path, tmp_path: Path) -> None:
    ring = tmp_path / "ring.toml"
    subscriber = KEYS.subscribers[0]
    ring.write_text(f'[[subscribers]]\nb_tid = "{subscriber.b_tid}"\nmuk = "{subscriber.muks[0].hex()}"\n')
    ring.chmod(0o600)
    done = run("export", "csv", two, "--keys", ring)
    assert [row["mac"] for row in table(done.stdout)] == ["valid", "valid"]
    assert all(len(row["check_value"]) == 8 and not row["key"] for row in table(done.stdout))
    assert FIRST.msk.hex().encode() not in done.stdout
    done = run("export", "csv", two, "--keys", ring, "--show-keys")
    assert [row["key"] for row in table(done.stdout)] == [f"0x{grant.msk.hex()}" for grant in (FIRST, SECOND)]
    assert subscriber.muks[0].hex().encode() not in done.stdout


def test_a_har_is_exported_with_addresses_made_up_and_that_said(tmp_path: Path) -> None:
    har = tmp_path / "two.har"
    har.write_text(json.dumps(SaveHar().make_har([flow_of(TWO)])))
    rows = table(run("export", "csv", har).stdout)
    assert [(row["client"], row["id"], row["msk_id"]) for row in rows] == [
        ("", "entry-1", "0x24cb4400"),
        ("", "entry-1", "0x68c90001"),
    ]
    done = run("export", "pcap", har, "-o", tmp_path / "out.pcap")
    assert done.returncode == 0
    assert b"2 packets without a captured address; written as " in done.stderr
    assert run("decode", tmp_path / "out.pcap").returncode == 0


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_no_msk_exchange_is_said_and_ends_with_4(tmp_path: Path, name: str) -> None:
    foreign, empty = save(tmp_path / "foreign.flow", [], foreign=1), save(tmp_path / "empty.flow", [])
    nothing, record = "no MSK exchange was seen, so nothing was written", f"{empty}: the file is empty: {RECORD}"
    for file, said in ((foreign, nothing), (empty, record)):
        done = run("export", name, file, "-o", tmp_path / "out")
        assert done.returncode == 4
        assert lines(done.stderr) == [f"ltkm-inspect: {said}"]
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_where_nothing_can_be_written_that_is_said_before_anything_is_read(tmp_path: Path, name: str) -> None:
    unread = tmp_path / "unread"
    os.mkfifo(unread)
    for out in (tmp_path / "no" / "such", unread):
        done = run("export", name, tmp_path / "missing.flow", "-o", out)
        assert done.returncode == 1
        (line,) = lines(done.stderr)
        assert line.startswith(f"ltkm-inspect: {out}: ")
        assert "missing.flow" not in line


def test_the_input_is_never_written_over(two: Path, tmp_path: Path) -> None:
    before = two.read_bytes()
    assert run("export", "csv", two, "-o", two).returncode == 2
    index = tmp_path / "x.csv"
    two.rename(index)
    assert run("export", "base64", index, "-o", tmp_path / "x").returncode == 2
    assert index.read_bytes() == before


def test_a_damaged_file_gives_what_is_before_the_damage_and_5(two: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.flow"
    damaged.write_bytes(two.read_bytes() + b"12:nonsense")
    done = run("export", "csv", damaged, tmp_path / "missing.flow", "-o", tmp_path / "out.csv")
    assert done.returncode == 5
    assert len(lines(done.stderr)) == 2
    assert len(table((tmp_path / "out.csv").read_bytes())) == 2
    done = run("export", "csv", tmp_path / "missing.flow")
    assert (done.returncode, done.stdout) == (1, b"")


def test_one_document_goes_to_standard_output_and_more_need_a_folder(two: Path, tmp_path: Path) -> None:
    response = TWO.response
    assert response is not None
    assert run("export", "xml", two).stdout == response.body
    several = save(tmp_path / "several.flow", [TWO, FLAWED])
    done = run("export", "xml", several)
    assert (done.returncode, done.stdout) == (1, b"")
    assert lines(done.stderr) == [
        "ltkm-inspect: there is more than one MSK response: use -o FOLDER to write each to a separate file"
    ]
    assert run("export", "xml", several, "--flawed").returncode == 0
    assert run("export", "xml", several, "-o", tmp_path / "out").returncode == 0
    again = run("export", "xml", several, "-o", tmp_path / "out")
    assert again.returncode == 1
    assert b"expected a new or empty folder" in again.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    many = [replace(TWO, id=f"{number:08x}") for number in range(300)]
    file = save(tmp_path / "many.flow", many)
    done = run_shell(f"{{command}} export csv {file} | head -n 1")
    assert done.stdout.startswith(b"file,id,time,")
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_where_there_is_no_space_nothing_is_left_behind(tmp_path: Path, name: str) -> None:
    file = save(tmp_path / "many.flow", [replace(TWO, id=f"{number:08x}") for number in range(100)])
    folder = tmp_path / "out"
    folder.mkdir()
    with little_room(1024 if name == "xml" else 8192):
        done = run("export", name, file, "-o", folder / "x")
    assert (done.returncode, done.stdout) == (1, b"")
    assert lines(done.stderr) == [f"ltkm-inspect: {folder / 'x'}: File too large"]
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize("name", ["csv", "pcap"])
def test_where_standard_output_takes_no_more_that_is_one_line(two: Path, name: str) -> None:
    done = run_shell(f"{{command}} export {name} {two} > /dev/full")
    assert done.returncode == 1
    assert lines(done.stderr) == ["ltkm-inspect: standard output: No space left on device"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yaml", "x"], "expected csv, json, base64, pcap, pcapng or xml, got yaml"),
        (["csv"], "Missing argument"),
        (["csv", "x", "--msk", "zz"], "--msk: expected KEYDOMAIN"),
        (["csv", "x", "-o", " "], "--output: expected a path"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], said: str) -> None:
    done = run("export", *arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode()


def test_with_redaction_only_table_and_objects_are_written(two: Path, tmp_path: Path) -> None:
    done = run("export", "csv", two, "--redact")
    assert done.returncode == 0
    assert all(row["b_tid"].startswith("identity-") for row in table(done.stdout))
    done = run("export", "pcap", two, "--redact", "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, b"")
    assert lines(done.stderr)[-1] == (
        "Error: --redact: expected csv or json, got pcap, which has the messages as received"
    )
    assert not (tmp_path / "out").exists()


def test_hostile_names_are_escaped_where_they_are_printed(tmp_path: Path) -> None:
    file = save(tmp_path / "a\x1b]0;x\x07.flow", [_renamed(TWO)])
    done = run("export", "csv", file, "-o", tmp_path / "b\x1b.csv")
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr
    octets = (tmp_path / "b\x1b.csv").read_bytes()
    assert b"\x1b" not in octets
    assert {row["b_tid"] for row in table(octets)} == {"'=1+1\\x1b"}


def _renamed(exchange: Exchange) -> Exchange:
    credentials = exchange.request.credentials
    assert credentials is not None
    fields = tuple(each._replace(value="=1+1\x1b") if each.name == "username" else each for each in credentials.fields)
    return replace(exchange, request=exchange.request.with_credentials(replace(credentials, fields=fields)))
