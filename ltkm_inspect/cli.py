"""The command line: arguments in, exit codes out; the work is in the rooms below."""

import gc
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from errno import EBADF
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ltkm_inspect import __version__, options
from ltkm_inspect.intake import FORMS, Form, Given, from_argument, from_stream
from ltkm_inspect.report.console import COULD_NOT_RUN, PROGRAM, Trouble, complain, reason, say
from ltkm_inspect.wire import printable

# Every other room is imported by the command that needs it: half of the commands know no exchange, most no proxy.
if TYPE_CHECKING:
    from ltkm_inspect.context import Settings
    from ltkm_inspect.exchange import Exchange
    from ltkm_inspect.fault import Application
    from ltkm_inspect.finding import Level
    from ltkm_inspect.report.keys import Keys

OK = 0
FINDINGS = 3
NOTHING_SEEN = 4
INTERRUPTED = 130
COLLECT_AFTER = 100_000
"""How many objects are made before garbage is looked for: to start makes ten thousands that all stay."""


def _option[F: Callable[..., None]](name: str) -> Callable[[F], F]:
    """Return the click option of that row of the option table."""
    row = options.DEFAULTS[name]
    return click.option(
        f"--{name.replace('_', '-')}",
        # an empty path on a command line is a variable that was not set, and no wish to do without
        default=None if row.kind == "path" else row.default if row.check_default is None else row.check_default,
        multiple=row.kind == "list",
        is_flag=row.kind == "flag",
        metavar=None if row.kind == "flag" else row.metavar,
        help=f"{row.help[0].upper()}{row.help[1:]}.",
        show_default=bool(row.default),
    )


