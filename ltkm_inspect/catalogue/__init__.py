"""The catalogue: one module a subject, with its rules and the faults that break them side by side."""

import pkgutil
from functools import cache
from importlib import import_module


@cache
def load() -> tuple[str, ...]:
    """Import every module of the catalogue, so that its rules and faults are registered; return their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in names:
        import_module(f"{__name__}.{name}")
    return tuple(names)
