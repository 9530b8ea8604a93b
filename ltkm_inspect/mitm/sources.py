"""Reads the files that faults name: LTKMs, descriptions of LTKMs, and recorded traffic."""

from collections.abc import Mapping
from pathlib import Path

from ltkm_inspect.fault import Reader
from ltkm_inspect.mitm.reading import Damage, DamagedEvent, events
from ltkm_inspect.sources import FlowFile, LtkmFile, Messages, RecipeFile, messages, read_ltkms, read_recipe


def recorded_ltkms(path: Path) -> Messages:
    """Return the LTKMs of every MSK response and push in a recording; ValueError where it has none."""
    damages: list[Damage | DamagedEvent] = []
    octets: list[bytes] = []
    for each in events(path):
        if isinstance(each, Damage | DamagedEvent):
            damages.append(each)
        elif each is not None:
            octets += [ltkm.octets for ltkm in each.ltkms if ltkm.octets]
    if not octets and damages:
        raise ValueError(str(damages[0]))
    if not octets:
        raise ValueError("expected MSK responses or pushes with LTKMs, got none")
    return messages(octets)


READERS: Mapping[type, Reader] = {LtkmFile: read_ltkms, RecipeFile: read_recipe, FlowFile: recorded_ltkms}
"""What reads each kind of file that a parameter can name, for `fault.prepare`."""
