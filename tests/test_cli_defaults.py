"""Defaults from a file: which file, what it may hold, and what is said of a mistake in it."""

import os
from pathlib import Path

import pytest

from ltkm_inspect.cli import start
from tests.command import run_text
from tests.report.runs import TRIAL

KEYS = TRIAL.with_suffix(".keys.toml")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file for defaults, beside a key ring."""
    (tmp_path / "ring.toml").write_bytes(KEYS.read_bytes())
    (tmp_path / "ring.toml").chmod(0o600)
    return tmp_path / "ltkm-inspect.toml"


def test_options_have_the_defaults_of_the_file_and_its_keys_are_beside_it(config: Path) -> None:
    config.write_text(
        'fail-on = "never"\nkeys = "ring.toml"\nselect = ["key-unproven", "mac-invalid"]\nformat = "jsonl"\n'
    )
    done = run_text("check", "--config", config, TRIAL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('{"schema":"ltkm-inspect/run/')
    assert '"verdict":"valid"' in done.stdout
    typed = run_text("check", "--config", config, "--format", "text", "--fail-on", "violation", TRIAL)
    assert typed.stdout.startswith("#4 ")


def test_the_nearest_file_is_taken_and_isolated_takes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "below" / "further"
    below.mkdir(parents=True)
    (tmp_path / "ltkm-inspect.toml").write_text('limit = "above"\n')
    (tmp_path / "below" / "pyproject.toml").write_text('[tool.other]\nname = "ltkm-inspect"\n')
    monkeypatch.chdir(below)
    monkeypatch.setattr("tests.command.ROOT", below)
    assert "/ltkm-inspect.toml: limit: expected" in run_text("check", TRIAL).stderr
    (tmp_path / "below" / "pyproject.toml").write_text('[tool.ltkm-inspect]\nlimit = "nearest"\n')
    assert "/below/pyproject.toml: limit: expected" in run_text("check", TRIAL).stderr
    assert run_text("check", "--isolated", TRIAL).returncode == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keyz = 1", "keyz: unknown option; did you mean keys?"),
        ("fail_on = 'never'", "fail_on: unknown option; did you mean fail-on?"),
        ("fail-on = 'nevr'", "fail-on: expected never, warning or violation, got nevr; did you mean never?"),
        ("strict = 'yes'", "strict: expected true or false without quotes"),
        ("jobs = true", 'jobs: expected a text ("…") or a number'),
        ("jobs = 'many'", "The value comes from "),
        ("keys = 'none.toml'", "keys: "),
        ("format = 'pdf'", "The value comes from "),
        ("[check]", "check: unknown option; there are no tables per command: write the options at the top"),
        ("what", "expected TOML, got other text at "),
        ("help = true", "help: unknown option"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_file_and_key(text: str, said: str, config: Path) -> None:
    config.write_text(text)
    done = run_text("check", "--config", config, TRIAL)
    assert done.returncode in (1, 2)
    *_, line = done.stderr.splitlines()
    assert str(config) in line
    assert said in line
    assert run_text("rules", "ltkm-missing").returncode == 0


def test_a_number_may_be_in_quotes(config: Path) -> None:
    for text in ('jobs = "2"\nclock-skew = "60"', "jobs = 2\nclock-skew = 60"):
        config.write_text(text)
        assert run_text("check", "--config", config, TRIAL).returncode == 3


def test_a_command_of_our_own_is_no_argument_for_mitmproxy() -> None:
    done = run_text("dump", "check", "t.flow")
    assert done.returncode == 2
    said = "Error: check is a command of ltkm-inspect, not of mitmdump: type ltkm-inspect check t.flow"
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("dump", []),
        ("proxy", ["--set", "ltkm_bindings=true"]),
        ("web", [word for column in start.WEB_COLUMNS for word in ("--set", f"web_columns={column}")]),
    ],
)
def test_the_programs_of_mitmproxy_start_with_the_addon_and_what_is_typed(
    command: str, more: list[str], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: started.append([str(path), *words]))
    config.write_text('strict = true\nfault = "strip-ltkm"\nkeys = "ring.toml"\nselect = ["item", "ltkm"]\n')
    typed = ["-nr", "flows/trial.flow", "--set", "ltkm_fault=flip-mac", "-h", "--isolated"]
    run_text(command, "--config", config, *typed)
    done = run_text(command, "-nr", "flows/trail.flow")
    assert done.stderr == "ltkm-inspect: flows/trail.flow: No such file or directory; did you mean flows/trial.flow?\n"
    assert done.returncode == 1
    ((path, first, flag, script, *words),) = started
    assert path == first
    assert Path(path).is_file()
    assert (flag, Path(script).name) == ("-s", "ltkm.py")
    own = ["ltkm_strict=true", f"ltkm_keys={config.parent / 'ring.toml'}", "ltkm_select=item", "ltkm_select=ltkm"]
    assert words == [*more, *(word for each in own for word in ("--set", each)), *typed]
