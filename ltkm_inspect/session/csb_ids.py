"""The register of CSB IDs: the pushes with each, to any terminal."""

from collections.abc import Mapping

from ltkm_inspect.session.push import Push
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary

PUSHES_OF_CSB_ID = 8
"""How many pushes with the same CSB ID the register remembers."""


def _keys(event: EventSummary) -> Mapping[int, Push | None]:
    touched: dict[int, Push | None] = {} if event.answer is None else {event.answer.csb_id: None}
    touched.update((push.csb_id, push) for push in event.pushes)
    return touched


def _after(pushes: tuple[Push, ...] | None, push: Push | None, settings: SessionSettings) -> tuple[Push, ...] | None:
    return pushes if push is None else (*(pushes or ())[1 - PUSHES_OF_CSB_ID :], push)


CSB_IDS = Register("csb_ids", _keys, _after)
"""The latest pushes with a CSB ID, by that number. A verification message only looks at them."""
