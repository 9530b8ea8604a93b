"""Names of IDs: how the file is read, and how an ID is written for people in every output."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ltkm_inspect import reference
from ltkm_inspect.cli.program import commands
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.keys import KeyRing, Subscriber
from ltkm_inspect.names import EventNames, Names, NamesFile
from ltkm_inspect.options.table import REPORT_FORMATS
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.report import text
from ltkm_inspect.report.jsonl import exchange_record
from ltkm_inspect.report.places import write
from ltkm_inspect.wire.toml_file import TomlError
from tests.proxy.editor import several
from tests.report.runs import TRIAL, checked
from tests.report.test_formats import HOSTILE

DOMAIN, GROUP, NUMBER = reference.FIRST.key_domain, reference.FIRST.msk_id[:2], reference.FIRST.msk_id[2:]
FILE = f"""
[key_domains]
{DOMAIN.hex()} = "Alpha"
[key_groups]
"{DOMAIN.hex()}/{GROUP.hex()}" = "News"
[msks]
"{(GROUP + NUMBER).hex()}" = "week 44"
[b_tids]
"{reference.B_TID}" = "Van 1"
[addresses]
"192.0.2.10" = "Office"
"""


def names_of(folder: Path, content: str = FILE) -> Names:
    path = folder / "names.toml"
    path.write_text(content)
    return NamesFile(path).content


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('[msks]\n"b8709d/24cb/0001" = "x"', id="slashes"),
        pytest.param('[msks]\n"B8709D/24CB0001" = "x"', id="capitals"),
        pytest.param('\ufeff[msks]\n"0xb8 0x70 0x9d 0x24 cb:00:01" = "x"', id="as programs print octets"),
        pytest.param('msks."b8709d / 24cb / 0001" = " x "', id="dotted, with spaces"),
    ],
)
def test_an_id_may_be_written_in_any_form_of_hex(content: str, tmp_path: Path) -> None:
    assert names_of(tmp_path, content).keys == {(b"\xb8\x70\x9d", b"\x24\xcb\x00\x01"): "x"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[key_domain]\nb8709d = 'x'", "key_domain: expected one of .*, got another table; did you mean key_domains?"),
        ("b8709d = 'x'", r"b8709d: a line such as \[key_domains\] is missing above it"),
        ("[[subscribers]]\nmuk = 'x'", "this looks like a key ring; give it to --keys"),
        ("[key_groups]\n\n24c = 'x'", "line 3: key_groups: 24c: expected 4 hex digits"),
        ("[key_groups]\n'24cb/b8709d' = 'x'", "line 2: key_groups: 24cb/b8709d: expected 4 hex digits"),
        ("[key_domains]\n'uHCd' = 'x'", "line 2: key_domains: uHCd: expected 6 hex digits.*in hex, not base64"),
        ("[msks]\n24cb0001 = 'x'\n'24CB 0001' = 'y'", "line 3: msks: 24CB 0001: .* already has a name in line 2: x"),
        ("[msks]\n24cb0001 = 7", r"line 2: msks: 24cb0001: expected a name in quotation marks, .* got a number"),
        ("[addresses]\n192.0.2.1 = 'x'", r'line 2: addresses: 192: .* in quotation marks: "192\.0\.2\.1" = "…"'),
        ("[addresses]\n'192.0.2.1:80' = 'x'", "line 2: addresses: .*: expected an address without a port"),
        ("[addresses]\n'a@b.c' = 'x'", r"expected an IP address; a B-TID belongs in \[b_tids\]"),
        ("[b_tids]\n'192.0.2.1' = 'x'", r"expected a B-TID; an address belongs in \[addresses\]"),
        ("[b_tids]\n'1yiepgIK..qh5A' = 'x'", "expected a complete B-TID"),
        ("[b_tids]\na@b.c = 'x'", "line 2, column 2: expected TOML, .* in quotation marks"),
        (f"[key_domains]\nb8709d = '{'x' * 81}'", "expected a name of at most 80 characters, got 81"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TomlError, match=rf"^[^\n]*{said}[^\n]*$"):
        names_of(tmp_path, content)


def test_a_key_group_in_its_key_domain_comes_before_the_same_one_in_any() -> None:
    names = Names({(b"", GROUP): "any", (DOMAIN, GROUP): "News", (b"", GROUP + NUMBER): "week"})
    assert names.of_selector(f"{DOMAIN.hex()}/{GROUP.hex()}/{NUMBER.hex()}") == "News, week"
    assert names.of_selector(f"000000/{GROUP.hex()}") == "any"


def test_a_name_that_differs_from_the_one_in_the_key_ring_is_a_conflict(tmp_path: Path) -> None:
    names, ring = names_of(tmp_path), KeyRing((Subscriber(reference.B_TID, muks=(bytes(16),), name="Cedar"),))
    (line,) = names.conflicts(ring)
    assert line == f"b_tids: {reference.B_TID} is named Van 1, but in the key ring Cedar; give it one name"
    assert not list(names.conflicts(KeyRing((Subscriber(reference.B_TID, name="Van 1"),))))


def test_only_the_id_itself_gets_its_name_and_gets_it_once() -> None:
    names = EventNames({"b8709d": "Alpha"}, {"b8709d/24cb": "News"}, {}, {"a@b.c": "Van"}, {"192.0.2.1": "Office"})
    shown = names.text("b8709d 24cb0001 b8709d/24cb/0001 Key Group 24cb, a@b.c at 192.0.2.1:80")
    assert shown == (
        "b8709d (Alpha) 24cb0001 (News) b8709d/24cb/0001 (Alpha, News) Key Group 24cb (News), a@b.c (Van) "
        "at 192.0.2.1:80 (Office)"
    )
    assert names.text(shown) == shown
    for other in ("0xb8709d 24cb 24cb00011 b8709d00", "aa@b.c a@b.com 192.0.2.10 1192.0.2.1", "24cb-0001"):
        assert names.text(other) == other


def test_an_event_and_its_record_have_the_same_lines(tmp_path: Path) -> None:
    grant = replace(reference.FIRST, bcast=False)  # which gives a note
    exchange = reference.exchange([grant.msk_id], [(grant, "200 OK", reference.ltkm(grant))])
    report = inspect(exchange, Context())
    redactor = Wording(names=names_of(tmp_path)).redactor(exchange, report)
    record = json.loads(json.dumps(exchange_record(report, redactor=redactor)))
    lines = text.exchange_text(report, redactor, notes=True).lines
    assert lines == text.record_text(record, notes=True).lines
    assert "(Van 1) POST" in lines[0]
    assert any("item 1 (Alpha, News, week 44)" in line for line in lines)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return a file with names for what is in the recorded trial."""
    path = tmp_path / "names.toml"
    b_tid = "1yiepgIKNZAyC2g4qpqh5A==@bsf.home1.net"
    path.write_text(
        f'[key_domains]\nb8709d = "Alpha"\n[b_tids]\n"{b_tid}" = "Van 1"\n[addresses]\n"192.0.2.10" = "Office"\n'
    )
    return str(path)


