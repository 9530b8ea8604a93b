"""The key ring as a TOML file: its errors name the place and never a value; it is read again when it changes.

A key is written in hex or in base64. A text of hex digits is hex where its length fits, although many such texts are
base64 too: a key of 32 octets is 64 hex digits, which as base64 would be 48 octets. The other way round hardly happens,
as the base64 of 16 or 32 octets ends with `=`. Only where both lengths fit and hex does not give 16 or 32 octets does a
warning ask which one is meant. `hex:` or `base64:` before the text settles it.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ltkm_inspect.digest import a_tid_of
from ltkm_inspect.keys import akma, gba
from ltkm_inspect.keys.ring import KeyRing
from ltkm_inspect.keys.subscriber import WILD_CARD, Subscriber
from ltkm_inspect.parameter import did_you_mean, similar_file
from ltkm_inspect.wire.key_text import is_ring_file
from ltkm_inspect.wire.toml_file import TomlError, TomlFile, kind_of_value, parse_toml

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


def load(path: str | Path) -> tuple[KeyRing, list[str]]:
    """Read a key ring file; return the ring and the warnings, each one line. Raises TomlError."""
    file = RingFile(path)
    return file.ring, file.warnings


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

    Return it with the warnings, each one line. Raises TomlError, whose text names the field.
    """
    warnings: list[str] = []
    table = _Table("", _toml(octets), warnings)
    table.refuse_all_but((*DERIVED, *ALONGSIDE))
    return table.derived(table.text("naf") if "naf" in table.fields else ""), warnings


class RingFile(TomlFile[KeyRing]):
    """A key ring file that is read again when it has changed."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises TomlError. The clock gives seconds."""
        super().__init__(
            path,
            "a key ring file",
            lambda octets: _ring(_toml(octets)),
            private=True,
            similar=lambda name: similar_file(name, is_ring_file),
            clock=clock,
        )

    @property
    def ring(self) -> KeyRing:
        """The key ring."""
        return self.content


def _toml(octets: bytes) -> dict[str, Any]:
    return parse_toml(octets, "a key ring", 'naf = "…"')


