"""The editor of mitmproxy's console for the text of the view LTKM: YAML with help, and drafts after a mistake."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import exceptions
from mitmproxy.flow import Flow
from mitmproxy.utils import strutils

from ltkm_inspect.editing import EditError

HELP = (
    "# Change values; copy, move or delete items, LTKMs and payloads. Leave text in brackets and after # as it is.",
    '# Numbers: 21 or 0x15. Octets: hex, "text" or empty. Below ltkms, `- base64: AQAF…` adds an LTKM.',
    "# Save and leave the editor to apply it. Delete all lines to leave the flow as it is.",
)
"""The first lines of the file."""
_MISTAKE = "# MISTAKE: "


class Drafts:
    """What was edited and had a mistake in it, by its flow, with the text that was shown of the flow then."""

    def __init__(self) -> None:
        self._flow: Flow | None = None
        self._shown = ""
        self._drafts: WeakKeyDictionary[Flow, tuple[str, str]] = WeakKeyDictionary()

    def show(self, flow: Flow | None, text: str) -> None:
        """Remember what the view showed last: mitmproxy's console opens the editor right after."""
        self._flow, self._shown = flow, text

    def text_for_editor(self, shown: str) -> str | None:
        """Return the draft that was made of this text, else the text; None for one that is not of the view."""
        if shown != strutils.escape_control_characters(self._shown):
            return None
        former, draft = self._drafts.get(self._flow, ("", "")) if self._flow is not None else ("", "")
        return draft if former == shown else shown

    def keep(self, flow: Flow | None, shown: str, edited: str, error: EditError) -> None:
        """Keep an edited text with the mistake as a comment above its line, or at the top where it has none."""
        lines = [] if error.line is not None else [f"{_MISTAKE}{error.reason}"]
        for number, line in enumerate(edited.split("\n"), 1):
            if number == error.line:
                lines.append(f"{line[: len(line) - len(line.lstrip())]}{_MISTAKE}{error.reason}")
            if line not in HELP and not line.lstrip().startswith(_MISTAKE):
                lines.append(line)
        if flow is not None:
            self._drafts[flow] = shown, "\n".join(lines)

    def drop(self, flow: Flow | None) -> None:
        """Forget the draft of a flow."""
        if flow is not None:
            self._drafts.pop(flow, None)


class Editor:
    """Opens the editor in the place of mitmproxy's console, which goes on to open it itself for all other text."""

    def __init__(self, console: Any, drafts: Drafts) -> None:
        """Take the place of the console; mitmproxy gives it no types."""
        self._console = console
        self._drafts = drafts
        self._open_other: Callable[[Any], Any] = console.spawn_editor
        console.spawn_editor = self.open

    def open(self, data: Any) -> Any:
        """Return a text as the user left it."""
        text = self._drafts.text_for_editor(data) if isinstance(data, str) else None
        if text is None:
            return self._open_other(data)
        file, name = tempfile.mkstemp(".yaml", "ltkm-")
        try:
            with open(file, "w", encoding="utf-8", errors="backslashreplace") as writing:
                writing.write("".join(f"{line}\n" for line in HELP) + text)
            with self._console.uistopped():
                subprocess.call([*shlex.split(self._console.get_editor()), name])
            return Path(name).read_text(encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise exceptions.CommandError(f"the editor cannot be started: {error}") from None
        finally:
            os.unlink(name)
