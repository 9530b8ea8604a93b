"""A short run of the fuzzer, the same on every machine, and what it does with what goes wrong."""

import math
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import _loop
from tests.fuzz.__main__ import TARGETS, main
from tests.fuzz._inputs import grown
from tests.fuzz._loop import Crash, growth, input_of, run
from tests.fuzz._target import Target, require

ROUNDS = 3
"""So many inputs for the slowest targets, many times as many for the quick ones: about ten seconds in all."""
SEED = "make test"


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_law(name: str) -> None:
    crashes: list[Crash] = []
    tallies = run([TARGETS[name]], SEED, rounds=ROUNDS, told=crashes.append)
    assert tallies[name].inputs == ROUNDS * TARGETS[name].weight
    assert not crashes, "\n".join(f"{crash.error}: {crash.octets[:200]!r}" for crash in crashes)


@pytest.mark.parametrize("name", TARGETS)
def test_an_input_is_the_same_each_time_and_others_are_others(name: str) -> None:
    target = TARGETS[name]
    first = len(target.samples())
    assert input_of(target, "a", first) == input_of(target, "a", first)
    assert len({input_of(target, seed, first + number) for seed in "ab" for number in range(5)}) > 5


def _raises(octets: bytes) -> None:
    require(b"!" not in octets, f"no exclamation mark in {len(octets)} octets")


def _hangs(octets: bytes) -> None:
    while octets:
        pass


def test_what_breaks_a_law_or_hangs_is_kept_once_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loop, "LONGEST", 0.01)
    samples = [b"a", b"!", b"!!", b"b"]
    crashes: list[Crash] = []
    tallies = run([Target("raises", lambda: samples, _raises, weight=4)], "1", rounds=1, told=crashes.append)
    assert [crash.octets for crash in crashes] == [b"!"]
    assert tallies["raises"].crashes.popitem()[1].again == 1
    run([Target("hangs", lambda: [b"", b"a"], _hangs, weight=2)], "1", rounds=1, told=crashes.append)
    assert crashes[-1].octets == b"a"
    assert crashes[-1].error.startswith("Hang: ")


def test_a_kept_input_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "raises", Target("raises", lambda: [b"!"], _raises))
    results = ["--json", str(tmp_path / "fuzz.json"), "--crashes", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["fuzz", "raises", "--rounds", "1", *results])
    assert main() == 1
    (kept,) = tmp_path.glob("raises-*[!.txt]")
    monkeypatch.setattr("sys.argv", ["fuzz", "raises", "--input", str(kept)])
    assert main() == 1
    kept.write_bytes(b"a")
    assert main() == 0


def test_growth_is_told_from_nothing() -> None:
    less, more = grown(Random(1), b"abc", 100)
    assert len(more) > 3 * len(less)
    assert math.isnan(growth(Target("quick", lambda: [b"abc"], len), less, more))  # type: ignore[arg-type]
