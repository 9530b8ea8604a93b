"""What the key ring says about each LTKM: whether its MAC is valid, which key it delivers, and its validity."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ltkm_inspect.finding import LONGEST_VALUE, Place, Report, count, shorten
from ltkm_inspect.keys import KeyRing, OpenedMessage, Verdict, interval_of, key_check_value
from ltkm_inspect.keys.opening import mac_failure
from ltkm_inspect.keys.ring_file import derive
from ltkm_inspect.mikey import Kemac, KeyData, Message
from ltkm_inspect.mikey.codes import KEY_TYPES
from ltkm_inspect.mikey.keydata import Spi
from ltkm_inspect.output.json_line import to_json

LONGEST_LIMIT = 8
"""How many octets a limit of a key interval may have to be printed as a number."""


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key that an LTKM delivers. The facts only include the key itself if it is to be shown."""

    text: str = field(repr=False)
    """The key in one line."""
    plain: dict[str, Any] = field(repr=False)
    """The key as an object for JSON."""


_NO_KEY = dict.fromkeys(
    ("type", "type_name", "length", "seq_l", "seq_u", "valid_from", "valid_to", "spi", "check_value", "key")
)


@dataclass(frozen=True, slots=True)
class LtkmFacts:
    """The facts about one LTKM, for text, view and JSON."""

    opened: OpenedMessage = field(repr=False)
    keys: tuple[KeyFacts, ...] = ()
    unproven: str = ""
    """Why the keys are not authenticated; empty if a valid MAC proves them."""
    name: str = ""
    """What the key ring calls the terminal; empty if it has no name, or if names are hidden."""

    @property
    def reason(self) -> str:
        """Why the verdict is not `valid`, or why the key data cannot be read."""
        return self.opened.reason or self.opened.problem

    @property
    def fails(self) -> bool:
        """The MAC is invalid with the keys of the ring, or it is valid but the key data cannot be read."""
        verdict = self.opened.verdict
        return verdict is Verdict.INVALID or (verdict is Verdict.VALID and bool(self.reason))

    @property
    def lines(self) -> list[str]:
        """The facts as lines, safe to print: the MAC, then each key."""
        keys = [key.text for key in self.keys]
        if self.opened.verdict is Verdict.VALID and self.reason:
            keys.append(self.reason)
        elif self.opened.verdict is Verdict.VALID and not self.keys:
            keys.append("no key data")
        return [self._mac, *([self.unproven] if self.unproven else []), *keys]

    @property
    def text(self) -> str:
        """The facts in one line, safe to print."""
        return ", ".join(self.lines)

    @property
    def plain(self) -> dict[str, Any]:
        """The facts as an object for JSON; without a key, the fields of the key are null."""
        opened, subscriber = self.opened, self.opened.subscriber
        return {
            "text": self.text,
            "verdict": opened.verdict.value,
            "reason": self.reason,
            "b_tid": None if subscriber is None else subscriber.b_tid,
            "muk": opened.muk_number or None,
            "tried": opened.tried,
            **(self.keys[0].plain if self.keys else _NO_KEY),
            "further": [key.plain for key in self.keys[1:]],
        }

    @property
    def _mac(self) -> str:
        match self.opened.verdict:
            case Verdict.VALID:
                return f"MAC valid ({_muk_name(self.opened, self.name)})"
            case Verdict.INVALID:
                reason = mac_failure(self.opened.tried, shorten(self.name)) if self.name else self.reason
                return f"MAC invalid ({reason.removeprefix('MAC ')})"
            case Verdict.NO_KEY:
                return f"no key{self.reason.removeprefix('no MUK')}"
        return f"MAC {self.opened.verdict.value} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Keys:
    """A key ring, and whether delivered keys are shown. Without a ring, only those in the clear can be shown."""

    ring: KeyRing = field(default_factory=KeyRing)
    show: bool = False
    hides_names: bool = False
    """The names that the ring gives to terminals are hidden, as a redacted report does."""

    def of(self, message: Message | None, octets: bytes | None) -> LtkmFacts | None:
        """Return the facts about a message; None without a message, or without both a key ring and a key to show."""
        if message is None or octets is None or not (self.ring or (self.show and _clear_key_data(message))):
            return None
        return ltkm_facts(self.ring.open(message, octets), message, show=self.show, hides_names=self.hides_names)

    def lines(self, report: Report) -> Iterator[str]:
        """Yield a line for each checked LTKM of an event that has a message."""
        for ltkm in report.event.checked_ltkms if self.ring or self.show else ():
            facts = self.of(ltkm.message, ltkm.octets)
            if facts is not None:
                place = Place(ltkm.item.number if ltkm.item is not None else None, ltkm.number)
                yield f"key {place}: {facts.text}"


