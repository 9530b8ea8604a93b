"""The group that every command belongs to."""

import click

from ltkm_inspect import __version__
from ltkm_inspect.output.console import PROGRAM


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=f"{PROGRAM} %(version)s")
def commands() -> None:
    """Inspect the LTKMs in MSK responses, or damage them.

    Exit codes: 0 nothing at or above the level, 1 could not run, 2 usage, 3 findings, 4 no MSK exchange seen, 5 some
    input damaged or missing (the report is partial), 130 interrupted, 143 ended by SIGTERM. 1 beats 5 beats 3 beats 4.
    """
