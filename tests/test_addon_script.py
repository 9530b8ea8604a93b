"""The script for `mitmdump -s`: where it finds the package, and what it says when something is missing."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mitmproxy import hooks

SCRIPT = Path(__file__).resolve().parent.parent / "addons" / "ltkm.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a copy of the script where a checkout has it, and nothing else."""
    (tmp_path / "checkout" / "addons").mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "checkout" / "addons")
    return tmp_path / "checkout"


def give_package(folder: Path, addon: str) -> None:
    """Put a package into a folder whose `proxy.addon` holds these lines."""
    room = folder / "ltkm_inspect" / "proxy"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").touch()
    (room / "__init__.py").touch()
    (room / "addon.py").write_text(addon)


def run_script(checkout: Path, installed: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script in a Python without any installed package; print its names as JSON."""
    code = "import json, runpy, sys; got = runpy.run_path(sys.argv[1]); print(json.dumps([got['addons'], [*got]]))"
    return subprocess.run(
        [sys.executable, "-S", "-c", code, str(checkout / "addons" / "ltkm.py")],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(installed or ""), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def test_a_bare_checkout_is_enough(checkout: Path) -> None:
    give_package(checkout, "addons = ['checkout']\n")
    assert json.loads(run_script(checkout).stdout)[0] == ["checkout"]


def test_an_installed_package_comes_before_the_checkout(checkout: Path, tmp_path: Path) -> None:
    give_package(checkout, "addons = ['checkout']\n")
    give_package(tmp_path / "installed", "addons = ['installed']\n")
    assert json.loads(run_script(checkout, tmp_path / "installed").stdout)[0] == ["installed"]


@pytest.mark.parametrize(
    ("addon", "missing"),
    [
        pytest.param("import lxml.etree\n", "lxml", id="dependency"),
        pytest.param("import some_package\n", "some-package", id="underscore"),
        pytest.param(None, "ltkm-inspect", id="script-alone"),
    ],
)
def test_one_line_names_the_missing_package(checkout: Path, addon: str | None, missing: str) -> None:
    if addon is not None:
        give_package(checkout, addon)
    run = run_script(checkout)
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"ltkm.py: the Python package {missing} is missing from the environment of mitmproxy")
    assert f"{sys.executable} -m pip install {missing} " in line


@pytest.mark.parametrize("addon", ["import ltkm_inspect.gone\n", "raise ModuleNotFoundError('no name')\n"])
def test_a_mistake_of_ours_is_not_taken_for_a_missing_package(checkout: Path, addon: str) -> None:
    give_package(checkout, addon)
    run = run_script(checkout)
    assert run.returncode == 1
    assert "Traceback" in run.stderr
    assert "pip install" not in run.stderr


def test_no_name_in_the_script_is_taken_for_a_hook(checkout: Path) -> None:
    importlib.import_module("mitmproxy.tools.dump")  # with it come all protocols, and each registers its hooks
    give_package(checkout, "addons = []\n")
    names = json.loads(run_script(checkout).stdout)[1]
    assert "addons" in names
    assert {"load", "configure", "response", "error"} <= hooks.all_hooks.keys()
    assert hooks.all_hooks.keys().isdisjoint(names)
