"""Tables and listings of the reference pages, made from the option table, click, the schema and the catalogue."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import click
from click.testing import CliRunner

from ltkm_inspect import explain
from ltkm_inspect.cli.defaults import flag
from ltkm_inspect.cli.program import commands
from ltkm_inspect.explain.markdown import table
from ltkm_inspect.options.rule_words import documents, subject_words
from ltkm_inspect.options.table import DEFAULTS, Option
from tests.generated import ROOT

SCHEMA = ROOT / "ltkm_inspect/report/schemas/records.json"
TERMINAL_WIDTH = 100
"""Columns of the help texts."""


def options() -> str:
    """Return a section for each option: how it is typed in mitmproxy and on the command line, default and help."""
    takers = _takers()
    return "\n\n".join(_option(name, option, takers.get(name, {})) for name, option in DEFAULTS.items())


def _option(name: str, option: Option, takers: dict[str, list[str]]) -> str:
    lines = [f"### ltkm_{name}", f"{option.help[0].upper()}{option.help[1:]}.", ""]
    typed = f"`--set ltkm_{name}={option.metavar}`" + (", several times" if option.kind == "list" else "")
    lines.append(f"- In mitmproxy: {typed}; default: {_default(option.default)}")
    for spelled, takers_of_it in takers.items():
        own = spelled if option.kind == "flag" else f"{spelled} {option.metavar}"
        names = ", ".join(f"`{each}`" for each in takers_of_it)
        default = "" if option.check_default is None else f"; default: {_default(option.check_default)}"
        lines.append(f"- On the command line: `{own}` of {names}{default}")
    if not takers:
        lines.append("- On the command line: none")
    return "\n".join([lines[0], "", *lines[1:]])


def _default(value: str | bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    shown = value if isinstance(value, str) else ",".join(value)
    return f"`{shown}`" if shown else "empty"


def rule_words() -> str:
    """Return the words that select rules by subject, and a table of those that select them by document."""
    rows = [[f"`{word}`", each.name, each.title] for word, each in documents().items()]
    subjects = ", ".join(f"`{word}`" for word in subject_words())
    return f"Subjects: {subjects}.\n\n{table(['document', 'name', 'title'], rows)}"


def _takers() -> dict[str, dict[str, list[str]]]:
    """Return for each option how it is spelled on the command line, and by which commands."""
    found: dict[str, dict[str, list[str]]] = {}
    fault_only = {f"fault_{name}": name for name in ("msk", "terminal", "filter", "when", "unsigned")}
    for name, command in _commands(commands, ()):
        for parameter in command.params:
            if not isinstance(parameter, click.Option):
                continue
            for option in DEFAULTS:
                own = f"--{fault_only[option]}" if name == ("fault",) and option in fault_only else flag(option)
                if own in parameter.opts:
                    found.setdefault(option, {}).setdefault(parameter.opts[-1], []).append(" ".join(name))
    return found


def _commands(group: click.Group, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*above, name))


def command_line() -> str:
    """Return a section for each command with its help text."""
    sections: list[tuple[str, list[str]]] = [("ltkm-inspect", [])]
    sections += [(f"ltkm-inspect {' '.join(name)}", [*name]) for name, _ in _commands(commands, ())]
    return "\n\n".join(f"## {title}\n\n```text\n{_help(words)}\n```" for title, words in sections)


def _help(words: list[str]) -> str:
    printed = CliRunner().invoke(commands, [*words, "--help"], prog_name="ltkm-inspect", terminal_width=TERMINAL_WIDTH)
    return printed.stdout.rstrip()


def records() -> str:
    """Return a section for each kind of record and each object in it, with a table of its fields."""
    defined = _schema()["$defs"]
    kinds = [each["$ref"].rpartition("/")[2] for each in _schema()["oneOf"]]
    parts = [_object(name, defined[name], f"`{defined[name]['properties']['schema']['const']}`") for name in kinds]
    objects = [name for name, definition in defined.items() if name not in kinds and "properties" in definition]
    parts += [_object(name, defined[name], name) for name in objects]
    return "\n\n".join(parts)


@cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return loaded


def _object(name: str, definition: dict[str, Any], title: str) -> str:
    lines = [f"### {name}" if title == name else f"### Record {name}", ""]
    if title != name:
        lines += [f"`schema` is {title}.", ""]
    if about := definition.get("description"):
        lines += [about, ""]
    rows = [*_rows(definition, "")]
    return "\n".join([*lines, table(["field", "type", "description"], rows)]).rstrip()


def _rows(definition: dict[str, Any], prefix: str) -> Iterator[list[str]]:
    """Yield a row for each field, and for the fields of an object that has no name of its own."""
    for name, field in definition["properties"].items():
        if "const" in field:
            continue
        yield [f"`{prefix}{name}`", _type(field), field.get("description", "")]
        inner, mark = (field["items"], "[]") if "items" in field else (field, "")
        if "properties" in inner:
            yield from _rows(inner, f"{prefix}{name}{mark}.")
        each = field.get("additionalProperties")
        if isinstance(each, dict) and "properties" in each:
            yield from _rows(each, f"{prefix}{name}.*.")


def _type(field: dict[str, Any]) -> str:
    """Return the type of a field in words, with a link where it is an object of its own."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})" if "properties" in _schema()["$defs"][name] else _type(_schema()["$defs"][name])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(map(_type, field["anyOf"])))
    if "enum" in field:
        return ", ".join("null" if each is None else f"`{each}`" for each in field["enum"])
    words = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return " or ".join(_word(word, field) for word in words)


def _word(word: str, field: dict[str, Any]) -> str:
    if word == "array" and "items" in field:
        return f"array of {_type(field['items'])}"
    return word


def rooms() -> str:
    """Return a table of the rooms, the highest floor first, with the first sentence of each room."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    floors = [re.findall(r"\w+", layer) for layer in layers]
    rows = [
        [
            str(len(floors) - above),
            f"`{room}`",
            (import_module(f"ltkm_inspect.{room}").__doc__ or "").partition("\n")[0],
        ]
        for above, names in enumerate(floors)
        for room in names
    ]
    return table(["floor", "room", "what it does"], rows)


def catalogue_navigation() -> str:
    """Return the lines of the navigation of mkdocs.yml that name the pages of the catalogue."""
    return "\n".join(_navigation(explain.catalogue_pages()))


def _navigation(files: Iterable[str]) -> Iterator[str]:
    for file in files:
        title = "Overview" if file == "index.md" else file.removesuffix(".md")
        yield f"          - {title}: catalogue/{file}"
