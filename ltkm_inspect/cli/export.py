"""The commands `export` and `wireshark`: LTKMs for other programs."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ltkm_inspect.cli.completion import complete_files
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.looks import selecting
from ltkm_inspect.cli.shared import (
    CapturePath,
    JudgingOptions,
    Word,
    interruptible,
    judging,
    leave,
    reports_of,
    usage,
)
from ltkm_inspect.options.table import EXPORT_FORMATS
from ltkm_inspect.output.console import COULD_NOT_RUN, NOTHING_SEEN, OK, InputErrors, complain, reason, say, say_nothing
from ltkm_inspect.output.device import is_device
from ltkm_inspect.wire import crash_of, printable


@commands.command()
@click.argument("name", metavar="FORMAT", type=Word(EXPORT_FORMATS))
@click.argument("files", nargs=-1, required=True, type=CapturePath(), metavar="FILE...")
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="Write to this file, for xml to this folder (default: standard output).",
    shell_complete=complete_files,
)
@selecting
@click.option("--flawed", is_flag=True, help="Export only LTKMs with findings.")
@judging("limit", "keys", "names", "show_keys", "redact", "redact_key_file")
def export(
    name: str,
    files: tuple[str, ...],
    output: str | None,
    msks: tuple[str, ...],
    terminals: tuple[str, ...],
    flows: tuple[str, ...],
    flawed: bool,
    asked: JudgingOptions,
) -> None:
    """Export the LTKMs in flow files and HARs for other programs.

    csv is a table with one row per LTKM, json an array of objects, base64 one LTKM per line with an index file, pcap
    and pcapng UDP packets for Wireshark, xml a folder with the document of each MSK response. Exit code 4 if there is
    nothing to write; OUT is then not written.
    """
    from ltkm_inspect.capture.inputs import inputs
    from ltkm_inspect.export.entry import Manner
    from ltkm_inspect.export.formats import FORMATS, XML
    from ltkm_inspect.export.run import Export, ExportError
    from ltkm_inspect.export.selection import parse_selection

    found = [*inputs(files)]
    with usage():
        selection = parse_selection(msks, terminals, flows, flawed=flawed)
    target = _target(name, output, [Path(each.name) for each in found], binary=name != XML and FORMATS[name].binary)
    keys = asked.keys()
    manner = Manner(keys, asked.wording(keys))
    try:
        run, trouble = Export(name, target, manner, selection), InputErrors()
    except ExportError as error:
        raise click.UsageError(f"--redact: {error}") from None

    with interruptible():
        try:
            with run:
                for source, report in reports_of(found, asked.context(keys), trouble, manner.wording):
                    try:
                        run.add(report, source)
                    except (OSError, ExportError):
                        raise
                    except Exception as error:
                        why = f"an exchange could not be exported, because the program failed on it: {crash_of(error)}"
                        trouble.say(source, why, unread=False)
                run.finish()
        except ExportError as error:
            complain(str(error))
            leave(COULD_NOT_RUN)
        except BrokenPipeError:  # nobody reads any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            leave(OK)
        except OSError as error:
            complain(f"{'standard output' if target is None else printable(str(target))}: {reason(error)}")
            leave(COULD_NOT_RUN)
        for line in run.warnings():
            complain(line)
        if run.written and target is not None and not is_device(target):
            say([f"{run.summary} to {printable(str(target))}"])
        if not run.written and not trouble.unread:
            say_nothing(found, run.nothing)
        leave(trouble.exit_code(len(found), OK if run.written else NOTHING_SEEN))


@commands.command()
def wireshark() -> None:
    """Print a Lua plugin that shows LTKMs in Wireshark.

    Save it as ltkm.lua in the folder "Personal Lua Plugins" (Help, About Wireshark, Folders), or load it once with
    -X lua_script:ltkm.lua. It shows what is in the EXT payloads of MIKEY messages, and dissects the LTKMs in MSK
    responses.
    """
    from ltkm_inspect.export.wireshark import wireshark_plugin

    say(wireshark_plugin().splitlines())


def _target(name: str, output: str | None, files: Iterable[Path], *, binary: bool) -> Path | None:
    if output is None or output == "-":
        if binary and sys.stdout is not None and sys.stdout.isatty():
            raise click.UsageError(f"{name} cannot be printed on a terminal: use -o OUT or a pipe")
        return None
    if not output.strip():
        raise click.UsageError("--output: expected a path, got nothing")
    target = Path(output)
    for path in (target, target.with_name(f"{target.name}.csv")):
        if any(file.exists() and path.exists() and file.samefile(path) for file in files):
            raise click.UsageError(f"OUT: expected another file than the input, got {printable(str(path))}")
    return target
