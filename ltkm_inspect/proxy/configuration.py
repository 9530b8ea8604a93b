"""The options of the addon: offered to mitmproxy, taken back from it, and refused in one line where they are wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mitmproxy import exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.optmanager import OptManager

from ltkm_inspect.baseline import NO_BASELINE, Baseline, BaselineFile
from ltkm_inspect.context import Context
from ltkm_inspect.finding import Level
from ltkm_inspect.inspecting import Terms
from ltkm_inspect.keys import KeyRing, RingFile
from ltkm_inspect.mitm.rewriting import FlowRewriter
from ltkm_inspect.mitm.sources import READERS
from ltkm_inspect.names import NO_NAMES, NamesFile
from ltkm_inspect.options.faults import orders as fault_orders
from ltkm_inspect.options.files import ReportTarget, baseline_file, key_ring, names_file, parse_report, redaction_key
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.options.monitoring import (
    MetricsAddress,
    chosen_inspector,
    parse_deadline,
    parse_interval,
    parse_metrics,
)
from ltkm_inspect.options.settings import JUDGING, parse_fail_on, settings
from ltkm_inspect.options.table import DEFAULTS, EVERY, INLINE, LOG, NEVER
from ltkm_inspect.options.words import OptionError, did_you_mean, number_or, one_of
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.rewriting.recording import only_in_recordings
from ltkm_inspect.traffic import Limits
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.toml_file import TomlFile

PREFIX = "ltkm_"
NAMES = frozenset(PREFIX + name for name in DEFAULTS)
"""The options as typed after `--set`."""
FAULT_OPTIONS = ("terminal", *(name for name in DEFAULTS if name.startswith("fault")))
"""The options on faults, without the prefix."""
_TYPES: dict[str, Any] = {"word": str, "flag": bool, "list": Sequence[str], "path": str}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the options ask for."""

    context: Context = field(default_factory=Context)
    limits: Limits = field(default_factory=lambda: parse_limit(str(DEFAULTS["limit"].default)))
    fail_on: Level | None = None
    """The level from which findings give mitmdump an exit status of 3; None for never."""
    reports: tuple[ReportTarget, ...] = ()
    """The reports that are asked for."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option of the table, as typed."""
    log: str = "all"
    """Which exchanges the log tells of: one of `LOG`."""
    log_first: int | None = 10
    """How many findings of each rule are logged in full; None for all."""
    log_every: int | None = 100
    """Of the later ones, every such is logged; None for none of them."""
    ring_file: RingFile | None = None
    """The file that the keys of the context come from."""
    show_keys: bool = False
    """The keys that LTKMs deliver are shown."""
    baseline_file: BaselineFile | None = None
    """The file that says which findings are accepted."""
    names_file: NamesFile | None = None
    """The file that the names come from."""
    wording: Wording = PLAIN
    """What replaces B-TIDs, IMPIs and addresses in every output, and the names that are shown."""
    rewriting: FlowRewriter = field(default_factory=lambda: FlowRewriter(Orders()))
    """What puts the faults in, and counts."""
    summary_every: int | None = None
    """How many seconds are between two heartbeats; None for none."""
    metrics: MetricsAddress | None = None
    """Where metrics are served; None for nowhere."""
    inspector: str = INLINE
    """Where live events are inspected: one of `INSPECTOR`."""
    deadline: float | None = None
    """How many seconds a response waits for its inspection at most; None for as long as it takes."""
    redaction_key: TomlFile[bytes] | None = None
    """The file with the key of redacted names."""

    @property
    def keys(self) -> Keys:
        """What reports tell of keys."""
        return Keys(self.context.keys, self.show_keys, hides_names=self.wording.redaction is not None)

    @property
    def baseline(self) -> Baseline:
        """Which findings are accepted."""
        return NO_BASELINE if self.baseline_file is None else self.baseline_file.content

    def baseline_records(self, matched: Mapping[tuple[str, ...], int]) -> list[dict[str, Any]]:
        """Return the entries of the baseline for records, with how many findings each was about."""
        return self.baseline.records(matched, self.wording.terminal, self.wording.text)

    def terms(self, files: ReportFiles) -> Terms:
        """Return what inspections go by whose records these report files take."""
        session, settings = self.context.session, self.context.settings
        if session is not None:
            settings = replace(settings, session=session.settings)
        context = replace(self.context, settings=settings, session=None)
        return Terms(
            context,
            self.baseline,
            self.wording,
            self.keys,
            self.log,
            has_records=bool(files.names),
            has_page=files.has_page,
        )


def offer(loader: Loader) -> None:
    """Add every option of the table to mitmproxy."""
    for name, option in DEFAULTS.items():
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        loader.add_option(PREFIX + name, _TYPES[option.kind], default, f"{option.help} ({option.metavar})")


