"""What a benchmark measured, as lines to read: each figure, beside what it should be."""

import math
from collections.abc import Iterator, Mapping

type Figures = Mapping[str, float]


def lines(figures: Figures, at_least: Figures, at_most: Figures) -> Iterator[str]:
    """Yield one line a figure."""
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        goals = [f"at least {at_least[name]:g}"] if name in at_least else []
        goals += [f"at most {at_most[name]:g}"] if name in at_most else []
        verdict = "missed" if name in missed(figures, at_least, at_most) else "unknown" if math.isnan(value) else "met"
        wanted = f"   {' and '.join(goals)}: {verdict}"
        yield f"    {name:<{width}} {_number(value):>12}{wanted if goals else ''}"


def missed(figures: Figures, at_least: Figures, at_most: Figures) -> list[str]:
    """Return the names of the figures that are not what they should be."""
    return [
        name
        for name, value in figures.items()
        if value < at_least.get(name, -math.inf) or value > at_most.get(name, math.inf)
    ]


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"
