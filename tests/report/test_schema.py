"""Everything that is printed as JSON Lines follows the schema that is shipped, which has no room for anything else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from ltkm_inspect.cli.program import commands
from ltkm_inspect.report.reading import schema_text
from tests.samples import generate

SCHEMA: dict[str, Any] = json.loads(schema_text())
KINDS = ("run", "exchange", "datagram", "missing", "heartbeat", "session", "summary", "message")


def wrong(line: str) -> list[str]:
    """Return what is wrong with a record, by the definition of its kind: a oneOf would only say that none fits."""
    record = json.loads(line)
    kind = record["schema"].split("/")[1]
    assert record["schema"] == f"ltkm-inspect/{kind}/1"
    definition = {"$schema": SCHEMA["$schema"], "$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(definition).iter_errors(record)]


def printed(*arguments: str) -> list[str]:
    return CliRunner().invoke(commands, [*arguments]).stdout.splitlines()


def flows() -> Iterator[str]:
    return map(str, sorted(generate.FOLDER.rglob("*.flow")))


def objects(value: Any, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of a schema that describes an object."""
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield path, value
        for name, inner in value.items():
            yield from objects(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner, path)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [kind["$ref"] for kind in SCHEMA["oneOf"]] == [f"#/$defs/{kind}" for kind in KINDS]


def test_only_names_that_are_data_are_open_and_every_field_is_required() -> None:
    open_names = set()
    for path, described in objects(SCHEMA):
        if described.get("additionalProperties") is False:
            assert described["required"] == list(described["properties"]), path
        else:
            assert "propertyNames" in described, path
            open_names.add(path.rpartition(".")[2])
    names = {"key_domains", "key_groups", "msks", "b_tids", "addresses"}
    assert open_names == {"options", "outcomes", "fields", "waiting"} | names


@pytest.mark.parametrize("redact", [False, True], ids=["as-it-is", "redacted"])
@pytest.mark.parametrize("keys", [False, True], ids=["without-keys", "with-keys"])
def test_what_check_prints_follows_it(keys: bool, redact: bool, ring: str) -> None:
    flags = [*(["--keys", ring, "--show-keys"] if keys else []), *(["--redact"] if redact else [])]
    lines = printed("check", "--format", "jsonl", *flags, *flows())
    assert len(lines) > 70
    assert [problem for line in lines for problem in wrong(line)] == []
    assert {json.loads(line)["schema"].split("/")[1] for line in lines} == {
        "run",
        "exchange",
        "datagram",
        "session",
        "summary",
    }
    assert Draft202012Validator(SCHEMA).is_valid(json.loads(lines[1]))
    assert any(ltkm["key"] for line in lines for ltkm in ltkms(json.loads(line))) is keys


def ltkms(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in record.get("items", ()):
        yield from item["ltkms"]


@pytest.mark.parametrize("given", ["AQAF", "no base64!", ""], ids=["cut", "no-octets", "nothing"])
def test_what_decode_prints_follows_it(given: str) -> None:
    for line in CliRunner().invoke(commands, ["decode", "--format", "jsonl", "-"], given).stdout.splitlines():
        assert wrong(line) == []


def test_a_message_follows_it_with_keys_and_without(ring: str) -> None:
    record = json.loads(printed("check", "--format", "jsonl", str(generate.FOLDER / "trial.flow"))[2])
    (ltkm,) = ltkms(record)
    for flags in ([], ["--keys", ring], ["--keys", ring, "--show-keys"]):
        (line,) = printed("decode", "--format", "jsonl", *flags, ltkm["octets"])
        assert wrong(line) == []
        assert json.loads(line)["length"] == ltkm["length"]


def test_a_field_that_is_not_documented_is_wrong() -> None:
    record = json.loads(printed("check", "--format", "jsonl", str(generate.FOLDER / "trial.flow"))[1])
    assert wrong(json.dumps(record)) == []
    assert wrong(json.dumps(record | {"more": 1})) != []
    assert wrong(json.dumps({name: value for name, value in record.items() if name != "faults"})) != []
