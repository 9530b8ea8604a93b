"""Which flows are so large that they are looked at beside the event loop."""

from typing import Any

from mitmproxy import http

SHORT = 4096
"""Octets of an exchange, headers included, that take so little time that nobody waits for them."""


def takes_long(flow: http.HTTPFlow) -> bool:
    """Tell whether it may take long to check a flow: it is large, or may be large when decompressed."""
    try:
        left = SHORT - len(flow.request.data.path) - (len(flow.error.msg) if flow.error is not None else 0)
        for message in (flow.request, flow.response):
            if message is None:
                continue
            data: Any = message.data  # both have these
            left -= len(data.content or b"")
            fields = data.headers.fields if data.trailers is None else (*data.headers.fields, *data.trailers.fields)
            for name, value in fields:
                left -= len(name) + len(value)
                if left < 0 or (len(name) == _CODED and name.lower() == b"content-encoding"):
                    return True  # to count all fields may take long, too
        return left < 0
    except Exception:  # a flow with fields that mitmproxy never creates; that is reported elsewhere
        return False


_CODED = len(b"content-encoding")
