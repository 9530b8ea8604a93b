"""LTKMs as people hand them over, in an argument, a file or a stream: the same text gives the same messages."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ltkm_inspect.input import notation, passages
from ltkm_inspect.input.captured import from_capture
from ltkm_inspect.input.document import from_document
from ltkm_inspect.input.message import Form, InputMessage
from ltkm_inspect.input.objects import from_array
from ltkm_inspect.input.prose import VERSION, WANTED, as_message, in_text, key_ring, no_message, notation_of, of_line
from ltkm_inspect.packets import Read, is_capture
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import IS_KEY, IS_KEY_RING, is_key_ring

_BEGINS_MESSAGE = b"AQ"
"""How a MIKEY message begins in base64."""
_LONGEST_NAME = 150
"""More characters than this are a message that was damaged on its way, not the name of a file."""
_LIKE_NAME = re.compile(r"[\w+-]{1,40}")
_SIGNATURE = 4
"""How many octets tell a capture."""


def from_argument(text: str, source: str, form: Form = "auto") -> Iterator[InputMessage]:
    """Yield the messages of an argument of the command line: those in the file with this name, else in the argument
    itself.

    What is no message and has a dot or a slash in it was meant as the name of a file. Raises OSError where that cannot
    be read.
    """
    if len(text) <= _LONGEST_NAME and os.path.exists(text):
        with open(text, "rb") as file:
            yield from _from_open(file, text, form)
        return
    given = [*from_file(os.fsencode(text), source, form)]
    meant = not any(each.octets and each.octets.startswith(VERSION) for each in given)
    is_name = len(text) <= _LONGEST_NAME and not re.search(r"[<\s]", text) and ("." in text or os.sep in text)
    is_key = any(each.problem in (IS_KEY, IS_KEY_RING) for each in given)
    if form == "auto" and meant and is_name and not is_key:
        yield from from_file(Path(text).read_bytes(), text, form)
    elif len(given) > 1:
        yield from given
    else:  # a line of its own is all of the argument
        alone = given[0] if given else no_message(source, os.fsencode(text), text, form)
        if form == "auto" and meant and not is_key and _LIKE_NAME.fullmatch(text):
            text = printable(text)
            alone = InputMessage(source, None, f"expected {WANTED}, got {text}, and no file has that name")
        yield replace(alone, source=source)


def from_text(text: bytes, source: str, form: Form = "auto") -> InputMessage:
    """Return the one message that a text is, in any notation."""
    if form == "binary":
        return as_message(source, text, form)
    if is_key_ring(text):
        return key_ring(source)
    plain = notation.text_of(text)
    octets = None if plain is None else of_line(plain, form)
    if octets is None:
        return no_message(source, text, plain, form)
    return as_message(source, octets, form)


def from_file(octets: bytes, source: str, form: Form = "auto") -> Iterator[InputMessage]:
    """Yield the messages of a file: one if it is binary; else one per line, or one that is spread over the lines.

    Of a capture or a document these are all that are in it. What is no message is one problem, whatever its length.
    """
    reader = _reader(octets, form)
    if is_key_ring(octets):
        yield key_ring(source)
    elif reader is not None:
        yield from _structure(reader, octets, source, form)
    elif form == "binary":
        if octets:
            yield as_message(source, octets, form)
    elif octets.startswith(_BEGINS_MESSAGE) and form != "hex" and (found := _in_base64(octets, source)):
        yield from found
    else:
        yield from in_text(octets, source, form)


def from_stream(stream: BinaryIO, source: str, form: Form = "auto") -> Iterator[InputMessage]:
    """Yield the messages of a stream as they come, of a capture or if the first line is one; else all at the end."""
    first = stream.read(_SIGNATURE)
    if _is_packets(first, form):
        yield from from_capture(_resumed(first, stream), source)
        return
    first += b"" if b"\n" in first else stream.readline()
    message = None if _reader(first, form) or is_key_ring(first) else notation.text_of(first)
    octets = None if message is None else notation.from_words(message, notation_of(form))
    if form == "binary" or octets is None or not notation.is_message(octets):
        yield from from_file(first + stream.read(), source, form)
        return
    yield InputMessage(f"{source}, line 1", octets)
    for number, line in enumerate(stream, 2):
        if is_key_ring(line):  # what follows may be keys without their names
            yield key_ring(source)
            return
        if line.strip():
            yield from_text(line, f"{source}, line {number}", form)


def _from_open(file: BinaryIO, source: str, form: Form) -> Iterator[InputMessage]:
    """Yield the messages of an open file, of a capture without all of it in memory."""
    start = file.read(_SIGNATURE)
    if _is_packets(start, form):
        yield from from_capture(_resumed(start, file), source)
    else:
        yield from from_file(start + file.read(), source, form)


def _is_packets(start: bytes, form: Form) -> bool:
    return form == "pcap" or (form == "auto" and is_capture(start))


def _resumed(start: bytes, stream: BinaryIO) -> Read:
    """Return what reads a stream whose first octets are taken, each time as much as there is."""
    more: Read = getattr(stream, "read1", stream.read)
    waiting = [start]
    return lambda size: waiting.pop() if waiting and waiting[0] else more(size)


def _of_capture(octets: bytes, source: str) -> Iterator[InputMessage]:
    return from_capture(BytesIO(octets).read, source)


def _reader(start: bytes, form: Form) -> Callable[[bytes, str], Iterator[InputMessage]] | None:
    """Return what reads a file with messages in it, by its beginning or its form; None for messages by themselves."""
    known = (("pcap", is_capture, _of_capture), ("xml", _is_document, from_document), ("json", _is_array, from_array))
    return next((reader for name, begins, reader in known if form == name or (form == "auto" and begins(start))), None)


def _structure(
    reader: Callable[[bytes, str], Iterator[InputMessage]], octets: bytes, source: str, form: Form
) -> Iterator[InputMessage]:
    """Yield the messages of a file with a structure; text that only begins like XML or JSON is read as other text."""
    if form != "auto" or is_capture(octets):
        yield from reader(octets, source)
        return
    given = [*reader(octets, source)]
    text = notation.text_of(octets) or ""
    if len(passages.elements(text)) > len(given) or not any(each.octets for each in given):
        other = [*in_text(octets, source, form)]
        if any(each.octets and notation.is_message(each.octets) for each in other):
            given = other
    yield from given


def _in_base64(octets: bytes, source: str) -> list[InputMessage]:
    """Return one message per line where each line begins like one in base64: the usual form of many; else none."""
    found = []
    for number, line in enumerate(octets.splitlines(), 1):
        if line := line.strip():
            message = notation.strict_base64(line) if line.startswith(_BEGINS_MESSAGE) else None
            if message is None:
                return []
            found.append(InputMessage(f"{source}, line {number}", message))
    return found


def _is_document(start: bytes) -> bool:
    """Tell whether octets begin like XML, in UTF-8 or UTF-16."""
    start = start[:1024]
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").lstrip().startswith(b"<")


def _is_array(start: bytes) -> bool:
    """Tell whether octets begin like an array of JSON objects, or an empty one."""
    start = start[:1024].lstrip()
    return start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"]", b"")