def _ring(plain: dict[str, Any]) -> tuple[KeyRing, list[str]]:
    for name in plain:
        if name in FIELDS:
            raise TomlError(f"{name}: the line [[subscribers]] is missing above it")
        if name != "subscribers":
            close = did_you_mean(name.lower(), ["subscribers"])
            raise TomlError(f"{_shown(name)}: expected [[subscribers]], got another name{close}")
    tables = plain.get("subscribers")
    if not isinstance(tables, list) or not tables:
        got = "[subscribers] in single brackets" if isinstance(tables, dict) else kind_of_value(tables)
        raise TomlError(f"expected [[subscribers]] above the fields of each terminal, got {got}")
    found: dict[tuple[str, str], int] = {}
    subscribers: list[Subscriber] = []
    warnings: list[str] = []
    for number, table in enumerate(tables, 1):
        place = f"subscribers[{number}]"
        if not isinstance(table, dict):
            raise TomlError(f"{place}: expected a table, got {kind_of_value(table)}")
        subscriber = _Table(place, table, warnings).subscriber()
        first = found.setdefault((subscriber.b_tid, subscriber.naf.lower()), number)
        if first != number:
            raise TomlError(
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
                    raise TomlError(f"{self.at}{name}: unknown field; did you mean {name.lower()}?")
                close = did_you_mean(name.lower(), names)
                if name.startswith("subscriber"):
                    close = "; derive takes the fields of one terminal, and keys check reads a key ring"
                raise TomlError(f"{self.at}{_shown(name)}: unknown field; expected one of {', '.join(names)}{close}")

    def subscriber(self) -> Subscriber:
        found = self.keys()
        name = self.text("name") if "name" in self.fields else ""
        if name and found.b_tid == WILD_CARD:
            raise TomlError(f'{self.at}name: b_tid = "*" is for every terminal and cannot have a name')
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
            raise TomlError(f"{self.whole}no key: give muk, muks, mrk, or what they derive from ({ways})")
        return Subscriber(b_tid, naf, muks, mrk)

    def muks(self) -> tuple[bytes, ...]:
        if "muks" not in self.fields:
            return (self.key("muk"),) if "muk" in self.fields else ()
        if "muk" in self.fields:
            raise TomlError(f"{self.at}muks: use either muk or muks, not both")
        values = self.fields["muks"]
        if not isinstance(values, list) or not values:
            raise TomlError(f"{self.at}muks: expected an array with at least one key, got {kind_of_value(values)}")
        return tuple(
            _key(f"{self.at}muks[{at}]", value, KEY_OCTETS, self.warnings) for at, value in enumerate(values, 1)
        )

    def derived(self, naf: str) -> "DerivedKeys":
        for name in ("muk", "muks", "mrk"):
            if name in self.fields:
                raise TomlError(f"{self.at}{name}: use either keys or what they derive from, not both")
        given = tuple(sorted(name for name in DERIVED if name in self.fields))
        if given not in WAYS:
            ways = "; ".join(" with ".join(way) for way in WAYS)
            nothing = "gba alone" if "gba" in self.fields else "none of them"
            raise TomlError(f"{self.whole}expected one of: {ways}; got {' with '.join(given) or nothing}")
        kinds = WAYS[given]
        if not kinds:
            return self.derived_by_akma(given[0], naf)
        run = self.text("gba") if "gba" in self.fields else kinds[0]
        if run not in kinds:
            raise TomlError(f"{self.at}gba: expected {' or '.join(kinds)} with {', '.join(given)}, got another value")
        size = range(16, 17) if "ck" in given else range(32, 33)
        values = {name: _key(f"{self.at}{name}", self.fields[name], size, self.warnings) for name in given}
        if "ck" in values:
            impi, ks = self.text("impi"), gba.ks(values["ck"], values["ik"])
            if not naf:
                raise TomlError(f"{self.at}naf: the FQDN of the BSM is missing, which Ks_NAF needs")
            try:
                values["ks_naf"] = values["ks_ext_naf"] = gba.ks_naf(ks, values["rand"], impi, gba.naf_id(naf))
                values["ks_int_naf"] = gba.ks_int_naf(ks, values["rand"], impi, gba.naf_id(naf))
            except ValueError as error:
                raise TomlError(f"{self.whole}{error}") from None
        source = f"derived from {' and '.join(WORDS[name] for name in given if name in WORDS)}"
        if run == "u":
            muk, mrk = gba.gba_u(values["ks_int_naf"], values["ks_ext_naf"])
        else:
            muk, mrk = gba.gba_me(values["ks_naf" if run == "me" else "ks_ext_naf"])
        used = {"me": ("ks_naf",), "u": ("ks_ext_naf", "ks_int_naf"), "u-plain": ("ks_ext_naf",)}[run]
        return DerivedKeys({WORDS[name]: values[name] for name in used}, muk, mrk, source)

    def derived_by_akma(self, source: str, naf: str) -> "DerivedKeys":
        if "gba" in self.fields:
            raise TomlError(f"{self.at}gba: not allowed with {source}")
        if not naf and source != "k_af":
            raise TomlError(f"{self.at}naf: the FQDN of the BSM is missing, which K_AF needs")
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
            raise TomlError(f"{self.at}{error}") from None
        steps["K_AF"] = key
        return DerivedKeys(steps, *akma.muk_and_mrk(key), f"derived from {WORDS[source]}")

    def key(self, name: str) -> bytes:
        return _key(f"{self.at}{name}", self.fields[name], KEY_OCTETS, self.warnings)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise TomlError(f'{self.at}{name}: expected a string, {name} = "…", got {kind_of_value(value)}')
        return value


def _key(place: str, value: object, octets: range, warnings: list[str]) -> bytes:
    """Read a key, and warn of one whose coding is not clear: the docstring of the module says when."""
    wanted = f"{octets[0]} octets" if len(octets) == 1 else f"{octets[0]} to {octets[-1]} octets"
    if not isinstance(value, str):
        raise TomlError(f"{place}: expected {wanted} in hex or base64, got {kind_of_value(value)}")
    coding, colon, rest = value.partition(":")
    readings = [_hex(value), _base64(value)]
    if colon and coding in ("hex", "base64"):
        readings = [_hex(rest)] if coding == "hex" else [_base64(rest)]
    known = [key for key in readings if key is not None]
    if not known:
        raise TomlError(f"{place}: expected {wanted} in hex or base64, got other text")
    fitting = [key for key in known if len(key) in octets]
    key = (fitting or known)[0]
    if len(fitting) > 1 and len(key) not in USUAL_KEY_OCTETS:
        warnings.append(f"{place}: read as hex, but it may be base64; write hex: or base64: before it")
    if len(key) not in octets:
        raise TomlError(f"{place}: expected {wanted}, got {len(key)}")
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
