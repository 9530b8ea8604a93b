"""Single MIKEY messages, outside any exchange, as text and as JSON Lines."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ltkm_inspect.input import InputMessage
from ltkm_inspect.mikey import Message, decode, render, to_plain, tree
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.wire import count, printable

# Only who gives keys, or wants names hidden, waits for what handles them.
if TYPE_CHECKING:
    from ltkm_inspect.output.redaction import Redactor
    from ltkm_inspect.report.keys import Keys

MESSAGE_SCHEMA = "ltkm-inspect/message/1"


def decoded(given: InputMessage) -> Message | None:
    """Return what was given as a message; None where it is no octets."""
    return None if given.octets is None else decode(given.octets)


def is_whole(message: Message | None) -> bool:
    """Tell whether all of a message decodes, what is inside its extensions included."""
    return message is not None and message.problem is None and not message.inner_problems


def stands(given: InputMessage, message: Message | None, keys: "Keys | None" = None) -> bool:
    """Tell whether a message decodes completely and does not fail with the given keys; true without a key."""
    said = None if keys is None else keys.of(message, given.octets)
    return is_whole(message) and (said is None or not said.fails)


def text_lines(
    given: InputMessage, message: Message | None, keys: "Keys | None" = None, redactor: "Redactor | None" = None
) -> Iterator[str]:
    """Yield a heading and the tree of a message, then what the keys say of it."""
    source = printable(given.source)
    if message is None:
        yield f"{source}: {given.problem if redactor is None else redactor.text(given.problem)}"
        return
    verdict = "" if is_whole(message) else ", does not decode"
    yield f"{source}: {count(message.length, 'octet')}{verdict}"
    lines = [*render(tree(message, show_keys=keys is not None and keys.show), 1)]
    said = None if keys is None else keys.of(message, given.octets)
    if said is not None:
        lines += [f"  key: {line}" for line in said.lines]
    yield from lines if redactor is None else map(redactor.text, lines)


def json_line(
    given: InputMessage, message: Message | None, keys: "Keys | None" = None, redactor: "Redactor | None" = None
) -> str:
    """Return the object of a message: `schema`, `source`, the fields that `mikey.to_plain` gives, and `key`.

    Where the input is no octets, `length` and `header` are null, and `error` says why.
    """
    error = {"reason": given.problem, "offset": 0, "path": "", "kind": "input"}
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
    said = None if keys is None else keys.of(message, given.octets)
    key = None if said is None else said.plain
    said_of_it = {**fields, "key": key} if redactor is None else redactor.plain({**fields, "key": key})
    return to_json({"schema": MESSAGE_SCHEMA, "source": given.source, **said_of_it})
