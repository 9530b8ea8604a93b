"""The words that select rules: ids, subjects and documents."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ltkm_inspect.options.words import OptionError, did_you_mean, split_words
from ltkm_inspect.wire import printable

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.rule import Rule
    from ltkm_inspect.spec import Publication

LISTS_RULES = "; ltkm-inspect rules lists them"
"""What to do about a name that is no rule's."""


def known_rules() -> "dict[str, Rule]":
    """Return every rule by its id."""
    from ltkm_inspect import catalogue
    from ltkm_inspect.rule import RULES

    catalogue.load()
    return RULES


def rule_words() -> list[str]:
    """Return every word that selects rules, each once."""
    return [*dict.fromkeys(word for rule in known_rules().values() for word in sorted(rule.names()))]


def subject_words() -> list[str]:
    """Return the words of the subjects that rules look at."""
    return sorted({rule.subject for rule in known_rules().values()})


def documents() -> "dict[str, Publication]":
    """Return the documents that rules are based on, by the words that select them."""
    found = {clause.publication for rule in known_rules().values() for clause in rule.clauses}
    return {each.key.lower(): each for each in sorted(found, key=lambda each: each.key)}


def parse_rule_words(option: str, texts: Iterable[str]) -> frozenset[str]:
    """Parse words that select rules; a document may have its name as printed. OptionError for any other word."""
    typed = split_words(texts)
    if not typed:
        return frozenset()
    known = set(rule_words())
    names = {_letters(name): word for word, each in documents().items() for name in (each.name, word)}
    words = set()
    for each in typed:
        word = each.lower()
        word = word if word in known else names.get(_letters(word), word)
        if word not in known:
            raise OptionError(option, _unknown(each, known))
        words.add(word)
    return frozenset(words)


def _letters(name: str) -> str:
    """Return the letters and digits of a document's name: `3GPP TS 33.246` is often typed in parts."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("3gpp")


def _unknown(word: str, known: Iterable[str]) -> str:
    from ltkm_inspect.catalogue.requirements import requirements

    expected = "expected a rule, subject or document, got"
    row = next((row for row in requirements() if row.lower() == word.lower()), None)
    if row is not None:
        rules = [rule.id for rule in known_rules().values() if row in rule.covers]
        return f"{expected} the requirement {row}; {f'covered by {", ".join(rules)}' if rules else 'no rule covers it'}"
    close = did_you_mean(word, sorted(known))
    listed = f"{LISTS_RULES}; subjects: {', '.join(subject_words())}; documents: {', '.join(documents())}"
    return f"{expected} {printable(word)}{close or listed}"
