"""Flows with parts of another type than mitmproxy gives them: its reader takes over what a file says."""

import math
from collections.abc import Iterable
from typing import Any

from mitmproxy import http, udp
from mitmproxy.flow import Flow


class OddFlowError(ValueError):
    """A part of a flow has another type than mitmproxy gives it; the text is one line, safe to print."""


def refuse_odd(flow: http.HTTPFlow) -> None:
    """Raise OddFlowError where something in a flow has another type than mitmproxy itself gives it.

    Its reader takes over what a file says without a look.
    """
    _refuse_odd_ends(flow)
    error = flow.error
    times: list[Any] = [flow.request.timestamp_start]
    if error is not None:
        _expect(str, "text", "error", error.msg)
        times.append(error.timestamp)
    for side, message in (("request", flow.request), ("response", flow.response)):
        if message is None:
            continue
        data: Any = message.data  # both have these
        times.append(data.timestamp_end)
        _expect(bytes, "octets", f"{side}.http_version", data.http_version)
        for name, fields in (("headers", data.headers), ("trailers", data.trailers)):
            if fields is not None and not _are_fields(fields):
                raise OddFlowError(f"expected names and values that are octets in {side}.{name}, got others")
        if data.content is not None:
            _expect(bytes, "octets", f"{side}.content", data.content)
    asked, answered = flow.request.data, flow.response
    for where in ("method", "scheme", "authority", "path"):
        _expect(bytes, "octets", where, getattr(asked, where))
    _expect(str, "text", "host", asked.host)
    _expect_number(65535, "a port", asked.port)
    if answered is not None:
        _expect(bytes, "octets", "reason", answered.data.reason)
        _expect_number(999, "a status", answered.data.status_code)
    _expect_times(times)


def refuse_odd_udp(flow: udp.UDPFlow, messages: Iterable[udp.UDPMessage]) -> None:
    """Raise OddFlowError for the same of a UDP flow and these of its messages."""
    _refuse_odd_ends(flow)
    for message in messages:
        _expect(bytes, "octets", "content", message.content)
        _expect(bool, "true or false", "from_client", message.from_client)
        _expect_times([message.timestamp])


def _refuse_odd_ends(flow: Flow) -> None:
    client, server = flow.client_conn, flow.server_conn
    _expect(str, "text", "id", flow.id)
    _expect(str, "text", "client_conn_id", client.id)
    _expect(dict, "a table", "metadata", flow.metadata)
    _expect_address(client.peername, server.peername, server.address)


def _expect_times(times: list[Any]) -> None:
    for each in times:
        if each is not None and (type(each) not in (float, int) or not math.isfinite(each) or abs(each) > _LATEST):
            raise OddFlowError(f"expected times in seconds, got {_kind(each)}")


_LATEST = 1 << 40
"""No flow was recorded that many seconds after 1970."""


def _expect(kind: type, name: str, where: str, found: Any) -> None:
    if type(found) is not kind and not isinstance(found, kind):
        raise OddFlowError(f"expected {name} in {where}, got {_kind(found)}")


def _expect_number(most: int, name: str, found: Any) -> None:
    if type(found) is not int or not 0 <= found <= most:
        raise OddFlowError(f"expected {name}, got {_kind(found)}")


def _expect_address(*addresses: Any) -> None:
    for each in addresses:
        if each is None or each in ((), []):
            continue
        if not isinstance(each, list | tuple) or len(each) < 2 or type(each[0]) is not str or type(each[1]) is not int:
            raise OddFlowError(f"expected an address with a port, got {_kind(each)}")


def _are_fields(fields: http.Headers) -> bool:
    return all(len(each) == 2 and type(each[0]) is type(each[1]) is bytes for each in fields.fields)


def _kind(found: Any) -> str:
    """Return the kind of a value, in a word; what it holds may be what must not be shown."""
    kinds = {bool: "true or false", list: "a list", tuple: "a list", dict: "a table", bytes: "octets", str: "text"}
    return kinds.get(type(found), "nothing" if found is None else "another number")
