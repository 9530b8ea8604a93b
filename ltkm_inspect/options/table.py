"""The table of the options that users type, for the command line and the addon alike."""

from dataclasses import dataclass
from typing import Literal

type Kind = Literal["word", "flag", "list", "path"]
FAIL_ON = ("never", "warning", "violation")
"""From which level on findings make a run fail."""
AS_IT_HAPPENS = "jsonl"
"""The format of reports that are written as it happens; all others are written at the end."""
REPORT_SUFFIXES = {
    AS_IT_HAPPENS: (".jsonl", ".ndjson"),
    "text": (".txt", ".text"),
    "sarif": (".sarif", ".sarif.json"),
    "junit": (".xml",),
    "html": (".html", ".htm"),
}
"""The formats that a report can have, each a module beside the others, with the ends of paths that mean it."""
REPORT_FORMATS = tuple(REPORT_SUFFIXES)
EXPORT_FORMATS = ("csv", "json", "base64", "pcap", "pcapng", "xml")
"""The formats that LTKMs can be exported in."""


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
    "msk_hours": Option(
        "word", "24", "HOURS", "for how many hours deliveries of one MSK are compared, to whichever terminals they go"
    ),
    "session_limit": Option(
        "word", "10000", "NUMBER", "how many exchanges, terminals, MUKs, MSKs and so on the session remembers, of each"
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
        f"write a report to this path ({', '.join(suffixes[0] for suffixes in REPORT_SUFFIXES.values())}); name the "
        "format if the path ends otherwise; strftime codes in the path are filled in",
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
    "bindings": Option(
        "flag",
        False,
        "true|false",
        "bind keys of mitmproxy's console to strip (ctrl t), fault (y), revert (v), findings (n)",
    ),
    "redact": Option(
        "flag", False, "true|false", "B-TIDs, IMPIs and addresses are replaced by names that are the same within a run"
    ),
}
"""The option table: in the addon each is `ltkm_` and its name, on the command line `--` and its name with hyphens."""
SHOWS_KEYS = "the keys that LTKMs deliver are shown in every output"
"""What is said where keys are shown."""
