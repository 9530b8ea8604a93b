"""The script for `mitmdump -s`: where it finds the package, and what it says when something is missing."""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
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


DEPENDENCIES = tomllib.loads((SCRIPT.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
PACKAGES = sorted({re.match(r"[\w-]+", each)[0] for each in DEPENDENCIES} - {"mitmproxy"})  # type: ignore[index]


def test_one_line_names_all_missing_packages(checkout: Path) -> None:
    give_package(checkout, "import lxml.etree\n")
    run = run_script(checkout)
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith(
        f"ltkm.py: the Python packages {', '.join(PACKAGES)} are missing from the environment of mitmp"
    )
    assert f"{sys.executable} -m pip install {' '.join(PACKAGES)} " in line


@pytest.mark.parametrize("name", ["lxml", "some_package"])
def test_one_line_names_a_single_missing_package(checkout: Path, tmp_path: Path, name: str) -> None:
    give_package(checkout, f"import {name}\n")
    for present in {*PACKAGES} - {name}:
        (tmp_path / "installed" / present).mkdir(parents=True)
    run = run_script(checkout, tmp_path / "installed")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    package = name.replace("_", "-")
    assert line.startswith(f"ltkm.py: the Python package {package} is missing from the environment of mitmproxy")
    assert f"{sys.executable} -m pip install {package} " in line


def test_one_line_says_how_to_install_the_package_where_the_script_is_alone(checkout: Path) -> None:
    run = run_script(checkout)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("ltkm.py: the package ltkm_inspect is missing")
    assert f"{sys.executable} -m pip install . " in line


def test_an_old_python_is_named_in_one_line(checkout: Path) -> None:
    give_package(checkout, "def not_for_old[T](x: T) -> T: ...\n")
    code = "import runpy, sys; sys.version_info, sys.version = (3, 9, 2), '3.9.2 (main)'; runpy.run_path(sys.argv[1])"
    script = checkout / "addons" / "ltkm.py"
    run = subprocess.run([sys.executable, "-c", code, str(script)], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("ltkm.py: expected Python 3.12 or newer, got 3.9.2 (")


@pytest.mark.parametrize("version", ["8.1.0", "12.1.2", "12.0"])
def test_an_old_mitmproxy_is_named_in_one_line(checkout: Path, tmp_path: Path, version: str) -> None:
    give_package(checkout, "from mitmproxy import contentviews; contentviews.InteractiveContentview\n")
    (tmp_path / "old" / "mitmproxy").mkdir(parents=True)
    (tmp_path / "old" / "mitmproxy" / "version.py").write_text(f"VERSION = '{version}'\n")
    run = run_script(checkout, tmp_path / "old")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"ltkm.py: expected mitmproxy 12.2 or newer, got {version} (")
    assert f"{sys.executable} -m pip install --upgrade mitmproxy" in line


def test_an_old_python_can_read_the_script() -> None:
    ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 9))


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
