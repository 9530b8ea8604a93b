"""Defaults of options from a file: `ltkm-inspect.toml`, or the table `tool.ltkm-inspect` in `pyproject.toml`.

Its keys are the names of the options without dashes. Those on faults have their names in the option table.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.options.words import did_you_mean
from ltkm_inspect.output.console import reason
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import is_key_text

FILE = "ltkm-inspect.toml"
PROJECT = "pyproject.toml"
_FILE, _IS_ISOLATED, _VALUES = (f"{__name__}.{name}" for name in ("config", "isolated", "values"))
"""Where the context of a command keeps the file, whether it reads none, and the values of the option table."""


class _ConfigFile(NamedTuple):
    """A file with defaults."""

    path: Path
    values: dict[str, Any]


def configurable[F: Callable[..., Any]](command: F) -> F:
    """Let the options of a command take their defaults from a file, and say with `--config` and `--isolated` which."""
    for name, help, more in (
        ("--isolated", "Ignore configuration files.", {"is_flag": True}),
        (
            "--config",
            f"Take defaults of options from this file  [default: the nearest {FILE} or {PROJECT}]",
            {"type": click.Path(exists=True, dir_okay=False, path_type=Path), "metavar": "FILE"},
        ),
    ):
        command = click.option(name, is_eager=True, expose_value=False, callback=_take, help=help, **more)(command)
    return command


def configured(context: click.Context) -> dict[str, Any]:
    """Return what the file says of the options of the option table, by their names there."""
    return dict(context.meta.get(_VALUES, {}))


def flag(name: str) -> str:
    """Return how an option of that name is typed on the command line."""
    row = DEFAULTS.get(name)
    return (row.flag if row is not None else "") or f"--{name.replace('_', '-')}"


_ROWS = {flag(name).removeprefix("--"): name for name in DEFAULTS}
"""The options of the option table, by the keys that a file has for them."""


def is_configured(name: str) -> bool:
    """Tell whether a file gives the value of an option, and not the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def spelled(name: str, typed: str = "") -> str:
    """Return what to call an option in an error: as it is typed, or where a file gives its value, by that file."""
    if is_configured(name):
        return f"{printable(str(click.get_current_context().meta[_FILE]))}: {flag(name).removeprefix('--')}"
    return typed or flag(name)


def origin(error: click.ClickException) -> str:
    """Return the sentence that names the file where an error is about a value from it, else nothing."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or parameter is None or parameter.name is None:
        return ""
    if context.get_parameter_source(parameter.name) is not ParameterSource.DEFAULT_MAP:
        return ""
    return f" The value comes from {printable(str(context.meta[_FILE]))}."


def _take(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Remember `--config` or `--isolated`; once both are known, read the file."""
    context.meta[_FILE if parameter.name == "config" else _IS_ISOLATED] = value
    if context.resilient_parsing or not {_FILE, _IS_ISOLATED} <= context.meta.keys():
        return
    path = context.meta[_FILE]
    if context.meta[_IS_ISOLATED]:
        if path is not None:
            raise click.UsageError("expected --config or --isolated, got both")
        return
    file = _found(Path.cwd()) if path is None else _read(path, path.name == PROJECT)
    if file is not None:
        context.meta[_FILE] = file.path
        _use(context, file)


def _found(folder: Path) -> _ConfigFile | None:
    """Return the nearest file, in this folder or one above it; in one folder the file of our own comes first."""
    for above in (folder, *folder.parents):
        for name in (FILE, PROJECT):
            if (above / name).is_file():
                file = _read(above / name, name == PROJECT)
                if file is not None:
                    return file
    return None


def _read(path: Path, is_project: bool) -> _ConfigFile | None:
    """Return the content of a file; None for a project that says nothing of us."""
    try:
        octets = path.read_bytes()
        if is_project and b"ltkm-inspect" not in octets:
            return None
        content: Any = tomllib.loads(octets.decode())
    except OSError as error:
        raise click.UsageError(f"{printable(str(path))}: {reason(error)}") from None
    except ValueError as error:
        at = re.search(r"\((at [\w ,]+)\)$", str(error))  # the rest may quote the file
        raise click.UsageError(
            f"{printable(str(path))}: expected TOML{f', got other text {at[1]}' if at else ''}"
        ) from None
    if is_project:
        tool = content.get("tool")
        content = tool.get("ltkm-inspect") if isinstance(tool, dict) else None
    return _ConfigFile(path, content) if isinstance(content, dict) else None


def _use(context: click.Context, file: _ConfigFile) -> None:
    """Make the values of a file the defaults of the command; a usage error for a key or a value that means nothing."""
    known = _known(context.find_root().command)
    options = {_key(each): each for each in context.command.params if isinstance(each, click.Option)}
    defaults: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for key, value in file.values.items():
        where = f"{printable(str(file.path))}: {'(what may be a key)' if is_key_text(key) else printable(key)}"
        if key not in known:
            hint = did_you_mean(key.replace("_", "-"), known)
            hint = "; a key ring goes to --keys" if key == "subscribers" else hint
            if key in context.find_root().command.commands and isinstance(value, dict):  # type: ignore[attr-defined]
                hint = "; there are no tables per command: write the options at the top"
            raise click.UsageError(f"{where}: unknown option{hint}")
        name, option = _ROWS.get(key), options.get(key)
        row = DEFAULTS[name] if name is not None else None
        if option is not None:
            value = _typed(where, value, is_flag=option.is_flag, is_list=option.multiple)
            if _is_for_others(option, value, known[key]):
                continue
        elif row is not None:
            value = _typed(where, value, is_flag=row.kind == "flag", is_list=row.kind == "list")
        if row is not None and row.kind == "path" and value:
            value = str(file.path.absolute().parent / Path(value).expanduser())
        if name is not None:
            values[name] = value
        if option is not None and option.name is not None:
            defaults[option.name] = value
    context.default_map = defaults
    context.meta[_VALUES] = values


def _known(root: click.Command) -> dict[str, list[click.Option]]:
    """Return every key that a file may have, with the options that it is for."""
    known: dict[str, list[click.Option]] = {key: [] for key in _ROWS}
    assert isinstance(root, click.Group)
    for command in root.commands.values():
        options = [each for each in command.params if isinstance(each, click.Option)]
        if any(each.name == "isolated" for each in options):
            for each in options:
                if not each.is_eager and each.name != "output":
                    known.setdefault(_key(each), []).append(each)
    return known


def _key(option: click.Option) -> str:
    if option.name in DEFAULTS:
        return flag(option.name).removeprefix("--")
    return max(option.opts, key=len).lstrip("-")


def _typed(where: str, value: Any, *, is_flag: bool, is_list: bool) -> Any:
    """Return a value of TOML as the option takes it: true or false, a list of texts, or a text."""
    if is_flag:
        if not isinstance(value, bool):
            raise click.UsageError(f"{where}: expected true or false without quotes")
        return value
    if is_list:
        return [
            _typed(where, each, is_flag=False, is_list=False)
            for each in (value if isinstance(value, list) else [value])
        ]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise click.UsageError(f'{where}: expected a text ("…") or a number')
    return str(value)


def _is_for_others(option: click.Option, value: Any, others: list[click.Option]) -> bool:
    """Tell whether a word is one of the choices of another command alone, as of `format`."""
    choices = [each.type.choices for each in others if isinstance(each.type, click.Choice)]
    own = option.type.choices if isinstance(option.type, click.Choice) else [value]
    return value not in own and any(value in each for each in choices)
