"""The check of whole captures: read, inspected as one session, and made ready to be printed, on one core or several."""

from ltkm_inspect.checking.results import Checked, Presenter, Shown
from ltkm_inspect.checking.serial import check

__all__ = ["Checked", "Presenter", "Shown", "check"]
