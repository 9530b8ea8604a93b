"""Which exchanges of a run belong to the same terminal. This is only known after all records were read."""

from collections.abc import Iterable, Mapping
from typing import Any

from ltkm_inspect.names import EventNames
from ltkm_inspect.output.json_line import is_event
from ltkm_inspect.report.text import terminal_label
from ltkm_inspect.selection import short_name
from ltkm_inspect.session import Joined


class Terminals:
    """The terminals of a run.

    A 401 belongs to the terminal whose request answers it. A terminal that bootstraps again is known by its IMPI or
    SUPI, or because it answers a challenge that it got under its former B-TID.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Go through the records of a run once."""
        self._answered: dict[tuple[Any, Any], str] = {}
        """The terminal that a 401 belongs to, by the file and the id of the exchange."""
        self._joined = Joined()
        self._names: dict[str, tuple[str, str]] = {}
        """The latest key of each terminal, and its name in lines."""
        for record in records:
            if is_event(record):
                self._add(record)

    def attributed(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the record of an exchange; for a 401, with the terminal whose request answers it."""
        found = self._answered.get((record["file"], record["id"]))
        if found is None:
            return record
        terminal, name = self._names[found]
        return {**record, "terminal": terminal, "terminal_name": name}

    def latest_name(self, record: Mapping[str, Any]) -> str:
        """Return the name of a terminal in the timeline: the same as in lines, but a B-TID in full."""
        latest = self._joined.latest(self._answered.get((record["file"], record["id"])) or _group(record))
        terminal, name = self._names.get(latest, (latest, short_name(latest)))
        return terminal if name == short_name(terminal) else name

    def _add(self, record: Mapping[str, Any]) -> None:
        group, terminal = _group(record), str(record["terminal"])
        self._names[group] = terminal, terminal_label(record, EventNames.of_record(record))
        if record.get("replaces"):
            self._joined.join(record["replaces"], group)
        elif record.get("answers"):
            self._answered[record["file"], record["answers"]] = group


def _group(record: Mapping[str, Any]) -> str:
    return str(record.get("identity") or record["terminal"])
