"""Reads saved traffic, flow files of mitmproxy and HAR, as exchanges, up to whatever damage there is."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from errno import ESPIPE
from pathlib import Path
from typing import Any

from mitmproxy import exceptions, http
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader
from mitmproxy.io.har import request_to_flow

from ltkm_inspect.capture import Damage as Damage
from ltkm_inspect.capture.damage import ENDS_WITHIN, NOT_A_CAPTURE, NOT_A_FLOW
from ltkm_inspect.exchange import Exchange, Limits
from ltkm_inspect.proxy.flows import exchange_of, is_foreign
from ltkm_inspect.wire import printable

_CHUNK = 1 << 20
_RECORD = re.compile(rb"\d{1,12}:")  # the length that every record of a flow file begins with
_BOM = b"\xef\xbb\xbf"
_WITHOUT_BODY = frozenset({204, 304})


type Read = tuple[Flow, Exchange | None]
"""A flow as it was read, and the MSK exchange that it is, None where it is none."""


def exchanges(path: Path, limits: Limits | None = None) -> Iterator[Exchange | Damage | None]:
    """Yield every MSK exchange of a flow file or HAR in order, None for every other flow, and damage where it stands.

    An empty file yields nothing. Raises OSError where the file cannot be opened or read.
    """
    return (found if isinstance(found, Damage) else found[1] for found in flows(path, limits))


def har(octets: bytes, limits: Limits | None = None) -> Iterator[Exchange | Damage | None]:
    """Yield what `exchanges` does of a HAR that was read already."""
    return (found if isinstance(found, Damage) else found[1] for found in _har(octets, limits))


def record(octets: bytes, limits: Limits | None = None) -> Exchange | str | None:
    """Return the MSK exchange in one record of a flow file; None for any other flow, and why if it cannot be read."""
    try:
        (flow,) = FlowReader(io.BytesIO(octets)).stream()
        return _exchange(flow, limits) if isinstance(flow, http.HTTPFlow) else None
    except Exception as error:  # as below
        return _why(error, True, ended=False)


def flows(path: Path, limits: Limits | None = None) -> Iterator[Read | Damage]:
    """Yield every flow of a flow file or HAR in order, with the MSK exchange that it is, and damage where it stands.

    An empty file yields nothing. Raises OSError where the file cannot be opened or read.
    """
    with path.open("rb", buffering=0) as raw, _Careful(raw) as file:
        if not raw.seekable():
            raise OSError(ESPIPE, "expected a file, got a pipe; save what comes out of it first")
        start = file.peek(64)[:64].removeprefix(_BOM).lstrip()
        yield from _har(file.read(), limits) if start.startswith(b"{") else _flow_file(file, limits)


def _flow_file(file: "_Careful", limits: Limits | None) -> Iterator[Read | Damage]:
    flows = 0
    offset = 0
    begins = _RECORD.match(file.peek(16)) is not None
    stream = iter(FlowReader(file).stream())
    while True:
        try:
            flow = next(stream, None)
        except OSError:
            raise
        except Exception as error:  # the reader lets through KeyError, AssertionError and more for mutated files
            yield Damage(offset, _why(error, begins, ended=not file.peek(1)), flows)
            return
        if flow is None:
            return
        flows += 1
        yield flow, _exchange(flow, limits) if isinstance(flow, http.HTTPFlow) else None
        offset = file.tell()


def _exchange(flow: http.HTTPFlow, limits: Limits | None) -> Exchange | None:
    if is_foreign(flow):
        return None
    exchange = exchange_of(flow, limits)
    return exchange if exchange.is_msk else None


def _why(error: Exception, begins: bool, *, ended: bool) -> str:
    text = str(error)
    if isinstance(error, exceptions.FlowReadException) and "version" in text:
        return printable(text.rstrip("."))
    if not begins:
        return NOT_A_CAPTURE
    return ENDS_WITHIN if ended else NOT_A_FLOW


def _har(octets: bytes, limits: Limits | None) -> Iterator[Read | Damage]:
    octets = octets.removeprefix(_BOM)
    try:
        entries = json.loads(octets.decode())["log"]["entries"]
        if not isinstance(entries, list):
            raise TypeError("entries is not a list")
    except UnicodeDecodeError as error:
        yield Damage(error.start, "the HAR is not UTF-8", 0)
        return
    except json.JSONDecodeError as error:
        before = len(error.doc[: error.pos].encode())
        yield Damage(before, f"the HAR is not JSON: {printable(error.msg)}", 0)
        return
    except (KeyError, TypeError, RecursionError):
        yield Damage(0, "expected a HAR with log.entries, got other JSON", 0)
        return
    for number, entry in enumerate(entries, 1):
        try:
            found = _entry(entry, number, limits)
        except Exception as error:  # an entry is whatever some program wrote
            missing = f"{type(error).__name__}: {printable(str(error))}"
            yield Damage(0, f"entry {number} of the HAR cannot be read: {missing}", number - 1)
            continue
        yield found


def _entry(entry: dict[str, Any], number: int, limits: Limits | None) -> Read:
    """Return an entry as a flow and an exchange; a HAR gives no connection and no octets as sent, and often no body."""
    flow = request_to_flow(entry)
    if "postData" not in entry["request"]:
        flow.request.raw_content = None
    response = flow.response
    empty = flow.request.method == "HEAD" or (response is not None and response.status_code in _WITHOUT_BODY)
    content = entry["response"]["content"]
    if response is not None and "text" not in content and content.get("size") != 0 and not empty:
        response.raw_content = None
    if is_foreign(flow):
        return flow, None
    exchange = exchange_of(flow, limits, raw=False)
    exchange = replace(exchange, id=f"entry-{number}", connection=str(entry.get("connection") or ""), client="")
    return flow, exchange if exchange.is_msk else None


class _Careful(io.BufferedReader):
    """A reader that never reserves more memory than the file has octets, whatever a damaged length says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size <= _CHUNK:
            return super().read(size)
        parts = []
        while size:
            part = super().read(min(size, _CHUNK))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
