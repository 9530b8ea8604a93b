"""The command line: parses arguments and returns exit codes; the rooms below do the work.

Every other room is imported by the command that needs it: half of the commands know no exchange, most no proxy. What is
here imports next to nothing, so that a signal ends the program quietly almost from its first moment on.
"""

from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit; whatever happens, in at most one line and with a code of the table."""
    from ltkm_inspect.cli import signals

    signals.exit_at_once()
    from ltkm_inspect.cli import program

    program.run()
