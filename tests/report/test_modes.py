"""Who can read the files that are written: those with keys in them only their owner, others whom the umask lets."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.output.atomic_file import AtomicFile, AtomicFolder
from tests.proxy.parts import clean
from tests.proxy.test_keys import not_encrypted, ring_text
from tests.samples.generate import written


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ring").write_text(ring_text())
    (tmp_path / "ring").chmod(0o600)
    (tmp_path / "in.flow").write_bytes(written([flow_of(clean())]))
    (tmp_path / "clear.flow").write_bytes(written([flow_of(clean()), flow_of(replace(not_encrypted(), id=""))]))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(folder: Path, call: str) -> None:
    words = [word.replace("@", f"{folder}/") for word in call.split()]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code in (0, 3), done.output
    assert [*folder.glob(".*")] == []


@pytest.mark.parametrize("before", [None, 0o664, 0o640])
@pytest.mark.parametrize(
    ("call", "names", "private"),
    [
        ("check --keys @ring --report jsonl=@out @in.flow", "out", False),
        ("check --keys @ring --show-keys --report jsonl=@out --report text=@two @in.flow", "out two", True),
        ("check --keys @ring --show-keys --report html=@out @in.flow", "out", True),
        ("check --keys @ring --report html=@out --report junit=@two @in.flow", "out two", False),
        ("export base64 @in.flow -o @out", "out out.csv", False),
        ("export base64 @clear.flow -o @out", "out out.csv", True),
        ("export pcap @clear.flow -o @out", "out", True),
        ("export csv @clear.flow -o @out", "out", False),
        ("export csv --keys @ring --show-keys @in.flow -o @out", "out", True),
        ("fault strip-ltkm @in.flow @out", "out", False),
        ("fault --keys @ring flip-mac @in.flow @out", "out", True),
    ],
)
def test_a_file_with_keys_is_for_its_owner_only(
    call: str, names: str, private: bool, before: int | None, folder: Path
) -> None:
    for name in names.split() if before is not None else ():
        (folder / name).touch()
        (folder / name).chmod(before or 0)
    run(folder, call)
    assert {mode(folder / name) for name in names.split()} == {0o600 if private else before or 0o644}


def test_records_with_keys_are_rendered_for_their_owner_only(folder: Path) -> None:
    for flags, wanted in (("--show-keys ", 0o600), ("", 0o644)):
        run(folder, f"check --keys @ring {flags}--report jsonl=@run @in.flow")
        run(folder, "report --report text=@out @run")
        assert mode(folder / "out") == wanted
        (folder / "out").unlink()
        (folder / "run").unlink()


def test_a_folder_with_keys_is_for_its_owner_only(folder: Path) -> None:
    run(folder, "export xml @clear.flow -o @out")
    assert {mode(folder / "out"), *map(mode, (folder / "out").iterdir())} == {0o700, 0o600}
    run(folder, "export xml @in.flow -o @two")
    assert {mode(folder / "two"), *map(mode, (folder / "two").iterdir())} == {0o755, 0o644}


@pytest.mark.parametrize("private", [False, True])
def test_a_part_has_the_mode_of_its_file_and_is_gone_after_an_error(private: bool, tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o660)

    def interrupted(whole: AtomicFile | AtomicFolder, wanted: int) -> None:
        with whole:
            (part,) = tmp_path.glob(".*.part")
            assert mode(part) == wanted
            if isinstance(whole, AtomicFolder):
                whole.write("a", b"x")
            raise KeyboardInterrupt

    for name, wanted in (("old", 0o660), ("new", 0o644)):
        with pytest.raises(KeyboardInterrupt):
            interrupted(AtomicFile(tmp_path / name, private=private), 0o600 if private else wanted)
    with pytest.raises(KeyboardInterrupt):
        interrupted(AtomicFolder(tmp_path / "folder", private=private), 0o700 if private else 0o755)
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert mode(tmp_path / "old") == 0o660
