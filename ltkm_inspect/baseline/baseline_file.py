"""The baseline as a TOML file: its errors name the line, and say what to write instead."""

import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ltkm_inspect import catalogue
from ltkm_inspect.baseline.baseline import Baseline, BaselineEntry
from ltkm_inspect.engine import OWN_FINDINGS
from ltkm_inspect.finding import CRASHES
from ltkm_inspect.names import same_b_tid
from ltkm_inspect.parameter import did_you_mean, similar_toml
from ltkm_inspect.rule import RULES
from ltkm_inspect.selection import SelectionError, parse_selection
from ltkm_inspect.traffic import address_and_port
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import is_key_text
from ltkm_inspect.wire.toml_file import TomlError, TomlFile, kind_of_value, lines_of_tables, parse_toml

TABLE = "accepted"
FIELDS = ("rule", "terminal", "msk", "field", "reason", "expires")


class BaselineFile(TomlFile[Baseline]):
    """A baseline that is read again when it has changed."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises TomlError. The clock gives seconds."""
        super().__init__(
            path,
            "a baseline",
            lambda octets: (_baseline(octets), []),
            similar=similar_toml,
            clock=clock,
        )


def _baseline(octets: bytes) -> Baseline:
    plain = parse_toml(octets, "a baseline", 'rule = "ltkm-missing"')
    for name in plain:
        if name in FIELDS:
            raise TomlError(f"{name}: the line [[{TABLE}]] is missing above it")
        if name != TABLE:
            shown = "(what may be a key)" if is_key_text(name) else printable(name)
            raise TomlError(f"{shown}: expected [[{TABLE}]], got another name{did_you_mean(name.lower(), [TABLE])}")
    tables = plain.get(TABLE, [])
    if not isinstance(tables, list):
        got = f"[{TABLE}] in single brackets" if isinstance(tables, dict) else kind_of_value(tables)
        raise TomlError(f"expected [[{TABLE}]] above each entry, got {got}")
    lines = lines_of_tables(octets, TABLE)
    entries: list[BaselineEntry] = []
    found: dict[tuple[str, ...], int] = {}
    for index, table in enumerate(tables):
        line = lines[index] if len(lines) == len(tables) else None
        where = f"line {line}" if line else f"{TABLE}[{index + 1}]"
        try:
            entry = _entry(table, line)
            same = found.setdefault(entry.identity, index)
            if same != index:
                at = f"line {lines[same]}" if line else f"{TABLE}[{same + 1}]"
                raise TomlError(f"rule, terminal, msk and field are those of the entry in {at}")
        except TomlError as error:
            more = sum(not _has_reason(each) for each in tables[index:]) if "reason" in str(error) else 0
            raise TomlError(f"{where}: {error}{f' ({more} entries have none)' if more > 1 else ''}") from None
        entries.append(entry)
    return Baseline(tuple(entries))


def _entry(table: Any, line: int | None) -> BaselineEntry:
    if not isinstance(table, dict):
        raise TomlError(f"expected a table, got {kind_of_value(table)}")
    for name in table:
        if name not in FIELDS:
            shown = "(what may be a key)" if is_key_text(name) else printable(name)
            close = did_you_mean(name.lower(), FIELDS)
            raise TomlError(f"{shown}: unknown field; expected one of {', '.join(FIELDS)}{close}")
    texts = {name: _text(name, table[name]) for name in FIELDS[:4] if name in table}
    if "rule" not in texts:
        raise TomlError('rule: expected the id of a rule, rule = "…", got nothing')
    rule = texts["rule"]
    catalogue.load()
    if rule in CRASHES:
        raise TomlError(f"rule: {rule} says that something was not checked, so it cannot be accepted")
    if rule not in RULES and rule not in OWN_FINDINGS:
        raise TomlError(f"rule: unknown rule {printable(rule)}{did_you_mean(rule, [*RULES, *OWN_FINDINGS])}")
    if not _has_reason(table):
        raise TomlError('reason: say why the finding is accepted, reason = "…"')
    terminal = texts.get("terminal", "")
    address, port = address_and_port(terminal)
    if port:
        raise TomlError("terminal: expected an address without a port, which differs in each capture")
    return BaselineEntry(
        rule,
        _text("reason", table["reason"]),
        address or same_b_tid(terminal),
        _msk(texts.get("msk", "")),
        texts.get("field", ""),
        _date(table["expires"]) if "expires" in table else None,
        line,
    )


def _has_reason(table: Any) -> bool:
    reason = table.get("reason") if isinstance(table, dict) else None
    return reason is not None and not (isinstance(reason, str) and not reason.strip())


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        any = "; leave it out for any" if name in FIELDS[1:4] else ""
        raise TomlError(f'{name}: expected a string, {name} = "…", got {kind_of_value(value)}{any}')
    return value.strip()


def _msk(text: str) -> str:
    try:
        return str(parse_selection([text])) if text else ""
    except SelectionError as error:
        raise TomlError(f"msk: {error}") from None


def _date(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        got = "a time" if isinstance(value, datetime) else kind_of_value(value)
        raise TomlError(f"expires: expected a date without quotation marks, expires = 2026-12-31, got {got}")
    return value
