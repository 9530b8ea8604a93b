"""The options on faults: which ones go into which responses, how often, and how late."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ltkm_inspect.options.words import OptionError, one_of, seconds, split_words

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.fault import Application, Reader
    from ltkm_inspect.rewriting.orders import Orders
    from ltkm_inspect.rewriting.schedule import When
    from ltkm_inspect.selection import Selection


type Readers = Mapping[type, Reader]


def parse_faults(texts: Iterable[str], readers: "Readers") -> "tuple[Application, ...]":
    """Parse faults, each `verb-subject` or `verb-subject:name=value,…`, and read the files that they name.

    OptionError for one that is not known or takes no such value.
    """
    from ltkm_inspect import catalogue
    from ltkm_inspect.fault import FaultError, parse_application, prepare

    catalogue.load()
    try:
        return tuple(prepare(parse_application(text.strip()), readers) for text in texts)
    except FaultError as error:
        raise OptionError("fault", str(error)) from None


def parse_msks(texts: Iterable[str]) -> "Selection":
    """Parse keys, each `KEYDOMAIN[/GROUP[/NUMBER]]` in hex; none at all mean every key."""
    from ltkm_inspect.selection import SelectionError, parse_selection

    try:
        return parse_selection(split_words(texts))
    except SelectionError as error:
        raise OptionError("fault_msk", str(error)) from None


def parse_when(text: str) -> "When":
    """Parse how often a fault is put in."""
    from ltkm_inspect.rewriting import schedule

    try:
        return schedule.parse_when(text)
    except schedule.ScheduleError as error:
        raise OptionError("fault_when", str(error)) from None


def parse_delay(text: str) -> float:
    """Parse seconds, at most a day of them: a response that is held back for longer is better dropped."""
    return seconds("fault_delay", text)


def orders(
    readers: "Readers",
    *,
    fault: Iterable[str] = (),
    fault_filter: str = "",
    fault_msk: Iterable[str] = (),
    fault_terminal: Iterable[str] = (),
    fault_when: str = "always",
    fault_delay: str = "0",
    fault_unsigned: str = "warn",
) -> "Orders":
    """Return what these words order; OptionError says in one line which word is wrong and why.

    `readers` read the files that faults name, by the kind of file. What the filter means is for mitmproxy to say.
    """
    from ltkm_inspect.rewriting.orders import Orders
    from ltkm_inspect.selection import parse_terminals

    one_of("fault_unsigned", fault_unsigned, ("warn", "refuse"))
    return Orders(
        parse_faults(fault, readers),
        parse_msks(fault_msk),
        parse_terminals(split_words(fault_terminal)),
        fault_filter.strip(),
        parse_when(fault_when),
        parse_delay(fault_delay),
        fault_unsigned == "refuse",
    )
