"""The engine: inspects exchanges with the rules of the catalogue, and injects its faults."""

from ltkm_inspect.engine.injection import inject, seal
from ltkm_inspect.engine.inspection import OWN_FINDINGS, inspect, inspect_step, plan

__all__ = ["OWN_FINDINGS", "inject", "inspect", "inspect_step", "plan", "seal"]
