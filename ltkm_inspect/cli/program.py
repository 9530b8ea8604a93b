"""The commands together, and how the program ends."""

import io
import sys
from typing import NoReturn

import click

from ltkm_inspect.cli.defaults import origin
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.signals import INTERRUPTED
from ltkm_inspect.output.console import COULD_NOT_RUN, PROGRAM, complain, reason
from ltkm_inspect.wire import crash_of, printable
from ltkm_inspect.wire.garbage import collect_rarely, leave_all
from ltkm_inspect.wire.key_text import IS_TYPED_KEY, shows_key

__all__ = ["commands", "run"]


def run() -> NoReturn:
    """Run the command that was typed and exit; whatever happens, in at most one line and with a code of the table."""
    collect_rarely()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows fewer characters
    try:
        code = commands.main(prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        message = error.format_message() + origin(error)
        error.format_message = lambda: IS_TYPED_KEY if shows_key(message) else message  # type: ignore[method-assign]
        error.show()
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    except OSError as error:  # what a command reads or writes by name it answers for itself
        where = "current folder" if isinstance(error, FileNotFoundError) else "standard output"
        complain(f"{printable(str(error.filename or where))}: {reason(error)}")
        code = COULD_NOT_RUN
    except Exception as error:  # its text may hold what is not to be shown
        complain(crash_of(error))
        code = COULD_NOT_RUN
    leave_all()
    sys.exit(code)
