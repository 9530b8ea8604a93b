"""Clean exchanges and datagrams with known keys, which break no rule: faults start from them."""

from functools import cache

from ltkm_inspect.reference.datagrams import DATAGRAM_REFERENCES, datagram, pull, push, verification
from ltkm_inspect.reference.exchanges import (
    AGAIN,
    B_TID,
    BSM,
    FIRST,
    K_AUSF,
    KEY_DOMAIN,
    KEYS,
    MBSSF,
    MRK,
    MUK,
    NONCE,
    OPAQUE,
    OTHER_TERMINAL,
    REFERENCES,
    REQUEST_TARGET,
    SECOND,
    STARTED,
    STREAMING,
    STREAMING_POLICY,
    SUPI,
    TERMINAL,
    TERMINAL_OF_5G,
    Grant,
    ReferenceTerminal,
    challenge,
    exchange,
    ltkm,
    reference,
    request_document,
    response_document,
)
from ltkm_inspect.traffic import Event


@cache
def events(name: str) -> tuple[Event, ...]:
    """Return the clean reference of that name, with datagrams or without; KeyError if there is none."""
    return DATAGRAM_REFERENCES[name]() if name in DATAGRAM_REFERENCES else reference(name)
