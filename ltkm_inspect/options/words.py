"""Words of options: lists, choices, seconds, and the error that names the option."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ltkm_inspect import parameter
from ltkm_inspect.wire import printable


class OptionError(ValueError):
    """An option that cannot mean anything as written; the message is one line that begins with the option's name."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        """The name in the table: `fail_on`."""
        self.reason = reason


@contextmanager
def blaming(option: str, kind: type[Exception]) -> Iterator[None]:
    """Make of an error of that kind, which says in one line what is wrong, one of that option."""
    try:
        yield
    except kind as error:
        raise OptionError(option, str(error)) from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known word that comes closest, in whatever case it was typed, or nothing."""
    return parameter.did_you_mean(word.lower(), known)


def split_words(texts: Iterable[str]) -> list[str]:
    """Return the words of several texts, in which commas separate words."""
    return [word for text in texts for part in text.split(",") if (word := part.strip())]


def alternatives(words: Sequence[str]) -> str:
    """Return words of which one may be typed: `a, b or c`."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


def one_of(option: str, word: str, known: Iterable[str]) -> None:
    """Raise OptionError for a word that is not one of the known ones."""
    known = list(known)
    if word not in known:
        reason = f"expected {alternatives(known)}, got {printable(word)}"
        raise OptionError(option, reason + did_you_mean(word, known))


def number(option: str, text: str, word: str = "") -> int:
    """Parse a whole number from 1 to 1,000,000,000; the error also names the word that may be typed instead."""
    if not re.fullmatch("[0-9]{1,10}", text.strip(), re.ASCII) or not 1 <= int(text) <= 10**9:
        expected = f"a number from 1 to 1000000000{f' or {word}' if word else ''}"
        raise OptionError(option, f"expected {expected}, got {printable(text) or 'nothing'}")
    return int(text)


def number_or(option: str, text: str, word: str) -> int | None:
    """Parse the same, or that word, which is None."""
    return None if text.strip().lower() == word else number(option, text, word)


def decimal(option: str, text: str, unit: str) -> float:
    """Parse a number of that unit, from 0 to the most that is taken of it."""
    most = MOST[unit]
    if not _DECIMAL.fullmatch(text.strip()) or float(text) > most:
        raise OptionError(option, f"expected {unit} from 0 to {most}, got {printable(text) or 'nothing'}")
    return float(text)


MOST = {"seconds": 86_400, "hours": 8784}
"""The most that is taken of a unit: a day, and a year."""
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}", re.ASCII)
