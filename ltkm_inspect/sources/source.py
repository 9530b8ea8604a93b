"""The LTKM that a fault sends in one exchange, from the source that was chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from ltkm_inspect import mikey
from ltkm_inspect.context import Context
from ltkm_inspect.mikey import Identity
from ltkm_inspect.session import LtkmRecord, Muk, MukHistory, Session, SessionEvent, is_newer
from ltkm_inspect.session.muks import MUKS
from ltkm_inspect.sources.recipe import Blanks, Recipe, RecipeFile, make
from ltkm_inspect.sources.values import Base64Ltkm, FlowFile, LtkmFile, Messages, Pair, messages
from ltkm_inspect.traffic import Event, Exchange

FIRST_COUNTER = 1
"""The counter of an LTKM that is made for a terminal which got none before."""


@dataclass(frozen=True, slots=True)
class LtkmSource:
    """The source of the LTKM that a fault sends; by default, the terminal's previous one."""

    base64: Base64Ltkm | None = None
    file: LtkmFile | None = None
    flow: FlowFile | None = None
    previous: bool = False
    synthetic: RecipeFile | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the source among the values of a fault's parameters; ValueError where there are several."""
        given = {name: values[name] for name in cls.__dataclass_fields__ if values.get(name)}
        if len(given) > 1:
            raise ValueError(f"expected one source, got {' and '.join(given)}")
        return cls(**given)

    @classmethod
    def remarks(cls, **values: Any) -> Iterator[str]:
        """Yield what there is to remark on the values of a fault's parameters, once its files are read."""
        given = cls.of(values)._given
        yield from () if given is None else given.remarks

    @property
    def _given(self) -> Messages | None:
        if self.base64 is not None:
            return messages([self.base64.octets])
        named = self.file or self.flow
        return None if named is None else _read(named)

    def ltkm(self, pair: Pair | None, past: "ReceivedLtkms", turn: int = 0) -> tuple[bytes, str]:
        """Return the octets of an LTKM for an MSK, and what there is to remark on it, or nothing.

        `turn` is how many were made for this exchange before: the counters go on from there. Raises ValueError where
        there is none to be had.
        """
        given = self._given
        if given is not None:
            return given.best(pair, past.terminal)
        if self.synthetic is None:
            return past.previous(pair)
        recipe: Recipe = _read(self.synthetic)
        return make(recipe, past.blanks(recipe, pair, turn)), ""


@dataclass(frozen=True)
class ReceivedLtkms:
    """What the terminal of an exchange got before, and what it gets in it."""

    step: SessionEvent
    muk: Muk | None
    """The names of its MUK; None where it got no LTKM that would tell."""
    before: MukHistory

    @classmethod
    def of(cls, exchange: Exchange, context: Context) -> Self:
        """Look an exchange up in the session."""
        session = context.session or Session()
        step = session.look(exchange, context.keys)
        muks = [sent.muk for sent in step.records.values()]
        terminals = dict.fromkeys(idr for idr in (_asking(exchange), *(idr for _, idr in muks)) if idr)
        known = {muk[1]: (muk, history) for muk in reversed(muks) if (history := step.before.of(MUKS, muk)) is not None}
        for idr in terminals:  # what went before this very exchange, where it is looked at again
            if idr in known:
                return cls(step, *known[idr])
        for idr in terminals:
            found = session.protected(idr)
            if found is not None:
                return cls(step, *found)
        return cls(step, muks[0] if muks else None, MukHistory())

    @cached_property
    def terminal(self) -> bytes | None:
        """The terminal that asks, by its credentials, else the one that its LTKMs are for."""
        return _asking(self.step.event)

    @cached_property
    def _earlier(self) -> tuple[LtkmRecord, ...]:
        """What the terminal got before and does not get in this exchange, the latest first."""
        here = {ltkm.octets for ltkm in self.step.event.ltkms}
        return tuple(sent for sent in reversed(self.before.ltkms) if sent.octets not in here)

    def previous(self, pair: Pair | None) -> tuple[bytes, str]:
        """Return the latest LTKM that the terminal got before, of that MSK if there is one."""
        if not self._earlier:
            raise ValueError("the terminal has no earlier LTKM that could be sent again")
        for sent in self._earlier:
            if sent.pair == pair:
                return sent.octets, ""
        return self._earlier[0].octets, "the terminal has no earlier LTKM of this MSK: used its latest one"

    def blanks(self, recipe: Recipe, pair: Pair | None, turn: int) -> Blanks:
        """Return what a recipe leaves open."""
        exchange = self.step.exchange
        idi, idr = self.muk if self.muk is not None else (None, self.terminal)
        credentials = exchange.request.credentials
        realm = credentials.realm if credentials is not None else None
        subscriber = self.step.subscriber
        name = idi or (realm.fqdn if realm is not None else "").encode()
        if subscriber is None and idr is not None:
            subscriber = self.step.keys.find(_text(idr), _text(name) or None)
        if subscriber is None or not subscriber.muks or not idr:
            raise ValueError(f"needs the terminal's MUK, but {self._lacks(idr, name)}")
        name = name or subscriber.naf.encode()
        if not name:
            raise ValueError("the name of the BSM is unknown: no LTKM, realm or key ring has it")
        msk = pair if recipe.msk_id is None or pair is None else (recipe.key_domain or pair[0], recipe.msk_id)
        rand = next((sent.rand for sent in reversed(self.before.ltkms) if sent.pair == msk), None)
        counter = FIRST_COUNTER if self._newest is None else self._newest + 1
        muk = self._proved if self._proved in subscriber.muks else subscriber.muks[0]
        return Blanks(muk, name, idr, pair, (counter + turn) % (1 << 32), rand)

    def _lacks(self, idr: bytes | None, name: bytes) -> str:
        """Return why no MUK is known for a terminal at a BSM of that name."""
        if not self.step.keys:
            return "there is no key ring"
        return self.step.keys.lacks("MUK", _text(idr), _text(name) or None) if idr else "no request or LTKM names it"

    @cached_property
    def _proved(self) -> bytes | None:
        """The MUK that protects what the terminal gets; None where that is not known."""
        keys = self.step.keys
        sent = [*self.step.records.values(), *reversed(self.before.ltkms)]
        opened = (keys.open(mikey.decode(each.octets), each.octets).muk for each in sent)
        return next((muk for muk in opened if muk is not None), None)

    @cached_property
    def _newest(self) -> int | None:
        """The newest counter of what the terminal got before and gets in this exchange."""
        newest = self.before.counter
        for sent in self.step.records.values():
            if sent.muk == self.muk and (newest is None or is_newer(sent.counter, newest)):
                newest = sent.counter
        return newest


def _read(named: LtkmFile | FlowFile | RecipeFile) -> Any:
    if named.content is None:
        raise ValueError(f"{named} was not read")  # a mistake of ours: whoever applies a fault prepares it first
    return named.content


def _asking(event: Event) -> bytes | None:
    """Return the terminal that asks, by its credentials, else the one that its LTKMs are for."""
    if event.b_tid:
        return event.b_tid.encode("utf-8", "surrogateescape")
    for ltkm in event.ltkms:
        identities = ltkm.message.of(Identity) if ltkm.message is not None else ()
        if len(identities) == 2:
            return identities[1].value
    return None


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
