"""The search for a Python: candidates are executed, and what is named outright is taken at its word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FINDER = Path(__file__).resolve().parents[2] / ".ci" / "find-python"
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
REAL = os.path.realpath(sys.executable)
SHIM = "#!/bin/sh\necho 'pyenv: python: command not found' >&2\nexit 127\n"
TOO_OLD = "#!/bin/sh\nprintf 3.11.7\nexit 2\n"
WITHOUT_VENV = "#!/bin/sh\nexit 3\n"
FITS = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'


def program(path: Path, text: str) -> Path:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def find(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the finder with only our own candidates and the tools of the system on PATH."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for tool in ("sed", "cat"):
        if not (tools / tool).exists():
            (tools / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}")
    path = f"{tmp_path / 'bin'}:{tools}"
    return subprocess.run(
        ["/bin/sh", str(FINDER), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": path, "HOME": str(tmp_path), **environment},
        check=False,
    )


@pytest.mark.parametrize("unfit", [SHIM, TOO_OLD, WITHOUT_VENV], ids=["shim", "too-old", "without-venv"])
def test_a_candidate_that_does_not_fit_is_passed_over(tmp_path: Path, unfit: str) -> None:
    for name in ("python3.14", "python3.13", "python3.12", "python3"):
        program(tmp_path / "bin" / name, unfit)
    program(tmp_path / "bin" / "python", FITS)
    run = find(tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{REAL}\n", "")


@pytest.mark.parametrize(
    ("folder", "variable"), [(".pyenv", None), ("elsewhere", "PYENV_ROOT")], ids=["home", "PYENV_ROOT"]
)
def test_versions_of_pyenv_are_found_behind_failing_shims(tmp_path: Path, folder: str, variable: str | None) -> None:
    program(tmp_path / "bin" / f"python{HERE}", SHIM)
    program(tmp_path / folder / "versions" / f"{HERE}.1" / "bin" / "python", FITS)
    run = find(tmp_path, HERE, **({variable: str(tmp_path / folder)} if variable else {}))
    assert (run.returncode, run.stdout) == (0, f"{REAL}\n")


def test_uv_is_asked_last(tmp_path: Path) -> None:
    real = program(tmp_path / "far" / "python", FITS)
    program(tmp_path / "bin" / "uv", f'#!/bin/sh\ncase "$1" in --version) ;; python) echo "{real}" ;; esac\n')
    program(tmp_path / "bin" / f"python{HERE}", SHIM)
    assert find(tmp_path, HERE).stdout == f"{REAL}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(TOO_OLD, "is Python 3.11.7; needed: 3.12 or newer", id="too-old"),
        pytest.param(WITHOUT_VENV, "lacks venv or ensurepip", id="without-venv"),
        pytest.param(SHIM, "does not run: pyenv: python: command not found", id="shim"),
    ],
)
def test_a_named_python_that_does_not_fit_is_not_replaced_in_silence(tmp_path: Path, text: str, message: str) -> None:
    program(tmp_path / "bin" / "python3", FITS)
    named = program(tmp_path / "named", text)
    run = find(tmp_path, PYTHON=str(named))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"PYTHON={named} {message}")


def test_a_named_python_is_taken_before_all_others(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.13", "#!/bin/sh\necho wrong\n")
    named = program(tmp_path / "named", FITS)
    assert find(tmp_path, PYTHON=str(named)).stdout == f"{REAL}\n"


def test_where_none_fits_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3", TOO_OLD)
    run = find(tmp_path, "3.99")  # a version that stands nowhere, also not in the usual places outside PATH
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("no Python 3.99 found")
    for way in ("apt-get install", "pyenv install", "uv python install", "https://www.python.org/downloads/"):
        assert way in run.stderr
