"""LTKMs as CSV, one a line, for comparison with the log of a BSM."""

import csv
import io
from collections.abc import Mapping
from hashlib import sha256

from ltkm_inspect.export.entry import ExportEntry, key_of, moment
from ltkm_inspect.mikey import Timestamp
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.jsonl import terminal_name
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.record_parts import FINGERPRINT
from ltkm_inspect.wire import printable, time_text

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell begins with that some spreadsheet takes for a formula, in both widths."""


def lines(entry: ExportEntry, keys: Keys, number: int, **more: str) -> bytes:
    """Return the line of an LTKM of that number, from 1, with further cells in front; a heading is above the first."""
    return rows({**more, **_cells(entry, keys)}, number)


def _cells(entry: ExportEntry, keys: Keys) -> dict[str, str]:
    """Return the cells of an LTKM, by the names of their columns."""
    event, item, ltkm = entry.event, entry.ltkm.item, entry.ltkm
    message, octets = ltkm.message, ltkm.octets
    key = key_of(entry, keys)

    def text(value: str | None) -> str:
        return text_cell(value, entry.redactor)

    def identifier(octets: bytes | None) -> str:
        return entry.redactor.text(_hex(octets))

    def of_key(name: str, prefix: str = "") -> str:
        return "" if key.get(name) is None else f"{prefix}{key[name]}"

    return {
        "file": text_cell(entry.file, NO_REDACTOR),
        "id": text(event.id),
        "time": time_text(moment(event)) or "",
        "client": text(event.client),
        "b_tid": text(event.b_tid),
        "status": "" if event.status is None else str(event.status),
        "item": "" if item is None else str(item.number),
        "ltkm": str(ltkm.number),
        "key_domain_id": identifier(entry.pair[0]),
        "msk_id": identifier(entry.pair[1]),
        "response_code": text(None if item is None else item.code),
        "ltkm_key_domain_id": identifier(entry.own_pair[0]),
        "ltkm_msk_id": identifier(entry.own_pair[1]),
        "ts": "" if message is None else next((_time(each) for each in message.of(Timestamp)), ""),
        "csb_id": "" if message is None or message.header is None else f"0x{message.header.csb_id:08x}",
        "length": "" if octets is None else str(len(octets)),
        "sha256": "" if octets is None else f"0x{sha256(octets).hexdigest()[:FINGERPRINT]}",
        "problem": text(
            ltkm.carrier.problem or (str(message.problem) if message is not None and message.problem else "")
        ),
        "verdict": entry.verdict,
        "rules": " ".join(entry.rules),
        "faults": text(" ".join(event.faults)),
        "mac": text(key.get("verdict")),
        "key_type": text(key.get("type_name")),
        "key_length": of_key("length"),
        "seq_l": of_key("seq_l"),
        "seq_u": of_key("seq_u"),
        "check_value": of_key("check_value", "0x"),
        "key": of_key("key", "0x"),
        "terminal_name": text(_terminal_name(entry)),
        "key_name": text(entry.redactor.names.place(entry.place).name),
    }


def _terminal_name(entry: ExportEntry) -> str:
    """Return what people call the terminal: its name in the file of names or in the key ring; empty without one."""
    identity, shown = entry.report.terminal, terminal_name(entry.report, entry.redactor)
    name = entry.redactor.names.of_terminal(shown, identity.key or entry.event.terminal, entry.event.client)
    return name or (shown if shown == identity.name else "")


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


def rows(cells: Mapping[str, str], number: int) -> bytes:
    """Return a line of CSV (RFC 4180) in UTF-8, and above the first one (1) the names of its columns."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    if number == 1:
        writer.writerow(cells)
    writer.writerow(cells.values())
    return buffer.getvalue().encode("utf-8", "backslashreplace")
