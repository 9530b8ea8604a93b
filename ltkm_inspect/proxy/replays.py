"""Knows the responses of saved flows that faults were put into, when mitmproxy replays them as a server."""

import hashlib
from collections.abc import Mapping
from itertools import chain
from typing import Any

from mitmproxy import http

from ltkm_inspect.mitm.flows import FAULT, exchange_of
from ltkm_inspect.mitm.marking import FAULTED, ORIGINAL, mark_faults

MOST = 100_000
"""How many such responses are known at most; the first that were loaded stay."""
_REFRESHED = frozenset({b"date", b"expires", b"last-modified", b"set-cookie"})
"""The fields that mitmproxy brings up to date in a response that it replays."""


class Replays:
    """The responses with faults among those that mitmproxy has at hand for its server replay.

    It hands on the response alone, without what is written on its flow. So each is known by what it consists of, the
    octets of its body above all.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[tuple[str, ...], str | None, str | None]] = {}
        """The faults, and the digests of the body as it came and as it is, by the fingerprint of the response."""

    def look(self, playback: Any) -> None:
        """Take note of what the server replay of mitmproxy has loaded; what it has used up stays known."""
        flows: Mapping[Any, list[http.HTTPFlow]] = getattr(playback, "flowmap", None) or {}
        for flow in chain.from_iterable(flows.values()):
            if flow.metadata.get(FAULT) and flow.response is not None and len(self._known) < MOST:
                original, faulted = (_text(flow.metadata.get(key)) for key in (ORIGINAL, FAULTED))
                self._known.setdefault(_fingerprint(flow.response), (exchange_of(flow).faults, original, faulted))

    def recognise(self, flow: http.HTTPFlow) -> bool:
        """Write on a flow with a replayed response which faults are in that; tell whether there are any."""
        known = self._known.get(_fingerprint(flow.response)) if self._known else None
        if known is None:
            return False
        mark_faults(flow, *known)
        return True


def _fingerprint(response: http.Response | None) -> bytes:
    """Return a digest of all of a response that stays the same when it is replayed."""
    made = hashlib.sha256()
    if response is not None:
        made.update(b"%d %s\n" % (response.status_code, response.data.reason))
        for name, value in response.data.headers.fields:
            if name.lower() not in _REFRESHED:
                made.update(b"%d:%s%d:%s" % (len(name), name, len(value), value))
        made.update(b"\n" + (response.raw_content or b""))
    return made.digest()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
