"""Values of a record as text that is safe to show: escaped and of limited length."""

from typing import Any

from ltkm_inspect.finding import shorten

LONGEST = 1000
"""How many characters of one value the page shows."""


def value_text(value: Any, longest: int = LONGEST) -> str:
    """Return a value as text; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shorten(str(value), longest)


def facts(*pairs: tuple[str, Any]) -> list[tuple[str, str]]:
    """Return names with their values as text, without those that have no value."""
    return [(name, text) for name, value in pairs if (text := value_text(_listed(value)))]


def _listed(value: Any) -> Any:
    """Return objects and lists as one line, which is not yet safe to show, and any other value as it is."""
    if isinstance(value, dict):
        return ", ".join(
            f"{name.replace('_', ' ')}: {_listed(each)}" for name, each in value.items() if each is not None
        )
    if isinstance(value, list):
        return ", ".join(str(_listed(each)) for each in value)
    return value
