"""Messages as they are sent in datagrams, one of each kind, with the keys of the lab."""

from typing import Any

from mitmproxy import connection, udp

from ltkm_inspect import reference
from ltkm_inspect.mikey import (
    ErrorReport,
    GeneralExtension,
    Header,
    Identity,
    KeyId,
    KeyIds,
    Message,
    OmaBcast,
    Timestamp,
    Verification,
)
from ltkm_inspect.reference import AGAIN, FIRST, Grant
from ltkm_inspect.traffic import Datagram, Direction

TERMINAL, BSM = "192.0.2.10:2269", "198.51.100.1:2269"


def push(grant: Grant = FIRST, terminal: reference.ReferenceTerminal = reference.TERMINAL, *, v: bool = False) -> bytes:
    """Return the LTKM of a grant, protected."""
    return reference.push(grant, terminal, v=v).encode()


def pull(grant: Grant = AGAIN) -> bytes:
    """Return a solicited pull for the Key Group of a grant."""
    return reference.pull(grant).encode()


def _answer(data_type: int, *payloads: object) -> bytes:
    header = Header(1, data_type, False, 0, FIRST.csb_id, 0, 1)
    return Message(header, payloads).encode()  # type: ignore[arg-type]


_T, _IDR = Timestamp(2, FIRST.counter.to_bytes(4)), Identity(0, reference.B_TID.encode())


def verification(grant: Grant = FIRST) -> bytes:
    """Return the answer to the push of a grant."""
    return reference.verification(reference.push(grant, v=True)).encode()


VERIFICATION = verification()
REPORTING = _answer(1, GeneralExtension(5, OmaBcast(3, b"\1")), _T, _IDR, Verification(1, bytes(20)))
ERROR = _answer(6, _T, ErrorReport(0, 0), _IDR)
STKM = _answer(
    0,
    GeneralExtension(
        3, KeyIds((KeyId(0, reference.KEY_DOMAIN), KeyId(1, bytes.fromhex("24cb4400")), KeyId(2, b"\0\1")))
    ),
    _T,
    Identity(0, reference.BSM.encode()),
)
BCAST_STKM = _answer(0, GeneralExtension(5, OmaBcast(2, b"")), _T)
PUSH, PULL = push(), pull()


def datagram(octets: bytes, at: float = 0, **more: Any) -> Datagram:
    """Return a datagram between BSM and terminal, so many seconds after the trial begins."""
    began = reference.STARTED + at
    fields = {"id": "datagram", "client": TERMINAL, "server": BSM, "direction": Direction.TO_TERMINAL, **more}
    return Datagram(octets, started=began, ended=began, **fields)


def udp_flow(
    *messages: tuple[bool, bytes, float], client: str = BSM, server: str = TERMINAL, id: str = "5d" * 16
) -> udp.UDPFlow:
    """Return a UDP flow as mitmproxy records it, of messages (from the client, octets, seconds after the trial)."""
    peers = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in (client, server))]
    began = reference.STARTED
    client_conn = connection.Client(
        peername=peers[0], sockname=peers[1], timestamp_start=began, id=f"client-{id}", transport_protocol="udp"
    )
    server_conn = connection.Server(address=peers[1], id=f"server-{id}", transport_protocol="udp")
    server_conn.peername = peers[1]
    flow = udp.UDPFlow(client_conn, server_conn)
    flow.id = id
    flow.timestamp_created = began
    make: Any = udp.UDPMessage  # mitmproxy gives it no types
    flow.messages = [make(from_client, octets, began + at) for from_client, octets, at in messages]
    return flow
