"""The options of commands that say which exchanges are printed, and how."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from ltkm_inspect.cli.shared import shaped
from ltkm_inspect.options.table import LINE_FORMATS


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--terminal`, `--msk` and `--flow`, which the command gets as `terminals`, `msks` and `flows`."""
    command = click.option(
        "--flow",
        "flows",
        multiple=True,
        metavar="NUMBER[-NUMBER]",
        help="Select only these flows, by the number that lines show after #; each file counts from 1.",
    )(command)
    command = click.option(
        "--msk", "msks", multiple=True, metavar="KEYDOMAIN[/GROUP[/NUMBER]]", help="Select only these keys, in hex."
    )(command)
    return click.option(
        "--terminal", "terminals", multiple=True, metavar="B-TID|NAME|ADDRESS", help="Select only these terminals."
    )(command)


def styled(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `--format` with these words, and how lines look; the command gets them as `style`."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @shaped(*names)
        @click.option("--quiet", is_flag=True, help="Hide exchanges without findings.")
        @click.option("--notes", is_flag=True, help="Show notes below the findings.")
        @click.option(
            "--color",
            type=click.Choice(("auto", "always", "never")),
            default="auto",
            show_default=True,
            help="Use colors (auto: on a terminal; NO_COLOR and FORCE_COLOR apply).",
        )
        @wraps(command)
        def run(shape: str, quiet: bool, notes: bool, color: str, **given: Any) -> None:
            from ltkm_inspect.report.lines import LineStyle

            for name, value in (("--quiet", quiet), ("--notes", notes)):
                if value and shape not in LINE_FORMATS:
                    raise click.UsageError(f"{name}: expected --format {' or '.join(LINE_FORMATS)}, got {shape}")
            command(style=LineStyle(shape, quiet, notes, _is_colored(color)), **given)

        return run

    return add


def _is_colored(word: str) -> bool:
    if word != "auto":
        return word == "always"
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return forced != "0" if forced else sys.stdout is not None and sys.stdout.isatty()
