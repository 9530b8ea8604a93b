"""LTKMs as objects of JSON, with all that `decode --format jsonl` says of their messages."""

from typing import Any

from ltkm_inspect.export.entry import ExportEntry, moment
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.record_parts import item_record, ltkm_record
from ltkm_inspect.wire import time_text

SCHEMA = "ltkm-inspect/ltkm/1"

_NO_ITEM = dict.fromkeys(("item", "key_domain_id", "msk_id", "key_group", "key_number", "response_code"))


def line(entry: ExportEntry, keys: Keys, number: int) -> bytes:
    """Return the object of an LTKM, on a line of an array behind the others; its number counts from 1."""
    return (b"[\n" if number == 1 else b",\n") + to_json(entry.redactor.plain(record(entry, keys))).encode("ascii")


def record(entry: ExportEntry, keys: Keys) -> dict[str, Any]:
    """Return the record of an LTKM as data for JSON."""
    event, item = entry.event, entry.ltkm.item
    return {
        "schema": SCHEMA,
        "file": entry.file,
        "id": event.id,
        "time": time_text(moment(event)),
        "client": event.client,
        "server": event.server,
        "terminal": event.terminal,
        "url": event.url,
        "status": event.status,
        **(_NO_ITEM if item is None else item_record(item)),
        **ltkm_record(entry.ltkm, keys, entry.redactor),
        "verdict": entry.verdict,
        "rules": entry.rules,
        "faults": list(event.faults),
        "names": entry.redactor.names.plain,
    }
