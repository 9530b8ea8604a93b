"""How many octets objects take in memory, with all that they refer to; what several share counts once."""

import gc
import sys
from collections.abc import Iterable
from enum import Enum
from types import FunctionType, ModuleType

_SHARED = (type, ModuleType, FunctionType, Enum)
"""What an object refers to without having it to itself."""


def weight(roots: Iterable[object], known: set[int]) -> int:
    """Return the octets of these objects, without those whose ids are known; all of them are known afterwards."""
    octets, waiting = 0, list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) in known or isinstance(each, _SHARED):
            continue
        known.add(id(each))
        octets += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return octets
