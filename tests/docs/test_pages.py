"""The pages for users name everything that there is: options, commands, exit codes, sources, columns, fields."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, ProcessCollector

from ltkm_inspect import catalogue
from ltkm_inspect.cli.keys import keys
from ltkm_inspect.cli.program import commands
from ltkm_inspect.fault import FAULTS
from ltkm_inspect.finding import Level
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.proxy.inspector import Inspector
from ltkm_inspect.proxy.metrics import RunCollector, inspection_time
from ltkm_inspect.proxy.monitor import Monitor
from ltkm_inspect.report.blind_spots import CAUSES
from ltkm_inspect.sources import Recipe, parse_recipe
from tests.docs import generate
from tests.generated import ROOT
from tests.samples.generate import FOLDER

PAGES = {path.stem: path.read_text("utf-8") for path in generate.pages()}


def test_the_readme_takes_two_minutes() -> None:
    assert len(PAGES["README"].splitlines()) <= 150


def test_every_option_has_its_section_with_its_default_and_no_other_has() -> None:
    rows = dict(re.findall(r"^- In mitmproxy: `--set ltkm_(\w+)=.*; default: (.*)$", PAGES["options"], re.MULTILINE))
    assert list(rows) == list(DEFAULTS)
    for name, option in DEFAULTS.items():
        shown, default = rows[name], option.default
        if isinstance(default, bool):
            assert shown == f"`{str(default).lower()}`"
        elif default:
            assert shown == f"`{default if isinstance(default, str) else ','.join(default)}`"
        else:
            assert shown == "empty"


def test_the_rule_shown_is_one_of_the_catalogue() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    example = page[page.index("```python\n") + len("```python\n") :]
    module = (ROOT / "ltkm_inspect/catalogue/item.py").read_text("utf-8")
    shown = example[: example.index("```")].split("\n\n\n")
    assert len(shown) == 3
    for part in shown:
        assert part.strip() in module


def test_the_description_of_an_ltkm_shows_every_field_and_what_it_is_by_itself() -> None:
    text = (
        PAGES["faults"][PAGES["faults"].index("This description has all fields") :]
        .partition("```toml\n")[2]
        .partition("```")[0]
    )
    recipe, by_itself = parse_recipe(text.encode()), Recipe()
    assert set(tomllib.loads(text)) == {*Recipe.__dataclass_fields__}
    assert (recipe.seq_l, recipe.seq_u) == (by_itself.seq_l, by_itself.seq_u)
    assert (recipe.counter, recipe.csb_id, recipe.rand) == (None, None, None)


def test_every_source_of_an_ltkm_and_every_place_for_it_has_its_row() -> None:
    catalogue.load()
    text = PAGES["faults"].partition("## LTKMs from elsewhere")[2].partition("\n## ")[0]
    at, *sources = FAULTS["inject-ltkm"].parameters
    assert re.findall(r"^\| `(\w+)=[^`]+` \|", text, re.MULTILINE) == [each.name for each in sources]
    places = text[text.index("| `at=` |") :].partition("\n\n")[0]
    rows = [line.split(" | ")[0] for line in places.splitlines()[2:]]
    assert [word for row in rows for word in re.findall(r"`([a-z-]+)`", row)] == list(at.words)


def test_every_command_is_listed() -> None:
    rows = "".join(re.findall(r"^\| (`ltkm-inspect .*) \|", PAGES["command-line"], re.MULTILINE))
    listed = re.findall(r"`(?:ltkm-inspect )?(keys \w+|\w+)", rows)
    assert sorted(listed) == sorted({*commands.commands} - {"keys"} | {f"keys {name}" for name in keys.commands})


def test_every_exit_code_of_the_help_has_its_row() -> None:
    listed = CliRunner().invoke(commands, ["--help"]).stdout.partition("Exit codes:")[2]
    rows = re.findall(r"^\| (\d+) \|", PAGES["captures"], re.MULTILINE)
    assert rows == re.findall(r"^ +(\d+)  ", listed, re.MULTILINE)


def test_every_field_of_the_json_output_is_named(tmp_path: Path) -> None:
    named = set(re.findall(r"`(?:[\w\[\].*]+\.)?(\w+)`", PAGES["records"]))
    flows = [str(FOLDER / file) for file in ("trial.flow", "change-request.flow")]
    printed = CliRunner().invoke(commands, ["check", "--format", "jsonl", *flows]).stdout.splitlines()
    printed += CliRunner().invoke(commands, ["decode", "--format", "jsonl", "AQAF"]).stdout.splitlines()
    printed += CliRunner().invoke(commands, ["diff", "--format", "json", *flows]).stdout.splitlines()
    log = tmp_path / "bsm.csv"
    log.write_text("time,b_tid,msk,ts\n1256716862,a,b8709d/24cb/0001,17\n")
    printed.append(CliRunner().invoke(commands, ["match", "--format", "json", *flows, str(log)]).stdout)
    assert len(printed) > 30
    found = [*map(json.loads, printed), json.loads(CliRunner().invoke(commands, ["export", "json", *flows]).stdout)]
    assert {name for each in found for name in _names(each)} <= named


def test_every_column_of_the_tables_is_named_in_its_order(tmp_path: Path) -> None:
    rows = dict(re.findall(r"^\| `(csv|xml)` \| (.*) \|$", PAGES["reports"], re.MULTILINE))
    for name, file in (("csv", tmp_path / "trial.csv"), ("xml", tmp_path / "trial" / "index.csv")):
        out = file if name == "csv" else file.parent
        arguments = ["export", name, str(FOLDER / "trial.flow"), "-o", str(out)]
        assert CliRunner().invoke(commands, arguments).exit_code == 0
        row, columns = rows[name], file.read_text("utf-8").splitlines()[0].split(",")
        named = re.findall(r"`(\w+)`", row)
        assert [name for name in named if name in columns] == list(columns)


TYPED = [
    pytest.param(command.split("#")[0], id=f"{page}-{number}")
    for page, text in PAGES.items()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for number, command in enumerate(re.findall(r"(?:^|[|] |&& )(ltkm-inspect [^|>\n]*)", block, re.MULTILINE))
]
"""The commands in blocks that are not run."""


@pytest.mark.parametrize("command", TYPED)
def test_every_command_that_is_shown_can_be_typed(command: str) -> None:
    _, *words = shlex.split(command)
    command_of: click.Command | None = commands
    context = None  # the settings of a group hold for its commands, which keep the help option that they made of them
    while isinstance(command_of, click.Group):
        context = click.Context(command_of, parent=context, **command_of.context_settings)
        _, command_of, words = command_of.resolve_command(context, words)
    assert command_of is not None
    command_of.make_context(command_of.name, words, parent=context)


def test_every_option_that_is_set_exists() -> None:
    texts = [re.sub(r"^```console.*?^```", "", text, flags=re.MULTILINE | re.DOTALL) for text in PAGES.values()]
    assert {name for text in texts for name in re.findall(r"(?:--set|:set) ltkm_([a-z_]+)", text)} <= {*DEFAULTS}


def _names(value: object) -> Iterator[str]:
    """Yield the names of an object and of those in it, but for names that are data: fields, options, rule ids."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name == "outcomes":
                yield from (found for outcome in inner.values() for found in _names(outcome))
            elif name not in ("fields", "options"):
                yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def metric_labels() -> dict[str, set[str]]:
    """Return the labels of each metric that a proxy serves, by its name there."""
    registry = CollectorRegistry()
    monitor = Monitor(Inspector())
    monitor.summary.findings[Level.WARNING, "item-missing"] += 1
    monitor.statuses[200] += 1
    registry.register(RunCollector(monitor))
    inspection_time(registry)
    ProcessCollector(registry=registry)
    return {each.name: {*each.labels} for family in registry.collect() for each in family.samples}


