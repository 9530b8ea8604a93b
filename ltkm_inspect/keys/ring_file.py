"""The key ring as a TOML file: its errors name the place and never a value; it is read again when it changes.

A key is written in hex or in base64. A text of hex digits is hex where its length fits, although many such texts are
base64 too: a key of 32 octets is 64 hex digits, which as base64 would be 48 octets. The other way round hardly happens,
as the base64 of 16 or 32 octets ends with `=`. Only where both lengths fit and hex does not give 16 or 32 octets does a
warning ask which one is meant. `hex:` or `base64:` before the text settles it.
"""

import base64
import binascii
import os
import re
import stat
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ltkm_inspect.digest import a_tid_of
from ltkm_inspect.keys import akma, gba
from ltkm_inspect.keys.ring import KeyRing
from ltkm_inspect.keys.subscriber import WILD_CARD, Subscriber
from ltkm_inspect.parameter import did_you_mean, similar_file
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import is_key_text, is_ring_file

KEY_OCTETS = range(16, 129)
"""How long a MUK or an MRK may be; GBA and AKMA make 32 octets."""
DERIVED = ("ks_naf", "ks_ext_naf", "ks_int_naf", "ck", "ik", "rand", "k_af", "k_akma", "k_ausf")
ALONGSIDE = ("naf", "impi", "gba", "supi")
"""What else a derivation may take, beside these keys."""
FIELDS = frozenset({"b_tid", "name", "muk", "muks", "mrk", *DERIVED, *ALONGSIDE})
WAYS = {
    ("ks_naf",): ("me",),
    ("ks_ext_naf",): ("u-plain",),
    ("ks_ext_naf", "ks_int_naf"): ("u",),
    ("ck", "ik", "rand"): ("me", "u", "u-plain"),
    ("k_af",): (),
    ("k_akma",): (),
    ("k_ausf",): (),
}
"""What MUK and MRK can be derived from, and the kinds of GBA that fit, the default first; none with AKMA."""
WORDS = {
    "ks_naf": "Ks_NAF",
    "ks_ext_naf": "Ks_ext_NAF",
    "ks_int_naf": "Ks_int_NAF",
    "ck": "CK",
    "ik": "IK",
    "k_af": "K_AF",
    "k_akma": "K_AKMA",
    "k_ausf": "K_AUSF",
}
"""What a field is called in `Subscriber.source`."""
SHOWN_NAME = re.compile(r"[a-z][a-z_-]{0,19}")
"""A field name that is safe to print: a longer one, or one with digits, may be a key that went to the wrong place."""
USUAL_KEY_OCTETS = (16, 32)
SECOND = 1.0
LONGEST_FILE = 16 << 20
"""Octets; a ring of fifty thousand subscribers is shorter. A device without end must not be read to its end."""


class RingError(ValueError):
    """A key ring file that cannot be used; its text is one line without any value."""


def load(path: str | Path) -> tuple[KeyRing, list[str]]:
    """Read a key ring file; return the ring and the warnings, each one line. Raises RingError."""
    ring, warnings, _ = _load(Path(path))
    return ring, warnings


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """What follows from the keys of a run of GBA or AKMA."""

    steps: dict[str, bytes] = field(repr=False)
    """What MUK and MRK come from, by its standard name, in the order of the derivation.

    Of GBA it is Ks_NAF, or Ks_ext_NAF and Ks_int_NAF; of AKMA it is A-TID, K_AKMA, AF_ID and K_AF, as far as derived.
    """
    muk: bytes = field(repr=False)
    mrk: bytes = field(repr=False)
    source: str = ""
    """What they were derived from, in words."""


def derive(octets: bytes) -> tuple[DerivedKeys, list[str]]:
    """Derive what follows from the fields of one subscriber, written in TOML without a [[subscribers]] heading.

    Return it with the warnings, each one line. Raises RingError, whose text names the field.
    """
    warnings: list[str] = []
    table = _Table("", _toml(octets), warnings)
    table.refuse_all_but((*DERIVED, *ALONGSIDE))
    return table.derived(table.text("naf") if "naf" in table.fields else ""), warnings


