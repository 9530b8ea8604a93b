"""The engine: inspects exchanges with the rules of the catalogue, and injects its faults."""

from ltkm_inspect.engine.crash import crashed, failed, presented, uninspected
from ltkm_inspect.engine.injection import Injection, inject, injected
from ltkm_inspect.engine.inspection import inspect, inspect_step, judge, place, prepare, take_apart, waiting_at_end
from ltkm_inspect.engine.own_findings import OWN_FINDINGS
from ltkm_inspect.engine.rule_plan import plan
from ltkm_inspect.engine.sealing import UnsealedPart, protected
