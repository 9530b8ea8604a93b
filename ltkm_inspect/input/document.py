"""The LTKMs in the document of an MSK response."""

from collections.abc import Iterator

from ltkm_inspect.input.message import InputMessage
from ltkm_inspect.wire import printable


def from_document(octets: bytes, source: str) -> Iterator[InputMessage]:
    """Yield the message of every LTKM in document order, with its place."""
    from ltkm_inspect.document import MSK_RESPONSE_TYPE
    from ltkm_inspect.traffic import Exchange, Headers, Request, Response

    response = Response(200, headers=Headers(((b"Content-Type", MSK_RESPONSE_TYPE.encode()),)), body=octets)
    document = Exchange(Request("POST", "http", "", 80, "/"), response).document
    if document is None or document.root is None:
        yield InputMessage(source, None, "expected an MSK response document, got unreadable XML")
        return
    for ltkm in document.ltkms:
        item = f"item {ltkm.item.number}, " if ltkm.item is not None else ""
        problem = printable(ltkm.carrier.problem or "")
        yield InputMessage(f"{source}, {item}LTKM {ltkm.number}", None if problem else ltkm.octets, problem)
