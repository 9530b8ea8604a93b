"""UDP flows of mitmproxy to datagrams, and flows of any kind to events."""

from collections.abc import Iterable
from typing import Any

from mitmproxy import connection, udp
from mitmproxy.flow import Flow

from ltkm_inspect.capture.metadata import datagram_faults_of
from ltkm_inspect.mitm.addresses import address_text, parse_address
from ltkm_inspect.mitm.flows import FLOW_ID, flow_of, id_of, msk_exchange_of
from ltkm_inspect.mitm.odd_flow import refuse_odd_udp
from ltkm_inspect.traffic import Datagram, Direction, Event, Exchange, Limits, UdpMessage, datagram_at, datagrams
from ltkm_inspect.traffic.datagram_kind import EARLIER


def events_of(flow: Flow, limits: Limits | None = None) -> tuple[Event, ...]:
    """Return what is ours in a flow: an MSK exchange, or datagrams; else nothing. Raises as `exchange_of` does."""
    if isinstance(flow, udp.UDPFlow):
        return datagrams_of(flow, limits)
    exchange = msk_exchange_of(flow, limits)
    return () if exchange is None else (exchange,)


def datagrams_of(flow: udp.UDPFlow, limits: Limits | None = None, *, capture: str = "") -> tuple[Datagram, ...]:
    """Return the datagrams of ours in a UDP flow. Raises OddFlowError as `exchange_of` does."""
    refuse_odd_udp(flow, flow.messages)
    return datagrams(_messages(flow.messages), **_fields(flow, limits, capture))


def datagram_in(flow: udp.UDPFlow, index: int, limits: Limits | None = None, *, capture: str = "") -> Datagram | None:
    """Return one message of a UDP flow as a datagram; None if it is not ours. Only the messages before it count."""
    first = max(index - EARLIER, 0)
    latest = flow.messages[first : index + 1]
    refuse_odd_udp(flow, latest)
    found = datagram_at(_messages(latest), len(latest) - 1, before=first, **_fields(flow, limits, capture))
    return found if found.is_ours else None


def flow_of_event(event: Event) -> Flow:
    """Return an exchange or a datagram as a flow that was recorded; ids and times come from it, none from the clock."""
    if isinstance(event, Exchange):
        return flow_of(event)
    assert isinstance(event, Datagram)
    return _udp_flow_of(event)


def _udp_flow_of(datagram: Datagram) -> udp.UDPFlow:
    started = datagram.started or 0.0
    id = datagram.id
    if not FLOW_ID.fullmatch(id):
        id = id_of("datagram", id, datagram.client, datagram.server, str(started))
    client = connection.Client(
        id=id_of("connection", id),
        peername=parse_address(datagram.client) or ("", 0),
        sockname=("", 0),
        timestamp_start=started,
        transport_protocol="udp",
    )
    address = parse_address(datagram.server)
    server = connection.Server(
        id=id_of("server", id), address=address, peername=address, timestamp_start=started, transport_protocol="udp"
    )
    flow = udp.UDPFlow(client, server)
    flow.id = id
    flow.timestamp_created = started
    is_from_terminal = datagram.direction is Direction.FROM_TERMINAL
    flow.messages.append(udp.UDPMessage(is_from_terminal, datagram.octets, started))  # type: ignore[no-untyped-call]
    return flow


def _messages(messages: Iterable[udp.UDPMessage]) -> list[UdpMessage]:
    return [UdpMessage(each.from_client, each.content, each.timestamp) for each in messages]


def _fields(flow: udp.UDPFlow, limits: Limits | None, capture: str) -> dict[str, Any]:
    client, server = flow.client_conn, flow.server_conn
    return {
        "id": flow.id,
        "client": address_text(client.peername),
        "server": address_text(server.peername or server.address),
        "connection": client.id,
        "faults": datagram_faults_of(flow.metadata, len(flow.messages)),
        "limits": limits if limits is not None else Limits(),
        "capture": capture,
        "is_replayed": flow.is_replay is not None,
    }