def test_redacted_output_has_no_names_of_terminals_and_addresses(file: str) -> None:
    shown, hidden = (checked("--names", file, *flags, TRIAL) for flags in ([], ["--redact"]))
    for format in REPORT_FORMATS:
        found = []
        for records in (shown, hidden):
            output = io.StringIO()
            write(format, records, output)
            found.append([name in output.getvalue() for name in ("Alpha", "Van 1", "Office")])
        assert found == [[True, True, format not in ("sarif", "junit")], [True, False, False]]


def test_the_other_commands_show_them_too(file: str, tmp_path: Path) -> None:
    def printed(*arguments: str) -> str:
        return CliRunner().invoke(commands, [*arguments, "--names", file]).output

    octets = next(ltkm["octets"] for each in checked(TRIAL)[1:] for item in each["items"] for ltkm in item["ltkms"])
    assert "value [16–18]: b8709d (Alpha)" in printed("decode", octets)
    assert json.loads(printed("decode", "--format", "jsonl", octets))["names"]["key_domains"] == {"b8709d": "Alpha"}
    assert ",Van 1,Alpha\n" in printed("export", "csv", str(TRIAL))
    assert "home1.net (Van 1), request" in printed("diff", str(TRIAL), str(TRIAL.with_name("change-request.flow")))
    assert "terminals seen:" in (missed := printed("check", "--terminal", "nobody", str(TRIAL)))
    assert "1yiepgIK..qh5A (Van 1)" in missed


@pytest.mark.parametrize("format", [name for name in REPORT_FORMATS if name != "jsonl"])
def test_a_name_cannot_act(format: str) -> None:
    run, first, *_ = [each for each in checked(TRIAL) if each.get("findings") != []]
    names: dict[str, Any] = {
        **{kind: {} for kind in ("key_groups", "msks")},
        "key_domains": {first["items"][0]["key_domain_id"]: HOSTILE},
        "b_tids": {first["terminal"]: HOSTILE},
        "addresses": {first["client"].rpartition(":")[0]: HOSTILE},
    }
    output = io.StringIO()
    write(format, [run, first | {"names": names}], output)
    assert "alert(1)" in output.getvalue()
    assert ("<script>alert(1)" in output.getvalue()) is (format in ("text", "sarif"))
    assert all(line.isprintable() for line in output.getvalue().splitlines())


def test_a_text_with_names_is_edited_like_one_without(tmp_path: Path) -> None:
    named = several(LtkmView(lambda: Configuration(wording=Wording(names=names_of(tmp_path)))))
    plain = several()
    for edit in (named, plain):
        assert ("(Alpha" in edit.text) is (edit is named)
        edit.put('"200 OK"', '"404"').put(DOMAIN.hex(), "123456").save()
    assert named.flow.response is not None
    assert plain.flow.response is not None
    assert named.flow.response.content == plain.flow.response.content


def test_names_in_the_record_of_a_redacted_exchange_are_redacted(tmp_path: Path) -> None:
    exchange = reference.reference("download")[-1]
    names = Names({(DOMAIN, b""): f"of {reference.B_TID}"}, {reference.B_TID: "Van 1"})
    record = exchange_record(inspect(exchange), redactor=Wording(Redaction(), names).redactor(exchange))
    assert record["names"]["b_tids"] == {}
    assert reference.B_TID not in json.dumps(record)
