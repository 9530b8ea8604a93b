"""The requirements that no rule decides, and why: the other half of the table of requirements covered."""

UNCOVERED = {
    "LTKM-11": "no rule: every JSON report tells it of each LTKM (`length`, `sha256`)",
    "KEY-11": "a verification message is only defined over UDP, which does not pass this proxy",
}
"""Why no rule decides a requirement, by its reference."""
