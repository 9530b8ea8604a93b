"""The group that every command belongs to."""

import os
from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

from ltkm_inspect import __version__
from ltkm_inspect.output.console import PROGRAM
from ltkm_inspect.wire import printable

_MODULES = {
    **dict.fromkeys(("check", "decode", "diff", "export", "fault", "keys", "match", "report"), ""),
    **dict.fromkeys(("addon", "completion", "explain", "faults", "rules"), "catalogue"),
    **dict.fromkeys(("dump", "proxy", "web"), "start"),
    "wireshark": "export",
}
"""The commands, and the module of each that has not its name."""


class _Commands(MutableMapping[str, click.Command]):
    """The commands by name; each is imported when it is asked for: to import all takes longer than to run some."""

    def __init__(self) -> None:
        self._imported: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._imported:
            import_module(f"{__package__}.{_MODULES[name] or name}")  # which adds it
        return self._imported[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named; a usage error says what to type where a file is."""
        if args and args[0] == "help":
            ctx.fail(f"there is no command help; type {PROGRAM} --help, or {PROGRAM} COMMAND --help")
        if args and self.get_command(ctx, args[0]) is None and os.path.exists(args[0]):
            name = printable(args[0])
            ctx.fail(f"{name} is a file, not a command; to check it: {PROGRAM} check {name}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message=f"{PROGRAM} %(version)s")
def commands() -> None:
    """Decode and check the LTKMs in MSK responses, and put faults into them.

    \b
    Examples:
      ltkm-inspect check recorded.flow               findings of a recording
      ltkm-inspect check --report out.html trial/    as a page for the browser
      ltkm-inspect dump                              mitmdump with the addon
      ltkm-inspect proxy -r recorded.flow            mitmproxy with the addon
      ltkm-inspect decode AQAFAP1H…                  the fields of one LTKM
      ltkm-inspect explain ltkm-missing              what a rule means
      ltkm-inspect fault strip-ltkm in.flow out.flow

    Docs: the folder docs/ of the repository; begin with docs/index.md.

    \b
    Exit codes:
      0    no finding at or above the level of --fail-on
      1    could not run
      2    wrong usage
      3    findings
      4    no MSK exchange or datagram to check
      5    some input damaged or missing, so the report is partial
      130  interrupted
      143  ended by SIGTERM
    If several of 1, 3, 4 and 5 apply, the first of 1, 5, 3, 4 is returned.
    """
