"""What `make bench` runs: every module is found, and says of a figure whether it is what it should be."""

import math
import subprocess
import sys
from importlib import import_module

import pytest

from tests.bench import _figures
from tests.bench.__main__ import FOLDER, names
from tests.conftest import ROOT


@pytest.mark.parametrize("name", names())
def test_every_benchmark_returns_figures_and_says_what_it_measures(name: str) -> None:
    module = import_module(f"tests.bench.bench_{name}")
    assert callable(module.figures)
    assert module.__doc__


def test_what_is_no_benchmark_is_a_helper() -> None:
    others = {path.stem for path in FOLDER.glob("*.py")} - {f"bench_{name}" for name in names()}
    assert all(name.startswith("_") for name in others)


def test_a_figure_is_met_or_missed_or_could_not_be_measured() -> None:
    figures = {"a": 1.0, "b": 2.0, "c": math.nan, "d": 5000.0}
    at_least, at_most = {"a": 1.5, "c": 1.0}, {"b": 2.0}
    assert _figures.missed(figures, at_least, at_most) == ["a"]
    first, second, third, fourth = _figures.lines(figures, at_least, at_most)
    assert first.split() == ["a", "1.00", "at", "least", "1.5:", "missed"]
    assert second.split() == ["b", "2.00", "at", "most", "2:", "met"]
    assert third.split() == ["c", "-", "at", "least", "1:", "unknown"]
    assert fourth.split() == ["d", "5,000"]


def test_an_unknown_benchmark_is_a_usage_error_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "nonsense"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("got nonsense")
    assert not done.stdout
