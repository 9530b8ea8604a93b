"""Dataclasses that are pickled in large numbers."""

import copyreg
from dataclasses import fields
from operator import attrgetter


def compact[T: type](cls: T) -> T:
    """Let instances of a dataclass be pickled as the arguments that make them: in half the time, and fewer octets."""
    names = [each.name for each in fields(cls)]
    values = attrgetter(*names)
    single = len(names) == 1

    def reduced(instance: object) -> tuple[T, tuple[object, ...]]:
        return cls, (values(instance),) if single else values(instance)

    copyreg.pickle(cls, reduced)
    return cls
