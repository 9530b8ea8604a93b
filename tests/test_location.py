"""The path of the addon script, in a checkout and in an installed wheel."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ltkm_inspect.cli.catalogue
from ltkm_inspect.report import html

ROOT = Path(__file__).resolve().parent.parent


def place_from(site: Path) -> str:
    """What `addon_script` prints in a Python that finds the package here first."""
    code = "from ltkm_inspect.cli.catalogue import addon_script; print(addon_script())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    return run.stdout.rstrip("\n") if run.returncode == 0 else run.stderr.splitlines()[-1]


def test_a_checkout_has_the_script_beside_the_package() -> None:
    assert ltkm_inspect.cli.catalogue.addon_script() == ROOT / "addons" / "ltkm.py"


def test_a_package_without_the_script_says_where_it_was_expected(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ltkm_inspect", tmp_path / "ltkm_inspect")
    message = place_from(tmp_path)
    assert message.startswith("FileNotFoundError: expected the addon script at ")
    assert str(tmp_path / "ltkm_inspect" / "addon_script" / "ltkm.py") in message


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (archive,) = folder.glob("*.whl")
    shutil.unpack_archive(archive, folder / "site", format="zip")
    return folder / "site"


def test_the_wheel_carries_the_script_alone_in_its_folder(wheel: Path) -> None:
    folder = wheel / "ltkm_inspect" / "addon_script"
    assert [file.name for file in folder.iterdir()] == ["ltkm.py"]
    assert (folder / "ltkm.py").read_bytes() == (ROOT / "addons" / "ltkm.py").read_bytes()
    assert place_from(wheel) == str(folder / "ltkm.py")


def test_the_wheel_puts_nothing_beside_the_package(wheel: Path) -> None:
    version = ltkm_inspect.__version__
    assert {entry.name for entry in wheel.iterdir()} == {"ltkm_inspect", f"ltkm_inspect-{version}.dist-info"}


def test_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    assert (wheel / "ltkm_inspect" / "py.typed").is_file()


def test_the_wheel_carries_what_the_html_page_is_made_of(wheel: Path) -> None:
    templates = Path("ltkm_inspect") / "report" / "templates"
    names = {entry.name for entry in (ROOT / templates).iterdir()}
    assert {"page.html", "exchange.html", "page.css", *html.SCRIPTS} == names
    assert {entry.name for entry in (wheel / templates).iterdir()} == names
