"""Hooks that cannot raise: traffic comes first."""

import logging
from collections.abc import Callable
from functools import wraps

from ltkm_inspect.wire import crash_of

logger = logging.getLogger(__name__)


def guarded[**P, R](hook: Callable[P, R]) -> Callable[P, R | None]:
    """Make a hook that cannot raise: an error in it is only a warning."""

    @wraps(hook)
    def caught(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            # the text of an error may hold what is not to be shown, be it a key
            logger.warning("ltkm: %s failed: %s", hook.__name__, crash_of(error))
            return None

    return caught
