"""What the addon adds to mitmproxy's console: its editor for the view LTKM, and key bindings."""

from typing import Any

from ltkm_inspect.proxy.editor import Drafts, Editor

CONTEXTS = ("flowlist", "flowview")
BINDINGS = (
    ("ctrl t", "ltkm.strip @focus", "strip the LTKMs"),
    ("ctrl y", "console.command ltkm.fault @focus", "put a fault into the flow"),
    ("ctrl v", "ltkm.revert @focus", "revert the faults"),
    ("ctrl n", "ltkm.findings @focus", "findings as a table"),
)
"""Key, command and help of each binding; a key that is bound already keeps what it does."""


def equip(master: Any, drafts: Drafts, *, bindings: bool) -> None:
    """Add the editor, and if asked for the bindings, to this program of mitmproxy where it is the console."""
    if not hasattr(master, "keymap"):
        return
    Editor(master, drafts)
    for key, command, help in BINDINGS if bindings else ():
        free = [context for context in CONTEXTS if master.keymap.get(context, key) is None]
        if free:
            master.keymap.add(key, command, free, help)
