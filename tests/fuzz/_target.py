"""What a target of the fuzzer is, and the laws that all outputs obey."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from ltkm_inspect.finding import Finding, Report
from ltkm_inspect.traffic import Document, Exchange, LtkmElement

CRASHES = frozenset({"rule-crashed", "event-crashed"})
EXIT_CODES = frozenset({0, 1, 2, 3, 4, 5})
"""Of the table in docs/captures.md; nobody interrupts the commands that run here."""
_FAILED = re.compile(r"the program failed|please report this|Traceback \(most recent")


class LawError(AssertionError):
    """An input for which a law does not hold; the text says which."""


@dataclass(frozen=True)
class Target:
    """Something that takes input, with samples of it."""

    name: str
    samples: Callable[[], Sequence[bytes]]
    look: Callable[[bytes], None]
    """Take an input; whatever it raises is a crash, and LawError says that a law does not hold."""
    tokens: tuple[bytes, ...] = ()
    """What means something to this target."""
    make: Callable[[Random], bytes] | None = None
    """Makes an input, where that is not a sample with changes."""
    weight: int = 1
    """How many inputs it gets in a run that is counted, for each that the slowest gets."""


def require(holds: object, law: str) -> None:
    """Raise LawError unless it holds."""
    if not holds:
        raise LawError(law)


@dataclass(frozen=True)
class Output:
    """What a command said."""

    code: int
    out: str
    err: str
    reports: dict[str, str]
    """The text of each report that was asked for, by its format."""

    @property
    def texts(self) -> Iterable[str]:
        """Everything that was printed or written."""
        return (self.out, self.err, *self.reports.values())


def run(arguments: Sequence[str], files: dict[str, bytes], formats: Sequence[str] = (), stdin: bytes = b"") -> Output:
    """Run a command in a folder with these files, which replace their names in the arguments; check every law of it."""
    with TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        for file, octets in files.items():
            (folder / file).write_bytes(octets)
            (folder / file).chmod(0o600)
        typed = [str(folder / word) if word in files else word for word in arguments]
        typed += [f"--report={each}={folder / f'report.{each}'}" for each in formats]
        done = CliRunner().invoke(commands, typed, input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        paths = {each: folder / f"report.{each}" for each in formats}
        reports = {each: path.read_text("utf-8") for each, path in paths.items() if path.is_file()}
        left = {path.name for path in folder.iterdir()} - set(files) - {path.name for path in paths.values()}
        output = Output(done.exit_code, done.stdout.replace(name, ""), done.stderr.replace(name, ""), reports)
    require(not left, f"no file is left behind, got {left}")
    obey(output)
    return output


def formats_for(octets: bytes) -> tuple[str, str]:
    """Return two formats of reports for an input; seldom SARIF, whose pages on all rules take most of a second."""
    number = sum(octets) % 16
    return "jsonl", "sarif" if number == 0 else "junit" if number < 8 else "html"


def obey(output: Output) -> None:
    """Check the laws of everything that is printed or written."""
    require(output.code in EXIT_CODES, f"exit codes are of the table, got {output.code}")
    require(not _FAILED.search(output.out + output.err), f"the program fails on nothing, got {output.err[-200:]!r}")
    for crash in CRASHES:
        require(f" {crash}:" not in output.out, f"no {crash}")
    for text in (output.out, output.err):
        require_printable(text)
    for each, text in output.reports.items():
        FORMAT_LAWS[each](text)


def require_printable(text: str) -> None:
    """Require that a terminal obeys nothing in a text of many lines."""
    bad = next((each for each in text if not each.isprintable() and each != "\n"), None)
    require(bad is None, f"nothing that a terminal obeys is printed, got {bad!r}")


def _json_lines(text: str) -> None:
    for line in text.splitlines():
        require(line.isascii(), "records are ASCII")
        record = json.loads(line, parse_constant=_no_constant)
        for finding in (*record.get("findings", ()), *record.get("notes", ())):
            require(finding["rule"] not in CRASHES, f"no {finding['rule']}: {finding.get('got')}")


def _no_constant(name: str) -> None:
    raise LawError(f"JSON has no {name}")


def _junit(text: str) -> None:
    ET.fromstring(text)


def _sarif(text: str) -> None:
    json.loads(text, parse_constant=_no_constant)


def _html(text: str) -> None:
    require("\x1b" not in text, "no escape sequence in the page")
    require("<plant" not in text.lower(), "no element from the wire in the page")


FORMAT_LAWS: dict[str, Callable[[str], None]] = {"jsonl": _json_lines, "junit": _junit, "sarif": _sarif, "html": _html}


def require_laws(report: Report) -> None:
    """Check the laws of a report: no crash, one safe line for each finding, and octets that are where they say."""
    for finding in (*report.findings, *report.notes):
        require(finding.rule not in CRASHES, f"no {finding.rule}: {finding.line}")
        require(finding.line.isprintable(), f"a finding is one line that is safe to print, got {finding.line!a}")
        _require_octets(finding, report.exchange)


def _require_octets(finding: Finding, exchange: Exchange) -> None:
    span = finding.span
    if span is None:
        return
    data = _octets(finding, exchange)
    inside = data is not None and 0 <= span.start <= span.end <= len(data)
    length = "no data" if data is None else len(data)
    require(inside, f"octets of {finding.rule} lie inside the {finding.span_of} of {length}, got {span}")


def _octets(finding: Finding, exchange: Exchange) -> bytes | None:
    if finding.span_of == "body":
        content = exchange.content
        return None if content is None else content.octets
    document = exchange.document
    ltkm = None if document is None else _ltkm(finding, document)
    return None if ltkm is None else ltkm.octets


def _ltkm(finding: Finding, document: Document) -> LtkmElement | None:
    place = finding.place
    item = next((item for item in document.items if item.number == place.item), None)
    inside = document.elements_outside_items if item is None else item.ltkm_elements
    return next((ltkm for ltkm in inside if ltkm.number == place.ltkm), None)


@cache
def root() -> Path:
    """Return the folder of the checkout."""
    return Path(__file__).resolve().parents[2]


def files_of(*patterns: str, most: int = 1 << 16) -> list[bytes]:
    """Return the files of the checkout that match these patterns and are not larger than that."""
    paths = sorted({path for pattern in patterns for path in root().glob(pattern) if path.is_file()})
    return [path.read_bytes() for path in paths if path.stat().st_size <= most]
