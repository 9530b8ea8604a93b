"""The options on faults: which faults go into which responses, how often, and with which delay."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ltkm_inspect.options.settings import parse_terminal_by
from ltkm_inspect.options.words import blaming, decimal, one_of, split_words

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.fault import Reader
    from ltkm_inspect.rewriting.orders import Orders


def orders(
    readers: "Mapping[type, Reader]",
    *,
    fault: Iterable[str] = (),
    fault_filter: str = "",
    fault_msk: Iterable[str] = (),
    fault_terminal: Iterable[str] = (),
    fault_when: str = "always",
    fault_delay: str = "0",
    fault_unsigned: str = "warn",
    terminal: str = "auto",
) -> "Orders":
    """Return what these words order; OptionError says in one line which word is wrong and why.

    `readers` read the files that faults name, by the kind of file. What the filter means is for mitmproxy to say.
    """
    from ltkm_inspect import catalogue
    from ltkm_inspect.fault import FaultError, parse_application, prepare
    from ltkm_inspect.rewriting.orders import Orders
    from ltkm_inspect.rewriting.schedule import ScheduleError, parse_when
    from ltkm_inspect.selection import SelectionError, parse_selection, parse_terminals

    one_of("fault_unsigned", fault_unsigned, ("warn", "refuse"))
    catalogue.load()
    with blaming("fault", FaultError):
        faults = tuple(prepare(parse_application(text.strip()), readers) for text in fault)
    with blaming("fault_msk", SelectionError):
        msks = parse_selection(split_words(fault_msk))
    with blaming("fault_when", ScheduleError):
        when = parse_when(fault_when)
    # at most a day: a response that is held back for longer is better dropped
    delay = decimal("fault_delay", fault_delay, "seconds")
    terminals = parse_terminals(split_words(fault_terminal))
    refuses, by = fault_unsigned == "refuse", parse_terminal_by(terminal)
    return Orders(faults, msks, terminals, fault_filter.strip(), when, delay, refuses, by)
