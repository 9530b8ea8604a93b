"""The commands on keys: `keys derive` and `keys check`."""

import sys
from pathlib import Path

import click

from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import FilePath, leave, shaped
from ltkm_inspect.output.console import COULD_NOT_RUN, complain, reason, say
from ltkm_inspect.wire import printable


@commands.group()
def keys() -> None:
    """Derive keys, or check a key ring."""


@keys.command()
@click.argument("source", type=FilePath(str), metavar="[FILE|-]", default="-")
@shaped("text", "json")
def derive(source: str, shape: str) -> None:
    """Derive MUK, MRK and digest password.

    FILE is TOML with the fields of a key ring entry; without FILE, standard input is read. For GBA these are ck, ik,
    rand, impi and naf, or ks_naf, or ks_ext_naf, or ks_ext_naf and ks_int_naf; and gba ("me", "u" or "u-plain"). For
    AKMA these are k_ausf, supi and naf, or k_akma and naf, or k_af.
    """
    from ltkm_inspect.report import keys as report
    from ltkm_inspect.wire.toml_file import TomlError

    try:
        octets = sys.stdin.buffer.read() if source == "-" and sys.stdin is not None else Path(source).read_bytes()
        lines, warnings = report.derivation(octets, as_json=shape == "json")
    except (OSError, TomlError) as error:
        complain(f"{'standard input' if source == '-' else printable(source)}: {reason(error)}")
        leave(COULD_NOT_RUN)
    for warning in warnings:
        complain(warning)
    say(lines)


@keys.command("check")
@click.argument("source", type=FilePath(str), metavar="FILE")
def check_keys(source: str) -> None:
    """Check a key ring: print one line per subscriber, without keys."""
    from ltkm_inspect.options.files import ring_file
    from ltkm_inspect.options.words import OptionError
    from ltkm_inspect.report import keys as report

    try:
        file = ring_file(Path(source))
    except OptionError as error:
        complain(error.reason)
        leave(COULD_NOT_RUN)
    for warning in file.warnings:
        complain(warning)
    say(report.ring_lines(file.ring))
