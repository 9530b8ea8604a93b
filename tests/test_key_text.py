"""A key ring that is handed over in place of messages or traffic is named, and nothing of it is shown."""

import base64
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ltkm_inspect.cli import program
from ltkm_inspect.cli.program import commands
from ltkm_inspect.mikey import decode
from ltkm_inspect.reference import FIRST, MRK, MUK, ltkm
from ltkm_inspect.wire.key_text import IS_TYPED_KEY, is_key_ring, is_key_text, may_be_key
from tests.proxy.test_keys import leaks, ring_text

HEX, CODED = MUK.hex(), base64.b64encode(MRK).decode()
RINGS = [
    pytest.param(ring_text(), id="toml"),
    pytest.param(f"{ring_text()}\n{HEX} {MRK.hex()}", id="bare hex line"),
    pytest.param(f"# keys\n\n[[  subscribers ]]\nmuk\t =\t'{HEX}'", id="odd spacing"),
    pytest.param(f'muk = "{HEX}"', id="one line"),
    pytest.param(f"MRK : {CODED}", id="colon, without quotes"),
    pytest.param(f'muks = [\n  "{HEX}",\n  "{CODED}",\n]\n', id="array over lines"),
    pytest.param(f'muk = "{MUK.hex(" ")}"', id="spaced hex"),
    pytest.param(f'{{"subscribers":[{{"b_tid":"x","muk":"{HEX}"}}]}}', id="json"),
    pytest.param(f'[{{"b_tid": "x", "mrk": "{CODED}"}}]', id="json array"),
    pytest.param(f"b_tid,muk,mrk\nx,{HEX},{CODED}\n", id="csv"),
    pytest.param(f'"b_tid";"muk"\r\n"x";"{HEX}"\r\n', id="csv of a spreadsheet"),
    pytest.param(f'ck = "{MUK[:16].hex()}"\nik = "{MUK[16:].hex()}"\n', id="bootstrapping run"),
    pytest.param(f'k_ausf = "{HEX}"\nsupi = "234150999999999"\n', id="akma"),
]
NO_RINGS = [
    pytest.param(ltkm(FIRST).encode(), id="message"),
    pytest.param(base64.b64encode(ltkm(FIRST).encode()), id="base64"),
    pytest.param(ltkm(FIRST).encode().hex().encode(), id="hex"),
    pytest.param(b"<mbmsMSKResponse><MSK><MSKID>aMkAAA==</MSKID></MSK></mbmsMSKResponse>", id="document"),
    pytest.param(b'[{"key_domain_id": "b8709d", "msk_id": "68c90000", "key": null}]', id="export"),
    pytest.param(b"0000  01 00 15 00 00 00 00 04 00 01 15 03 00 0b 00 03  ................", id="dump"),
    pytest.param(b"a=key-mgmt:mikey AQAVAAAAAAQAARUDAAsAA7hwnQEEJMtEBwUFAAIB", id="sdp"),
]


def run(*words: str, octets: bytes | None = None) -> Result:
    done = CliRunner().invoke(commands, words, input=octets)
    assert not isinstance(done.exception, Exception), done.output
    return done


@pytest.mark.parametrize("text", RINGS)
def test_no_command_shows_anything_of_a_key_ring(text: str, tmp_path: Path) -> None:
    ring, flow = tmp_path / "x", "flows/mbs.flow"
    for octets in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        assert is_key_ring(octets)
        ring.write_bytes(octets)
        path, out = str(ring), str(tmp_path / "out")
        calls = [
            ["decode", path],
            ["check", path],
            ["export", "csv", path],
            ["diff", path, flow],
            ["fault", "flip-mac", path, out],
            ["fault", f"inject-ltkm:file={path}", flow, out],
            ["fault", f"inject-ltkm:synthetic={path}", flow, out],
            ["report", path],
        ]
        done = [run(*call) for call in calls]
        done += [run("decode", "-", octets=octets), run("check", "-", octets=octets), run("report", "-", octets=octets)]
        for each in done:
            assert each.exit_code
            assert leaks(each.output, [MUK, MRK, MUK[:16], MUK[16:]]) == []
        assert [line for line in done[0].output.splitlines() if "key ring" in line] == done[0].output.splitlines()


@pytest.mark.parametrize("text", RINGS)
def test_no_part_of_a_key_ring_is_shown_where_an_argument_was_meant(text: str) -> None:
    for line in (text, *text.splitlines()):
        for words in (["decode", line], ["check", line], ["fault", f"inject-ltkm:base64={line}", "a", "b"]):
            if line.strip() and "\n" not in line:
                assert leaks(run(*words).output, [MUK, MRK, MUK[:16], MUK[16:]]) == []


@pytest.mark.parametrize("key", [HEX, CODED, MUK[:16].hex(), base64.urlsafe_b64encode(MUK[:16]).decode(), f"hex:{HEX}"])
def test_a_key_alone_is_not_shown(key: str, tmp_path: Path) -> None:
    assert is_key_text(key)
    (tmp_path / "x").write_text(f"{key}\n{key}\n")
    for words in (["decode", key], ["decode", "--input", "hex", key], ["decode", str(tmp_path / "x")]):
        done = run(*words)
        assert done.exit_code == 3
        assert key not in done.output
        assert leaks(done.output, [MUK, MRK, MUK[:16]]) == []


@pytest.mark.parametrize("octets", NO_RINGS)
def test_messages_and_traffic_are_no_key_rings(octets: bytes) -> None:
    assert not is_key_ring(octets)


def test_a_message_is_no_key_whatever_its_length() -> None:
    assert [size for size in range(1, 100) if may_be_key(b"\x02" * size)] == [16, 20, 24, 32, 48, 64]
    assert not any(may_be_key(b"\x01" * size) for size in range(100))


def test_what_cannot_be_told_early_is_told_from_a_stream_line_by_line() -> None:
    message = base64.b64encode(ltkm(FIRST).encode())
    done = run("decode", "-", octets=message + b"\n" + ring_text().encode())
    assert done.exit_code == 5
    assert f"{decode(ltkm(FIRST).encode()).length} octets" in done.output
    assert leaks(done.output, [MUK, MRK]) == []


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        ("rules",),
        ("keys",),
        ("export",),
        ("check", "flows/trial.flow", "--select"),
        ("check", "x", "--keys"),
    ],
)
@pytest.mark.parametrize("typed", [HEX, CODED, f'muk = "{HEX}"', f"{HEX}\n{CODED}", f"b_tid,muk\nx,{HEX}\n"])
def test_a_key_that_was_typed_for_something_else_is_not_repeated(
    words: tuple[str, ...], typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ltkm-inspect", *words, typed])
    with pytest.raises(SystemExit) as ended:
        program.run()
    said = capsys.readouterr().err
    assert ended.value.code in (1, 2)
    assert leaks(said, [MUK, MRK]) == []
    if typed == HEX:
        assert said.endswith(f"Error: {IS_TYPED_KEY}\n") or "(what may be a key): " in said


def test_a_wrong_word_that_is_no_key_is_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ltkm-inspect", "explain", "muk-of-nobody"])
    with pytest.raises(SystemExit):
        program.run()
    assert "muk-of-nobody" in capsys.readouterr().err
