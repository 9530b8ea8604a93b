"""The command `decode`."""

import sys
from collections.abc import Iterable, Iterator
from errno import EBADF

import click

from ltkm_inspect.cli.completion import complete_files
from ltkm_inspect.cli.defaults import configurable
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import Word, keys_at_hand, leave, option, shaped, wording_of
from ltkm_inspect.input import FORMS, Form, InputMessage, from_argument, from_stream
from ltkm_inspect.input.kind import OTHER, kind_of_file
from ltkm_inspect.output.console import FINDINGS, NOTHING_SEEN, OK, InputErrors, complain, reason, say
from ltkm_inspect.wire.urls import is_url

TOGETHER = 200
"""How many lines are printed together: to hand over each by itself takes longer than to write it."""


@commands.command()
@configurable
@click.argument("inputs", nargs=-1, required=True, metavar="LTKM|FILE|-...", shell_complete=complete_files)
@click.option("--input", "form", type=Word(FORMS), default="auto", show_default=True, help="Form of the input.")
@option("keys")
@option("names")
@option("show_keys")
@option("redact")
@option("redact_key_file")
@shaped("text", "jsonl")
def decode(
    inputs: tuple[str, ...],
    form: Form,
    keys: str | None,
    names: str | None,
    show_keys: bool,
    redact: bool,
    redact_key_file: str | None,
    shape: str,
) -> None:
    """Decode LTKMs, as a tree of fields or as JSON.

    Each argument is text with LTKMs, a file, or - for standard input. Text is base64, hex, a hex dump, an array or
    string of a programming language, or a line of SDP, with one LTKM per line or one over all lines. Exit code 3 if an
    LTKM does not decode, or its MAC or key data is wrong with the given keys; 4 if there is no LTKM.
    """
    from ltkm_inspect.report import messages

    at_hand = keys_at_hand(keys, show_keys, hides_names=redact) if keys is not None or show_keys else None
    hide = None
    if redact or names is not None or redact_key_file is not None:
        from ltkm_inspect.report.keys import NO_KEYS

        hide = wording_of(names, (at_hand or NO_KEYS).ring, redact=redact, key=redact_key_file).redactor_of
    quick = None
    if shape == "jsonl" and at_hand is None and hide is None:
        from ltkm_inspect.report.quick import QuickLines

        quick = QuickLines()
    trouble, seen, whole = InputErrors(), False, True
    at_once = 1 if "-" in inputs else TOGETHER  # who writes to us a line at a time waits for the answer
    waiting: list[str] = []
    for given in _given(inputs, form, trouble):
        seen = True
        line = None if quick is None else quick.line(given)
        if line is not None:
            waiting.append(line)
        else:
            message = messages.decode_input(given)
            whole = whole and messages.is_valid(given, message, at_hand)
            redactor = hide(message) if hide is not None else None
            if shape == "jsonl":
                waiting.append(messages.json_line(given, message, at_hand, redactor))
            else:
                waiting += messages.text_lines(given, message, at_hand, redactor)
        if len(waiting) >= at_once and not _print(waiting):
            break
    _print(waiting)
    if not seen and not trouble.unread:
        complain("no LTKM in the input; expected an LTKM element in XML, or UDP port 2269 in a packet capture")
    leave(trouble.exit_code(len(inputs), FINDINGS if not whole else OK if seen else NOTHING_SEEN))


def _print(waiting: list[str]) -> bool:
    """Print the waiting lines together; return False if nobody reads them any more."""
    lines = ["\n".join(waiting)] if waiting else []
    waiting.clear()
    return say(lines)


def _given(inputs: Iterable[str], form: Form, trouble: InputErrors) -> Iterator[InputMessage]:
    for number, text in enumerate(inputs, 1):
        begun = False
        try:
            for given in _messages(text, number, form):
                if given.is_other:
                    trouble.say(given.source, given.problem, unread=not begun)
                else:
                    yield given
                begun = True
        except OSError as error:
            why = "expected a file on this machine, got a URL" if is_url(text) else reason(error, _may_have_ltkm)
            trouble.say("standard input" if text == "-" else text, why, unread=True)


def _may_have_ltkm(path: str) -> bool:
    kind = kind_of_file(path)
    return kind is not None and kind not in OTHER


def _messages(text: str, number: int, form: Form) -> Iterator[InputMessage]:
    if text != "-":
        return from_argument(text, f"argument {number}", form)
    if sys.stdin is None:  # closed by whoever started us
        raise OSError(EBADF, "there is none")
    return from_stream(sys.stdin.buffer, "standard input", form)
