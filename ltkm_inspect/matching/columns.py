"""Which columns of the log say what: as typed, or guessed from the headers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import normalize

from ltkm_inspect.finding import shorten
from ltkm_inspect.matching.table import LogError
from ltkm_inspect.options.words import OptionError, alternatives, did_you_mean
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import is_key_text

COLUMNS = ("time", "b_tid", "key_domain", "msk", "ts")
"""What columns can say: time, B-TID, Key Domain ID, MSK ID (also behind the Key Domain ID), and TS, the value in T."""
IDENTIFYING = ("b_tid", "msk", "ts")
"""What tells deliveries apart: a log must say at least one of these."""
_NEXT = re.compile(r",\s*(?=(?:\w+)\s*=)")
_USUAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "ts",
        ("counter", "tscounter", "ltkmcounter", "mikeyts", "mikeycounter", "ltkmts", "tvalue", "tpayload", "zahler"),
    ),
    ("time", ("time", "timestamp", "datetime", "dateandtime", "sent", "sentat", "senttime", "timesent", "delivered")),
    ("time", ("deliveredat", "deliverytime", "eventtime", "logtime", "utc", "timeutc", "localtime", "at", "when")),
    ("time", ("zeit", "zeitstempel", "zeitpunkt", "datumzeit", "epoch", "created", "createdat", "date", "datum")),
    ("b_tid", ("btid", "ltkmbtid", "idr", "akid", "btidakid", "username", "user", "subscriber", "subscriberid")),
    ("b_tid", ("terminal", "terminalid", "ue", "ueid", "impi", "identity", "benutzer", "teilnehmer")),
    ("key_domain", ("ltkmkeydomainid", "keydomainid", "keydomain", "domainid", "kdid", "kd", "domain")),
    ("msk", ("ltkmmskid", "mskid", "msk", "mskidentifier", "keyid", "kid", "key")),
    ("ts", ("ts", "t", "sequence", "seq", "sequencenumber", "seqno")),
    ("time", ("ts",)),
)
"""What headers usually mean, in lower case without signs; the first rows come first. `ts` may be either."""


@dataclass(frozen=True, slots=True)
class LogColumn:
    """One or several columns whose cells, joined with a space, say one thing."""

    name: str
    """The headers, or the numbers if there are none."""
    places: tuple[int, ...]
    """Their indices, from 0."""

    def text(self, cells: Sequence[str]) -> str:
        """Return what a row says here; nothing for a row that is too short."""
        if len(self.places) == 1:
            (place,) = self.places
            return cells[place].strip() if place < len(cells) else ""
        return " ".join(cells[place].strip() for place in self.places if place < len(cells))


type LogColumns = dict[str, LogColumn]
"""Columns by what they say."""


def parse_columns(texts: Iterable[str]) -> dict[str, str]:
    """Parse `time=HEADER,b_tid=HEADER,…` in one text or several; OptionError for what means nothing."""
    found: dict[str, str] = {}
    for part in (part for text in texts for part in _NEXT.split(text)):
        name, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or not column:
            raise OptionError("columns", f"expected NAME=COLUMN, got {printable(part) or 'nothing'}")
        if name not in COLUMNS:
            reason = f"expected {alternatives(COLUMNS)} in front of =, got {printable(name)}"
            raise OptionError("columns", reason + did_you_mean(name, COLUMNS))
        if name in found:
            raise OptionError("columns", f"expected {name} once, got it twice")
        found[name] = column
    if found and "time" not in found:
        raise OptionError("columns", "expected time=COLUMN among them")
    if found and not any(name in found for name in IDENTIFYING):
        raise OptionError("columns", f"expected {alternatives([f'{name}=COLUMN' for name in IDENTIFYING])} among them")
    return found


def chosen(typed: dict[str, str], headers: Sequence[str]) -> LogColumns:
    """Return the columns that were typed; LogError for one that the log does not have."""
    return {name: _column(name, text, headers) for name, text in typed.items()}


def _column(name: str, text: str, headers: Sequence[str]) -> LogColumn:
    place = _place(text, headers)
    if place is not None:
        return LogColumn(headers[place], (place,))
    places = [_place(part, headers) for part in text.split("+")]
    known = [place for place in places if place is not None]
    if len(known) == len(places):
        return LogColumn("+".join(headers[place] for place in known), tuple(known))
    raise LogError(f"--columns: no column {printable(text)} for {name}; {_listed(headers)}")


def _place(text: str, headers: Sequence[str]) -> int | None:
    """Return the index of a column by its number from 1, else by its header, in whatever case."""
    text = text.strip()
    if re.fullmatch("[0-9]{1,5}", text):  # a header of digits may be the first row of a log without headers
        return int(text) - 1 if 1 <= int(text) <= len(headers) else None
    for plain in (str, str.casefold):
        if plain(text) in (names := [*map(plain, headers)]):
            return names.index(plain(text))
    return None


def guessed(headers: Sequence[str]) -> LogColumns:
    """Return the columns that the headers seem to name; LogError if they name too little."""
    plain = [re.sub(r"[^0-9a-z]", "", normalize("NFKD", header.casefold())) for header in headers]
    found: LogColumns = {}
    for name, words in _USUAL:
        free = [word for word in words if word in plain and not _is_taken(plain.index(word), found)]
        if free and name not in found:
            place = plain.index(free[0])
            found[name] = LogColumn(headers[place], (place,))
    dates = [plain.index(word) for word in ("date", "datum", "day") if word in plain]
    if dates and "time" in found and plain[found["time"].places[0]] in ("time", "zeit", "utc", "timeutc", "localtime"):
        places = (dates[0], *found["time"].places)
        found["time"] = LogColumn("+".join(headers[place] for place in places), places)
    if "time" not in found or not any(name in found for name in IDENTIFYING):
        missing = "time" if "time" not in found else alternatives(IDENTIFYING)
        raise LogError(
            f"no header says {missing}: name the columns with --columns, by header or number; {_listed(headers)}"
        )
    return {name: found[name] for name in COLUMNS if name in found}


def _is_taken(place: int, found: LogColumns) -> bool:
    return any(place in column.places for column in found.values())


def _listed(headers: Sequence[str]) -> str:
    shown = ("(not shown)" if is_key_text(header) else shorten(header) for header in headers)
    return f"the headers are: {', '.join(f'{number} {header}' for number, header in enumerate(shown, 1))}"
