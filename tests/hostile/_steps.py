"""What a form costs in steps of the interpreter, which are the same on every machine.

A step is a call, of whatever it is written in, or a turn of a loop. What one call copies inside is one step, however
much it is: that such costs are linear shows only on a clock, and `python -m tests.hostile` has one.
"""

import math
import sys

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.hostile._form import Form

LEAST, FEW, MORE = 2, 10, 40
"""How often something is repeated in the exchanges that are compared; once may be another case than often."""
NOTHING = 4000
"""Steps: what takes fewer for all its repetitions is as good as constant."""

_EVENTS = sys.monitoring.events
_STEPS = _EVENTS.PY_START | _EVENTS.PY_RESUME | _EVENTS.CALL | _EVENTS.JUMP


def look(exchange: Exchange) -> None:
    """Do what the addon does with an exchange, with keys and redaction: inspect it, and write its record and lines."""
    report = inspect(exchange, Context(session=Session(), keys=reference.KEYS))
    redactor = Redaction().redactor(exchange)
    jsonl.exchange_line(report, keys=Keys(reference.KEYS, False), redactor=redactor)
    for line in text.lines(report):
        redactor.text(line)


def steps(exchange: Exchange) -> int:
    """Return how many steps that takes."""
    taken = 0

    def count(*_: object) -> None:
        nonlocal taken
        taken += 1

    tool = sys.monitoring.PROFILER_ID
    sys.monitoring.use_tool_id(tool, "ltkm-inspect tests")
    try:
        for event in (_EVENTS.PY_START, _EVENTS.PY_RESUME, _EVENTS.CALL, _EVENTS.JUMP):
            sys.monitoring.register_callback(tool, event, count)
        sys.monitoring.set_events(tool, _STEPS)
        try:
            look(exchange)
        finally:
            sys.monitoring.set_events(tool, 0)
    finally:
        sys.monitoring.free_tool_id(tool)
    return taken


def exponent(form: Form) -> float:
    """Return the exponent of the growth of its steps; 0 where they are too few to tell."""
    few, more = form.make(FEW), form.make(MORE)
    look(form.make(1))  # what is kept from then on is not counted
    base, first, second = steps(form.make(LEAST)), steps(few), steps(more)
    if second - base < NOTHING:
        return 0.0
    return math.log((second - base) / max(first - base, 1)) / math.log((MORE - LEAST) / (FEW - LEAST))
