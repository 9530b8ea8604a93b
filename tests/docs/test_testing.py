"""The page about test suites: its jobs are YAML, and what they type can be typed."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from ltkm_inspect.cli.program import commands
from ltkm_inspect.pytest import LtkmProxy, pytest_addoption
from tests.generated import ROOT

PAGE = (ROOT / "docs/testing.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def commands_in(value: Any) -> Iterator[str]:
    """Yield what a job runs."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("run", "script", "before_script", "after_script"):
                yield from [inner] if isinstance(inner, str) else inner
            else:
                yield from commands_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from commands_in(inner)


def test_the_jobs_are_yaml_and_their_commands_can_be_typed() -> None:
    found = [YAML(typ="safe").load(block) for block in blocks("yaml")]
    assert [*map(list, found)] == [["name", "on", "permissions", "jobs"], ["ltkms"], ["captures"]]
    typed = [command for job in found for command in commands_in(job)]
    assert len(typed) == 8
    checks = [
        shlex.split(command.rpartition("ltkm-inspect check ")[2]) for command in typed if "ltkm-inspect" in command
    ]
    assert len(checks) == 3
    for words in checks:
        commands.commands["check"].make_context("check", [*words])
    assert any("--report build/ltkm.sarif" in command for command in typed)
    (scan,) = [step for step in found[0]["jobs"]["ltkms"]["steps"] if "upload-sarif" in step.get("uses", "")]
    assert scan["with"]["sarif_file"] == "build/ltkm.sarif"
    assert found[1]["ltkms"]["artifacts"]["reports"]["junit"] == ["build/tests.xml", "build/ltkm.xml"]


def test_the_page_names_every_option_of_the_plugin_and_no_other() -> None:
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    options = {name for group in parser._groups for each in group.options for name in each.names()}
    assert set(re.findall(r"--ltkm-[a-z]+", PAGE)) == options
    rows = re.findall(r"^\| `(--ltkm-\w+) [^`]*` \| `(\w+)`", PAGE, re.MULTILINE)
    assert {row[0] for row in rows} == options
    assert {row[1] for row in rows} == {*parser._inidict}
    (configured,) = blocks("toml")
    assert {*tomllib.loads(configured)["tool"]["pytest"]["ini_options"]} - {"addopts"} <= {*parser._inidict}


def test_the_page_names_what_a_proxy_offers() -> None:
    named = {name for row in re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)", row)}
    offered = {name for name in vars(LtkmProxy) if not name.startswith("_")} - {"kill"}
    assert offered <= named
    assert {"ca", "capture", "report", "log"} <= named
