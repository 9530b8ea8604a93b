"""The formats that a report can have, each written from the records of a run."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TextIO

from ltkm_inspect.options import REPORT_FORMATS
from ltkm_inspect.report.jsonl import Record

type Writer = Callable[[Iterable[Record], TextIO], None]
"""Writes a report of the records of a run; it may go through them more than once, and keeps none of them."""


def _writer(name: str) -> Writer:
    """Return the writer that the module of that name has; it is imported when something is written."""

    def write(records: Iterable[Record], file: TextIO) -> None:
        import_module(f"ltkm_inspect.report.{name}").write(records, file)

    return write


FORMATS: dict[str, Writer] = {name: _writer(name) for name in REPORT_FORMATS}
"""The writer of every format by its name, as typed in front of the path of a report."""
