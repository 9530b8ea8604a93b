"""The command line: arguments in, exit codes out; the work is in the rooms below.

Every other room is imported by the command that needs it: half of the commands know no exchange, most no proxy. What is
here imports next to nothing, so that a signal ends the program quietly almost from its first moment on.
"""

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from ltkm_inspect.cli.program import COLLECT_AFTER as COLLECT_AFTER
    from ltkm_inspect.cli.program import commands as commands


def main() -> NoReturn:
    """Run the command line and exit; whatever happens, in at most one line and with a code of the table."""
    from ltkm_inspect.cli import signals

    signals.exit_at_once()
    from ltkm_inspect.cli import program

    program.run()


def __getattr__(name: str) -> object:
    """Return what takes every command to be imported, to those who ask for it."""
    if name not in ("COLLECT_AFTER", "commands"):
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from ltkm_inspect.cli import program

    return getattr(program, name)
