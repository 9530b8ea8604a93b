"""What is recorded in a file, as tests on exchanges read it."""

from collections.abc import Iterator
from pathlib import Path

from ltkm_inspect.mitm import reading
from ltkm_inspect.mitm.reading import Damage, DamagedEvent
from ltkm_inspect.traffic import OFFLINE, Datagram, Exchange, Limits


def exchanges(path: Path, limits: Limits = OFFLINE) -> Iterator[Exchange | Damage | DamagedEvent | None]:
    """Yield every MSK exchange of a flow file or HAR in order, None for every other flow, and damage at its place."""
    for each in reading.events(path, limits):
        assert each is None or isinstance(each, Exchange | Damage | DamagedEvent | Datagram)
        yield None if isinstance(each, Datagram) else each
