"""Records of UDP flows as datagrams, without mitmproxy."""

from ltkm_inspect.capture.connections import client_of, server_of
from ltkm_inspect.capture.metadata import datagram_faults_of, metadata_of
from ltkm_inspect.capture.tnetstring import (
    BOOLEAN,
    LIST,
    Part,
    UnusualError,
    is_null,
    keys,
    octets_of,
    parts,
    row,
    text_of,
    time_of,
    value,
)
from ltkm_inspect.traffic import Datagram, Limits, UdpMessage, datagrams

# As mitmproxy writes them, which is the last one first.
_FLOW = keys(
    *("messages", "backup", "timestamp_created", "comment", "metadata", "marked", "is_replay", "intercepted"),
    *("server_conn", "client_conn", "error", "id", "type", "version"),
)
_MESSAGE_PARTS = 3


def datagrams_of(record: bytes, limits: Limits, capture: str) -> tuple[Datagram, ...]:
    """Return the datagrams of ours in the record of a UDP flow of the current format.

    UnusualError, or another ValueError or LookupError, where the record is not what mitmproxy writes.
    """
    inside: Part = (record[-1], record.index(b":") + 1, len(record) - 1)
    found = row(record, inside, _FLOW)
    messages, _, _, _, metadata, _, replayed, _, server, client, _, id, _, _ = found
    if messages[0] != LIST:
        raise UnusualError("expected a list of messages")
    sent = [_message(record, each) for each in parts(record, messages[1], messages[2])]
    who = client_of(record[client[1] : client[2]])
    whom = server_of(record[server[1] : server[2]])
    return datagrams(
        sent,
        id=text_of(record, id),
        client=who.address,
        server=whom.shown,
        connection=who.id,
        faults=datagram_faults_of(metadata_of(record, metadata), len(sent)),
        limits=limits,
        capture=capture,
        is_replayed=not is_null(replayed),
    )


def _message(record: bytes, held: Part) -> UdpMessage:
    found = parts(record, held[1], held[2]) if held[0] == LIST else []
    if len(found) != _MESSAGE_PARTS or found[0][0] != BOOLEAN:
        raise UnusualError("expected a message with direction, content and time")
    return UdpMessage(value(record, found[0]), octets_of(record, found[1]), time_of(record, found[2]))
