"""Keeps our log lines out of the deprecated `add_log` events of mitmproxy as long as no addon listens to these.

For each line of the log mitmproxy asks every addon of its chain for that hook, which takes longer than the line itself.
"""

import logging

from mitmproxy import ctx, log

OURS = "ltkm_inspect."


class UnheardFilter(logging.Filter):
    """Lets a record pass unless it is ours and nobody listens."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to become an event."""
        if not record.name.startswith(OURS):
            return True
        return any(getattr(addon, "add_log", None) for addon in ctx.master.addons.lookup.values())


def spare_events() -> None:
    """Install the filter, once, where this mitmproxy still has such events."""
    events = getattr(log, "LegacyLogEvents", ())
    for handler in logging.getLogger().handlers:
        if isinstance(handler, events) and not any(isinstance(each, UnheardFilter) for each in handler.filters):
            handler.addFilter(UnheardFilter())
