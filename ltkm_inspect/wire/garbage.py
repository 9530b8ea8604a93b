"""How often a process of our own looks for garbage."""

import gc

_COLLECT_AFTER = 100_000


def collect_rarely() -> None:
    """Look for garbage only once many objects are there that were not before.

    To start makes ten thousands that all stay, and an event that was checked is taken apart at once.
    """
    gc.set_threshold(_COLLECT_AFTER)


def leave_all() -> None:
    """Look for no garbage any more, as the program ends: all that there is would be looked through once more."""
    gc.freeze()
