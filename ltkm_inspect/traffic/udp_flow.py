"""The messages of one UDP flow as datagrams: which side of the flow is the terminal, only the messages can say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ltkm_inspect.traffic.datagram import Datagram
from ltkm_inspect.traffic.datagram_kind import EARLIER, direction_of
from ltkm_inspect.traffic.event import Direction


class UdpMessage(NamedTuple):
    """One message of a UDP flow."""

    from_client: bool
    """It comes from the side that sent the first message."""
    octets: bytes
    at: float | None
    """Seconds since 1970 UTC."""


def datagram_at(
    messages: Sequence[UdpMessage],
    index: int,
    *,
    id: str,
    client: str,
    server: str,
    faults: Mapping[int, tuple[str, ...]],
    before: int = 0,
    **fields: Any,
) -> Datagram:
    """Return one message of a flow as a datagram; so many messages come `before` these, which may be the latest alone.

    `client` and `server` are the addresses of the flow, `faults` those put into each message, by its number from 1.
    """
    message, number = messages[index], before + index + 1
    to_terminal = _goes_to_terminal(messages, index)
    is_client = message.from_client is not to_terminal  # the terminal is the client of the flow
    return Datagram(
        message.octets,
        id=f"{id}.{number}",
        client=client if is_client else server,
        server=server if is_client else client,
        started=message.at,
        ended=message.at,
        direction=Direction.TO_TERMINAL if to_terminal else Direction.FROM_TERMINAL,
        place=number,
        faults=faults.get(number, ()),
        **fields,
    )


def datagrams(messages: Sequence[UdpMessage], **fields: Any) -> tuple[Datagram, ...]:
    """Return the messages of a flow that are ours; `fields` are as for `datagram_at`."""
    found = [datagram_at(messages, index, **fields) for index in range(len(messages))]
    ours = [each for each in found if each.is_ours]
    return (*(replace(each, is_followed=True) for each in ours[:-1]), *ours[-1:])


def _goes_to_terminal(messages: Sequence[UdpMessage], index: int) -> bool:
    """Tell the way by the message, else by the latest one before it that says it; else the client is the terminal."""
    message = messages[index]
    for number in range(index, max(index - EARLIER, 0) - 1, -1):
        way = direction_of(messages[number].octets)
        if way is not None:
            is_same = messages[number].from_client is message.from_client
            return (way is Direction.TO_TERMINAL) is is_same
    return not message.from_client
