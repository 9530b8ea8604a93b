"""How often a process of our own looks for garbage."""

import gc

_COLLECT_AFTER = 100_000


def collect_rarely() -> None:
    """Look for garbage only once many objects are there that were not before.

    To start makes ten thousands that all stay, and an event that was checked is taken apart at once.
    """
    gc.set_threshold(_COLLECT_AFTER)
