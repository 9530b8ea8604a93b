"""The options that users type, in one table, and what their words mean; for the command line and the addon alike."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ltkm_inspect import parameter
from ltkm_inspect.wire import printable

# The rooms that know rules and documents are imported where they are asked: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.context import Settings
    from ltkm_inspect.fault import Application, Reader
    from ltkm_inspect.finding import Level
    from ltkm_inspect.keys import RingFile
    from ltkm_inspect.rewriting.orders import Orders
    from ltkm_inspect.rewriting.schedule import When
    from ltkm_inspect.rule import Rule
    from ltkm_inspect.selection import Selection
    from ltkm_inspect.traffic import Limits

type Readers = Mapping[type, Reader]
type Kind = Literal["word", "flag", "list", "path"]

FAIL_ON = ("never", "warning", "violation")
"""From which level on findings make a run fail."""
AS_IT_HAPPENS = "jsonl"
"""The format of a bare path; reports in it are written as it happens, all others at the end."""
REPORT_FORMATS = (AS_IT_HAPPENS, "text", "sarif", "junit", "html")
"""The formats that a report can have: each is a module beside the others."""
EXPORT_FORMATS = ("csv", "json", "base64", "pcap", "pcapng", "xml")
"""The formats that LTKMs can be exported in."""


class OptionError(ValueError):
    """An option that cannot mean anything as written; the message is one line that begins with the option's name."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        """The name in the table: `fail_on`."""
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the option table."""

    kind: Kind
    default: str | bool | tuple[str, ...]
    metavar: str
    """What may be typed, as shown in help."""
    help: str
    """What it is for, in one sentence without a full stop."""
    check_default: str | None = None
    """The default of `ltkm-inspect check` where it differs from the addon's."""


DEFAULTS: dict[str, Option] = {
    "expect": Option(
        "word", "auto", "auto|always", "must every 200 OK item carry an LTKM even if none in the document does"
    ),
    "profile": Option(
        "list", ("auto",), "auto|usim|ruim|bcast|mbms", "which identity and message profile applies (several)"
    ),
    "clock_skew": Option(
        "word", "60", "SECONDS", "how many seconds the clocks of two captures of the same exchange may differ"
    ),
    "strict": Option("flag", False, "true|false", "ambiguities count as violations"),
    "namespaces": Option("list", ("1.0",), "VERSION", "further orderqueries versions accepted"),
    "select": Option("list", (), "RULE|SUBJECT|DOCUMENT", "only the rules with that id, subject or document"),
    "ignore": Option("list", (), "RULE|SUBJECT|DOCUMENT", "not the rules with that id, subject or document"),
    "severity": Option("list", (), "RULE=LEVEL", "the level of a rule: off, note, warning or violation"),
    "rule": Option("list", (), "RULE:NAME=VALUE,…", "options of a rule, as the list of rules has them"),
    "fail_on": Option(
        "word", "never", "never|warning|violation", "the level from which findings fail the run", "violation"
    ),
    "limit": Option(
        "word",
        "body=1MiB,ltkms=200,payloads=1000,findings=100,directives=1000,tags=200000",
        "PART=NUMBER,…",
        "how much of an exchange is looked at: octets of body, LTKMs, payloads of a message, findings of a rule, "
        "directives of a header, tags and attributes of a document; none lifts a limit, and what is left out keeps its "
        "default",
        "body=64MiB,ltkms=none,payloads=none,findings=100,directives=none,tags=200000",
    ),
    "report": Option(
        "list",
        (),
        "[FORMAT=]PATH",
        f"a report ({', '.join(REPORT_FORMATS)}; jsonl as it happens); strftime codes in the path are filled in",
    ),
    "keys": Option("path", "", "FILE", "the key ring: a TOML file with the MUKs and MRKs of the terminals"),
    "show_keys": Option(
        "flag", False, "true|false", "the keys that LTKMs deliver are shown, in every output; without it none is"
    ),
    "fault": Option(
        "list", (), "FAULT[:NAME=VALUE,…]", "faults put into MSK responses that pass, in the order given; one each time"
    ),
    "fault_filter": Option("word", "", "FILTER", "only in flows that match this filter expression of mitmproxy"),
    "fault_msk": Option(
        "list", (), "KEYDOMAIN[/GROUP[/NUMBER]]", "only in responses about one of these keys, in hex; and only there"
    ),
    "fault_terminal": Option(
        "list", (), "B-TID|ADDRESS", "only in responses to one of these terminals, or to clients of that address"
    ),
    "fault_when": Option(
        "word",
        "always",
        "always|first|nth=N|every=N|until=N|probability=P,seed=S",
        "how often, counted for each terminal over the responses that the faults can be put into",
    ),
    "fault_delay": Option(
        "word", "0", "SECONDS", "how long the responses are held back that are hit; without a fault all selected are"
    ),
    "fault_unsigned": Option(
        "word", "warn", "warn|refuse", "what to do where the digest cannot be made anew: say so, or leave the response"
    ),
    "redact": Option(
        "flag", False, "true|false", "B-TIDs, IMPIs and addresses are replaced by names that are the same within a run"
    ),
}
"""The option table: in the addon each is `ltkm_` and its name, on the command line `--` and its name with hyphens."""


