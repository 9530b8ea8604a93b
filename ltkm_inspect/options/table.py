"""The table of the options that users type, for the command line and the addon alike."""

from dataclasses import dataclass
from typing import Literal

type Kind = Literal["word", "flag", "list", "path"]
FAIL_ON = ("never", "warning", "violation")
"""The least level of a finding that makes a run fail."""
AS_IT_HAPPENS = "jsonl"
"""The format that is written during the run; all others are written at its end."""
REPORT_SUFFIXES = {
    AS_IT_HAPPENS: (".jsonl", ".ndjson"),
    "text": (".txt", ".text"),
    "sarif": (".sarif", ".sarif.json"),
    "junit": (".xml",),
    "html": (".html", ".htm"),
}
"""The report formats, each a module of the room `report`, with the suffixes that mean it."""
REPORT_FORMATS = tuple(REPORT_SUFFIXES)
LINE_FORMATS = ("text", "concise", "github")
"""The formats in which exchanges are printed as lines: as text, one finding per line, as commands for GitHub."""
LOG = ("all", "findings", "summary")
"""Which exchanges the addon logs."""
EVERY, NEVER = "all", "never"
"""What may be typed in place of a number of findings to log."""
AUTO, PROCESS, INLINE = "auto", "process", "inline"
INSPECTOR = (AUTO, PROCESS, INLINE)
"""Where the addon inspects live events: in a process of its own, or in the proxy; `auto` knows where that works."""
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
    "What it does, as an imperative without a final period."
    check_default: str | None = None
    """The default of `ltkm-inspect check` where it differs from the addon's."""
    flag: str = ""
    """How the command line spells it, if not as its name."""


