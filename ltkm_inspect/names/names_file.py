"""The file of names: TOML with a table for each kind of ID; its errors name the line, and say what to write instead."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ltkm_inspect.names.event_names import KINDS, LONGEST_NAME
from ltkm_inspect.names.names import KeyPair, Names, same_b_tid
from ltkm_inspect.parameter import did_you_mean, similar_toml
from ltkm_inspect.traffic import address_and_port
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import is_key_text
from ltkm_inspect.wire.toml_file import TomlError, TomlFile, kind_of_value, line_of, parse_toml

type _Id = KeyPair | str

_FORMS: dict[str, tuple[set[tuple[int, ...]], str]] = {
    "key_domains": ({(3,)}, "6 hex digits, such as b8709d"),
    "key_groups": ({(2,), (3, 2), (5,)}, '4 hex digits, or "KEYDOMAIN/GROUP", such as "b8709d/24cb"'),
    "msks": ({(4,), (2, 2), (3, 4), (3, 2, 2), (7,)}, '8 hex digits, or "KEYDOMAIN/GROUP/NUMBER"'),
}
"""The lengths in octets of what is between slashes, and what to write."""
_GOT_TABLE = 'expected a name, got a table; write the ID in quotation marks: "{}" = "…"'


class NamesFile(TomlFile[Names]):
    """A file of names that is read again when it has changed."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises TomlError. The clock gives seconds."""
        super().__init__(
            path,
            "a file of names",
            lambda octets: (_names(octets), []),
            similar=similar_toml,
            clock=clock,
        )


def _names(octets: bytes) -> Names:
    plain = parse_toml(octets, "a file of names", '"192.0.2.10" = "BSM", both in quotation marks')
    for table, value in plain.items():
        if not (table in KINDS and isinstance(value, dict)):
            raise TomlError(_wrong_table(table, value))
    found: dict[str, dict[_Id, str]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        lines: dict[_Id, int | None] = {}
        for key, name in plain.get(kind, {}).items():
            line = line_of(octets, kind, key)
            try:
                id = _id(kind, key, name)
                if id in found[kind]:
                    at = f" in line {lines[id]}" if lines[id] else ""
                    raise TomlError(f"this ID already has a name{at}: {printable(found[kind][id])}")
                found[kind][id], lines[id] = _name(name), line
            except TomlError as error:
                shown = "(what may be a key)" if is_key_text(key) else printable(key)
                where = f"line {line}: " if line else ""
                raise TomlError(f"{where}{kind}: {shown}: {error}") from None
    keys = {id: name for kind in _FORMS for id, name in found[kind].items() if isinstance(id, tuple)}
    b_tids, addresses = ({str(id): name for id, name in found[kind].items()} for kind in ("b_tids", "addresses"))
    return Names(keys, b_tids, addresses)


def _wrong_table(table: str, value: Any) -> str:
    if table == "subscribers":
        return "subscribers: this looks like a key ring; give it to --keys"
    shown = "(what may be a key)" if is_key_text(table) else printable(table)
    if isinstance(value, dict) or table in KINDS:
        one_of = f"expected one of {', '.join(f'[{kind}]' for kind in KINDS)}"
        return f"{shown}: {one_of}, got {'another table' if isinstance(value, dict) else kind_of_value(value)}" + (
            did_you_mean(table.lower().replace("-", "_"), KINDS) if table not in KINDS else ""
        )
    return f"{shown}: a line such as [key_domains] is missing above it"


def _id(kind: str, key: str, name: object) -> _Id:
    if isinstance(name, dict):
        raise TomlError(_GOT_TABLE.format(".".join([key, *_path(name)])))
    if kind in _FORMS:
        return _key(kind, key)
    address, port = address_and_port(key.strip())
    if kind == "addresses":
        if not address:
            raise TomlError(f"expected an IP address{'; a B-TID belongs in [b_tids]' if '@' in key else ''}")
        if port:
            raise TomlError("expected an address without a port")
        return address
    if address:
        raise TomlError("expected a B-TID; an address belongs in [addresses]")
    if not key.strip() or ("@" not in key and ".." in key):
        raise TomlError("expected a complete B-TID, such as terminal in the output of --format jsonl")
    return same_b_tid(key.strip())


def _key(kind: str, key: str) -> KeyPair:
    """Return the Key Domain ID, empty for any, and the MSK ID or its Key Group part."""
    lengths, form = _FORMS[kind]
    parts = [re.sub(r"\b0[xX]|[\s:-]", "", part) for part in key.split("/")]  # as other programs print octets
    try:
        octets = [bytes.fromhex(part) for part in parts]
    except ValueError:
        octets = []
    if tuple(map(len, octets)) not in lengths:
        coded = "; write it in hex, not base64" if re.search(r"[G-Zg-z+=]", "".join(parts)) else ""
        raise TomlError(f"expected {form}{coded}")
    joined = b"".join(octets)
    domain = joined[:3] if len(joined) in (3, 5, 7) else b""
    return domain, joined[len(domain) :]


def _path(table: dict[str, Any]) -> Iterator[str]:
    """Yield the keys that a dotted key without quotation marks has become."""
    for key, value in [*table.items()][:1]:
        yield key
        if isinstance(value, dict):
            yield from _path(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TomlError(f'expected a name in quotation marks, = "…", got {kind_of_value(value)}')
    if len(value.strip()) > LONGEST_NAME:
        raise TomlError(f"expected a name of at most {LONGEST_NAME} characters, got {len(value.strip())}")
    return value.strip()
