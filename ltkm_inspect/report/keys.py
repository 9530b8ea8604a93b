"""What the keys at hand say of each LTKM: whether its MAC is valid, which key it delivers, and for how long."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ltkm_inspect.finding import LONGEST_VALUE, Place, Report, shorten
from ltkm_inspect.keys import KeyRing, OpenedMessage, Verdict, interval_of, key_check_value
from ltkm_inspect.keys.ring_file import derive
from ltkm_inspect.mikey import Kemac, KeyData, Message
from ltkm_inspect.mikey.codes import KEY_TYPES
from ltkm_inspect.mikey.keydata import Spi
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report.text import count

LONGEST_LIMIT = 8
"""A limit of a key interval that has more octets is no number that any program reads."""


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key that an LTKM delivers."""

    type: int
    """The key data type (RFC 3830 §6.13)."""
    length: int
    """Octets of the key."""
    check_value: str
    """The first 3 octets of AES(key, 16 zero octets) in hex; empty where AES has no key of that length."""
    seq_l: int | None = None
    """The lower limit of its interval; None without an interval, or for a limit of more than 8 octets."""
    seq_u: int | None = None
    times: tuple[datetime, datetime] | None = None
    """Both limits as time, where they have 4 octets; unverified."""
    spi: bytes | None = None
    """The SPI or MKI that it belongs to, where its validity is told so."""
    validity: str = ""
    """How long it is valid, as text."""
    key: bytes | None = field(default=None, repr=False)
    """The key itself, only where it is to be shown."""

    @property
    def text(self) -> str:
        """The key in one line."""
        said = [f"{KEY_TYPES.name_of(self.type)} of {count(self.length, 'octet')}", self.validity]
        said.append(f"check value {self.check_value}" if self.check_value else "no check value")
        return ", ".join(said) + ("" if self.key is None else f", key {self.key.hex() or 'empty'}")

    @property
    def plain(self) -> dict[str, Any]:
        """The key as an object for JSON."""
        start, end = self.times or (None, None)
        return {
            "type": self.type,
            "type_name": KEY_TYPES.name_of(self.type),
            "length": self.length,
            "seq_l": self.seq_l,
            "seq_u": self.seq_u,
            "valid_from": _time(start),
            "valid_to": _time(end),
            "spi": None if self.spi is None else self.spi.hex(),
            "check_value": self.check_value or None,
            "key": None if self.key is None else self.key.hex(),
        }


@dataclass(frozen=True, slots=True)
class LtkmFacts:
    """What is told of one LTKM: the facts behind text, view and JSON."""

    verdict: Verdict
    reason: str
    """Why the verdict is not `valid`, or why the key data cannot be read."""
    b_tid: str | None
    """Of the entry of the key ring whose keys were tried."""
    muk: int | None
    """Which MUK of that entry verified the MAC, from 1."""
    muks: int
    """How many MUKs that entry has."""
    tried: int
    keys: tuple[KeyFacts, ...] = ()
    unproven: str = ""
    """Why nothing proves these keys, where no valid MAC does."""

    @property
    def fails(self) -> bool:
        """The MAC is not valid with the keys at hand, or what it protects cannot be read."""
        return self.verdict is Verdict.INVALID or (self.verdict is Verdict.VALID and bool(self.reason))

    @property
    def lines(self) -> list[str]:
        """What is told as lines, safe to print: the MAC, then each key."""
        said = [key.text for key in self.keys]
        if self.verdict is Verdict.VALID and not self.keys and not self.reason:
            said.append("no key data")
        if self.verdict is Verdict.VALID and self.reason:
            said.append(self.reason)
        return [self._mac, *([self.unproven] if self.unproven else []), *said]

    @property
    def text(self) -> str:
        """What is told, in one line, safe to print."""
        return ", ".join(self.lines)

    @property
    def plain(self) -> dict[str, Any]:
        """What is told as an object for JSON; where there is no key, the fields of the key are null."""
        first = self.keys[0].plain if self.keys else dict.fromkeys(_NO_KEY)
        return {
            "text": self.text,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "b_tid": self.b_tid,
            "muk": self.muk,
            "tried": self.tried,
            **first,
            "further": [key.plain for key in self.keys[1:]],
        }

    @property
    def _mac(self) -> str:
        match self.verdict:
            case Verdict.VALID:
                return f"MAC valid ({_which(self.muk or 1, self.muks)} of {shorten(self.b_tid or '')})"
            case Verdict.INVALID:
                return f"MAC invalid ({self.reason.removeprefix('MAC ')})"
            case Verdict.NO_KEY:
                return f"no key{self.reason.removeprefix('no MUK')}"
        return f"MAC {self.verdict.value} ({self.reason})"