def test_the_page_on_metrics_has_each_with_its_labels() -> None:
    rows = re.findall(r"^\| `(ltkm_\w+)` \|([^|]*)\|", PAGES["monitoring"], re.MULTILINE)
    listed = {name: set(re.findall(r"\w+", labels)) for name, labels in rows}
    served = {name.removesuffix("_bucket"): labels for name, labels in metric_labels().items()}
    ours = {name: served[name] for name in served if name.startswith("ltkm_")}
    assert listed == {name: ours[name] for name in ours if not re.search("_(count|sum|created)$", name)}


def test_the_dashboard_asks_only_for_metrics_and_labels_that_there_are() -> None:
    served = metric_labels()
    panels = json.loads((ROOT / "docs/grafana.json").read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\b(?:ltkm|process)_\w+", query)}
    assert asked <= served.keys()
    assert {name for name in served if name.startswith("ltkm_")} - asked == {
        "ltkm_info",
        *(f"ltkm_inspection_seconds_{end}" for end in ("count", "sum", "created")),
    }
    for panel in panels:
        for target in panel["targets"]:
            labels = {name for names in re.findall(r"by \(([^)]*)\)", target["expr"]) for name in names.split(", ")}
            labels |= set(re.findall(r"(\w+)=", target["expr"])) | set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            (name,) = re.findall(r"\b(?:ltkm|process)_\w+", target["expr"])
            assert labels <= served[name], target["expr"]


def test_each_cause_of_a_failed_handshake_is_explained() -> None:
    section = PAGES["monitoring"].partition("## Failed TLS handshakes")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == CAUSES.keys()
