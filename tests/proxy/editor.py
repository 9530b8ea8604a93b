"""A body in the editor, as mitmproxy puts it there and takes it back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import exceptions, http
from mitmproxy.io import FlowReader

from ltkm_inspect import mikey
from ltkm_inspect.context import Context
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.reference import KEYS
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import ROOT, clean
from tests.proxy.test_view import VIEW, metadata_of

KEYED = LtkmView(lambda: Configuration(context=Context(keys=KEYS)))
FLOWS = sorted((ROOT / "flows").rglob("*.flow"))


class Edit:
    """The response, or the request, of an exchange in the editor."""

    def __init__(self, exchange: Exchange | http.HTTPFlow, view: LtkmView = VIEW, *, request: bool = False) -> None:
        self.flow = flow_of(exchange) if isinstance(exchange, Exchange) else exchange
        self.message: http.Message | None = self.flow.request if request else self.flow.response
        assert self.message is not None
        self.view = view
        self.metadata = metadata_of(self.flow, self.message)
        self.before = self.message.get_content(strict=False) or b""
        self.text = view.prettify(self.before, self.metadata)

    def block(self, first: str, end: str) -> str:
        """Return the lines from the one that begins so to the next one that begins otherwise so."""
        start = self.text.index(first)
        return self.text[start : self.text.index(end, start + 1)]

    def put(self, old: str, new: str, nth: int = 1) -> "Edit":
        """Replace the nth occurrence of some text, which must be there."""
        parts = self.text.split(old)
        assert len(parts) > nth, old
        self.text = old.join(parts[:nth]) + new + old.join(parts[nth:])
        return self

    def save(self) -> list[str]:
        """Leave the editor as mitmproxy does; return the lines that are then shown."""
        assert self.message is not None
        self.message.content = self.view.reencode(self.text, self.metadata)
        return self.view.prettify(self.message.content or b"", self.metadata).splitlines()

    def refused(self) -> str:
        """Leave the editor; return why the edit is refused, and make sure that nothing was changed."""
        state = self.flow.get_state()
        with pytest.raises(exceptions.CommandError) as error:
            self.view.reencode(self.text, self.metadata)
        assert self.flow.get_state() == state
        return str(error.value).removeprefix("LTKM not changed: ")

    @property
    def after(self) -> Exchange:
        """The exchange as it is now."""
        return exchange_of(self.flow)

    @property
    def messages(self) -> list[mikey.Message]:
        """The messages in the response as it is now."""
        document = self.after.document
        assert document is not None
        return [ltkm.message for ltkm in document.ltkms if ltkm.message is not None]


def several(view: LtkmView = VIEW, coding: str = "identity") -> Edit:
    """Return an edit of a response with two items and their LTKMs, in a content coding."""
    flow = flow_of(clean("several-keys"))
    assert flow.response is not None
    flow.response.encode(coding)
    return Edit(flow, view)


def stripped(lines: list[str]) -> list[str]:
    """Return lines without their indentation."""
    return [line.strip() for line in lines]


def all_messages(flow: http.HTTPFlow) -> Iterator[http.Message]:
    """Yield request and response of a flow, where they have a body."""
    yield from (message for message in (flow.request, flow.response) if message is not None and message.raw_content)


def without_comments(text: str) -> str:
    """Return a text without the lines that are comments, with blank ones instead."""
    return re.sub(r"(?m)^ *#.*$", "", text)


def flows_of(path: Path) -> list[http.HTTPFlow]:
    """Return the HTTP flows of a file."""
    with path.open("rb") as file:
        return [flow for flow in FlowReader(file).stream() if isinstance(flow, http.HTTPFlow)]
