"""How the cost of some work grows with its input, compared within one run."""

from collections.abc import Callable
from time import process_time

FACTOR = 4
LESS_THAN_SQUARED = 10
"""Four times the input takes about four times as long; if it were squared, sixteen times."""
ROUNDS = 5
"""How often both are measured at most; the least counts, because a shared machine only adds."""


def grows_as_its_input(work: Callable[[int], object], size: int) -> bool:
    """Tell whether work on four times that size takes clearly less than four times four times the processor time."""
    small = large = float("inf")
    for _ in range(ROUNDS):
        small, large = min(small, _taken(work, size)), min(large, _taken(work, FACTOR * size))
        if large < LESS_THAN_SQUARED * small:
            return True
    return False


def _taken(work: Callable[[int], object], size: int) -> float:
    begin = process_time()
    work(size)
    return process_time() - begin
