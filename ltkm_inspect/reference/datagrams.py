"""Clean sessions in which keys are pushed over UDP, alone and beside exchanges."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ltkm_inspect.keys.protection import authenticate
from ltkm_inspect.keys.verification import sign
from ltkm_inspect.mikey import Header, Identity, Kemac, Message, Timestamp, Verification
from ltkm_inspect.reference.exchanges import (
    AGAIN,
    FIRST,
    OTHER_TERMINAL,
    SECOND,
    STARTED,
    STREAMING,
    TERMINAL,
    Grant,
    ReferenceTerminal,
    exchange,
    granted,
    ltkm,
)
from ltkm_inspect.traffic import Datagram, Direction, Event, Exchange

BSM_ADDRESS = "198.51.100.1:2269"
HMAC_SHA_1_160 = 1
_EMPTY_MAP = 1
_PULLED = replace(FIRST, counter=FIRST.counter - 1, csb_id=0x5A17C0D0)
"""What a solicited pull in front of the first delivery is made of."""
_LATER = replace(AGAIN, counter=FIRST.counter + 2, csb_id=0x5A17C0E2)


def push(grant: Grant, terminal: ReferenceTerminal = TERMINAL, *, v: bool = False) -> Message:
    """Build the LTKM of a grant as it is pushed; with `v` it asks for a verification message."""
    message = ltkm(grant, terminal)
    assert message.header is not None
    return authenticate(replace(message, header=replace(message.header, v=v)), terminal.muk)


def pull(grant: Grant, terminal: ReferenceTerminal = TERMINAL) -> Message:
    """Build a solicited pull for the Key Group of a grant: Key Number 0, no key data (3GPP TS 33.246 6.3.2.2.4)."""
    message = ltkm(replace(grant, msk_id=grant.msk_id[:2] + b"\0\0"), terminal)
    kemac = replace(message.of(Kemac)[0], encr_data=b"")
    return authenticate(replace(message, payloads=(*message.payloads[:-1], kemac)), terminal.muk)


def verification(answered: Message, terminal: ReferenceTerminal = TERMINAL) -> Message:
    """Build the verification message of a terminal that answers a push (3GPP TS 33.246 6.4.5.2)."""
    assert answered.header is not None
    header = Header(1, 1, False, 0, answered.header.csb_id, 0, _EMPTY_MAP)
    payloads = (
        answered.of(Timestamp)[0],
        Identity(0, terminal.b_tid.encode()),
        Verification(HMAC_SHA_1_160, bytes(20)),
    )
    return sign(Message(header, payloads), answered, terminal.muk)


def datagram(message: Message, at: float, terminal: ReferenceTerminal = TERMINAL, **fields: Any) -> Datagram:
    """Build the datagram with a message, `at` seconds into the trial. The message says which way it goes."""
    assert message.header is not None
    is_answer = message.header.data_type == 1
    return Datagram(
        message.encode(),
        client=f"{terminal.address.partition(':')[0]}:2269",
        server=BSM_ADDRESS,
        started=STARTED + at,
        ended=STARTED + at,
        **{"direction": Direction.FROM_TERMINAL if is_answer else Direction.TO_TERMINAL, **fields},
    )


def _requested(grant: Grant = FIRST) -> Exchange:
    """Build an exchange that grants a key without delivering it: it will be pushed."""
    return exchange([grant.msk_id], [(grant, "200 OK", None)])


def _acknowledged(grant: Grant = FIRST, at: float = 1, wait: float = 0.2) -> tuple[Datagram, Datagram]:
    message = push(grant, v=True)
    return datagram(message, at), datagram(verification(message), at + wait)


def _late_acknowledgment() -> tuple[Event, ...]:
    """Build a session in which another push, without V, comes between a push and the answer to it."""
    pushed, answer = _acknowledged(wait=2)
    return _requested(), pushed, datagram(push(SECOND), 2), answer


DATAGRAM_REFERENCES: dict[str, Callable[[], tuple[Event, ...]]] = {
    "push": lambda: (_requested(), datagram(push(FIRST), 1)),
    "plain-push": lambda: (_requested(), datagram(push(replace(FIRST, bcast=False)), 1)),
    "streaming-push": lambda: (_requested(), datagram(push(STREAMING), 1)),
    "acknowledged-push": lambda: (_requested(), *_acknowledged()),
    "pushes": lambda: (_requested(), *_acknowledged(), *_acknowledged(SECOND, 3600)),
    "late-acknowledgment": _late_acknowledgment,
    "solicited-pull": lambda: (granted(FIRST), datagram(pull(AGAIN), 3600)),
    "pulled": lambda: (datagram(pull(_PULLED), 0), granted(FIRST, at=1)),
    "push-after-response": lambda: (granted(FIRST), datagram(push(AGAIN), 3600)),
    "response-after-push": lambda: (datagram(push(FIRST), 0), granted(AGAIN, at=3600)),
    "push-after-push": lambda: (_requested(), datagram(push(FIRST), 1), datagram(push(AGAIN), 3600)),
    "push-between-responses": lambda: (
        granted(FIRST, nc=1),
        datagram(push(SECOND), 60),
        granted(_LATER, nc=2, at=3600),
    ),
    "pushes-to-two-terminals": lambda: (
        _requested(),
        *_acknowledged(),
        datagram(push(replace(FIRST, csb_id=0x11223344), OTHER_TERMINAL), 2, OTHER_TERMINAL),
    ),
}
"""The clean references with datagrams by name, each a session; faults damage the last event."""