class RingFile:
    """A key ring file that is read again when it has changed."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises RingError. The clock gives seconds."""
        self.path = Path(path)
        self._clock = clock
        self._looked = clock()
        self._trouble = ""
        self.ring, self.warnings, self._mark = _load(self.path)

    def __repr__(self) -> str:
        return f"RingFile({str(self.path)!r})"

    def refresh(self) -> list[str] | None:
        """Read the file again where it has changed; return lines for the log, or None if there are none.

        It looks at the file once a second at most. If the file cannot be used, the old ring stays, and the error is the
        line: once, until the error changes or the file was usable in between. A file that was not regular at the start,
        such as a pipe, is read only once.
        """
        now = self._clock()
        if now - self._looked < SECOND or self._mark == _READ_ONCE:
            return None
        self._looked = now
        mark = _mark(self.path)
        if mark == self._mark:
            return None
        self._mark = mark
        try:
            if mark == _READ_ONCE:  # to open a pipe could wait for ever
                raise RingError(f"{_shown_path(self.path)}: expected a regular file, got something else")
            self.ring, self.warnings, self._mark = _load(self.path)
        except RingError as error:
            before, self._trouble = self._trouble, str(error)
            if self._mark == _READ_ONCE:
                self._mark = None
            return None if before == self._trouble else [self._trouble]
        self._trouble = ""
        return self.warnings


type _Mark = tuple[int, ...] | None
_READ_ONCE: _Mark = ()
"""The mark of what is no regular file."""


def _mark(path: Path) -> _Mark:
    try:
        return _mark_of(path.stat())
    except (OSError, ValueError):
        return None


def _mark_of(status: os.stat_result) -> _Mark:
    if not stat.S_ISREG(status.st_mode):
        return _READ_ONCE
    # The time of the last change of state too: to take a permission away changes nothing else.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _load(path: Path) -> tuple[KeyRing, list[str], _Mark]:
    shown = _shown_path(path)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "the path cannot be used").lower()
        if isinstance(error, FileNotFoundError) and not is_key_text(str(path)):
            why += similar_file(str(path), is_ring_file)
        raise RingError(f"{shown}: expected a key ring file, got: {why}") from None
    if len(octets) > LONGEST_FILE:
        raise RingError(f"{shown}: expected at most {LONGEST_FILE >> 20} MiB, got more")
    try:
        ring, warnings = _ring(_toml(octets))
    except RingError as error:
        raise RingError(f"{shown}: {error}") from None
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "posix" and mode & 0o077:
        warnings.insert(0, f"other users can read this file (mode {mode:o}): chmod 600 {shown}")
    return ring, [f"{shown}: {warning}" for warning in warnings], _mark_of(status)


