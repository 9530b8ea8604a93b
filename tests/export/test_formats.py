"""What is exported comes back: as a table, as objects, as base64, as captures and as documents."""

import base64
import csv
import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.export.entry import ExportEntry, Manner, entries
from ltkm_inspect.export.formats import FORMATS, XML
from ltkm_inspect.export.run import REDACTABLE, Export, ExportError
from ltkm_inspect.export.selection import ExportSelection, parse_selection
from ltkm_inspect.finding import Report
from ltkm_inspect.input import from_file
from ltkm_inspect.mikey import GeneralExtension, Kemac, decode, to_plain
from ltkm_inspect.options.table import EXPORT_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.recorded import exchanges

ROOT = Path(__file__).resolve().parents[2]
TRIAL = ROOT / "flows" / "trial.flow"
FIRST, SECOND = reference.FIRST, reference.SECOND
CLEAN = reference.exchange(
    [FIRST.msk_id, SECOND.msk_id], [(grant, "200 OK", reference.ltkm(grant)) for grant in (FIRST, SECOND)]
)


def reports(path: Path = TRIAL) -> list[Report]:
    context = Context(session=Session())
    return [inspect(each, context) for each in exchanges(path) if isinstance(each, Exchange)]


def exported(
    folder: Path,
    name: str,
    found: list[Report],
    selection: ExportSelection | None = None,
    manner: Manner | None = None,
) -> tuple[Path, Export]:
    path = folder / f"out.{name}"
    with Export(name, path, manner, selection) as run:
        for report in found:
            run.add(report, "some.flow")
        run.finish()
    return path, run


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def octets_of(found: list[Report]) -> list[bytes]:
    return [entry.ltkm.octets for report in found for entry in entries(report) if entry.ltkm.octets]


def of(*items: tuple[reference.Grant, str, Any], **more: Any) -> Exchange:
    return reference.exchange([grant.msk_id for grant, _, _ in items], items, **more)


def test_the_formats_that_can_be_typed_are_those_that_there_are() -> None:
    assert sorted(EXPORT_FORMATS) == sorted([*FORMATS, XML])


@pytest.mark.parametrize("name", ["base64", "pcap", "pcapng"])
def test_every_ltkm_comes_back_from_a_file_octet_for_octet(tmp_path: Path, name: str) -> None:
    found = reports()
    path, run = exported(tmp_path, name, found)
    assert [given.octets for given in from_file(path.read_bytes(), "file")] == octets_of(found)
    assert run.written == len(octets_of(found)) > 40


def test_every_ltkm_comes_back_from_the_documents(tmp_path: Path) -> None:
    found = reports()
    folder, run = exported(tmp_path, XML, found)
    files = sorted(folder.glob("*.xml"))
    assert len(files) == run.written > 40
    read = [given.octets for file in files for given in from_file(file.read_bytes(), "file")]
    assert [octets for octets in read if octets] == octets_of(found)
    index = rows(folder / "index.csv")
    assert [row["document"] for row in index] == [file.name for file in files]
    assert sum(int(row["ltkms"]) for row in index) == len(read)
    assert all(row["file"] == "some.flow" for row in index)


def test_a_document_is_what_the_bsm_sent_without_its_content_coding(tmp_path: Path) -> None:
    response = CLEAN.response
    assert response is not None
    assert response.body is not None
    headers = response.headers.put("Content-Encoding", "gzip")
    coded = replace(CLEAN, response=replace(response, headers=headers).with_content(response.body))
    folder, _ = exported(tmp_path, XML, [inspect(coded)])
    assert (folder / "000001.xml").read_bytes() == response.body


def test_a_line_of_the_table_says_of_an_ltkm_what_the_log_of_a_bsm_says(tmp_path: Path) -> None:
    path, _ = exported(tmp_path, "csv", [inspect(replace(CLEAN, ended=1256716800.9876))])
    first, second = rows(path)
    assert (*first,)[:3] == ("file", "id", "time")
    message = CLEAN.document.ltkms[0].octets  # type: ignore[union-attr]
    assert message is not None
    expected = {
        "file": "some.flow",
        "time": "2009-10-28T08:00:00.987Z",
        "client": "192.0.2.10:40001",
        "b_tid": reference.B_TID,
        "status": "200",
        "item": "1",
        "ltkm": "1",
        "key_domain_id": "0xb8709d",
        "msk_id": "0x24cb4400",
        "response_code": "200 OK",
        "ltkm_key_domain_id": "0xb8709d",
        "ltkm_msk_id": "0x24cb4400",
        "ts": "42",
        "csb_id": "0x5a17c0de",
        "length": str(len(message)),
        "verdict": "clean",
        "rules": "",
        "check_value": "",
    }
    assert {name: first[name] for name in expected} == expected
    assert (second["item"], second["msk_id"], second["ts"]) == ("2", "0x68c90001", "43")


