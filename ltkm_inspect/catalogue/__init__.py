"""The catalogue: one module per subject, with rules and the faults that break them."""

import pkgutil
from functools import cache
from importlib import import_module

from ltkm_inspect.catalogue.requirements import check_rows
from ltkm_inspect.rule import RULES


@cache
def load() -> tuple[str, ...]:
    """Import every module of the catalogue, so that its rules and faults are registered; return their names.

    Raises ValueError where a rule covers a requirement that `requirements.toml` does not have.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in names:
        import_module(f"{__name__}.{name}")
    check_rows(RULES.values())
    return tuple(names)
