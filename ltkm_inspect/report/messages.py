"""Single MIKEY messages, outside any exchange, as text and as JSON Lines."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ltkm_inspect.input import InputMessage
from ltkm_inspect.mikey import Message, decode, render, to_plain, tree
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.wire import count, printable

# Types only: without keys and redaction, decoding starts without importing these modules.
if TYPE_CHECKING:
    from ltkm_inspect.output.redactor import Redactor
    from ltkm_inspect.report.keys import Keys

MESSAGE_SCHEMA = "ltkm-inspect/message/1"


def decode_input(source: InputMessage) -> Message | None:
    """Return the message of an input; None if the input has no octets."""
    return None if source.octets is None else decode(source.octets)


def is_whole(message: Message | None) -> bool:
    """Tell whether a message decodes completely, including the contents of its extensions."""
    return message is not None and message.problem is None and not message.inner_problems


def is_valid(source: InputMessage, message: Message | None, keys: "Keys | None" = None) -> bool:
    """Tell whether a message decodes completely and no key of the ring shows that it is wrong."""
    facts = None if keys is None else keys.of(message, source.octets)
    return is_whole(message) and (facts is None or not facts.fails)


def text_lines(
    source: InputMessage, message: Message | None, keys: "Keys | None" = None, redactor: "Redactor | None" = None
) -> Iterator[str]:
    """Yield a heading and the tree of a message, then what the key ring says about it."""
    name = printable(source.source)
    if message is None:
        yield f"{name}: {source.problem if redactor is None else redactor.text(source.problem)}"
        return
    verdict = "" if is_whole(message) else ", does not decode"
    yield f"{name}: {count(message.length, 'octet')}{verdict}"
    lines = [*render(tree(message, show_keys=keys is not None and keys.show), 1)]
    facts = None if keys is None else keys.of(message, source.octets)
    if facts is not None:
        lines += [f"  key: {line}" for line in facts.lines]
    yield from lines if redactor is None else map(redactor.shown, lines)


def json_line(
    source: InputMessage, message: Message | None, keys: "Keys | None" = None, redactor: "Redactor | None" = None
) -> str:
    """Return the object of a message: `schema`, `source`, the fields that `mikey.to_plain` gives, and `key`.

    If the input has no octets, `length` and `header` are null, and `error` says why.
    """
    error = {"reason": source.problem, "offset": 0, "path": "", "kind": "input"}
    nothing: dict[str, Any] = {
        "length": None,
        "header": None,
        "payloads": [],
        "error": error,
        "inner_errors": [],
        "trailing": "",
        "more": 0,
    }
    fields = nothing if message is None else to_plain(message, show_keys=keys is not None and keys.show)
    facts = None if keys is None else keys.of(message, source.octets)
    fields = {**fields, "key": None if facts is None else facts.plain}
    names = None if redactor is None else redactor.names.plain
    shown = {**(fields if redactor is None else redactor.plain(fields)), "names": names}
    return to_json({"schema": MESSAGE_SCHEMA, "source": source.source, **shown})
