"""What commands share: options of the table, keys, input files, and the way out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ltkm_inspect.cli import signals
from ltkm_inspect.cli.completion import completer_of
from ltkm_inspect.cli.defaults import configurable, flag, is_configured, spelled
from ltkm_inspect.options.files import ReportTarget, baseline_file, key_ring, names_file, parse_report, redaction_key
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.options.settings import JUDGING, parse_fail_on, settings
from ltkm_inspect.options.table import DEFAULTS, REPORT_SUFFIXES, SHOWS_KEYS
from ltkm_inspect.options.words import OptionError, alternatives, one_of
from ltkm_inspect.output.console import COULD_NOT_RUN, InputErrors, complain, failure
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.urls import is_url, shown_name, without_file_scheme

if TYPE_CHECKING:
    from ltkm_inspect.baseline import Baseline
    from ltkm_inspect.capture.inputs import Input
    from ltkm_inspect.checking.reading import Held
    from ltkm_inspect.context import Context
    from ltkm_inspect.finding import Report
    from ltkm_inspect.keys import KeyRing
    from ltkm_inspect.output.wording import Wording
    from ltkm_inspect.report.keys import Keys
    from ltkm_inspect.traffic import Event, Limits, TerminalBy


def option[F: Callable[..., None]](name: str, spelt: str = "") -> Callable[[F], F]:
    """Return the click option of that row of the option table, under its own name or as it is `spelt`."""
    row = DEFAULTS[name]
    return click.option(
        spelt or flag(name),
        name,
        # an empty path on a command line is a variable that was not set, and no wish to do without
        default=None if row.kind == "path" else row.default if row.check_default is None else row.check_default,
        multiple=row.kind == "list",
        is_flag=row.kind == "flag",
        metavar=None if row.kind == "flag" else row.metavar,
        help=f"{row.help[0].upper()}{row.help[1:]}.",
        show_default=bool(row.default),
        shell_complete=completer_of(name),
    )


class FilePath(click.Path):
    """The path of a file; an empty one is a variable that was not set, and no wish for the folder at hand.

    One that may not be read is found out by reading it: it is an input like a missing one, and no wrong usage.
    """

    def __init__(self, path_type: type[Path] | type[str] = Path, *, or_url: bool = False) -> None:
        """Give paths of that type; `or_url` says that a URL is taken, too, and given as it is."""
        super().__init__(path_type=path_type, readable=False)
        self._or_url = or_url

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; a usage error for an empty one."""
        if value == "":
            self.fail("expected the name of a file, got nothing", param, ctx)
        value = without_file_scheme(value) if isinstance(value, str) else value
        if isinstance(value, str) and is_url(value):
            if not self._or_url:
                self.fail(f"expected a file on this machine, got {printable(shown_name(value))}", param, ctx)
            return value
        return super().convert(value, param, ctx)