DEFAULTS: dict[str, Option] = {
    "expect": Option(
        "word", "auto", "auto|always", "report a missing LTKM if the document has others (auto), or always"
    ),
    "profile": Option(
        "list", ("auto",), "auto|usim|ruim|bcast|mbms", "choose the profiles that identities and messages must follow"
    ),
    "clock_skew": Option(
        "word", "60", "SECONDS", "allow this many seconds between the clocks of two captures of the same exchange"
    ),
    "msk_hours": Option("word", "24", "HOURS", "compare deliveries of one MSK, to any terminal, for this many hours"),
    "session_limit": Option(
        "word", "10000", "NUMBER", "remember at most this many of each: exchanges, terminals, MUKs, MSKs and so on"
    ),
    "terminal": Option(
        "word",
        "auto",
        "auto|connection|address|header:NAME",
        "name and count terminals by B-TID, else connection (auto), or by what is given; findings stay the same",
        flag="--terminal-by",  # --terminal selects terminals
    ),
    "strict": Option("flag", False, "true|false", "treat ambiguities as violations"),
    "namespaces": Option("list", ("1.0",), "VERSION", "accept these versions of the orderqueries namespace"),
    "select": Option("list", (), "RULE|SUBJECT|DOCUMENT", "run only rules with this id, subject or document"),
    "ignore": Option("list", (), "RULE|SUBJECT|DOCUMENT", "skip rules with this id, subject or document"),
    "severity": Option("list", (), "RULE=LEVEL", "set the level of a rule: off, note, warning or violation"),
    "rule": Option("list", (), "RULE:NAME=VALUE,…", "set options of a rule (listed by the command rules)"),
    "fail_on": Option(
        "word", "never", "never|warning|violation", "fail the run on findings of this level or worse", "violation"
    ),
    "limit": Option(
        "word",
        "body=1MiB,ltkms=200,payloads=1000,findings=100,directives=1000,tags=200000",
        "PART=NUMBER,…",
        "limit how much of an exchange is checked: octets of body, LTKMs, payloads per message, findings "
        "per rule, directives per header, tags and attributes per document; of a packet capture open connections and "
        "octets to reassemble; none means no limit",
        "body=64MiB,ltkms=none,payloads=none,findings=100,directives=none,tags=200000,"
        "connections=20000,reassembly=64MiB",
    ),
    "report": Option(
        "list",
        (),
        "[FORMAT=][+]PATH",
        "write a report in this format, or in that of the suffix "
        f"({', '.join(suffixes[0] for suffixes in REPORT_SUFFIXES.values())}); "
        "the path may contain strftime codes; + appends to a file of JSON Lines",
    ),
    "log": Option(
        "word", "all", "|".join(LOG), "log every exchange, only those with findings or faults, or only the summary"
    ),
    "log_first": Option("word", "10", f"NUMBER|{EVERY}", f"log the first findings of each rule: this many, or {EVERY}"),
    "log_every": Option(
        "word", "100", f"NUMBER|{NEVER}", f"after those, log one in this many findings of the rule, or {NEVER}"
    ),
    "summary_every": Option(
        "word",
        NEVER,
        f"INTERVAL|{NEVER}",
        "report what was seen and what could not be looked into, each time this interval (30s, 10m, 1h) has passed",
    ),
    "inspector": Option(
        "word",
        AUTO,
        "|".join(INSPECTOR),
        "inspect in a process of its own, so that nobody waits for somebody else's response, or inline in the proxy; "
        "auto chooses inline for loaded flows, on one core, and in the standalone programs of mitmproxy",
    ),
    "deadline": Option(
        "word",
        "250ms",
        f"TIME|{NEVER}",
        "let a response go on unchanged if it is not inspected after this time (100ms, 2s); it is reported when it is",
    ),
    "metrics": Option(
        "word", "", "[ADDRESS:]PORT", "serve metrics for Prometheus at /metrics; without an address, on the loopback"
    ),
    "keys": Option("path", "", "FILE", "read the MUKs and MRKs of the terminals from this key ring, a TOML file"),
    "names": Option(
        "path",
        "",
        "FILE",
        "show the names in this TOML file beside Key Domains, Key Groups, MSK IDs, B-TIDs and addresses",
    ),
    "baseline": Option(
        "path",
        "",
        "FILE",
        "accept the findings that this TOML file lists: they are shown apart and do not fail the run",
    ),
    "show_keys": Option("flag", False, "true|false", "show delivered keys in all output (hidden by default)"),
    "fault": Option("list", (), "FAULT[:NAME=VALUE,…]", "put these faults into MSK responses, in this order"),
    "fault_filter": Option("word", "", "FILTER", "affect only flows that match this mitmproxy filter expression"),
    "fault_msk": Option(
        "list", (), "KEYDOMAIN[/GROUP[/NUMBER]]", "affect only these keys, in hex, and responses about them"
    ),
    "fault_terminal": Option(
        "list", (), "B-TID|NAME|ADDRESS", "affect only responses to these terminals or client addresses"
    ),
    "fault_when": Option(
        "word",
        "always",
        "always|first|nth=N|every=N|until=N|probability=P,seed=S",
        "choose which eligible responses to affect, counted per terminal",
    ),
    "fault_delay": Option(
        "word", "0", "SECONDS", "delay affected responses by this many seconds (all selected ones if no fault is set)"
    ),
    "fault_unsigned": Option(
        "word", "warn", "warn|refuse", "warn if a digest cannot be recomputed, or refuse to change the response"
    ),
    "bindings": Option(
        "flag",
        False,
        "true|false",
        "bind keys of mitmproxy's console to strip (ctrl t), fault (y), revert (v), findings (n)",
    ),
    "redact": Option(
        "flag", False, "true|false", "replace B-TIDs, IMPIs and addresses with names that stay the same within a run"
    ),
    "redact_key_file": Option(
        "path",
        "",
        "FILE",
        "make redacted names with the key in this file, so that they are the same in each run with it",
    ),
}
"""The option table: in the addon each is `ltkm_` and its name, on the command line `--` and its name with hyphens."""
SHOWS_KEYS = "delivered keys are shown in all output"
"""The warning if keys are shown."""