def settings(
    *,
    expect: str = "auto",
    profile: Iterable[str] = ("auto",),
    clock_skew: str = "60",
    strict: bool = False,
    namespaces: Iterable[str] = ("1.0",),
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    severity: Iterable[str] = (),
    rule: Iterable[str] = (),
) -> "Settings":
    """Return the settings that these words ask for; OptionError says in one line which word is wrong and why.

    A list may hold several words joined by commas; but for `rule`, where a comma joins the options of one rule.
    """
    from ltkm_inspect.context import EXPECT, PROFILES, Settings

    _one_of("expect", expect, EXPECT)
    selected, ignored = _rule_words("select", select), _rule_words("ignore", ignore)
    _leave_a_rule(selected, ignored)
    return Settings(
        expect=expect,
        profile=_profile(profile, PROFILES),
        clock_skew=_seconds("clock_skew", clock_skew),
        strict=strict,
        namespaces=_namespaces(namespaces),
        select=selected,
        ignore=ignored,
        severity=_severity(severity),
        options=_rule_options(rule),
    )


def parse_fail_on(text: str) -> "Level | None":
    """Return the level from which findings fail a run, None for never; OptionError for another word."""
    from ltkm_inspect.finding import Level

    _one_of("fail_on", text, FAIL_ON)
    return None if text == "never" else Level.of(text)


def parse_limit(text: str, *, live: bool = True) -> "Limits":
    """Parse `body=1MiB,ltkms=200,…`, where each part is a number from 1 or `none`; OptionError otherwise.

    A part that is left out keeps its default: that of the addon, or else that of the command line. `1MiB,200` is the
    short form of the first two parts.
    """
    from ltkm_inspect.traffic import Limits

    option = DEFAULTS["limit"]
    default = str(option.default if live else option.check_default)
    return Limits(**_limit_parts(default) | _limit_parts(text))


def _limit_parts(text: str) -> dict[str, int | None]:
    """Return the parts of a limit that are typed, by the names that they have in `Limits`."""
    words = text.split(",")
    if len(words) == 2 and "=" not in text:
        words = [f"{part}={word}" for part, word in zip(_LIMIT_PARTS, words, strict=False)]
    found: dict[str, int | None] = {}
    for word in words:
        name, equals, value = (each.strip() for each in word.partition("="))
        field = _LIMIT_PARTS.get(name.lower())
        if not equals or field is None:
            parts = ", ".join(f"{part}=" for part in _LIMIT_PARTS)
            reason = f"expected {parts} with a number, or 1MiB,200, got {printable(word.strip()) or 'nothing'}"
            raise OptionError("limit", reason + did_you_mean(name, _LIMIT_PARTS))
        if field in found:
            raise OptionError("limit", f"expected each part once, got {name.lower()} twice")
        found[field] = _octets(value) if field == "octets" else _count(name.lower(), value)
    return found


def _octets(text: str) -> int | None:
    size = _SIZE.fullmatch(text)
    if not size:
        raise OptionError("limit", f"expected octets like 1048576, 512KiB, 1MiB or none, got {printable(text)}")
    return int(size[1]) * _UNITS[(size[2] or "").lower()] if size[1] else None


def _count(part: str, text: str) -> int | None:
    if not _COUNT.fullmatch(text):
        raise OptionError("limit", f"expected a number of {_LIMIT_UNITS[part]} from 1 or none, got {printable(text)}")
    return None if text.lower() == "none" else int(text)


