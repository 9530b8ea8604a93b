"""The summary of a comparison in words: the counts, and what is known of the clock of the log."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ltkm_inspect.matching.clock import ClockOffset, LogClock
from ltkm_inspect.matching.columns import IDENTIFYING
from ltkm_inspect.matching.log import BsmLog
from ltkm_inspect.wire import count, printable, time_text

if TYPE_CHECKING:
    from ltkm_inspect.matching.output import MatchOutput

_QUARTER = 900
"""Zones differ by quarters of an hour."""
_ZONES = 14 * 3600
"""No zone is further from UTC."""
_NEAR = 60.0
"""How many seconds an offset may be from that of a zone to look like one."""


def columns_line(log: BsmLog) -> str:
    """Return what the columns were guessed to be, and how the file and its cells are read."""
    columns = ",".join(f"{name}={printable(column.name)}" for name, column in log.columns.items())
    read = "; ".join(f"{name} as {printable(how)}" for name, how in log.readings.names(log.columns).items())
    how = f"{log.table.shown_encoding}, separator {log.table.shown_separator}; {read}"
    missing = [name for name in IDENTIFYING if name not in log.columns]
    lacks = f"; no header says {' or '.join(missing)}" if missing else ""
    return f"guessed from the headers: --columns '{columns}' ({how}){lacks}"


def summary_lines(output: "MatchOutput") -> Iterator[str]:
    """Yield the summary of a comparison."""
    counts, match = output.counts, output.match
    deliveries = match.deliveries
    yield (
        f"{count(counts['deliveries'], 'LTKM')} in the captures, {count(counts['rows'], 'row')} in the log, "
        f"{counts['matched']} matched"
    )
    yield f"{counts['log_only']} only in the log, {counts['capture_only']} only in the captures"
    if counts["repeated"]:
        yield f"{count(counts['repeated'], 'repeated datagram')} without a row of its own (not counted)"
    if counts["beyond"]:
        beyond = f"{count(counts['beyond'], 'difference')} beyond what the other side covers (another terminal or time)"
        yield f"{beyond} left out" if output.overlap else f"{beyond}; --overlap leaves out such differences"
    covers = [time_text(each, "seconds") or "an unknown time" for each in (deliveries.first, deliveries.last)]
    if match.log.lines:
        log = [time_text(match.clock.of_log(each), "seconds") for each in (match.log.first, match.log.last)]
        yield f"captures: {' to '.join(covers)}; log, by the same clock: {' to '.join(each or '-' for each in log)}"
    yield from clock_lines(match.clock)


def clock_lines(clock: LogClock) -> Iterator[str]:
    """Yield what is known of the clock of the log."""
    if not clock.offsets:
        yield "clock of the log: not known, as no delivery is in both; it is taken as that of the captures"
    for number, offset in enumerate(clock.offsets):
        since = f" from {time_text(offset.since, 'seconds')} on" if number else ""
        pairs = count(offset.pairs, "pair")
        rests = f"{pairs} in the order of time" if clock.by_order else pairs
        spread = f", half of them within {offset.spread:.3f} s" if offset.pairs > 1 else ""
        yield f"clock of the log{since}: {ahead_text(offset.ahead)} (from {rests}{spread})"
        zone = zone_text(offset)
        if zone:
            yield zone
        if offset.drift:
            total = offset.drift * (offset.until - offset.since)
            yield (
                f"the clock of the log drifts: it {'gains' if total > 0 else 'loses'} {abs(total):.1f} s in "
                f"{duration(offset.until - offset.since)} ({abs(offset.drift) * 1e6:.0f} ppm)"
            )
    if len(clock.offsets) > 1:
        yield "one of the clocks was set during this time, or daylight saving time began or ended"


def ahead_text(ahead: float) -> str:
    """Return how far the clock of the log is ahead of, or behind, that of the captures."""
    if abs(ahead) < 0.0005:
        return "the same as that of the captures"
    return f"{duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} that of the captures"


def apart_text(seconds: float) -> str:
    """Return how much later than expected something is, or how much earlier."""
    return f"{duration(abs(seconds))} {'later' if seconds >= 0 else 'earlier'} than that"


def zone_text(offset: ClockOffset) -> str:
    """Return the zone that an offset looks like; nothing for one of less than half an hour."""
    quarters = round(offset.ahead / _QUARTER)
    rest = offset.ahead - quarters * _QUARTER
    if abs(quarters) < 2 or abs(offset.ahead) > _ZONES + _NEAR or abs(rest) > _NEAR:
        return ""
    hours, quarter = divmod(abs(quarters), 4)
    zone = f"UTC{'+' if quarters > 0 else '-'}{hours:02}:{15 * quarter:02}"
    return f"the log seems to be in local time, {zone}; beside that, the offset is {rest:+.3f} s"


def duration(seconds: float) -> str:
    """Return seconds as hours, minutes and seconds, without leading zeros."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes or hours else []
    return " ".join([*parts, f"{rest / 1000:.3f} s"])
