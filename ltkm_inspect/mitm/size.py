"""Which flows are so large that they are looked at beside the event loop."""

from collections.abc import Iterator

from mitmproxy import http

SHORT = 4096
"""Octets of an exchange, headers included, that take so little time that nobody waits for them."""


def takes_long(flow: http.HTTPFlow) -> bool:
    """Tell whether it may take long to check a flow: it is large, or may be large when decompressed."""
    try:
        left = SHORT
        for octets in _parts(flow):
            left -= octets
            if left < 0:  # to count all fields may take long, too
                return True
        return any("content-encoding" in message.headers for message in (flow.request, flow.response) if message)
    except Exception:  # a flow with fields that mitmproxy never creates; that is reported elsewhere
        return False


def _parts(flow: http.HTTPFlow) -> Iterator[int]:
    """Yield how many octets each part of a flow has."""
    yield len(flow.request.path)
    yield len(flow.error.msg) if flow.error is not None else 0
    for message in (flow.request, flow.response):
        if message is not None:
            yield len(message.raw_content or b"")
            trailers = message.trailers.fields if message.trailers is not None else ()
            yield from (len(name) + len(value) for name, value in (*message.headers.fields, *trailers))