def _format(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--format", "shape", type=click.Choice(names), default="text", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=f"{PROGRAM} %(version)s")
def commands() -> None:
    """Inspect the LTKMs in MSK responses, or damage them.

    Exit codes: 0 nothing at or above the level, 1 could not run, 2 usage, 3 findings, 4 no MSK exchange seen, 5 some
    input damaged or missing (the report is partial), 130 interrupted. 1 beats 5 beats 3 beats 4.
    """


@commands.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@_option("expect")
@_option("profile")
@_option("strict")
@_option("namespaces")
@_option("select")
@_option("ignore")
@_option("severity")
@_option("rule")
@_option("fail_on")
@_option("report")
@_option("keys")
@_option("show_keys")
@_format("text", "jsonl")
def check(
    files: tuple[Path, ...],
    fail_on: str,
    report: tuple[str, ...],
    keys: str | None,
    show_keys: bool,
    shape: str,
    **words: Any,
) -> None:
    """Check the MSK exchanges in flow files and HARs.

    Prints the findings of each exchange and a summary, or one JSON object an exchange. Nothing is left out, however
    large a response is.
    """
    settings, level, paths = _understood(words, fail_on, report, files)
    at_hand = _keys(keys, show_keys)
    from ltkm_inspect.context import Context
    from ltkm_inspect.engine import inspect
    from ltkm_inspect.proxy.files import ReportFiles
    from ltkm_inspect.report import jsonl, summary, text
    from ltkm_inspect.session import Session

    session = Session()
    context = Context(settings, at_hand.ring, session)
    reports, total, trouble = ReportFiles(), summary.Summary(), Trouble()
    try:
        reports.use(paths)
    except options.OptionError as error:
        complain(str(error))
        _leave(COULD_NOT_RUN)
    shown: Path | None = files[0] if len(files) == 1 else None
    for path, _, exchange in _flows(files, trouble):
        if exchange is None:
            total.other()
            continue
        found = inspect(exchange, context)
        total.add(found)
        line = jsonl.exchange_line(found, str(path), at_hand) if paths or shape == "jsonl" else ""
        trouble.lost(reports.write(line))
        if shape == "jsonl":
            say([line])
        else:
            say([*([] if path == shown else [f"{printable(str(path))}:"]), *text.lines(found), *at_hand.lines(found)])
            shown = path
    total.forgotten = session.forgotten
    trouble.lost(reports.write(jsonl.summary_line(total)))
    reports.close()
    if trouble.unread == len(files):
        pass  # each of them has its line already
    elif shape == "text":
        say(total.lines())
    elif not total.exchanges:
        complain(summary.NOTHING_SEEN)
    broken = level is not None and total.worst >= level
    _leave(trouble.exit_code(len(files), FINDINGS if broken else OK if total.exchanges else NOTHING_SEEN))


@commands.command()
@click.argument("inputs", nargs=-1, required=True, metavar="LTKM|FILE|-...")
@click.option("--input", "form", type=click.Choice(FORMS), default="auto", show_default=True, help="How it is written.")
@_option("keys")
@_option("show_keys")
@_format("text", "jsonl")
def decode(inputs: tuple[str, ...], form: Form, keys: str | None, show_keys: bool, shape: str) -> None:
    """Decode LTKMs, as a tree of fields or as JSON.

    Each is base64 or hex, a file, or - for one a line from standard input. A file is binary, or text with one LTKM a
    line or one LTKM wrapped over its lines. Exit code 3 where one does not decode, or its MAC or key data is wrong with
    the keys given; 4 where there is none.
    """
    from ltkm_inspect.report import messages

    at_hand = _keys(keys, show_keys) if keys is not None or show_keys else None
    trouble, seen, whole = Trouble(), False, True
    for given in _given(inputs, form, trouble):
        message = messages.decoded(given)
        seen, whole = True, whole and messages.stands(given, message, at_hand)
        if shape == "jsonl":
            going = say([messages.json_line(given, message, at_hand)])
        else:
            going = say(messages.text_lines(given, message, at_hand))
        if not going:
            break
    if not seen and not trouble.unread:
        complain("no LTKM in the input")
    _leave(trouble.exit_code(len(inputs), FINDINGS if not whole else OK if seen else NOTHING_SEEN))


@commands.command()
@_format("text", "json")
def rules(shape: str) -> None:
    """List the rules, by what they look at."""
    from ltkm_inspect.report import rules as listing

    say([listing.json_text()] if shape == "json" else listing.text_lines())


@commands.command()
@click.argument("fault", metavar="FAULT[:NAME=VALUE,...]")
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT")
@_option("keys")
def fault(fault: str, source: Path, target: Path, keys: str | None) -> None:
    """Put a fault into every MSK exchange of a file.

    OUT becomes a flow file with all flows of IN, a flow file or HAR; those that have nothing to damage are as they
    were. Each changed flow says which fault is in it, and keeps what it was, so that mitmproxy can revert it. Exit code
    1 where the fault can be put into no MSK exchange; then there is no OUT.
    """
    application = _application(fault, source, target)
    from ltkm_inspect.context import Context
    from ltkm_inspect.proxy.rewriting import Rewriting, Target

    rewriting, trouble = Rewriting(application, Context(keys=_keys(keys).ring)), Trouble()
    try:
        with Target(target) as file:
            for _, flow, exchange in _flows([source], trouble):
                change = rewriting.apply(flow, exchange)
                file.add(flow)
                if change is not None:
                    say([change.line])
            if not rewriting.failed and not trouble.unread and (rewriting.flows or not trouble.damaged):
                file.keep()
    except OSError as error:
        complain(f"{printable(str(target))}: {reason(error)}")
        _leave(COULD_NOT_RUN)
    if not trouble.unread:
        say(rewriting.lines())
    if rewriting.warning:
        complain(rewriting.warning)
    if not rewriting.exchanges and not trouble.unread and not trouble.damaged:
        complain("no MSK exchange was seen, so nothing was changed")
    if rewriting.failed:
        complain(rewriting.reason)
        _leave(COULD_NOT_RUN)
    _leave(trouble.exit_code(1, OK if rewriting.exchanges else NOTHING_SEEN))


@commands.command()
@_format("text", "json")
def faults(shape: str) -> None:
    """List the faults, by what they damage."""
    from ltkm_inspect.report import faults as listing

    say([listing.json_text()] if shape == "json" else listing.text_lines())


@commands.group()
def keys() -> None:
    """Derive keys, and check a key ring."""


@keys.command()
@click.argument("source", metavar="[FILE|-]", default="-")
@_format("text", "json")
def derive(source: str, shape: str) -> None:
    """Derive MUK, MRK and digest password.

    The input is TOML with ck, ik, rand, impi and naf, or ks_naf, or ks_ext_naf, or ks_ext_naf and ks_int_naf; and gba
    ("me", "u" or "u-plain"). It comes from a file or standard input, so that no key stands where others can read it.
    """
    from ltkm_inspect.keys.ring_file import RingError
    from ltkm_inspect.report import keys as report

    try:
        octets = sys.stdin.buffer.read() if source == "-" and sys.stdin is not None else Path(source).read_bytes()
        lines, warnings = report.derived(octets, as_json=shape == "json")
    except (OSError, RingError) as error:
        complain(f"{'standard input' if source == '-' else printable(source)}: {reason(error)}")
        _leave(COULD_NOT_RUN)
    for warning in warnings:
        complain(warning)
    say(lines)


@keys.command("check")
@click.argument("source", metavar="FILE")
def check_keys(source: str) -> None:
    """Check a key ring: a line for each subscriber, and no key."""
    from ltkm_inspect.keys import RingError, load
    from ltkm_inspect.report import keys as report

    try:
        ring, warnings = load(source)
    except RingError as error:
        complain(str(error))
        _leave(COULD_NOT_RUN)
    for warning in warnings:
        complain(warning)
    say(report.ring_lines(ring))


@commands.command()
@click.argument("rule")
def explain(rule: str) -> None:
    """Explain a rule or a fault.

    What the clause says, why it matters, what to do about it, and an example.
    """
    from ltkm_inspect import explain as room

    page = room.page(rule)
    if page is None:
        raise click.UsageError(f"unknown rule {printable(rule)}{options.did_you_mean(rule, room.names())}")
    say(page.splitlines())


@commands.command()
def addon() -> None:
    """Print the path of the addon script, for `mitmdump -s`."""
    from ltkm_inspect.location import addon_script

    try:
        say([str(addon_script())])
    except FileNotFoundError as error:
        complain(str(error))
        _leave(COULD_NOT_RUN)


def _application(text: str, source: Path, target: Path) -> "Application":
    from ltkm_inspect import catalogue
    from ltkm_inspect.fault import FaultError, parse_application

    catalogue.load()
    try:
        application = parse_application(text)
    except FaultError as error:
        raise click.UsageError(str(error)) from None
    if source.exists() and target.exists() and source.samefile(target):
        raise click.UsageError(f"OUT: expected another file than the input, got {printable(str(target))}")
    return application


def _understood(
    words: dict[str, Any], fail_on: str, report: tuple[str, ...], files: tuple[Path, ...]
) -> "tuple[Settings, Level | None, list[Path]]":
    try:
        settings, level = options.settings(**words), options.parse_fail_on(fail_on)
        paths = [options.parse_report(text) for text in report]
        for path in paths:
            if any(file.exists() and path.exists() and file.samefile(path) for file in files):
                raise options.OptionError("report", f"expected another file than the input, got {printable(str(path))}")
    except options.OptionError as error:
        raise click.UsageError(f"--{error.option.replace('_', '-')}: {error.reason}") from None
    return settings, level, paths


def _keys(path: str | None, show: bool = False) -> "Keys":
    """Return the keys of that ring file, none without a path; exit code 1 where it cannot be used."""
    from ltkm_inspect.report.keys import Keys

    if path is not None and not path.strip():
        raise click.UsageError("--keys: expected a path, got nothing")
    try:
        file = options.key_ring(path or "")
    except options.OptionError as error:
        complain(f"--keys: {error.reason}")
        _leave(COULD_NOT_RUN)
    if show:
        complain(f"--show-keys is on: {options.SHOWS_KEYS}")
    if file is None:
        return Keys()
    for line in file.warnings:
        complain(printable(line))
    return Keys(file.ring, show)


def _flows(files: Iterable[Path], trouble: Trouble) -> "Iterator[tuple[Path, Any, Exchange | None]]":
    """Yield every flow with its file and the MSK exchange that it is; what is wrong with a file is said."""
    from ltkm_inspect.proxy.reading import Damage, flows

    for path in files:
        begun = False
        try:
            for found in flows(path):
                begun = True
                if isinstance(found, Damage):
                    trouble.say(str(path), str(found), unread=False)
                else:
                    yield path, *found
        except OSError as error:
            trouble.say(str(path), reason(error), unread=not begun)


def _given(inputs: Iterable[str], form: Form, trouble: Trouble) -> Iterator[Given]:
    for number, text in enumerate(inputs, 1):
        try:
            if text == "-":
                if sys.stdin is None:  # closed by whoever started us
                    raise OSError(EBADF, "there is none")
                yield from from_stream(sys.stdin.buffer, "standard input", form)
            else:
                yield from from_argument(text, f"argument {number}", form)
        except OSError as error:
            trouble.say("standard input" if text == "-" else text, reason(error), unread=True)


def _leave(code: int) -> NoReturn:
    click.get_current_context().exit(code)


def main() -> NoReturn:
    """Run the command line and exit; whatever happens, in at most one line and with a code of the table."""
    gc.set_threshold(COLLECT_AFTER)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows fewer characters
    try:
        code = commands.main(prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    except Exception as error:
        complain(f"{type(error).__name__}: {reason(error)}")
        code = COULD_NOT_RUN
    sys.exit(code)


if __name__ == "__main__":
    main()
