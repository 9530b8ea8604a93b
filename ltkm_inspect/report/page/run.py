"""What the page shows of the run itself: program, options, and what the session remembers."""

from collections.abc import Mapping
from typing import Any

from ltkm_inspect.names import EventNames
from ltkm_inspect.report.page.value import facts, value_text

MOST_MUKS = 500
"""How many MUKs the page lists."""


def run_facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts of a run record, with the options that have a value."""
    options = run.get("options") or {}
    return facts(
        ("Program", f"ltkm-inspect {run.get('version') or ''}"),
        ("Started", run.get("started")),
        ("Sources", run.get("sources")),
        *((f"ltkm_{name}", value) for name, value in options.items() if value not in (None, "", [], False)),
    )


def session_view(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a session remembers of each MUK; its terminals are in the timeline."""
    muks = session.get("muks") or []
    fields = (("idi_text", "idi"), ("idr_text", "idr"), ("ltkms",), ("counter",), ("delivered",))
    names = EventNames.of_record(session)
    return {
        "number": len(muks),
        "muks": [[names.text(_first(muk, *field)) for field in fields] for muk in muks[:MOST_MUKS]],
    }


def _first(record: Mapping[str, Any], *names: str) -> str:
    return next((value_text(record[name]) for name in names if record.get(name) is not None), "")
