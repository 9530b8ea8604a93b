"""Values of a record as text that is safe to show: escaped and of limited length."""

from typing import Any

from ltkm_inspect.finding import shorten

LONGEST = 1000
"""How many characters of one value the page shows."""


def value_text(value: Any, longest: int = LONGEST) -> str:
    """Return a value as text; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shorten(str(value), longest)


def facts(*pairs: tuple[str, Any]) -> list[tuple[str, str]]:
    """Return names with their values as text, without empty values."""
    return [(name, text) for name, value in pairs if (text := value_text(_listed(value)))]


def _listed(value: Any) -> Any:
    """Return an object or list as one line, which is not yet safe to show; return any other value unchanged."""
    if isinstance(value, dict):
        return ", ".join(
            f"{name.replace('_', ' ')}: {_listed(each)}" for name, each in value.items() if each is not None
        )
    if isinstance(value, list):
        return ", ".join(str(_listed(each)) for each in value)
    return value
