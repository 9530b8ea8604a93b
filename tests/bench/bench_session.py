"""How much memory a session takes once each of its registers is full: `python -m tests.bench session`.

Terminals with keys in the key ring ask again and again, over HTTP and with pushes beside it, until every register has
as many keys as it may have, and each key the longest history.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from ltkm_inspect import reference
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import Grant, ReferenceTerminal
from ltkm_inspect.session import Session, SessionSettings
from ltkm_inspect.session.register import LIMIT
from ltkm_inspect.session.session import EVENTS
from ltkm_inspect.traffic import Datagram, Direction, Exchange
from tests.bench._weight import weight
from tests.datagrams import BSM
from tests.loopback.scenes import person

MANY, FEW = 200, 5
"""Terminals of a session with the limit MANY; what the session takes is in proportion to the limit."""
TURNS = 33
"""How often each asks: once more than a session remembers of anything."""
AT_MOST = {"as many terminals as the limit, MB": 600.0, "few terminals, MB": 150.0}


def figures(share: float = 1.0) -> dict[str, float]:
    """Return MB at the default limit: of each register, and of all; `share` makes the session smaller."""
    limit = int(MANY * share)
    by_register = megabytes(filled(limit, limit, TURNS))
    few = megabytes(filled(limit, FEW, limit // FEW))
    return {
        **{f"as many terminals as the limit: {name}, MB": each for name, each in by_register.items()},
        "as many terminals as the limit, MB": sum(by_register.values()),
        "few terminals, MB": sum(few.values()),
    }


def megabytes(session: Session) -> dict[str, float]:
    """Return MB of each register if the limit were the default one; what several have counts in the first of them."""
    known: set[int] = set()
    weight([session.settings], known)
    tables = session.tables
    names = [*(name for name in tables if name != EVENTS), EVENTS]
    return {name: weight([tables[name]], known) * LIMIT / session.settings.limit / 1e6 for name in names}


def filled(limit: int, terminals: int, turns: int) -> Session:
    """Return a session with that limit, in which each of so many terminals has asked so many times."""
    people = [person(f"full {number}") for number in range(terminals)]
    session = Session(SessionSettings(limit=limit))
    keys = KeyRing(tuple(each.subscriber for each in people))
    for turn in range(turns):
        for number, each in enumerate(people):
            for event in events(each, number, turn):
                session.take(event, keys)
    return session


def events(terminal: ReferenceTerminal, number: int, turn: int) -> Iterator[Exchange | Datagram]:
    """Yield what one terminal does in one turn: a delivery of a key of its own, and a push of the next one."""
    at = 60.0 * turn + number / 1000
    address = f"10.{number >> 8}.{number & 255}.1:40001"
    connection = f"connection {number}"
    nonce = sha256(f"nonce {number}".encode()).hexdigest()[:32]
    if turn == 0:
        asked = reference.challenge([b"\x24\xcb\0\1"], terminal=terminal, at=at, id=f"401 {number}")
        assert asked.response is not None
        headers = asked.response.headers.put(
            "WWW-Authenticate", (asked.response.headers.get("WWW-Authenticate") or "").replace(reference.NONCE, nonce)
        )
        yield replace(asked, response=replace(asked.response, headers=headers), client=address, connection=connection)
    delivered, pushed = (grant(number, 2 * turn + each) for each in (1, 2))
    items = [(delivered, "200 OK", reference.ltkm(delivered, terminal))]
    made = reference.exchange(
        [delivered.msk_id], items, terminal=terminal, nonce=nonce, nc=turn + 1, at=at, id=f"{number} {turn}"
    )
    yield replace(made, client=address, connection=connection)
    octets = reference.push(pushed, terminal, v=True).encode()
    began = reference.STARTED + at + 1
    yield Datagram(
        octets,
        id=f"push {number} {turn}",
        client=address,
        server=BSM,
        direction=Direction.TO_TERMINAL,
        started=began,
        ended=began,
    )


def grant(number: int, counter: int) -> Grant:
    """Return a key of its own, with a policy, in a Key Group of each terminal."""
    seed = sha256(f"{number} {counter}".encode()).digest()
    return replace(
        reference.STREAMING,
        msk_id=number.to_bytes(2) + counter.to_bytes(2),
        counter=counter,
        csb_id=int.from_bytes(seed[:4]),
        rand=seed[4:20],
        msk=seed[:16],
    )
