"""Which files of which runs some records are from, and whether all of these are there."""

from collections.abc import Mapping
from typing import Any

from ltkm_inspect.output.json_line import kind_of
from ltkm_inspect.wire import inert


class RunFiles:
    """Follows which files of which runs there are records of, and whether each has its end."""

    def __init__(self) -> None:
        self._latest = ""
        """The kind of the latest record."""
        self._file: tuple[Any, ...] | None = None
        self._unended = 0
        self._parts: dict[str, set[int]] = {}
        """The numbers of the files of each run, by when the run began."""
        self._run = ""
        self._whole: set[str] = set()
        """The runs whose last file is there."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Take the next record."""
        kind = kind_of(record)
        if kind == "run":
            part, run = record.get("part", 1), str(record["started"])
            file = (run, part, record.get("opened"))
            self._unended += file != self._file and self._latest not in ("", "summary")
            self._file, self._run = file, run
            self._parts.setdefault(run, set()).add(part)
        elif kind == "session":
            self._whole.add(self._run)
        self._latest = kind

    @property
    def ended(self) -> bool:
        """Every file has its end."""
        return self._latest == "summary" and not self._unended

    def lines(self) -> list[str]:
        """Return a line for each run of which some files are not among those that were read."""
        found = []
        for run, parts in self._parts.items():
            first, last = min(parts), max(parts)
            if first > 1 or len(parts) < last or (self.ended and run not in self._whole):
                which = (
                    f"{first} to {last}" if len(parts) == last - first + 1 > 1 else ", ".join(map(str, sorted(parts)))
                )
                noun = "file" if len(parts) == 1 else "files"
                found.append(inert(f"{noun} {which} of the run that began {run}; the rest is in other files"))
        return found
