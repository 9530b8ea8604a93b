"""The faults that go through the real mitmdump: one for each kind of subject always, all others in `make sweep`."""

from collections.abc import Iterable
from typing import Any

import pytest

from ltkm_inspect.fault import FAULTS


def faults(ids: Iterable[str]) -> list[Any]:
    """Return these faults as parameters of a test, marked for the sweep but for the first on each kind of subject."""
    kinds: set[type] = set()
    found = []
    for id in ids:
        marks = [pytest.mark.sweep] if FAULTS[id].on in kinds else []
        kinds.add(FAULTS[id].on)
        found.append(pytest.param(id, marks=marks))
    return found