_LIMIT_PARTS = {
    "body": "octets",
    "ltkms": "ltkms",
    "payloads": "payloads",
    "findings": "findings",
    "directives": "directives",
    "tags": "tags",
}
"""What the parts are called in `Limits`."""
_LIMIT_UNITS = {"ltkms": "LTKMs"} | {part: part for part in ("payloads", "findings", "directives", "tags")}
_SIZE = re.compile(r"0*([1-9][0-9]{0,15})\s*([KMG]iB)?|none", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"0*[1-9][0-9]{0,15}|none", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


class ReportTarget(NamedTuple):
    """A report that is asked for."""

    format: str
    path: Path
    """As typed: its strftime codes are not filled in."""


def parse_report(text: str) -> ReportTarget:
    """Parse `[format=]PATH`; OptionError for a format that is not known or an empty path.

    A path whose name begins like a format is written with the format: `jsonl=a=b`.
    """
    head, equals, rest = text.partition("=")
    named = bool(equals) and head.isascii() and head.isalpha()
    if named and head not in REPORT_FORMATS:
        formats = ", ".join(f"{name}=PATH" for name in REPORT_FORMATS)
        reason = f"expected {formats} or a path, got {printable(text)}{did_you_mean(head, REPORT_FORMATS)}"
        raise OptionError("report", reason)
    path = rest if named else text
    if not path.strip():
        raise OptionError("report", "expected a path, got nothing")
    if "\0" in path:
        raise OptionError("report", f"expected a path, got {printable(path)}")
    return ReportTarget(head if named else AS_IT_HAPPENS, Path(path).expanduser())


def key_ring(path: str, current: "RingFile | None" = None) -> "RingFile | None":
    """Return the key ring file of that path, None for an empty one; OptionError where it cannot be used.

    The current one is returned where the path is still the same.
    """
    if not path.strip():
        return None
    from ltkm_inspect.keys import RingError, RingFile

    wanted = Path(os.path.expanduser(path))
    if current is not None and current.path == wanted:
        return current
    try:
        return RingFile(wanted)
    except RingError as error:
        raise OptionError("keys", str(error)) from None


def parse_faults(texts: Iterable[str], readers: "Readers") -> "tuple[Application, ...]":
    """Parse faults, each `verb-subject` or `verb-subject:name=value,…`, and read the files that they name.

    OptionError for one that is not known or takes no such value.
    """
    from ltkm_inspect import catalogue
    from ltkm_inspect.fault import FaultError, parse_application, prepare

    catalogue.load()
    try:
        return tuple(prepare(parse_application(text.strip()), readers) for text in texts)
    except FaultError as error:
        raise OptionError("fault", str(error)) from None


def parse_msks(texts: Iterable[str]) -> "Selection":
    """Parse keys, each `KEYDOMAIN[/GROUP[/NUMBER]]` in hex; none at all mean every key."""
    from ltkm_inspect.selection import SelectionError, parse_selection

    try:
        return parse_selection(_words(texts))
    except SelectionError as error:
        raise OptionError("fault_msk", str(error)) from None


def parse_when(text: str) -> "When":
    """Parse how often a fault is put in."""
    from ltkm_inspect.rewriting import schedule

    try:
        return schedule.parse_when(text)
    except schedule.ScheduleError as error:
        raise OptionError("fault_when", str(error)) from None


def parse_delay(text: str) -> float:
    """Parse seconds, at most a day of them: a response that is held back for longer is better dropped."""
    return _seconds("fault_delay", text)


def _seconds(option: str, text: str) -> float:
    """Parse seconds, at most a day of them."""
    if not _SECONDS.fullmatch(text.strip()) or float(text) > DAY:
        wanted = f"expected seconds from 0 to {DAY}"
        raise OptionError(option, f"{wanted}, got {printable(text) or 'nothing'}")
    return float(text)


DAY = 86_400
"""Seconds."""
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}", re.ASCII)


def orders(
    readers: "Readers",
    *,
    fault: Iterable[str] = (),
    fault_filter: str = "",
    fault_msk: Iterable[str] = (),
    fault_terminal: Iterable[str] = (),
    fault_when: str = "always",
    fault_delay: str = "0",
    fault_unsigned: str = "warn",
) -> "Orders":
    """Return what these words order; OptionError says in one line which word is wrong and why.

    `readers` read the files that faults name, by the kind of file. What the filter means is for mitmproxy to say.
    """
    from ltkm_inspect.rewriting.orders import Orders
    from ltkm_inspect.selection import parse_terminals

    _one_of("fault_unsigned", fault_unsigned, ("warn", "refuse"))
    return Orders(
        parse_faults(fault, readers),
        parse_msks(fault_msk),
        parse_terminals(_words(fault_terminal)),
        fault_filter.strip(),
        parse_when(fault_when),
        parse_delay(fault_delay),
        fault_unsigned == "refuse",
    )


