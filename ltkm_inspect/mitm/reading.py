"""Reads saved traffic, flow files of mitmproxy and HAR, as exchanges, up to whatever damage there is."""

import io
import re
from collections.abc import Iterator
from errno import ESPIPE
from pathlib import Path

from mitmproxy import exceptions, http
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader

from ltkm_inspect.capture import Damage as Damage
from ltkm_inspect.capture import DamagedEvent as DamagedEvent
from ltkm_inspect.capture import har
from ltkm_inspect.capture.damage import ENDS_WITHIN, NOT_A_FLOW, NotACaptureError, refuse_other
from ltkm_inspect.capture.entries import is_json
from ltkm_inspect.mitm.flows import exchange_of, flow_of, is_foreign
from ltkm_inspect.mitm.odd_flow import OddFlowError
from ltkm_inspect.traffic import OFFLINE, Exchange, Limits
from ltkm_inspect.wire import printable

_CHUNK = 1 << 20
_RECORD = re.compile(rb"(\d{1,12}):")  # the length that every record of a flow file begins with


type Read = tuple[Flow, Exchange | None]
"""A flow as it was read, and the MSK exchange that it is, None where it is none."""


class UnreadError(ValueError):
    """A record of a flow file cannot be read; the text is one line, safe to print."""

    def __init__(self, text: str, *, is_of_format: bool = False) -> None:
        """Take the text, and whether the record is of a format that mitmproxy does not know."""
        super().__init__(text)
        self.is_of_format = is_of_format


def exchanges(path: Path, limits: Limits = OFFLINE) -> Iterator[Exchange | Damage | DamagedEvent | None]:
    """Yield every MSK exchange of a flow file or HAR in order, None for every other flow, and damage where it stands.

    An empty file yields nothing. Raises OSError where the file cannot be opened or read.
    """
    return (found[1] if isinstance(found, tuple) else found for found in flows(path, limits))


def record(octets: bytes, limits: Limits = OFFLINE) -> Exchange | None:
    """Return the MSK exchange in one record of a flow file, None for any other flow; UnreadError if it is damaged."""
    try:
        (flow,) = FlowReader(io.BytesIO(octets)).stream()
        return _exchange(flow, limits)
    except Exception as error:  # as below
        raise _unread(error) from error


def flows(path: Path, limits: Limits = OFFLINE) -> Iterator[Read | Damage | DamagedEvent]:
    """Yield every flow of a flow file or HAR in order, with the MSK exchange that it is, and damage where it stands.

    An empty file yields nothing. Raises OSError where the file cannot be opened or read.
    """
    with path.open("rb", buffering=0) as raw, _Careful(raw) as file:
        if not raw.seekable():
            raise OSError(ESPIPE, "expected a file, got a pipe; save what comes out of it first")
        start = file.peek(512)[:512]
        refuse_other(start)
        if is_json(start):
            for found in har.exchanges(file.read, limits):
                if isinstance(found, Exchange):
                    yield flow_of(found), found if found.is_ours else None
                else:
                    yield found
        else:
            yield from _flow_file(file, limits)


def _flow_file(file: "_Careful", limits: Limits) -> Iterator[Read | Damage | DamagedEvent]:
    flows = 0
    offset = 0
    start = file.peek(512)[:512]
    begins = _RECORD.match(start) is not None
    stream = iter(FlowReader(file).stream())
    while True:
        try:
            flow = next(stream, None)
            if flow is None:
                return
            exchange = _exchange(flow, limits)
        except OSError:
            raise
        except Exception as error:  # the reader lets through KeyError, AssertionError and more for mutated files
            unread, end = _unread(error), _end(file, offset)
            if end is None or unread.is_of_format:
                reason = str(unread) if unread.is_of_format else ENDS_WITHIN if begins and not file.peek(1) else ""
                if not reason and not begins:
                    raise NotACaptureError(start) from None
                yield Damage(offset, reason or NOT_A_FLOW, flows)
                return
            yield DamagedEvent(f"flow at octet {offset}: {unread}", end)
            file.seek(end)
            stream = iter(FlowReader(file).stream())
        else:
            yield flow, exchange
        flows += 1
        offset = file.tell()


def _end(file: "_Careful", offset: int) -> int | None:
    """Return where the record ends that begins there; None where none does, and then stay at its end or the file's."""
    file.seek(offset)
    length = _RECORD.match(file.peek(16))
    if length is None:
        return None
    end = offset + length.end() + int(length[1]) + 1
    if file.seek(0, io.SEEK_END) < end:
        return None
    file.seek(end - 1)
    return end if file.read(1) == b"}" else None


def _exchange(flow: Flow, limits: Limits) -> Exchange | None:
    if not isinstance(flow, http.HTTPFlow) or is_foreign(flow):
        return None
    exchange = exchange_of(flow, limits)
    return exchange if exchange.is_ours else None


def _unread(error: Exception) -> UnreadError:
    text = str(error)
    if isinstance(error, exceptions.FlowReadException) and "version" in text:
        return UnreadError(printable(text.rstrip(".")), is_of_format=True)
    return UnreadError(text if isinstance(error, OddFlowError) else "it is not what mitmproxy writes")


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
