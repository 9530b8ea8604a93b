"""One export from beginning to end: what is written where, and the messages about it."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from errno import EBADF
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from ltkm_inspect.export import documents, packets
from ltkm_inspect.export.entry import ExportEntry, Manner, entries, moment, shows_key
from ltkm_inspect.export.formats import FORMATS, INDEX, XML, Format
from ltkm_inspect.export.selection import ExportSelection
from ltkm_inspect.finding import Report
from ltkm_inspect.output.atomic_file import AtomicFile, AtomicFolder
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.output.unmatched import unmatched
from ltkm_inspect.report.text import count
from ltkm_inspect.selection import EVERY_EVENT, SelectionMatches
from ltkm_inspect.traffic import Datagram, Exchange, events_text

REDACTABLE = ("csv", "json")
"""The formats that contain only records of LTKMs, not the messages as received."""


class ExportError(Exception):
    """What was asked for cannot be done; the message is one line."""


class Export:
    """Writes LTKM after LTKM, or document after document, to a path that has its name only when all are written.

    Without a path they go to standard output. Where there is nothing to write, nothing is written and no file made.
    """

    def __init__(
        self,
        name: str,
        path: Path | None = None,
        manner: Manner | None = None,
        selection: ExportSelection | None = None,
    ) -> None:
        self.exchanges = 0
        """MSK exchanges that were looked at."""
        self.datagrams = 0
        """Datagrams that were looked at."""
        self.ltkms = 0
        """LTKMs that were looked at."""
        self.written = 0
        """LTKMs or, for XML, documents that were written."""
        self.left: Counter[str] = Counter()
        """LTKMs that were selected and cannot be written, by the reason."""
        self.clear = 0
        """Messages written as they came with a key in them that is not encrypted."""
        self.unaddressed = 0
        """Packets with an address that was made up."""
        self.untimed = 0
        """Packets with no time."""
        self._name = name
        if manner is not None and manner.wording.redaction is not None and name not in REDACTABLE:
            expected = " or ".join(REDACTABLE)
            raise ExportError(f"expected {expected}, got {name}, which has the messages as received")
        self._path = path
        self._manner = manner or Manner()
        self._selection = selection or ExportSelection()
        self._matches = SelectionMatches()
        self._open = ExitStack()
        self._streams: list[tuple[Format, BinaryIO]] = []
        self._wholes: list[AtomicFile | AtomicFolder] = []
        self._index: list[bytes] = []
        self._held: bytes | None = None

    def __enter__(self) -> Self:
        """Begin what is written to; OSError where it cannot be."""
        if self._path is None and sys.stdout is None:  # closed by whoever started us
            raise OSError(EBADF, os.strerror(EBADF))
        with ExitStack() as opened:
            if self._name == XML:
                if self._path is not None:
                    self._wholes.append(opened.enter_context(AtomicFolder(self._path, private=self._manner.keys.show)))
            elif self._path is None:
                self._streams.append((FORMATS[self._name], sys.stdout.buffer))
            elif is_device(self._path):
                self._streams.append(
                    (FORMATS[self._name], opened.enter_context(cast(BinaryIO, Device.open(self._path))))
                )
            else:
                paths = [(FORMATS[self._name], self._path)]
                if self._name == "base64":
                    paths.append((INDEX, index_path(self._path)))
                for format, path in paths:
                    whole = opened.enter_context(AtomicFile(path, private=self._manner.keys.show))
                    self._wholes.append(whole)
                    self._streams.append((format, whole.file))
            self._open = opened.pop_all()
        return self

    def add(self, report: Report, file: str = "") -> None:
        """Write what is selected of an exchange that was read from that file; OSError where that fails."""
        is_datagram = isinstance(report.event, Datagram)
        self.exchanges += not is_datagram
        self.datagrams += is_datagram
        self.ltkms += report.ltkms
        if not self._selection.everything:
            self._matches.add(self._selection.events, report.event, report.terminal, report.number)
        if self._name == XML:
            self._add_document(report, file)
            return
        for entry in entries(report, file, self._manner.wording.redactor(report.event, report)):
            if self._selection.takes(entry):
                self._add(entry)

    def _add(self, entry: ExportEntry) -> None:
        format = FORMATS[self._name]
        reason = format.hindrance(entry)
        if reason:
            self.left[reason] += 1
            return
        # all or nothing: the index of base64 must not lack what the file has
        pieces = [form.each(entry, self._manner.keys, self.written + 1) for form, _ in self._streams]
        self.written += 1
        if format.verbatim and shows_key(entry.ltkm.message):
            self._add_clear(1)
        for (form, stream), piece in zip(self._streams, pieces, strict=True):
            stream.write(piece if self.written > 1 else form.head + piece)
        if format.binary:
            self.unaddressed += bool(packets.missing(entry.event))
            self.untimed += moment(entry.event) is None

    def _add_clear(self, messages: int) -> None:
        """Count messages that are about to be written with a key in them: from now on it is for its owner only."""
        self.clear += messages
        for whole in self._wholes if messages else ():
            whole.make_private()

    def _add_document(self, report: Report, file: str) -> None:
        octets = documents.octets(report.event) if isinstance(report.event, Exchange) else None
        if octets is None or not self._selection.takes_document(report):
            return
        self.written += 1
        self._add_clear(sum(shows_key(ltkm.message) for ltkm in report.event.ltkms))
        for folder in self._wholes:
            assert isinstance(folder, AtomicFolder)
            folder.write(documents.name(self.written), octets)
            self._index.append(documents.lines(report, file, self.written))
        if not self._wholes:
            if self._held is not None:
                raise ExportError("there is more than one MSK response: use -o FOLDER to write each to a separate file")
            self._held = octets

    def finish(self) -> None:
        """Write what is still to be written, and keep it; OSError where that fails."""
        if not self.written:
            return
        for form, stream in self._streams:
            stream.write(form.tail)
            stream.flush()
        if self._held is not None:
            sys.stdout.buffer.write(self._held)
            sys.stdout.buffer.flush()
        for whole in self._wholes:
            if isinstance(whole, AtomicFolder):
                whole.write(documents.INDEX, b"".join(self._index))
            whole.keep()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give what was kept its name, and take away what was not."""
        self._open.__exit__(kind, error, at)

    @property
    def summary(self) -> str:
        """What was written, in one line."""
        if self._name == XML:
            return f"{count(self.written, 'MSK response')} of {count(self.exchanges, 'MSK exchange')} written"
        return f"{self.written} of {count(self.ltkms, 'LTKM')} in {events_text(self.exchanges, self.datagrams)} written"

    @property
    def nothing(self) -> str:
        """Why nothing was written, in one line."""
        if not self.exchanges and not self.datagrams:
            return "no MSK exchange was seen, so nothing was written"
        if self._name != XML and not self.ltkms:
            return f"there is no LTKM in {events_text(self.exchanges, self.datagrams)}, so nothing was written"
        what = "MSK response" if self._name == XML else "LTKM"
        why = f"matches {' and '.join(self._selection.options)}" if self._selection.options else "is there to write"
        why = "can be written" if self.left else why
        return f"no {what} {why}, so nothing was written"

    def warnings(self) -> Iterator[str]:
        """Yield what a reader of the output must know, in a line each."""
        events = self._selection.events if self.exchanges or self.datagrams else EVERY_EVENT
        for name, line in unmatched(self._matches, events, self._manner.wording):
            yield f"--{name}: {line}"
        for reason, number in self.left.most_common():
            yield f"{count(number, 'LTKM')} skipped: {reason}"
        if self.unaddressed:
            made_up = f"{packets.NO_BSM[4]} (BSM) and {packets.NO_TERMINAL[4]} (terminal), or like addresses in IPv6"
            yield f"{count(self.unaddressed, 'packet')} without a captured address; written as {made_up}"
        if self.untimed:
            yield f"{count(self.untimed, 'packet')} without a captured time"
        if self.clear:
            holds = "contains a key" if self.clear == 1 else "contain keys"
            what = "MSK response" if self._name == XML else "message"
            yield f"{count(self.clear, 'LTKM')} {holds} in the clear, as in the {what}: keep the output secret"


def index_path(path: Path) -> Path:
    """Return the path of the index of base64: beside it, with `.csv` after its name."""
    return path.with_name(f"{path.name}.csv")