def _toml(octets: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise RingError(f"line {line}: the text is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        text = str(error)  # may quote the file
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)$", text)
        where = f"{place[1]}: " if place else ""
        if text.startswith(("Cannot overwrite", "Cannot declare", "Cannot redefine", "Duplicate")):
            raise RingError(f"{where}a field or table appears twice") from None
        raise RingError(f'{where}expected TOML, such as naf = "…", got other text') from None
    except (RecursionError, ValueError):
        raise RingError("expected a key ring, got TOML that is nested too deeply") from None


def _shown_path(path: Path) -> str:
    is_key = is_key_text(str(path)) and not path.exists()
    return "(what may be a key)" if is_key else printable(str(path))


def _ring(plain: dict[str, Any]) -> tuple[KeyRing, list[str]]:
    for name in plain:
        if name in FIELDS:
            raise RingError(f"{name}: the line [[subscribers]] is missing above it")
        if name != "subscribers":
            close = did_you_mean(name.lower(), ["subscribers"])
            raise RingError(f"{_shown(name)}: expected [[subscribers]], got another name{close}")
    tables = plain.get("subscribers")
    if not isinstance(tables, list) or not tables:
        got = "[subscribers] in single brackets" if isinstance(tables, dict) else _kind(tables)
        raise RingError(f"expected [[subscribers]] above the fields of each terminal, got {got}")
    found: dict[tuple[str, str], int] = {}
    subscribers: list[Subscriber] = []
    warnings: list[str] = []
    for number, table in enumerate(tables, 1):
        place = f"subscribers[{number}]"
        if not isinstance(table, dict):
            raise RingError(f"{place}: expected a table, got {_kind(table)}")
        subscriber = _Table(place, table, warnings).subscriber()
        first = found.setdefault((subscriber.b_tid, subscriber.naf.lower()), number)
        if first != number:
            raise RingError(
                f"{place}: b_tid and naf are those of subscribers[{first}]; "
                'put several MUKs into muks = ["…", "…"] of one entry'
            )
        subscribers.append(subscriber)
    return KeyRing(tuple(subscribers)), warnings


class _Table:
    """One entry of the file, with its place for the errors."""

    def __init__(self, place: str, fields: dict[str, Any], warnings: list[str]) -> None:
        self.fields, self.warnings = fields, warnings
        self.at, self.whole = (f"{place}.", f"{place}: ") if place else ("", "")

    def refuse_all_but(self, names: Sequence[str]) -> None:
        for name in self.fields:
            if name not in names:
                if name.lower() in names:
                    raise RingError(f"{self.at}{name}: unknown field; did you mean {name.lower()}?")
                close = did_you_mean(name.lower(), names)
                if name.startswith("subscriber"):
                    close = "; derive takes the fields of one terminal, and keys check reads a key ring"
                raise RingError(f"{self.at}{_shown(name)}: unknown field; expected one of {', '.join(names)}{close}")

    def subscriber(self) -> Subscriber:
        found = self.keys()
        name = self.text("name") if "name" in self.fields else ""
        if name and found.b_tid == WILD_CARD:
            raise RingError(f'{self.at}name: b_tid = "*" is for every terminal and cannot have a name')
        known = (self.text(each) for each in ("impi", "supi") if each in self.fields)
        return replace(found, name=name, identity=next(known, name))

    def keys(self) -> Subscriber:
        self.refuse_all_but(sorted(FIELDS))
        b_tid = self.text("b_tid")
        naf = self.text("naf") if "naf" in self.fields else ""
        if any(name in self.fields for name in (*DERIVED, "gba")):
            found = self.derived(naf)
            written, right = a_tid_of(b_tid), found.steps.get("A-TID")
            if None not in (written, right) and written != right:
                self.warnings.append(f"{self.at}b_tid: its A-TID does not follow from k_ausf and supi")
            return Subscriber(b_tid, naf, (found.muk,), found.mrk, found.source)
        muks = self.muks()
        mrk = self.key("mrk") if "mrk" in self.fields else None
        if not muks and mrk is None:
            ways = ", ".join(DERIVED)
            raise RingError(f"{self.whole}no key: give muk, muks, mrk, or what they derive from ({ways})")
        return Subscriber(b_tid, naf, muks, mrk)

    def muks(self) -> tuple[bytes, ...]:
        if "muks" not in self.fields:
            return (self.key("muk"),) if "muk" in self.fields else ()
        if "muk" in self.fields:
            raise RingError(f"{self.at}muks: use either muk or muks, not both")
        values = self.fields["muks"]
        if not isinstance(values, list) or not values:
            raise RingError(f"{self.at}muks: expected an array with at least one key, got {_kind(values)}")
        return tuple(
            _key(f"{self.at}muks[{at}]", value, KEY_OCTETS, self.warnings) for at, value in enumerate(values, 1)
        )

    def derived(self, naf: str) -> "DerivedKeys":
        for name in ("muk", "muks", "mrk"):
            if name in self.fields:
                raise RingError(f"{self.at}{name}: use either keys or what they derive from, not both")
        given = tuple(sorted(name for name in DERIVED if name in self.fields))
        if given not in WAYS:
            ways = "; ".join(" with ".join(way) for way in WAYS)
            nothing = "gba alone" if "gba" in self.fields else "none of them"
            raise RingError(f"{self.whole}expected one of: {ways}; got {' with '.join(given) or nothing}")
        kinds = WAYS[given]
        if not kinds:
            return self.derived_by_akma(given[0], naf)
        run = self.text("gba") if "gba" in self.fields else kinds[0]
        if run not in kinds:
            raise RingError(f"{self.at}gba: expected {' or '.join(kinds)} with {', '.join(given)}, got another value")
        size = range(16, 17) if "ck" in given else range(32, 33)
        values = {name: _key(f"{self.at}{name}", self.fields[name], size, self.warnings) for name in given}
        if "ck" in values:
            impi, ks = self.text("impi"), gba.ks(values["ck"], values["ik"])
            if not naf:
                raise RingError(f"{self.at}naf: the FQDN of the BSM is missing, which Ks_NAF needs")
            try:
                values["ks_naf"] = values["ks_ext_naf"] = gba.ks_naf(ks, values["rand"], impi, gba.naf_id(naf))
                values["ks_int_naf"] = gba.ks_int_naf(ks, values["rand"], impi, gba.naf_id(naf))
            except ValueError as error:
                raise RingError(f"{self.whole}{error}") from None
        source = f"derived from {' and '.join(WORDS[name] for name in given if name in WORDS)}"
        if run == "u":
            muk, mrk = gba.gba_u(values["ks_int_naf"], values["ks_ext_naf"])
        else:
            muk, mrk = gba.gba_me(values["ks_naf" if run == "me" else "ks_ext_naf"])
        used = {"me": ("ks_naf",), "u": ("ks_ext_naf", "ks_int_naf"), "u-plain": ("ks_ext_naf",)}[run]
        return DerivedKeys({WORDS[name]: values[name] for name in used}, muk, mrk, source)

    def derived_by_akma(self, source: str, naf: str) -> "DerivedKeys":
        if "gba" in self.fields:
            raise RingError(f"{self.at}gba: not allowed with {source}")
        if not naf and source != "k_af":
            raise RingError(f"{self.at}naf: the FQDN of the BSM is missing, which K_AF needs")
        size = range(akma.KEY_OCTETS, akma.KEY_OCTETS + 1)
        key = _key(f"{self.at}{source}", self.fields[source], size, self.warnings)
        supi = self.text("supi") if source == "k_ausf" else ""
        steps: dict[str, bytes] = {}
        try:
            if source == "k_ausf":
                steps["A-TID"] = akma.a_tid(key, supi)
                key = steps["K_AKMA"] = akma.k_akma(key, supi)
            if source != "k_af":
                steps["AF_ID"] = akma.af_id(naf)
                key = akma.k_af(key, steps["AF_ID"])
        except ValueError as error:
            raise RingError(f"{self.at}{error}") from None
        steps["K_AF"] = key
        return DerivedKeys(steps, *akma.muk_and_mrk(key), f"derived from {WORDS[source]}")

    def key(self, name: str) -> bytes:
        return _key(f"{self.at}{name}", self.fields[name], KEY_OCTETS, self.warnings)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise RingError(f'{self.at}{name}: expected a string, {name} = "…", got {_kind(value)}')
        return value


def _key(place: str, value: object, octets: range, warnings: list[str]) -> bytes:
    """Read a key, and warn of one whose coding is not clear: the docstring of the module says when."""
    wanted = f"{octets[0]} octets" if len(octets) == 1 else f"{octets[0]} to {octets[-1]} octets"
    if not isinstance(value, str):
        raise RingError(f"{place}: expected {wanted} in hex or base64, got {_kind(value)}")
    coding, colon, rest = value.partition(":")
    readings = [_hex(value), _base64(value)]
    if colon and coding in ("hex", "base64"):
        readings = [_hex(rest)] if coding == "hex" else [_base64(rest)]
    known = [key for key in readings if key is not None]
    if not known:
        raise RingError(f"{place}: expected {wanted} in hex or base64, got other text")
    fitting = [key for key in known if len(key) in octets]
    key = (fitting or known)[0]
    if len(fitting) > 1 and len(key) not in USUAL_KEY_OCTETS:
        warnings.append(f"{place}: read as hex, but it may be base64; write hex: or base64: before it")
    if len(key) not in octets:
        raise RingError(f"{place}: expected {wanted}, got {len(key)}")
    return key


def _hex(text: str) -> bytes | None:
    digits = re.sub(r"\b0[xX]|[\s:]", "", text)  # as other programs print octets
    return bytes.fromhex(digits) if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", digits) else None


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _shown(name: str) -> str:
    return name if SHOWN_NAME.fullmatch(name) else "(a field)"


def _kind(value: object) -> str:
    kinds = {type(None): "nothing", str: "a string", int: "a number", bool: "true or false", list: "an array"}
    if value in ("", []):
        return "an empty value"
    return kinds.get(type(value), "a table" if isinstance(value, dict) else "another type")
