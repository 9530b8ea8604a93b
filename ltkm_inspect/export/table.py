"""LTKMs as CSV, one a line, for comparison with the log of a BSM."""

import csv
import io
from collections.abc import Iterable
from hashlib import sha256

from ltkm_inspect.export.entry import ExportEntry, b_tid, key_of, moment
from ltkm_inspect.mikey import Timestamp
from ltkm_inspect.output.redaction import NO_REDACTOR, Redactor
from ltkm_inspect.report.jsonl import FINGERPRINT, time_of
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.wire import printable

COLUMNS = (
    "file",
    "id",
    "time",
    "client",
    "b_tid",
    "status",
    "item",
    "ltkm",
    "key_domain_id",
    "msk_id",
    "response_code",
    "ltkm_key_domain_id",
    "ltkm_msk_id",
    "ts",
    "csb_id",
    "length",
    "sha256",
    "problem",
    "verdict",
    "rules",
    "faults",
    "mac",
    "key_type",
    "key_length",
    "seq_l",
    "seq_u",
    "check_value",
    "key",
)
"""The first line of the table."""

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell begins with that some spreadsheet takes for a formula, in both widths."""


def heading(*more: str) -> bytes:
    """Return the first line, with further columns in front."""
    return row([*more, *COLUMNS])


def line(entry: ExportEntry, keys: Keys, *more: str) -> bytes:
    """Return the line of an LTKM, with further cells in front."""
    return row([*more, *_cells(entry, keys)])


def _cells(entry: ExportEntry, keys: Keys) -> list[str]:
    event, ltkm = entry.event, entry.ltkm
    message, octets = ltkm.message, ltkm.octets
    key_domain, msk_id = entry.pair
    own_key_domain, own_msk_id = entry.own_pair
    key = key_of(entry, keys)

    def text(said: str | None) -> str:
        return text_cell(said, entry.redactor)

    return [
        text_cell(entry.file, NO_REDACTOR),
        text(event.id),
        time_of(moment(event)) or "",
        text(event.client),
        text(b_tid(event)),
        "" if event.status is None else str(event.status),
        str(ltkm.item.number) if ltkm.item is not None else "",
        str(ltkm.number),
        entry.redactor.text(_hex(key_domain)),
        entry.redactor.text(_hex(msk_id)),
        text(ltkm.item.code if ltkm.item is not None else None),
        entry.redactor.text(_hex(own_key_domain)),
        entry.redactor.text(_hex(own_msk_id)),
        "" if message is None else next((_time(each) for each in message.of(Timestamp)), ""),
        "" if message is None or message.header is None else f"0x{message.header.csb_id:08x}",
        "" if octets is None else str(len(octets)),
        "" if octets is None else f"0x{sha256(octets).hexdigest()[:FINGERPRINT]}",
        text(ltkm.carrier.problem or (str(message.problem) if message is not None and message.problem else "")),
        entry.verdict,
        " ".join(entry.rules),
        text(" ".join(event.faults)),
        text(key.get("verdict")),
        text(key.get("type_name")),
        *("" if key.get(name) is None else str(key[name]) for name in ("length", "seq_l", "seq_u")),
        *("" if key.get(name) is None else f"0x{key[name]}" for name in ("check_value", "key")),
    ]


def text_cell(text: str | None, redactor: Redactor) -> str:
    """Return text from the wire as a cell: escaped, and with an apostrophe in front where it could be a formula."""
    shown = printable(redactor.text(text or ""))
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _hex(octets: bytes | None) -> str:
    """Return octets in hex, with 0x in front: a spreadsheet takes 12e40001 for a number."""
    return "" if octets is None else f"0x{octets.hex()}"


def _time(timestamp: Timestamp) -> str:
    """Return a counter in decimal, any other time in hex."""
    return str(timestamp.number) if timestamp.type == 2 else f"0x{timestamp.value.hex()}"


def row(cells: Iterable[str]) -> bytes:
    """Return a line of CSV (RFC 4180) in UTF-8."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode("utf-8", "backslashreplace")