SHOWS_KEYS = "the keys that LTKMs deliver are shown in every output"
"""What is said where keys are shown."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known word that comes closest, in whatever case it was typed, or nothing."""
    return parameter.did_you_mean(word.lower(), known)


def _words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for part in text.split(",") if (word := part.strip())]


def _one_of(option: str, word: str, known: Iterable[str]) -> None:
    known = list(known)
    if word not in known:
        reason = f"expected {', '.join(known[:-1])} or {known[-1]}, got {printable(word)}"
        raise OptionError(option, reason + did_you_mean(word, known))


def _profile(texts: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    words = _words(texts)
    for word in words:
        _one_of("profile", word, known)
    for pair in (("usim", "ruim"), ("bcast", "mbms")):
        if set(pair) <= set(words):
            raise OptionError("profile", f"expected one of {pair[0]} and {pair[1]}, got both")
    return frozenset(words or ["auto"])


def _namespaces(texts: Iterable[str]) -> frozenset[str]:
    from ltkm_inspect.document import LATER_ORDERQUERIES_NS, ORDERQUERIES_NS

    known = {name.rpartition(":")[2]: name for name in sorted({ORDERQUERIES_NS, *LATER_ORDERQUERIES_NS})}
    versions = {"1.0"}
    for word in _words(texts):
        version = next((version for version, name in known.items() if word in (version, name)), None)
        if version is None:
            raise OptionError("namespaces", f"expected one of {', '.join(known)}, got {printable(word)}")
        versions.add(version)
    return frozenset(versions)


def _rule_words(option: str, texts: Iterable[str]) -> frozenset[str]:
    words = [word.lower() for word in _words(texts)]
    if not words:
        return frozenset()
    rules = _rules()
    known = {name for rule in rules.values() for name in rule.names()}
    for word in words:
        if word not in known:
            reason = f"expected a rule, subject or document that rules have, got {printable(word)}"
            raise OptionError(option, reason + did_you_mean(word, sorted(known)))
    return frozenset(words)


def _leave_a_rule(select: frozenset[str], ignore: frozenset[str]) -> None:
    """Refuse a selection that leaves nothing to check: it would pass whatever comes."""
    if not select and not ignore:
        return
    left = (names for rule in _rules().values() if not (names := rule.names()) & ignore)
    if not any(not select or names & select for names in left):
        raise OptionError("ignore" if ignore else "select", "expected at least one rule to be left, got none")


def _severity(texts: Iterable[str]) -> "dict[str, Level]":
    from ltkm_inspect.finding import Level

    levels: dict[str, Level] = {}
    for word in _words(texts):
        id, equals, name = word.partition("=")
        if not equals:
            raise OptionError("severity", f"expected RULE=LEVEL, got {printable(word)}")
        rule = _rules().get(id)
        if rule is None:
            raise OptionError("severity", f"unknown rule {printable(id)}{did_you_mean(id, _rules())}")
        try:
            level = Level.of(name)
        except ValueError as error:
            raise OptionError("severity", f"{id}: {error}") from None
        if level > rule.highest:
            reason = f"expected at most {rule.highest.word}, because its source rests on memory, got {level.word}"
            raise OptionError("severity", f"{id}: {reason}")
        if levels.setdefault(id, level) is not level:
            raise OptionError("severity", f"{id}: expected one level, got {levels[id].word} and {level.word}")
    return levels


def _rule_options(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    from ltkm_inspect.rule import parse_options

    _rules()
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        try:
            id, values = parse_options(text.strip())
        except ValueError as error:
            raise OptionError("rule", str(error)) from None
        known = found.setdefault(id, {})
        for name, value in values.items():
            if known.setdefault(name, value) != value:
                raise OptionError("rule", f"{id}: expected one value of {name}, got two")
    return found


def _rules() -> "dict[str, Rule]":
    from ltkm_inspect import catalogue
    from ltkm_inspect.rule import RULES

    catalogue.load()
    return RULES
