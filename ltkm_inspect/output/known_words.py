"""Identities without a form of their own, known by their words: a trie that texts are searched with."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ltkm_inspect.output import identities
from ltkm_inspect.wire import printable, printable_octets

WORDS = 8
"""By so many words at its beginning a long identity is known; what follows them is hidden, too."""
SHOWN = 24
"""By so many characters a long word of it is known: what prints it may have cut it off."""
_WORD = re.compile(r"\w+")
_END, _FIRST = object(), object()

type Words = dict[Any, Any]
"""What may follow a word of an identity, by that word; at `_END` the identity itself, at `_FIRST` one that begins so.

Several threads may read and learn at once: what is in it is only ever added to.
"""


def learn(octets: bytes, identity: str, tries: Iterable[Words]) -> None:
    """Add an identity to the tries, in each spelling that reports use."""
    for spelling in dict.fromkeys(_spellings(octets, identity)):
        words = [word[0][:SHOWN] for word in _WORD.finditer(spelling)][:WORDS]
        for trie in tries if words else ():
            for word in words:
                trie = trie.setdefault(word, {_FIRST: identity})
            trie[_END] = identity


def known_in(text: str, tries: Iterable[Words]) -> Iterator[tuple[int, int, str]]:
    """Yield where identities that the tries know are in a text: start, end, and the identity."""
    known = [trie for trie in tries if trie]
    if not known:
        return
    words = [*_WORD.finditer(text)]
    at = 0
    while at < len(words):
        found = max((_walked(trie, words, at, text) for trie in known), key=lambda each: each[0])
        count, identity = found
        if not count:
            at += 1
            continue
        last = words[at + count - 1]
        is_long = count >= WORDS
        yield words[at].start(), len(text) if is_long else last.end(), identity
        if is_long:
            return
        at += count


def _walked(trie: Words, words: list[re.Match[str]], at: int, text: str) -> tuple[int, str]:
    """Return how many words from there on are a known identity, and which; one that was cut off is one, too."""
    found = (0, "")
    for count, word in enumerate(words[at : at + WORDS], 1):
        below = trie.get(word[0][:SHOWN])
        if below is None:
            if count > 1 and text.startswith("…", word.end()):
                found = (count, _first(trie))
            break
        trie = below
        if _END in trie:
            found = (count, trie[_END])
        elif text.startswith("…", word.end()):
            found = (count, _first(trie))
    return found


def _first(trie: Words) -> str:
    return str(trie.get(_END, trie[_FIRST]))


def _spellings(octets: bytes, identity: str) -> Iterator[str]:
    """Yield an identity as reports write it: text as it came and made safe, and hex."""
    for text in (identity, octets.decode("utf-8", "replace")):
        yield text
        yield printable(text)
        yield identities.plain(text)
    yield printable_octets(octets)
    yield octets.hex()
    yield octets.hex().upper()
