"""Times as logs write them, read as seconds since 1970 UTC; a time without a zone is taken as UTC."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from statistics import median

from ltkm_inspect.options.words import OptionError
from ltkm_inspect.wire import printable

type TimeReader = Callable[[str], float]
"""Returns the seconds since 1970 UTC that a text says; ValueError for any other text."""

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
)
_ZONE = r"(?:\s*(?P<zone>z|utc|gmt|(?:utc|gmt)?[+-]\d{1,2}(?::?\d{2})?|[a-z]{2,5}))?"
_NUMERIC = re.compile(
    rf"(?P<a>\d{{1,4}})([./-])(?P<b>\d{{1,2}})\2(?P<c>\d{{1,4}}),?[\sT]+{_CLOCK}{_ZONE}", re.I | re.ASCII
)
_DAY_FIRST = re.compile(
    rf"(?:[a-z]+,?\s+)?(?P<day>\d{{1,2}})[-/. ]+(?P<month>[a-z]{{3}})[a-z]*[-/., ]+(?P<year>\d{{4}})[,: ]+"
    rf"{_CLOCK}{_ZONE}",
    re.I | re.ASCII,
)
_MONTH_FIRST = re.compile(
    rf"(?:[a-z]+,?\s+)??(?P<month>[a-z]{{3}})[a-z]*\.?\s+(?P<day>\d{{1,2}}),?\s+(?:(?P<before>\d{{4}}),?\s+)?"
    rf"{_CLOCK}{_ZONE}(?:\s+(?P<year>\d{{4}}))?",
    re.I | re.ASCII,
)
_NUMBER = re.compile(r"(\d{9,19})(?:[.,](\d{1,9}))?", re.ASCII)
_COMPACT = {14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%f"}
"""Dates without signs, by their number of digits."""
_UTC = re.compile(r"\s*(?:z|utc|gmt)\Z", re.I)


@dataclass(frozen=True, slots=True)
class LogTimes:
    """How the times of a log are read."""

    name: str
    """For people: `ISO 8601`."""
    read: TimeReader


def parse_time_format(text: str) -> str:
    """Return a format of strptime as typed; OptionError for one that has no day, or is none."""
    if text and not any(code in text for code in ("%d", "%j", "%c", "%x")):
        got = printable(text)
        raise OptionError("time_format", f"expected a format with a day, such as '%d.%m.%Y %H:%M:%S', got {got}")
    try:
        datetime.strptime("", text)
    except ValueError as error:
        if "does not match" not in str(error):
            reason = f"expected a format of Python's strptime, got {printable(text)}"
            raise OptionError("time_format", reason) from None
    return text


def of_format(format: str, near: float | None) -> LogTimes:
    """Return how to read times in a format of strptime; without a year in it, the year that brings a time nearest."""
    if any(code in format for code in ("%Y", "%y", "%G", "%c", "%x")):
        return LogTimes(format, lambda text: _seconds(datetime.strptime(text, format)))

    def read(text: str) -> float:
        return _nearest(lambda year: _seconds(datetime.strptime(f"{year} {text}", f"%Y {format}")), near)

    return LogTimes(format, read)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def read_iso(text: str) -> float:
    """Read ISO 8601, with a space in place of T too."""
    if text.isdigit():
        raise ValueError
    try:
        return _seconds(datetime.fromisoformat(text))
    except ValueError:
        return _seconds(datetime.fromisoformat(_UTC.sub("Z", text)))


def read_number(text: str) -> float:
    """Read a number of s, ms, µs or ns since 1970, told apart by how long it is, or a date in digits alone."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError
    digits, fraction = found.groups()
    if len(digits) in _COMPACT:
        return _seconds(datetime.strptime(digits, _COMPACT[len(digits)]))
    scale = 1 if len(digits) < 12 else 1000 if len(digits) < 15 else 10**6 if len(digits) < 18 else 10**9
    return (int(digits) + (float(f"0.{fraction}") if fraction else 0.0)) / scale


def _numeric(order: str) -> TimeReader:
    """Return a reader of numeric dates, whose parts are in that order (`dmy`)."""

    def read(text: str) -> float:
        found = _NUMERIC.fullmatch(text)
        if found is None:
            raise ValueError
        day, month, year = (int(found["abc"[order.index(part)]]) for part in "dmy")
        if year < 100 and len(found["abc"[order.index("y")]]) > 2:
            raise ValueError
        return _with_clock(found, year + 2000 if year < 100 else year, month, day)

    return read


def _named(pattern: re.Pattern[str], near: float | None) -> TimeReader:
    """Return a reader of dates with the names of months; one without a year gets the year that brings it nearest."""

    def read(text: str) -> float:
        found = pattern.fullmatch(text)
        if found is None or found["month"].lower() not in _MONTHS:
            raise ValueError
        month, day = _MONTHS.index(found["month"].lower()) + 1, int(found["day"])
        written = found["year"] or found.groupdict().get("before")
        if written:
            return _with_clock(found, int(written), month, day)
        return _nearest(lambda year: _with_clock(found, year, month, day), near)

    return read


def _nearest(make: Callable[[int], float], near: float | None) -> float:
    """Return the time of that year that is nearest."""
    year = datetime.now(UTC).year if near is None else datetime.fromtimestamp(near, UTC).year
    found = []
    for each in (year, year - 1, year + 1):
        try:
            found.append(make(each))
        except ValueError:  # 29 February
            continue
    if not found:
        raise ValueError
    return found[0] if near is None else min(found, key=lambda moment: abs(moment - near))


def _with_clock(found: re.Match[str], year: int, month: int, day: int) -> float:
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    second = int(found["second"] or 0)
    leap = second == 60
    zone = _offset(found["zone"] or "")
    moment = datetime(year, month, day, hour, int(found["minute"]), second - leap, tzinfo=timezone(zone))
    return moment.timestamp() + leap + float(f"0.{found['fraction'] or 0}")


def _offset(zone: str) -> timedelta:
    """Return how far a zone is ahead of UTC; none for a name, which is left to the estimate of the clock."""
    found = re.search(r"([+-])(\d{1,2}):?(\d{2})?$", zone)
    if found is None:
        return timedelta()
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return ahead if found[1] == "+" else -ahead


def log_times(samples: Sequence[str], near: float | None) -> LogTimes:
    """Return how to read times like these: the way that reads most of them.

    If a date may have day and month in either order, the one that is nearer to the capture counts.
    """
    readers = [
        LogTimes("ISO 8601", read_iso),
        LogTimes("numbers since 1970", read_number),
        LogTimes("year, month, day", _numeric("ymd")),
        LogTimes("day, month, year", _numeric("dmy")),
        LogTimes("month, day, year", _numeric("mdy")),
        LogTimes("day and name of month", _named(_DAY_FIRST, near)),
        LogTimes("name of month and day", _named(_MONTH_FIRST, near)),
    ]
    read = [[*_readable(each.read, samples)] for each in readers]

    def rank(index: int) -> tuple[int, float, int]:
        times = read[index]
        away = abs(median(times) - near) if times and near is not None else 0.0
        return -len(times), away, index

    return readers[min(range(len(readers)), key=rank)]


def _readable(read: TimeReader, samples: Sequence[str]) -> list[float]:
    found = []
    for text in samples:
        try:
            found.append(read(text))
        except (ValueError, OverflowError):
            continue
    return found
