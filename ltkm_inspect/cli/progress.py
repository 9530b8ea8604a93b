"""How far a long command is, on stderr while that is a terminal; otherwise nothing."""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.wire import count

EVERY = 0.1
"""Seconds between two looks."""
_ERASE = "\r\033[K"
_CURSOR = "\033[?25h"
"""Shows the cursor again, which the bar hides."""
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Progress:
    """A bar with the rate, the findings so far and the time left; it makes room for what is printed."""

    def __init__(self, files: Iterable[Input]) -> None:
        """Take the files, whose sizes tell how much there is to do; there is no bar where that is not known."""
        self._octets = self._told = 0
        self._bar: Any = None  # click does not name the type
        self._drawn = False
        self._began = self._shown = time.monotonic()
        total = sum(file.octets or 0 for file in files) if sys.stderr is not None and sys.stderr.isatty() else 0
        if total:
            self._bar = click.progressbar(length=total, file=sys.stderr, width=20, item_show_func=self._text)

    def __enter__(self) -> "Progress":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self.hide()
        if self._bar is not None:
            click.echo(_CURSOR, nl=False, err=True)

    def make_room(self) -> None:
        """Clear the line for what is printed on stdout, where that is the same terminal."""
        if self._drawn and sys.stdout.isatty():
            self.hide()

    def hide(self) -> None:
        """Clear the line."""
        if self._drawn:
            click.echo(_ERASE, nl=False, err=True)
            self._drawn = False

    def advance(self, octets: int, findings: Counter[Any]) -> None:
        """Count what was done, and show it from time to time with the number of all findings so far."""
        if self._bar is None:
            return
        self._octets += octets
        now = time.monotonic()
        if now - self._shown >= EVERY:
            self._shown = now
            step, self._told = self._octets - self._told, self._octets
            self._bar.update(step, findings.total())
            self._drawn = True

    def _text(self, findings: int | None) -> str:
        rate = self._octets / max(time.monotonic() - self._began, 1e-9)
        return f"{_shown(rate)}/s, {count(findings or 0, 'finding')}"


def _shown(octets: float) -> str:
    for unit, name in _UNITS:
        if octets >= unit:
            return f"{octets / unit:.1f} {name}"
    return f"{octets:.0f} B"
