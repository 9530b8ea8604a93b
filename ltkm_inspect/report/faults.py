"""The list of faults, as text and as JSON."""

from collections.abc import Iterator
from typing import Any

from ltkm_inspect.explain import faults_by_subject
from ltkm_inspect.explain.pages import WITHIN
from ltkm_inspect.fault import Fault
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.parameter import FileName, Parameter

_TYPES = {bool: "boolean", int: "integer", bytes: "octets", str: "text"}


def text_lines() -> Iterator[str]:
    """Yield every fault, by subject: id and title, and on a second line what it takes, breaks and leaves as it was."""
    for subject, faults in faults_by_subject():
        yield f"{subject}:"
        for fault in faults:
            yield f"  {fault.id}: {fault.title}"
            facts = [
                ",".join(f"{parameter.name}={parameter.shown}" for parameter in fault.parameters),
                ", ".join(sorted(fault.trips)),
                ", ".join(sorted(fault.leaves)),
                fault.reference,
            ]
            words = ("takes", "breaks", "leaves", "proved on")
            yield "    " + " · ".join(f"{word} {fact}" for word, fact in zip(words, facts, strict=True) if fact)
    yield f"those on an item, an LTKM or what stands in one also take {WITHIN}"


def json_text() -> str:
    """Return every fault as one JSON array of objects."""
    return to_json([_plain(fault) for _, faults in faults_by_subject() for fault in faults])


def plain_parameter(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter of a fault, or an option of a rule, as an object; octets are in hex."""
    default = parameter.default
    plain = {
        "name": parameter.name,
        "type": _type(parameter),
        "default": default if default is None or isinstance(default, bool | int | str) else parameter.shown,
    }
    return {**plain, "words": list(parameter.words)} if parameter.words else plain


def _type(parameter: Parameter) -> str:
    if parameter.words:
        return "choice"
    if isinstance(parameter.type, type) and issubclass(parameter.type, FileName):
        return "file"
    return _TYPES.get(parameter.type, "text")


def _plain(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "subject": fault.subject,
        "title": fault.title,
        "parameters": [plain_parameter(parameter) for parameter in fault.parameters],
        "reference": fault.reference,
        "within": fault.is_within,
        "trips": sorted(fault.trips),
        "leaves": sorted(fault.leaves),
    }
