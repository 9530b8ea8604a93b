"""The settings that the options on rules ask for."""

import inspect
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ltkm_inspect.options.rule_words import LISTS_RULES, known_rules, parse_rule_words
from ltkm_inspect.options.table import FAIL_ON
from ltkm_inspect.options.words import OptionError, blaming, decimal, did_you_mean, number, one_of, split_words
from ltkm_inspect.wire import printable

# Rooms that know rules and documents are imported where they are needed: a command without them starts faster.
if TYPE_CHECKING:
    from ltkm_inspect.context import Settings
    from ltkm_inspect.finding import Level
    from ltkm_inspect.traffic import TerminalBy


def settings(
    *,
    expect: str = "auto",
    profile: Iterable[str] = ("auto",),
    clock_skew: str = "60",
    msk_hours: str = "24",
    session_limit: str = "10000",
    terminal: str = "auto",
    strict: bool = False,
    namespaces: Iterable[str] = ("1.0",),
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    severity: Iterable[str] = (),
    rule: Iterable[str] = (),
) -> "Settings":
    """Return the settings that these words ask for; OptionError says in one line which word is wrong and why.

    A list may hold several words joined by commas; but for `rule`, where a comma joins the options of one rule.
    """
    from ltkm_inspect.context import EXPECT, PROFILES, Settings
    from ltkm_inspect.session import SessionSettings

    one_of("expect", expect, EXPECT)
    selected, ignored = parse_rule_words("select", select), parse_rule_words("ignore", ignore)
    _leave_a_rule(selected, ignored)
    return Settings(
        expect=expect,
        profile=_profile(profile, PROFILES),
        session=SessionSettings(
            number("session_limit", session_limit),
            decimal("clock_skew", clock_skew, "seconds"),
            decimal("msk_hours", msk_hours, "hours"),
            parse_terminal_by(terminal),
        ),
        strict=strict,
        namespaces=_namespaces(namespaces),
        select=selected,
        ignore=ignored,
        severity=_severity(severity),
        options=_rule_options(rule),
    )


JUDGING = tuple(inspect.signature(settings).parameters)
"""The options that say how exchanges are judged: those that `settings` takes."""


def parse_terminal_by(text: str) -> "TerminalBy":
    """Parse how terminals are distinguished: a way, or `header:NAME`; OptionError for anything else."""
    from ltkm_inspect.traffic import WAYS, TerminalBy

    way, colon, header = (each.strip() for each in text.partition(":"))
    way = way.lower()
    one_of("terminal", way, WAYS)
    if (way == "header") != bool(colon) or (colon and not _HEADER.fullmatch(header)):
        raise OptionError("terminal", f"expected header:NAME with the name of a header field, got {printable(text)}")
    return TerminalBy(way, header)


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def parse_fail_on(text: str) -> "Level | None":
    """Return the level from which findings fail a run, None for never; OptionError for another word."""
    from ltkm_inspect.finding import Level

    one_of("fail_on", text, FAIL_ON)
    return None if text == "never" else Level.of(text)


def _profile(texts: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    words = split_words(texts)
    for word in words:
        one_of("profile", word, known)
    for pair in (("usim", "ruim"), ("bcast", "mbms")):
        if set(pair) <= set(words):
            raise OptionError("profile", f"use either {pair[0]} or {pair[1]}, not both")
    return frozenset(words or ["auto"])


def namespace_versions() -> dict[str, str]:
    """Return the names of the orderqueries namespaces that can be accepted, by their versions."""
    from ltkm_inspect.document import LATER_ORDERQUERIES_NS, ORDERQUERIES_NS

    return {name.rpartition(":")[2]: name for name in sorted({ORDERQUERIES_NS, *LATER_ORDERQUERIES_NS})}


def _namespaces(texts: Iterable[str]) -> frozenset[str]:
    known = namespace_versions()
    versions = {"1.0"}
    for word in split_words(texts):
        version = next((version for version, name in known.items() if word in (version, name)), None)
        if version is None:
            raise OptionError("namespaces", f"expected one of {', '.join(known)}, got {printable(word)}")
        versions.add(version)
    return frozenset(versions)


def _leave_a_rule(select: frozenset[str], ignore: frozenset[str]) -> None:
    """Refuse a selection that leaves nothing to check: it would pass whatever comes."""
    if not select and not ignore:
        return
    left = (names for rule in known_rules().values() if not (names := rule.names()) & ignore)
    if not any(not select or names & select for names in left):
        raise OptionError("ignore" if ignore else "select", "no rule is left to run")


def _severity(texts: Iterable[str]) -> "dict[str, Level]":
    from ltkm_inspect.finding import Level

    levels: dict[str, Level] = {}
    for word in split_words(texts):
        id, equals, name = word.partition("=")
        if not equals:
            raise OptionError("severity", f"expected RULE=LEVEL, like ltkm-missing=warning, got {printable(word)}")
        rule = known_rules().get(id)
        if rule is None:
            raise OptionError(
                "severity", f"unknown rule {printable(id)}{did_you_mean(id, known_rules()) or LISTS_RULES}"
            )
        try:
            level = Level.of(name)
        except ValueError as error:
            raise OptionError("severity", f"{id}: {error}") from None
        if level > rule.highest:
            reason = f"expected at most {rule.highest.word}, because its source is cited from memory, got {level.word}"
            raise OptionError("severity", f"{id}: {reason}")
        if levels.setdefault(id, level) is not level:
            raise OptionError("severity", f"{id}: expected one level, got {levels[id].word} and {level.word}")
    return levels


def _rule_options(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    from ltkm_inspect.rule import parse_options

    known_rules()
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        with blaming("rule", ValueError):
            id, values = parse_options(text.strip())
        known = found.setdefault(id, {})
        for name, value in values.items():
            if known.setdefault(name, value) != value:
                raise OptionError("rule", f"{id}: {name} appears twice")
    return found
