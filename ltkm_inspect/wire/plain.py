"""Data classes on their way to another process."""

import copyreg
from dataclasses import fields
from operator import attrgetter


def plain[C: type](kind: C) -> C:
    """Let the instances of a data class be pickled as the values of its fields, and so made anew by their class.

    What was worked out of them stays behind. It takes half as long as what pickle does with a data class by itself, and
    fewer octets, for each of the many that go from one process to another.
    """
    names = [each.name for each in fields(kind)]
    values = attrgetter(*names)
    several = len(names) > 1

    def reduced(instance: object) -> tuple[C, tuple[object, ...]]:
        return kind, values(instance) if several else (values(instance),)

    copyreg.pickle(kind, reduced)
    return kind