def take_deferred(options: OptManager) -> list[str]:
    """Give our options the values typed before they were known; return a line for each that is not to be had.

    mitmproxy converts such values while it registers the script, where a mistake would make it drop the addon without
    a word. A value that fails is forgotten, so that the addon lives to tell.
    """
    waiting = {name: options.deferred.pop(name) for name in [*options.deferred] if name in NAMES}
    wrong = []
    for name, value in waiting.items():
        options.deferred[name] = value
        try:
            options.process_deferred()
        except (exceptions.OptionsError, TypeError) as error:
            del options.deferred[name]
            text = printable(str(error))
            wrong.append(text if name in text else f"{name}: {text}")
    return wrong


def unknown(options: OptManager) -> list[str]:
    """Return a line for each option that was typed as one of ours and is none."""
    names = {name: name.lower().replace("-", "_") for name in sorted(options.deferred)}
    ours = {name: meant for name, meant in names.items() if meant.startswith(PREFIX)}
    return [f"unknown option {printable(name)}{did_you_mean(meant, NAMES)}" for name, meant in ours.items()]


def read(options: OptManager, former: Configuration) -> Configuration:
    """Return what the options ask for; OptionError where one cannot mean anything as written.

    What the former configuration had open stays: the key ring and the file of names where the path is still the same,
    the redaction, and what puts faults in, where none of the options on faults has changed.
    """
    ring_file = key_ring(options.ltkm_keys, former.ring_file)
    typed = {name: getattr(options, PREFIX + name) for name in DEFAULTS}
    one_of("log", typed["log"], LOG)
    faults = {name: typed[name] for name in FAULT_OPTIONS}
    judging = settings(**{name: typed[name] for name in JUDGING})
    terminal_by = judging.session.terminal
    ring = KeyRing() if ring_file is None else ring_file.ring
    names = names_file(options.ltkm_names, ring, former.names_file)
    key_file = redaction_key(options.ltkm_redact_key_file, former.redaction_key)
    is_same = former.context.settings.session.terminal == terminal_by and former.redaction_key is key_file
    redaction = former.wording.redaction if is_same else None
    if options.ltkm_redact and redaction is None:
        redaction = Redaction(None if key_file is None else key_file.content, terminal_by)
    return Configuration(
        Context(judging, keys=ring),
        parse_limit(options.ltkm_limit),
        parse_fail_on(options.ltkm_fail_on),
        tuple(dict.fromkeys(map(parse_report, options.ltkm_report))),
        typed,
        typed["log"],
        number_or("log_first", typed["log_first"], EVERY),
        number_or("log_every", typed["log_every"], NEVER),
        ring_file,
        options.ltkm_show_keys,
        baseline_file(options.ltkm_baseline, former.baseline_file),
        names,
        Wording(
            redaction if options.ltkm_redact else None,
            NO_NAMES if names is None else names.content,
        ),
        former.rewriting if faults.items() <= former.options.items() else _rewriting(faults),
        parse_interval("summary_every", options.ltkm_summary_every),
        parse_metrics(options.ltkm_metrics),
        chosen_inspector(typed["inspector"]),
        parse_deadline(typed["deadline"]),
        key_file,
    )


def sources(options: OptManager) -> list[str] | None:
    """Return the files that the flows are read from; None where they pass through a proxy."""
    file = options.rfile if "rfile" in options else None
    return [file] if file else None


def _rewriting(typed: Mapping[str, Any]) -> FlowRewriter:
    orders = fault_orders(READERS, **typed)
    for application in orders.faults:
        id = application.fault.id
        why = only_in_recordings(id)
        if why:
            raise OptionError("fault", f"fault {id} {why}; put it into a recording with ltkm-inspect fault")
    return FlowRewriter(orders)


def idle_words(orders: Orders) -> tuple[str, str] | None:
    """Return the name of an option on faults that means nothing without one, and what is missing; None for none."""
    if not orders.are_idle:
        return None
    lost = [f"fault_{option}" for option, *_ in orders.events.selectors()]
    lost += ["fault_filter"] if orders.filter else []
    lost += ["fault_when"] if orders.when.kind != "always" else []
    return (lost[0], "has no effect without ltkm_fault or ltkm_fault_delay") if lost else None


def cannot_change_streams(options: OptManager) -> bool:
    """Tell whether faults are wanted in bodies that mitmproxy may have streamed past before they come here."""
    return bool(options.ltkm_fault) and "stream_large_bodies" in options and bool(options.stream_large_bodies)


def forgets_host(options: OptManager) -> bool:
    """Tell whether a reverse proxy of this run replaces Host by its own upstream, so that nobody can check it."""
    return bool(options.server) and not keeps_host(options) and any(map(_is_reverse, options.mode))


def keeps_host(options: OptManager) -> bool:
    """Tell whether a reverse proxy of this run leaves Host as the client sent it."""
    return "keep_host_header" in options and bool(options.keep_host_header)  # known where there is a proxy at all


def loads_with_upstream(options: OptManager) -> bool:
    """Tell whether mitmproxy puts its upstream into the flows that it loads."""
    return len(options.mode) == 1 and _is_reverse(options.mode[0])


def _is_reverse(mode: str) -> bool:
    return mode.startswith("reverse:")