_NO_KEY = tuple(KeyFacts(0, 0, "").plain)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys at hand, and whether a report shows the keys that LTKMs deliver: without a ring those in the clear."""

    ring: KeyRing = field(default_factory=KeyRing)
    show: bool = False

    def of(self, message: Message | None, octets: bytes | None) -> LtkmFacts | None:
        """Return what is told of a message; None without a message, or with neither a key ring nor a key to show."""
        if message is None or octets is None or not (self.ring or (self.show and _clear_key_data(message))):
            return None
        return told(self.ring.open(message, octets), message, show=self.show)

    def lines(self, report: Report) -> Iterator[str]:
        """Yield a line for each LTKM of an event that was looked at and holds a message."""
        for ltkm in report.event.checked_ltkms if self.ring or self.show else ():
            said = self.of(ltkm.message, ltkm.octets)
            if said is not None:
                place = Place(ltkm.item.number if ltkm.item is not None else None, ltkm.number)
                yield f"key {place}: {said.text}"


NO_KEYS = Keys()


def told(opened: OpenedMessage, message: Message, *, show: bool = False) -> LtkmFacts:
    """Return what is told of a message that was opened; the keys in it only with `show`."""
    subscriber = opened.subscriber
    entries, unproven = opened.key_data.entries if opened.key_data is not None else (), ""
    if opened.unproven is not None and subscriber is not None:
        entries = opened.unproven.entries
        which = _which(opened.muk_number, len(subscriber.muks))
        unproven = f"decrypted with the {which} of {shorten(subscriber.b_tid)}, but nothing proves it"
    elif not entries and show and (entries := _clear_key_data(message)):
        unproven = "in the clear, but nothing proves it"
    return LtkmFacts(
        opened.verdict,
        opened.reason or opened.problem,
        subscriber.b_tid if subscriber is not None else None,
        opened.muk_number or None,
        len(subscriber.muks) if subscriber is not None else 0,
        opened.tried,
        tuple(_delivered(entry, show) for entry in entries),
        unproven,
    )


def _clear_key_data(message: Message) -> tuple[KeyData, ...]:
    """Return the keys in a message that are not encrypted."""
    return tuple(entry for kemac in message.of(Kemac) if kemac.key_data is not None for entry in kemac.key_data.entries)


def _which(muk: int, muks: int) -> str:
    return f"MUK {muk} of {muks}" if muks > 1 else "MUK"


def _delivered(entry: KeyData, show: bool) -> KeyFacts:
    interval = interval_of(entry)
    seq_l = seq_u = times = None
    spi = entry.validity.spi if isinstance(entry.validity, Spi) else None
    if interval is not None:
        if interval.octets[0] <= LONGEST_LIMIT:
            seq_l = interval.seq_l
        if interval.octets[1] <= LONGEST_LIMIT:
            seq_u = interval.seq_u
        times = interval.as_time
        limits = [
            f"a number of {octets} octets" if number is None else str(number)
            for number, octets in zip((seq_l, seq_u), interval.octets, strict=True)
        ]
        validity = f"SEQ {' to '.join(limits)}"
        if times is not None:
            validity += f" ({_time(times[0])} to {_time(times[1])}, unverified)"
    elif spi is not None:
        validity = f"SPI {shorten(spi.hex(), LONGEST_VALUE)}"
    else:
        validity = "no validity"
    return KeyFacts(
        entry.type,
        len(entry.key),
        key_check_value(entry.key),
        seq_l,
        seq_u,
        times,
        spi,
        validity,
        entry.key if show else None,
    )


def derived(octets: bytes, *, as_json: bool = False) -> tuple[list[str], list[str]]:
    """Return what follows from the keys of a run of GBA or AKMA, written in TOML, and the warnings; or RingError.

    This is what the user asked for by name: the keys are shown.
    """
    found, warnings = derive(octets)
    password = base64.b64encode(found.mrk).decode()
    shown = {name: key.hex() for name, key in (*found.steps.items(), ("MUK", found.muk), ("MRK", found.mrk))}
    if as_json:
        return [to_json({**shown, "password": password, "source": found.source})], warnings
    return [*(f"{name}: {key}" for name, key in shown.items()), f"digest password: {password}"], warnings


def ring_lines(ring: KeyRing) -> Iterator[str]:
    """Yield what a key ring holds, a line for each subscriber and none of its keys."""
    for subscriber in ring.subscribers:
        lengths = ", ".join(str(len(muk)) for muk in subscriber.muks)
        muks = f"{count(len(subscriber.muks), 'MUK')} of {lengths} octets" if subscriber.muks else "no MUK"
        mrk = "no MRK" if subscriber.mrk is None else f"MRK of {count(len(subscriber.mrk), 'octet')}"
        naf = shorten(subscriber.naf) if subscriber.naf else "any BM-SC"
        yield f"{shorten(subscriber.b_tid)} at {naf}: {muks}, {mrk}, {subscriber.source}"
    yield count(len(ring.subscribers), "subscriber")