class CapturePath(FilePath):
    """The path of a capture, or its URL, as text."""

    def __init__(self) -> None:
        """Take both."""
        super().__init__(or_url=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; a usage error for nothing."""
        return str(super().convert(value, param, ctx))


class JudgingOptions:
    """How exchanges are judged and told, by the options of one command; a usage error for what means nothing."""

    def __init__(self, typed: dict[str, Any]) -> None:
        """Take the options as typed, by their names in the option table."""
        self.typed = typed
        with usage():
            self.settings = settings(**{name: typed[name] for name in JUDGING})
            self.level = parse_fail_on(typed.get("fail_on", "never"))
            """The level from which findings fail the run; None for never."""
        self.limits = limits_of(typed["limit"])

    def keys(self) -> "Keys":
        """Return the keys at hand, as `keys_at_hand` does."""
        return keys_at_hand(self.typed["keys"], self.typed.get("show_keys", False), hides_names=self.typed["redact"])

    def wording(self, keys: "Keys") -> "Wording":
        """Return how this run words its text, as `wording_of` does."""
        terminal_by = self.settings.session.terminal
        typed = self.typed
        return wording_of(
            typed["names"], keys.ring, redact=typed["redact"], key=typed["redact_key_file"], terminal_by=terminal_by
        )

    def baseline(self) -> "Baseline":
        """Return which findings are accepted; exit code 1 where the file cannot be used."""
        return baseline_of(self.typed["baseline"])

    def context(self, keys: "Keys") -> "Context":
        """Return a context with these keys and a new session."""
        from ltkm_inspect.context import Context
        from ltkm_inspect.session import Session

        return Context(self.settings, keys.ring, Session(self.settings.session), self.limits)


def judging(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options that `settings` takes and those of that name; the command gets them as `asked`."""
    every = (*JUDGING, *names)

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            typed = {name: given.pop(name) for name in every}
            command(asked=JudgingOptions(typed), **given)

        for name in reversed(every):
            run = option(name)(run)
        return configurable(run)

    return add


class Word(click.Choice[str]):
    """One of some words; a usage error lists them and says which comes closest."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word."""
        try:
            one_of("", value, self.choices)
        except OptionError as error:
            self.fail(error.reason, param, ctx)
        return value


class Count(click.IntRange):
    """A whole number from 1."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; a usage error for anything else."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"expected a whole number from {self.min}, got {printable(str(value)) or 'nothing'}", param, ctx)


class OutputFormat(Word):
    """What a command prints; a format that only reports have points to `--report`."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the format; a usage error for another word."""
        command = "" if ctx is None else ctx.info_name
        if value in REPORT_SUFFIXES and value not in self.choices and command in ("check", "report"):
            path = f"out{REPORT_SUFFIXES[value][0]}"
            self.fail(f"expected {alternatives(self.choices)}, got {value}; a file of it: --report {path}", param, ctx)
        return super().convert(value, param, ctx)


def shaped(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the option `--format` with these words."""
    return click.option("--format", "shape", type=OutputFormat(names), default="text", show_default=True)


def _file_at_hand[F](option: str, path: str | None, read: Callable[[str], F]) -> F:
    """Return what is read from the file that an option names; exit code 1 where it cannot be used."""
    if path is not None and not path.strip():
        raise click.UsageError(f"{flag(option)}: expected a path, got nothing")
    try:
        return read(path or "")
    except OptionError as error:
        complain(f"{spelled(option)}: {error.reason}")
        leave(COULD_NOT_RUN)


def keys_at_hand(path: str | None, show: bool = False, *, hides_names: bool) -> "Keys":
    """Return the keys of that ring file, none without a path; exit code 1 where it cannot be used.

    `hides_names` is for redacted output.
    """
    from ltkm_inspect.report.keys import Keys

    file = _file_at_hand("keys", path, key_ring)
    if show:
        complain(f"--show-keys is on: {SHOWS_KEYS}")
    if file is None:
        return Keys(show=show)
    for line in file.warnings:
        complain(printable(line))
    return Keys(file.ring, show, hides_names)


def wording_of(
    path: str | None, ring: "KeyRing", *, redact: bool, key: str | None, terminal_by: "TerminalBy | None" = None
) -> "Wording":
    """Return how a run words its text, with the names of that file; exit code 1 where it cannot be used.

    `key` is the path of the file with the key of redacted names.
    """
    from ltkm_inspect.names import NO_NAMES
    from ltkm_inspect.output.redaction import Redaction
    from ltkm_inspect.output.wording import Wording
    from ltkm_inspect.traffic import AUTO

    file = _file_at_hand("names", path, lambda typed: names_file(typed, ring))
    redaction = None
    if redact:
        key_file = _file_at_hand("redact_key_file", key, redaction_key)
        for line in () if key_file is None else key_file.warnings:
            complain(printable(line))
        redaction = Redaction(None if key_file is None else key_file.content, terminal_by or AUTO)
    elif key and not is_configured("redact_key_file"):
        raise click.UsageError("--redact-key-file has no effect without --redact")
    return Wording(redaction, NO_NAMES if file is None else file.content)


def baseline_of(path: str | None) -> "Baseline":
    """Return which findings the file of that path accepts; exit code 1 where it cannot be used."""
    from ltkm_inspect.baseline import NO_BASELINE

    file = _file_at_hand("baseline", path, baseline_file)
    return NO_BASELINE if file is None else file.content


def limits_of(text: str) -> "Limits":
    """Return how much of an exchange is looked at on the command line; a wrong word is a line on the usage."""
    with usage():
        return parse_limit(text, live=False)


def reports_of(
    files: "Iterable[Input]", context: "Context", trouble: InputErrors, wording: "Wording"
) -> "Iterator[tuple[str, Report]]":
    """Yield the report of every MSK exchange with the name of its file, as one session; what is wrong is said."""
    from ltkm_inspect.engine import inspect

    for name, number, event in events_of(files, context.limits, trouble):
        report = inspect(event, context)
        report.number = number
        say_crashes(name, report, trouble, wording)
        yield name, report


def events_of(files: "Iterable[Input]", limits: "Limits", trouble: InputErrors) -> "Iterator[tuple[str, int, Event]]":
    """Yield every MSK exchange and datagram with its file and its number in it; what is wrong with a file is said."""
    from ltkm_inspect.capture import Damage, DamagedEvent, UnreadTraffic, opened, unread_text
    from ltkm_inspect.checking.reading import CaptureReader
    from ltkm_inspect.traffic import Event

    begun = False

    def events(found: "Iterable[tuple[str, int, Held]]") -> "Iterator[tuple[str, int, Event]]":
        nonlocal begun
        for name, number, held in found:
            begun = True
            if isinstance(held, Damage | DamagedEvent):
                trouble.say(name, str(held), unread=False)
            elif isinstance(held, UnreadTraffic):
                complain(f"{printable(name)}: not read: {unread_text(held.counts)}")
            elif isinstance(held, Event):
                yield name, number, held

    reader = CaptureReader(limits)
    for file in files:
        if file.problem:
            trouble.say(file.name, file.problem, unread=True)
            continue
        begun = False
        try:
            with opened(file.location) as source:
                yield from events(reader.events(source, file.name))
        except Exception as error:  # a file that the program fails on takes no other one with it
            trouble.say(file.name, failure(error), unread=not begun)
    yield from events(reader.rest())


def say_crashes(name: str, report: "Report", trouble: InputErrors, wording: "Wording") -> None:
    """Say of an exchange of that file where the program failed on it, as the output tells only what was checked."""
    from ltkm_inspect.finding import CRASHES

    for finding in report.findings:
        if finding.rule in CRASHES:
            line = f"{finding.line} (exchange {printable(report.event.id)})"
            trouble.say(name, wording.text(line), unread=False)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end what is done here, and clean up after it; say so in one line."""
    with signals.raising():
        try:
            yield
        except KeyboardInterrupt as error:
            complain(signals.reason_of(error))
            leave(signals.code_of(error))


@contextmanager
def usage() -> Iterator[None]:
    """Make of an option that cannot mean anything as written a line on its usage."""
    try:
        yield
    except OptionError as error:
        raise click.UsageError(f"{spelled(error.option)}: {error.reason}") from None


def targets_of(report: Iterable[str], files: Iterable[Path]) -> list[ReportTarget]:
    """Return the reports that are asked for; OptionError for one that would overwrite a file that is read."""
    targets = [*map(parse_report, report)]
    for target in targets:
        path = target.path
        if any(file.exists() and path.exists() and file.samefile(path) for file in files):
            raise OptionError("report", f"expected another file than the input, got {printable(str(path))}")
    return targets


def leave(code: int) -> NoReturn:
    click.get_current_context().exit(code)
