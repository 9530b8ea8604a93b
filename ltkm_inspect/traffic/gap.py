"""What a capture does not tell of an exchange, or tells wrongly: no rule may blame anybody for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that the capture of an exchange lacks, or damaged."""

    field: str
    """Where it is missing, as the capture itself names the place: `response.content.text` in a HAR."""
    reason: str
    """Why it cannot be used, in one line without the place; wire text may be in it."""
    hides: tuple[str, ...] = ()
    """The parts of the exchange that are unknown because of it, as rules name them: `response.body`."""
    is_damage: bool = False
    """The capture is wrong; else it only does not keep this."""

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"

    def covers(self, part: str) -> bool:
        """Tell whether a part of the exchange is one that this hides, or is within one; case does not count."""
        wanted = part.lower()
        return any(wanted == each.lower() or wanted.startswith(f"{each.lower()}.") for each in self.hides)