NO_KEYS = Keys()


def ltkm_facts(opened: OpenedMessage, message: Message, *, show: bool = False, hides_names: bool = False) -> LtkmFacts:
    """Return the facts about an opened message; keys only with `show`, the terminal's name not with `hides_names`."""
    name = "" if hides_names or opened.subscriber is None else opened.subscriber.name
    entries, unproven = opened.key_data.entries if opened.key_data is not None else (), ""
    if opened.unproven is not None and opened.subscriber is not None:
        entries = opened.unproven.entries
        unproven = f"decrypted with the {_muk_name(opened, name)}, but not authenticated"
    elif not entries and show and (entries := _clear_key_data(message)):
        unproven = "in the clear, but not authenticated"
    return LtkmFacts(opened, tuple(_delivered(entry, show) for entry in entries), unproven, name)


def _clear_key_data(message: Message) -> tuple[KeyData, ...]:
    """Return the keys in a message that are not encrypted."""
    return tuple(entry for kemac in message.of(Kemac) if kemac.key_data is not None for entry in kemac.key_data.entries)


def _muk_name(opened: OpenedMessage, terminal: str) -> str:
    """Return the name of the MUK that opened a message; `terminal` replaces the B-TID in it, unless it is empty."""
    subscriber = opened.subscriber
    if subscriber is None:
        return "MUK of "
    muks = len(subscriber.muks)
    which = f"MUK {opened.muk_number or 1} of {muks}" if muks > 1 else "MUK"
    return f"{which} of {shorten(terminal or subscriber.b_tid)}"


def _delivered(entry: KeyData, show: bool) -> KeyFacts:
    interval = interval_of(entry)
    spi = entry.validity.spi if isinstance(entry.validity, Spi) else None
    limits: list[int | None] = [None, None]
    times: list[str | None] = [None, None]
    if interval is not None:
        pairs = [*zip((interval.seq_l, interval.seq_u), interval.octets, strict=True)]
        limits = [number if octets <= LONGEST_LIMIT else None for number, octets in pairs]
        words = (f"a number of {octets} octets" if octets > LONGEST_LIMIT else str(number) for number, octets in pairs)
        validity = f"SEQ {' to '.join(words)}"
        if interval.as_time is not None:
            times = [*map(_time, interval.as_time)]
            validity += f" ({' to '.join(map(_time, interval.as_time))}, unverified)"
    elif spi is not None:
        validity = f"SPI {shorten(spi.hex(), LONGEST_VALUE)}"
    else:
        validity = "no validity"
    name, check_value = KEY_TYPES.name_of(entry.type), key_check_value(entry.key)
    parts = [f"{name} of {count(len(entry.key), 'octet')}", validity]
    parts += [f"check value {check_value}" if check_value else "no check value"]
    parts += [f"key {entry.key.hex() or 'empty'}"] if show else []
    key = entry.key.hex() if show else None
    validities = (*limits, *times, None if spi is None else spi.hex())
    values = (entry.type, name, len(entry.key), *validities, check_value or None, key)
    return KeyFacts(", ".join(parts), dict(zip(_NO_KEY, values, strict=True)))


def derivation(octets: bytes, *, as_json: bool = False) -> tuple[list[str], list[str]]:
    """Return lines with the keys derived from those of GBA or AKMA, and lines of warnings. TomlError for a bad input.

    `octets` is TOML. The lines show the keys: the user asked for them.
    """
    found, warnings = derive(octets)
    password = base64.b64encode(found.mrk).decode()
    shown = {name: key.hex() for name, key in (*found.steps.items(), ("MUK", found.muk), ("MRK", found.mrk))}
    if as_json:
        return [to_json({**shown, "password": password, "source": found.source})], warnings
    return [*(f"{name}: {key}" for name, key in shown.items()), f"digest password: {password}"], warnings


def ring_lines(ring: KeyRing) -> Iterator[str]:
    """Yield a line for each subscriber of a key ring, without keys, and the number of subscribers."""
    for subscriber in ring.subscribers:
        lengths = ", ".join(str(len(muk)) for muk in subscriber.muks)
        muks = f"{count(len(subscriber.muks), 'MUK')} of {lengths} octets" if subscriber.muks else "no MUK"
        mrk = "no MRK" if subscriber.mrk is None else f"MRK of {count(len(subscriber.mrk), 'octet')}"
        naf = shorten(subscriber.naf) if subscriber.naf else "any BSM"
        yield f"{shorten(subscriber.b_tid)} at {naf}: {muks}, {mrk}, {subscriber.source}"
    yield count(len(ring.subscribers), "subscriber")