def test_lines_of_the_table_end_as_rfc_4180_says_and_hold_no_other_line_end(tmp_path: Path) -> None:
    path, _ = exported(tmp_path, "csv", reports())
    octets = path.read_bytes()
    assert octets.endswith(b"\r\n")
    assert octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r") == len(rows(path)) + 1


HOSTILE = [
    pytest.param("=cmd|' /C calc'!A0", id="equals"),
    pytest.param("+1+1@bsf", id="plus"),
    pytest.param("-2+3@bsf", id="minus"),
    pytest.param("@SUM(A1)", id="at"),
    pytest.param("  =1+1", id="behind-spaces"),
    pytest.param("\t=1+1", id="behind-a-tab"),
    pytest.param("\uff1d1+1", id="full-width"),
    pytest.param('a",=1+1,"b', id="quotes-and-commas"),
    pytest.param("a\r\n=1+1", id="line-ends"),
    pytest.param("\x1b]0;x\x07\u202e\x00", id="controls"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_the_wire_begins_a_formula_or_leaves_its_cell(tmp_path: Path, text: str) -> None:
    response = CLEAN.response
    assert response is not None
    assert response.body is not None
    credentials = CLEAN.request.credentials
    assert credentials is not None
    named = replace(
        credentials,
        fields=tuple(each._replace(value=text) if each.name == "username" else each for each in credentials.fields),
    )
    request = CLEAN.request.with_credentials(named)
    code = text.replace("\x1b", "").replace("\x07", "").replace("\x00", "").replace("&", "&amp;")
    body = response.body.replace(b"200 OK", code.encode(), 1)
    exchange = replace(CLEAN, request=request, response=response.with_content(body), id=text, faults=(text,))
    path, _ = exported(tmp_path, "csv", [inspect(exchange)])
    first, second = rows(path)
    for row in (first, second):
        for name in ("b_tid", "response_code", "id", "faults"):
            cell = row[name]
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
            assert all(character.isprintable() and character != "\u202e" for character in cell)
        assert None not in row
        assert None not in row.values()
    assert first["msk_id"] == "0x24cb4400"


def test_only_findings_that_concern_an_ltkm_stand_on_its_line(tmp_path: Path) -> None:
    flawed = of(
        (FIRST, "200 OK", reference.ltkm(FIRST)), (SECOND, "200 OK", reference.ltkm(replace(SECOND, rand=b"short")))
    )
    report = inspect(flawed)
    path, _ = exported(tmp_path, "csv", [report])
    first, second = rows(path)
    assert (first["verdict"], first["rules"]) == ("clean", "")
    assert second["verdict"] == "violation"
    assert second["rules"].split() == list(report.rules)
    path, run = exported(tmp_path, "csv", [report], ExportSelection(flawed=True))
    assert [row["msk_id"] for row in rows(path)] == ["0x68c90001"]
    assert (run.written, run.ltkms) == (1, 2)


def test_an_object_holds_the_message_as_decode_gives_it(tmp_path: Path) -> None:
    found = reports()
    path, _ = exported(tmp_path, "json", found)
    octets = path.read_bytes()
    assert octets.isascii()
    listed = json.loads(octets)
    assert len(listed) == sum(report.ltkms for report in found)
    assert octets.count(b"\n") == len(listed) + 2  # one object a line, between the brackets
    messages = [each["message"] for each in listed if each["message"] is not None]
    assert messages == [json.loads(json.dumps(to_plain(decode(message)))) for message in octets_of(found)]
    assert {each["schema"] for each in listed} == {"ltkm-inspect/ltkm/1"}
    assert {each["verdict"] for each in listed} == {"clean", "warning", "violation"}


def test_the_index_of_base64_says_which_line_is_what(tmp_path: Path) -> None:
    found = reports()
    path, run = exported(tmp_path, "base64", found)
    lines = path.read_bytes().splitlines()
    index = rows(tmp_path / "out.base64.csv")
    assert [row["line"] for row in index] == [str(number + 1) for number in range(len(lines))]
    for row, line in zip(index, lines, strict=True):
        message = decode(base64.b64decode(line, validate=True))
        assert int(row["length"]) == message.length
        assert message.header is None or row["csb_id"] == f"0x{message.header.csb_id:08x}"
    assert run.left == {"the text is not base64": 1}
    assert list(run.warnings()) == ["1 LTKM skipped: the text is not base64"]


def test_an_ltkm_that_no_datagram_can_carry_is_left_out_and_said(tmp_path: Path) -> None:
    large = reference.ltkm(FIRST)
    large = replace(
        large, payloads=(*large.payloads[:-1], *[GeneralExtension(0, b"x" * 65000)] * 2, large.payloads[-1])
    )
    found = [inspect(of((FIRST, "200 OK", large), (SECOND, "200 OK", reference.ltkm(SECOND))))]
    path, run = exported(tmp_path, "pcap", found)
    assert [given.octets for given in from_file(path.read_bytes(), "file")] == octets_of(found)[1:]
    assert list(run.warnings()) == ["1 LTKM skipped: too long for a UDP datagram"]


MASKED = Keys(reference.KEYS)
SHOWN = Keys(reference.KEYS, show=True)


def test_with_keys_the_table_says_which_key_is_delivered_and_shows_it_only_when_asked(tmp_path: Path) -> None:
    report = inspect(CLEAN)
    path, _ = exported(tmp_path, "csv", [report], manner=Manner(MASKED))
    first = rows(path)[0]
    told = {"mac": "valid", "key_type": "TEK", "key_length": "16", "seq_l": "0", "seq_u": "4095", "key": ""}
    assert {name: first[name] for name in told} == told
    assert first["check_value"].startswith("0x")
    assert len(first["check_value"]) == 8
    assert FIRST.msk.hex() not in path.read_text()
    path, _ = exported(tmp_path, "csv", [report], manner=Manner(SHOWN))
    assert rows(path)[0]["key"] == f"0x{FIRST.msk.hex()}"
    for keys, shown in ((MASKED, None), (SHOWN, FIRST.msk.hex())):
        path, _ = exported(tmp_path, "json", [report], manner=Manner(keys))
        assert json.loads(path.read_bytes())[0]["key"]["key"] == shown


def test_a_key_in_the_clear_stands_in_neither_table_nor_objects_and_is_warned_of_elsewhere(tmp_path: Path) -> None:
    message = reference.ltkm(FIRST)
    sealed = message.payloads[-1]
    assert isinstance(sealed, Kemac)
    opened = replace(sealed, encr_alg=0, encr_data=FIRST.plaintext)
    clear = replace(message, payloads=(*message.payloads[:-1], opened))
    found = [inspect(of((FIRST, "200 OK", clear)))]
    for name in ("csv", "json"):
        path, run = exported(tmp_path, name, found)
        written = path.read_text().lower()
        assert FIRST.msk.hex() not in written
        assert base64.b64encode(FIRST.msk).decode().rstrip("=").lower() not in written
        assert list(run.warnings()) == []
    for name in ("base64", "pcap", "pcapng", XML):
        _, run = exported(tmp_path, name, found)
        assert run.clear == 1
        assert "in the clear" in " ".join(run.warnings())


def selected(found: list[Report], selection: ExportSelection) -> list[ExportEntry]:
    return [entry for report in found for entry in entries(report) if selection.takes(entry)]


def test_ltkms_are_selected_by_key_terminal_and_verdict(tmp_path: Path) -> None:
    found = reports()
    everything = selected(found, ExportSelection())
    by_group = selected(found, parse_selection(msks=["b8709d/24cb"]))
    assert 0 < len(by_group) < len(everything)
    assert all(b"\x24\xcb" in ((entry.pair[1] or b"")[:2], (entry.own_pair[1] or b"")[:2]) for entry in by_group)
    by_key = selected(found, parse_selection(msks=["0xB8709D/24cb/0001"]))
    assert 0 < len(by_key) <= len(by_group)
    assert len(selected(found, parse_selection(msks=["b8709d"]))) >= len(by_group)
    assert selected(found, parse_selection(msks=["ffffff"])) == []
    terminal = everything[0].event.terminal
    assert {entry.event.terminal for entry in selected(found, parse_selection(terminals=[terminal]))} == {terminal}
    at = selected(found, parse_selection(terminals=["192.0.2.10:40001"]))
    assert 0 < len(at) < len(everything)
    assert len(selected(found, parse_selection(terminals=["192.0.2.10"]))) == len(everything)
    flawed = selected(found, parse_selection(flawed=True))
    assert 0 < len(flawed) < len(everything)
    assert all(entry.verdict != "clean" for entry in flawed)


def test_documents_are_selected_by_their_items(tmp_path: Path) -> None:
    found = reports()
    _, run = exported(tmp_path, XML, found, parse_selection(msks=["b8709d/24cb/0001"]))
    assert 0 < run.written < len(found)
    empty = tmp_path / "empty"
    empty.mkdir()
    _, run = exported(empty, XML, found, parse_selection(msks=["ffffff"]))
    assert run.written == 0
    assert run.nothing == "no MSK response matches --msk, so nothing was written"


@pytest.mark.parametrize(
    "text", ["", "b8709", "b8709d/", "b8709d/24cb44", "b8709d/24cb/0001/", "xx709d", "b8709d 24cb"]
)
def test_a_key_that_means_nothing_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(OptionError) as refused:
        parse_selection(msks=[text])
    assert refused.value.option == "msk"
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_where_there_is_nothing_there_is_no_file(tmp_path: Path, name: str) -> None:
    path, run = exported(tmp_path, name, [])
    assert not path.exists()
    assert [*tmp_path.iterdir()] == []
    assert run.nothing == "no MSK exchange was seen, so nothing was written"


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_what_fails_on_the_way_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    former = tmp_path / "out"
    if name != XML:
        former.write_bytes(b"as it was")
    with suppress(KeyboardInterrupt), Export(name, former) as run:
        run.add(inspect(CLEAN))
        raise KeyboardInterrupt
    assert [each.name for each in tmp_path.iterdir()] == ([] if name == XML else ["out"])
    assert name == XML or former.read_bytes() == b"as it was"


def test_a_folder_that_has_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"")
    with pytest.raises(OSError, match="new or empty"), Export(XML, tmp_path):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_with_redaction_names_stand_for_b_tids_and_addresses_in_table_and_objects(tmp_path: Path) -> None:
    hostile = reference.ReferenceTerminal("=1+1@bsf.home1.net", address="[2001:db8::77]:5")
    found = [inspect(CLEAN), inspect(of((FIRST, "200 OK", reference.ltkm(FIRST, hostile)), terminal=hostile))]
    for name in ("csv", "json"):
        path, _ = exported(tmp_path, name, found, manner=Manner(wording=Wording(Redaction())))
        text = path.read_text("utf-8")
        assert text.count("identity-") >= 3
        for secret in (reference.B_TID, "1+1", "192.0.2.10", "2001:db8::77", reference.B_TID.encode().hex()):
            assert secret not in text
    first, second, third = rows(tmp_path / "out.csv")
    assert first["b_tid"] == second["b_tid"] != third["b_tid"]
    assert first["client"].endswith(":40001")


@pytest.mark.parametrize("name", [each for each in EXPORT_FORMATS if each not in REDACTABLE])
def test_what_holds_messages_as_they_came_is_refused_with_redaction(name: str) -> None:
    with pytest.raises(ExportError, match=rf"^expected csv or json, got {name}, which has the messages as received$"):
        Export(name, None, Manner(wording=Wording(Redaction())))


def test_without_times_addresses_and_octets_as_sent_an_exchange_is_exported_all_the_same(tmp_path: Path) -> None:
    bare = replace(CLEAN, started=None, ended=None, client="", server="", connection="", raw=False)
    for name in ("pcap", "pcapng"):
        path, run = exported(tmp_path, name, [inspect(bare)])
        assert len(list(from_file(path.read_bytes(), "file"))) == 2
        said = list(run.warnings())
        assert said == [
            "2 packets without a captured address; written as 203.0.113.1 (BSM) and 203.0.113.2 (terminal), or like "
            "addresses in IPv6",
            "2 packets without a captured time",
        ]
    path, run = exported(tmp_path, "csv", [inspect(bare)])
    assert {(row["time"], row["client"]) for row in rows(path)} == {("", "")}
    assert list(run.warnings()) == []


def test_a_table_is_one_that_csv_reads_whatever_the_dialect_is_sniffed_to_be(tmp_path: Path) -> None:
    path, _ = exported(tmp_path, "csv", reports())
    text = path.read_text("utf-8")
    assert csv.Sniffer().sniff(text.splitlines()[0]).delimiter == ","
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


FAULTED = sorted((ROOT / "flows" / "faults").glob("*.flow"))


@pytest.mark.parametrize("path", FAULTED, ids=[path.stem for path in FAULTED])
def test_whatever_is_wrong_with_an_exchange_it_is_exported(tmp_path: Path, path: Path) -> None:
    found = reports(path)
    assert found
    ltkms = sum(report.ltkms for report in found)
    for name in EXPORT_FORMATS:
        written, run = exported(tmp_path, name, found)
        assert run.exchanges == len(found)
        assert name == XML or run.written + run.left.total() == ltkms
        assert written.exists() == bool(run.written)
