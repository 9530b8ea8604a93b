"""What `check` takes as input: compressed files, standard input, pipes, folders and patterns."""

import gzip
import json
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner
from mitmproxy.addons.savehar import SaveHar

from ltkm_inspect.cli.program import commands
from ltkm_inspect.mitm.flows import flow_of
from tests.command import imported, run
from tests.test_cli import BROKEN, CLEAN, lines, save

PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda octets: octets,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "gzip-members": lambda octets: gzip.compress(octets[:1000]) + gzip.compress(octets[1000:]),
    "zstd": zstandard.compress,
    "zstd-frames": lambda octets: zstandard.compress(octets[:1000]) + zstandard.compress(octets[1000:]),
}


def har(path: Path) -> Path:
    path.write_text(json.dumps(SaveHar().make_har([flow_of(CLEAN), flow_of(BROKEN)])))
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return save(tmp_path / "broken.flow", [CLEAN, BROKEN], foreign=3)


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("kind", ["flow", "har"])
def test_a_compressed_file_is_known_by_its_octets_and_gives_the_same(tmp_path: Path, pack: str, kind: str) -> None:
    plain = save(tmp_path / "in", [CLEAN, BROKEN], foreign=3) if kind == "flow" else har(tmp_path / "in")
    wanted = run("check", plain)
    packed = tmp_path / "packed"
    packed.write_bytes(PACK[pack](plain.read_bytes()))
    for done in (run("check", packed), run("check", "-", given=packed.read_bytes())):
        assert done.stderr == b""
        assert (done.stdout, done.returncode) == (wanted.stdout, 3)


def test_a_pipe_is_read_as_it_comes(broken: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(broken.read_bytes()), daemon=True)
    writer.start()
    done = run("check", pipe)
    writer.join(10)
    assert (done.stdout, done.returncode) == (run("check", broken).stdout, 3)


@pytest.mark.parametrize(
    ("pack", "reason"),
    [(pack, f"the {pack} data ends too early") for pack in ("gzip", "zstd", "zlib")],
)
def test_a_cut_compressed_file_gives_what_stands_before_the_cut_and_5(tmp_path: Path, pack: str, reason: str) -> None:
    octets = save(tmp_path / "in", [CLEAN] + [BROKEN] * 100).read_bytes()
    packed = tmp_path / "packed"
    packed.write_bytes(PACK[pack](octets + os.urandom(300_000))[:-1000])
    done = run("check", packed)
    assert len([line for line in lines(done.stdout) if line.endswith(": violation")]) == 100
    (line,) = lines(done.stderr)
    assert line.startswith(f"ltkm-inspect: {packed}: ")
    assert done.returncode == 5
    packed.write_bytes(PACK[pack](octets)[:-10])
    assert reason in lines(run("check", packed).stderr)[0]


def test_damage_within_compressed_data_is_named_with_its_offset(tmp_path: Path) -> None:
    octets = save(tmp_path / "in", [CLEAN]).read_bytes()
    packed = bytearray(gzip.compress(octets) + gzip.compress(octets))
    packed[-8] ^= 1
    (tmp_path / "packed").write_bytes(packed)
    (line,) = lines(run("check", tmp_path / "packed").stderr)
    assert "the gzip data is damaged: incorrect data check" in line
    assert line.endswith(f"(after 2 flows, at octet {2 * len(octets)})")


def test_a_folder_gives_the_captures_in_it_by_name_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    (folder / "b").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    named = [
        save(folder / "a.flow", [CLEAN]),
        har(folder / "b" / "c.har"),
        save(folder / "b" / "d", [BROKEN]),
        folder / "e.flow.gz",
    ]
    named[3].write_bytes(gzip.compress(named[0].read_bytes()))
    save(folder / ".hidden" / "x.flow", [BROKEN])
    (folder / "notes.txt").write_text("1 terminal\n")
    (folder / "settings.json").write_text('{"a": 1}')
    (folder / "empty").touch()
    done = run("check", folder)
    assert done.stderr == b""
    assert [line[:-1] for line in lines(done.stdout) if line.startswith(str(folder))] == [str(path) for path in named]
    assert done.stdout == run("check", *named).stdout


def test_a_pattern_that_the_shell_left_gives_what_it_matches_by_name(tmp_path: Path) -> None:
    named = [save(tmp_path / f"{name}.flow", [CLEAN]) for name in ("b", "a")]
    done = run("check", tmp_path / "*.flow")
    assert done.stdout == run("check", *sorted(named)).stdout
    none = run("check", tmp_path / "*.har")
    assert lines(none.stderr) == [f"ltkm-inspect: {tmp_path}/*.har: no file matches; check the folder and the pattern"]
    assert none.returncode == 1


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    done = run("check", save(tmp_path / "trial[1].flow", [CLEAN]))
    assert done.returncode == 0


def test_a_file_of_current_flows_is_checked_without_mitmproxy_and_fsspec(broken: Path) -> None:
    modules = imported("check", "--fail-on", "never", str(broken))
    assert not {name for name in modules if name.startswith(("mitmproxy", "fsspec"))}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check", "{}"], id="check"),
        pytest.param(["report", "{}"], id="report"),
        pytest.param(["export", "json", "{}"], id="export"),
        pytest.param(["diff", "{}", "{}"], id="diff"),
        pytest.param(["fault", "strip-ltkm", "{}", "{}.out"], id="fault"),
    ],
)
def test_a_file_that_may_not_be_read_is_an_input_that_is_lost_and_no_wrong_usage(
    arguments: list[str], broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> bool:
        return False  # of root nothing is kept, so the answer is given here

    monkeypatch.setattr(os, "access", denied)
    done = CliRunner().invoke(commands, [argument.format(broken) for argument in arguments])
    assert "not readable" not in done.output
    assert done.exit_code != 2


def test_a_missing_file_is_compared_with_files_that_the_command_reads_also_one_folder_down(
    broken: Path, tmp_path: Path
) -> None:
    (tmp_path / "trial.html").write_text("<!DOCTYPE html>")
    (tmp_path / "trial.keys.toml").write_text("[[subscribers]]\n")
    missing = tmp_path / "trial.flow"
    assert run("check", missing).stderr.decode() == f"ltkm-inspect: {missing}: No such file or directory\n"
    (tmp_path / "flows").mkdir()
    below = broken.rename(tmp_path / "flows" / "trial.flow")
    for words in ("check", "export json", "fault --also strip-ltkm strip-ltkm"):
        out = [tmp_path / "out"] if words.startswith("fault") else []
        assert f"did you mean {below}?" in run(*words.split(), missing, *out).stderr.decode()
    assert "did you mean" not in run("report", tmp_path / "trial.jsonl").stderr.decode()
    assert "did you mean" not in run("decode", tmp_path / "trial.b64").stderr.decode()
    ring = run("check", "--keys", tmp_path / "trial.toml", below).stderr.decode()
    assert "did you mean" not in ring or "trial.keys.toml" in ring


def test_names_of_terminals_come_from_the_key_ring(broken: Path) -> None:
    said = run("check", "--terminal", "Alder", broken).stderr.decode()
    assert said.endswith("; names of terminals come from the key ring: add --keys\n")
    assert "add --keys" not in run("check", "--terminal", "192.0.2.99", broken).stderr.decode()
