"""An LTKM that is made with the MUK of a terminal, from a description in TOML."""

import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltkm_inspect.keys.protection import encrypt
from ltkm_inspect.mikey import (
    GeneralExtension,
    Header,
    Identity,
    Interval,
    Kemac,
    KeyData,
    KeyDataChain,
    KeyId,
    KeyIds,
    Message,
    OmaBcast,
    Rand,
    Timestamp,
)
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.mikey.extension import KEY_IDS, OMA_BCAST
from ltkm_inspect.parameter import FileName, did_you_mean
from ltkm_inspect.wire import count, printable

LONGEST_FILE = 1 << 16
"""Octets of a description."""
RANDOM, CONTINUE = "random", "continue"
TEK, INTERVAL = 2, 2


class RecipeFile(FileName):
    """A TOML file that describes an LTKM."""

    KIND = "the path of a TOML file that describes an LTKM"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an LTKM is to be like; None means: as docs/faults.md says of a field that is left out."""

    msk: bytes | None = field(default=None, repr=False)
    key_domain: bytes | None = None
    msk_id: bytes | None = None
    seq_l: bytes = b"\0\0"
    seq_u: bytes = b"\xff\xfe"
    counter: int | None = None
    csb_id: int | None = None
    rand: bytes | None = None
    management_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Blanks:
    """What fills the blanks of a recipe: who it is for, and how the terminal's own messages go on."""

    muk: bytes = field(repr=False)
    idi: bytes
    idr: bytes
    pair: tuple[bytes, bytes] | None
    """Key Domain ID and MSK ID of the item that the LTKM is for."""
    counter: int
    rand: bytes | None
    """The RAND that came with this MSK before."""


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a file; ValueError in one line, without any value of a key."""
    with path.open("rb") as file:
        octets = file.read(LONGEST_FILE + 1)
    if len(octets) > LONGEST_FILE:
        raise ValueError(f"expected at most {LONGEST_FILE} octets of TOML, got more")
    return parse_recipe(octets)


def parse_recipe(octets: bytes) -> Recipe:
    """Return the recipe of a TOML text; ValueError in one line, without any value of a key."""
    try:
        table = tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8, got another octet at offset {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"expected TOML, got {_where(error)}") from None
    except RecursionError:
        raise ValueError("expected TOML, got too many nested brackets") from None
    for name in table:
        if name not in _FIELDS:
            raise ValueError(f"unknown field {_name(name)}{did_you_mean(name, _FIELDS)}; known: {', '.join(_FIELDS)}")
    values: dict[str, Any] = {}
    for name, value in table.items():
        try:
            values[name] = _FIELDS[name](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    recipe = Recipe(**values)
    if len(recipe.seq_l) != len(recipe.seq_u):
        raise ValueError("seq_l, seq_u: expected the same number of octets in both")
    return recipe


def make(recipe: Recipe, blanks: Blanks) -> bytes:
    """Return the octets of an LTKM, encrypted and authenticated; ValueError where the MSK ID is not known."""
    domain = blanks.pair[0] if recipe.key_domain is None and blanks.pair is not None else recipe.key_domain
    msk_id = blanks.pair[1] if recipe.msk_id is None and blanks.pair is not None else recipe.msk_id
    if domain is None or msk_id is None:
        raise ValueError("the item has no readable MSK: add key_domain and msk_id")
    message = unprotected(
        (domain, msk_id),
        secrets.randbits(32) if recipe.csb_id is None else recipe.csb_id,
        blanks.counter if recipe.counter is None else recipe.counter,
        recipe.rand or blanks.rand or secrets.token_bytes(16),
        (blanks.idi, blanks.idr),
        recipe.management_data,
    )
    entry = KeyData(TEK, INTERVAL, recipe.msk or secrets.token_bytes(16), validity=Interval(recipe.seq_l, recipe.seq_u))
    return encrypt(message, blanks.muk, KeyDataChain((entry,)).encode()).encode()


def unprotected(
    pair: tuple[bytes, bytes],
    csb_id: int,
    counter: int,
    rand: bytes,
    identities: tuple[bytes, bytes],
    management_data: bytes | None,
) -> Message:
    """Return the message of the download form for these values, with an empty KEMAC; without the data no BCAST."""
    extensions = [GeneralExtension(KEY_IDS, KeyIds((KeyId(0, pair[0]), KeyId(1, pair[1]))))]
    if management_data is not None:
        extensions.append(GeneralExtension(OMA_BCAST, OmaBcast(1, management_data)))
    others = (Timestamp(COUNTER, counter.to_bytes(4)), Rand(rand), *(Identity(0, name) for name in identities))
    return Message(Header(1, 0, False, 0, csb_id, 0, 1, ()), (*extensions, *others, Kemac(1, b"", 1, b"")))


def _hex(lengths: Mapping[int, str] | None, word: str = "") -> Callable[[Any], bytes | None]:
    """Return what reads octets in hex, of one of these lengths; `word` may stand for none in particular."""

    def read(value: Any) -> bytes | None:
        if word and value == word:
            return None
        wanted = f"{' or '.join(lengths.values())} in hex" if lengths else "octets in hex"
        wanted += f', or "{word}"' if word else ""
        if not isinstance(value, str):
            raise ValueError(f"expected {wanted}, got no text")
        try:
            octets = bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            raise ValueError(f"expected {wanted}, got something else") from None
        if lengths is not None and len(octets) not in lengths:
            raise ValueError(f"expected {wanted}, got {count(len(octets), 'octet')}")
        return octets

    return read


def _number(word: str) -> Callable[[Any], int | None]:
    """Return what reads a number of 32 bits, for which a word may stand."""

    def read(value: Any) -> int | None:
        if value == word:
            return None
        if type(value) is not int or not 0 <= value < 1 << 32:
            raise ValueError(f'expected a whole number from 0 to 4294967295, or "{word}", got something else')
        return value

    return read


_LIMIT = {2: "2 octets (MTK ID)", 4: "4 octets (the seconds of NTP)"}
_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "msk": _hex({16: "16 octets", 24: "24", 32: "32"}, RANDOM),
    "key_domain": _hex(None),
    "msk_id": _hex(None),
    "seq_l": _hex(_LIMIT),
    "seq_u": _hex(_LIMIT),
    "counter": _number(CONTINUE),
    "csb_id": _number(RANDOM),
    "rand": _hex(None, RANDOM),
    "management_data": _hex(None),
}


def _where(error: tomllib.TOMLDecodeError) -> str:
    """Return what is wrong with a TOML text, without the text itself, which may be a key."""
    found = str(error).rpartition("(at ")
    return f"an error at {found[2].rstrip(')')}" if found[1] else "an error"


def _name(name: str) -> str:
    return printable(name) if len(name) <= 20 and name.replace("_", "").isalpha() else "(not shown: it may be a key)"
