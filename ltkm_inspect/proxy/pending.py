"""Requests that wait for their answer: one that never comes is an exchange like any other."""

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow

MOST = 10_000
"""How many requests are remembered at once; the oldest beyond that are only checked if something answers or fails."""


class PendingRequests:
    """The flows whose request has come and whose response or error has not, in their order."""

    def __init__(self) -> None:
        self._flows: dict[HTTPFlow, None] = {}
        self.forgotten = 0
        """How many were too many to be remembered."""

    def add(self, flow: HTTPFlow) -> None:
        """Remember a flow whose request has come."""
        self._flows[flow] = None
        if len(self._flows) > MOST:
            del self._flows[next(iter(self._flows))]
            self.forgotten += 1

    def end(self, flow: HTTPFlow) -> None:
        """Forget a flow that has ended."""
        self._flows.pop(flow, None)

    def take(self, client: Client | None = None) -> list[HTTPFlow]:
        """Return the flows of one connection, or all of them, and forget them: they will not be answered any more."""
        taken = [flow for flow in self._flows if client is None or flow.client_conn is client]
        for flow in taken:
            self.end(flow)
        return taken
