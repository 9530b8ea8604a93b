"""The commands `dump`, `proxy` and `web`: the programs of mitmproxy with the addon, from the same environment."""

import os
import re
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from errno import ENOENT
from itertools import pairwise
from pathlib import Path

import click

from ltkm_inspect.cli.catalogue import addon_script
from ltkm_inspect.cli.completion import complete_files
from ltkm_inspect.cli.defaults import configurable, configured
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import leave
from ltkm_inspect.output.console import COULD_NOT_RUN, PROGRAM, complain, reason
from ltkm_inspect.wire import printable

WEB_COLUMNS = ("tls", "icon", "path", "method", "status", "comment", "size", "time")
"""The columns of mitmweb, with the comment, which says the verdict."""
_PASSES_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": ["--help"]}


def _run(context: click.Context, program: str, arguments: tuple[str, ...], settings: Iterable[str]) -> None:
    """Become that program of mitmproxy, with the addon, the settings that are not typed, and what is typed."""
    if arguments and arguments[0] in commands.commands:
        typed_here = " ".join(map(printable, arguments))
        raise click.UsageError(
            f"{arguments[0]} is a command of {PROGRAM}, not of {program}: type {PROGRAM} {typed_here}"
        )
    for loaded in _loaded(arguments):
        if not os.path.exists(os.path.expanduser(loaded)):
            from ltkm_inspect.capture.inputs import may_be_capture

            missing = FileNotFoundError(ENOENT, os.strerror(ENOENT), loaded)
            complain(f"{printable(loaded)}: {reason(missing, may_be_capture)}")
            leave(COULD_NOT_RUN)
    path = Path(sysconfig.get_path("scripts")) / program
    typed = {match[1] for each in arguments if (match := re.match(r"(?:--set=)?(\w+)(?:=|$)", each))}
    words = [*settings, *_addon_settings(configured(context))]
    chosen = [word for each in words if each.partition("=")[0] not in typed for word in ("--set", each)]
    try:
        os.execv(path, [str(path), "-s", str(addon_script()), *chosen, *arguments])
    except OSError as error:
        complain(
            f"{printable(str(path))}: {reason(error)}; install ltkm-inspect into the environment of mitmproxy, "
            f'or start mitmproxy yourself: {program} -s "$(ltkm-inspect addon)"'
        )
        leave(COULD_NOT_RUN)


def _loaded(arguments: tuple[str, ...]) -> Iterator[str]:
    """Yield the files that mitmproxy is to load or replay; for a missing one it would print a traceback."""
    for word, value in pairwise(arguments):
        if re.fullmatch(r"-[nqkv]*[rCS]|--(?:rfile|client-replay|server-replay)", word) and value != "-":
            yield value


def _addon_settings(values: dict[str, str | bool | list[str]]) -> Iterator[str]:
    """Yield what configuration files say, as settings of the addon."""
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            yield f"ltkm_{name}={str(each).lower() if isinstance(each, bool) else each}"


def _starter(function: Callable[..., None]) -> click.Command:
    """Make a command that passes on its arguments as they are."""
    passing = click.argument(
        "arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENT]...", shell_complete=complete_files
    )
    return commands.command(context_settings=_PASSES_ON)(configurable(passing(click.pass_context(function))))


@_starter
def dump(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Start mitmdump with the addon.

    All arguments go to mitmdump: `ltkm-inspect dump -nr recorded.flow`. Type --config and --isolated before them.
    """
    _run(context, "mitmdump", arguments, ())


@_starter
def proxy(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Start mitmproxy with the addon and its key bindings.

    All arguments go to mitmproxy: `ltkm-inspect proxy -r recorded.flow`. Type --config and --isolated before them.
    """
    _run(context, "mitmproxy", arguments, ["ltkm_bindings=true"])


@_starter
def web(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Start mitmweb with the addon and a comment column.

    All arguments go to mitmweb: `ltkm-inspect web -r recorded.flow`. Type --config and --isolated before them.
    """
    _run(context, "mitmweb", arguments, [f"web_columns={column}" for column in WEB_COLUMNS])
