"""The requirements that no rule decides, and why: the other half of the table of requirements covered."""

_KEYS = "needs keys, which cannot be given yet"

UNCOVERED = {
    "LTKM-11": "no rule: every JSON report tells length and SHA-256 of each LTKM",
    **{f"KEY-{number:02}": _KEYS for number in range(1, 12)},
}
"""Why no rule decides a requirement, by its reference."""
