"""The option table, and what its words mean or why they cannot mean anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ltkm_inspect import catalogue
from ltkm_inspect.catalogue.requirements import uncovered
from ltkm_inspect.cli.defaults import flag
from ltkm_inspect.cli.program import commands
from ltkm_inspect.context import EXPECT, PROFILES
from ltkm_inspect.engine import plan
from ltkm_inspect.finding import Level
from ltkm_inspect.options.files import ReportTarget, parse_report
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.options.rule_words import documents, subject_words
from ltkm_inspect.options.settings import parse_fail_on, settings
from ltkm_inspect.options.table import DEFAULTS, FAIL_ON
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.spec import RFC3711, Publication, Sure
from ltkm_inspect.traffic import Limits

catalogue.load()


LIVE = Limits(octets=1 << 20, ltkms=200, payloads=1000, findings=100, directives=1000, tags=200_000)
LIVE_ONLY = {
    "bindings",
    "deadline",
    "inspector",
    "log",
    "metrics",
    "summary_every",
    "log_first",
    "log_every",
    *(name for name in DEFAULTS if name.startswith("fault")),
}
OFFLINE = Limits(octets=64 << 20, findings=100, tags=200_000)


def test_the_defaults_of_the_table_are_the_defaults_of_the_settings() -> None:
    words = ("expect", "profile", "strict", "namespaces", "select", "ignore", "severity")
    typed = settings(**{word: DEFAULTS[word].default for word in words})  # type: ignore[arg-type]
    untouched = settings()
    for word in words:
        assert getattr(typed, word) == getattr(untouched, word)
    assert parse_limit(str(DEFAULTS["limit"].default)) == LIVE
    assert parse_limit(str(DEFAULTS["limit"].check_default), live=False) == OFFLINE
    assert parse_fail_on(str(DEFAULTS["fail_on"].default)) is None
    assert parse_fail_on(str(DEFAULTS["fail_on"].check_default)) is Level.VIOLATION


def test_the_table_names_every_word_that_may_be_typed() -> None:
    assert DEFAULTS["expect"].metavar == "|".join(EXPECT)
    assert DEFAULTS["profile"].metavar == "|".join(PROFILES)
    assert DEFAULTS["fail_on"].metavar == "|".join(FAIL_ON)


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name not in LIVE_ONLY])
def test_every_option_of_the_table_is_an_option_of_check(name: str) -> None:
    shown = CliRunner().invoke(commands, ["check", "--help"]).output
    assert f"{flag(name)} " in shown


def test_a_list_may_be_given_in_parts_or_joined_by_commas() -> None:
    assert settings(profile=["usim,bcast"]).profile == settings(profile=["usim", "bcast"]).profile == {"usim", "bcast"}


@pytest.mark.parametrize("version", ["1.1", "urn:oma:xml:bcast:pr:orderqueries:1.1"])
def test_a_further_namespace_comes_beside_the_one_of_the_change_request(version: str) -> None:
    assert settings(namespaces=[version]).namespaces == {"1.0", "1.1"}


def test_rules_are_selected_by_id_subject_and_document_whatever_the_case() -> None:
    chosen = plan(settings(select=["CR"]))
    assert "ltkm-missing" in {rule.id for rules in chosen.values() for rule in rules}
    chosen = plan(settings(select=["Item"], ignore=["ltkm-missing"]))
    ids = {rule.id for rules in chosen.values() for rule in rules}
    assert "ltkm-repeated" in ids
    assert "ltkm-missing" not in ids
    assert {rule.subject for rules in chosen.values() for rule in rules} == {"item"}


@pytest.mark.parametrize("publication", documents().values(), ids=lambda each: each.key)
def test_a_document_is_selected_by_its_word_and_by_its_name_as_printed(publication: Publication) -> None:
    word = publication.key.lower()
    for typed in (word, publication.key, publication.name, publication.name.removeprefix("3GPP ")):
        assert settings(ignore=[typed]).ignore == {word}


def test_a_severity_is_an_override_by_rule() -> None:
    levels = settings(severity=["ltkm-missing=warning,ltkm-repeated=off"]).severity
    assert levels == {"ltkm-missing": Level.WARNING, "ltkm-repeated": Level.OFF}


def test_what_rests_on_memory_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    clause = RFC3711["1"](says="something", sure=Sure.RECALL_MIDDLE)
    shaky = Rule("shaky-rule", object, lambda *_: iter(()), (clause,), Level.NOTE)
    monkeypatch.setitem(RULES, shaky.id, shaky)
    assert settings(severity=["shaky-rule=note"]).severity == {"shaky-rule": Level.NOTE}
    with pytest.raises(
        OptionError, match="expected at most note, because its source is cited from memory, got violation"
    ):
        settings(severity=["shaky-rule=violation"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            {"expect": "alway"}, "expect: expected auto or always, got alway; did you mean always?", id="expect"
        ),
        pytest.param(
            {"profile": ["usin"]},
            "profile: expected auto, usim, ruim, bcast or mbms, got usin; did you mean usim?",
            id="profile",
        ),
        pytest.param({"profile": ["usim", "ruim"]}, "profile: use either usim or ruim, not both", id="both"),
        pytest.param({"namespaces": ["2"]}, "namespaces: expected one of 1.0, 1.1, 1.2, 1.3, got 2", id="namespaces"),
        pytest.param(
            {"select": ["ltkm-mising"]},
            "select: expected a rule, subject or document, got ltkm-mising; did you mean ltkm-missing?",
            id="select",
        ),
        pytest.param(
            {"ignore": ["\x1b[2J"]},
            "ignore: expected a rule, subject or document, got \\x1b[2J; ltkm-inspect rules lists them; subjects: "
            f"{', '.join(subject_words())}; documents: {', '.join(documents())}",
            id="terminal-escape",
        ),
        pytest.param(
            {"select": ["cr-2A"]},
            "select: expected a rule, subject or document, got the requirement CR-2a; covered by "
            + ", ".join(rule.id for rule in RULES.values() if "CR-2a" in rule.covers),
            id="requirement",
        ),
        pytest.param(
            {"select": [next(iter(uncovered()))]},
            f"select: expected a rule, subject or document, got the requirement {next(iter(uncovered()))}; "
            "no rule covers it",
            id="requirement-without-rule",
        ),
        pytest.param(
            {"select": ["ltkm-missing"], "ignore": ["item"]},
            "ignore: no rule is left to run",
            id="no-rule-left",
        ),
        pytest.param(
            {"severity": ["ltkm-missing"]},
            "severity: expected RULE=LEVEL, like ltkm-missing=warning, got ltkm-missing",
            id="severity-without-level",
        ),
        pytest.param(
            {"severity": ["ltkm-missin=off"]},
            "severity: unknown rule ltkm-missin; did you mean ltkm-missing?",
            id="severity-of-no-rule",
        ),
        pytest.param(
            {"severity": ["ltkm-missing=error"]},
            "severity: ltkm-missing: expected one of off, note, warning, violation, got error",
            id="severity-unknown",
        ),
        pytest.param(
            {"severity": ["ltkm-missing=off", "ltkm-missing=note"]},
            "severity: ltkm-missing: expected one level, got off and note",
            id="severity-twice",
        ),
    ],
)
def test_a_word_that_cannot_be_is_refused_in_one_line(words: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        settings(**words)  # type: ignore[arg-type]
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("1MiB,200", LIVE),
        ("512kib, 7", replace(LIVE, octets=524288, ltkms=7)),
        ("3 GiB,none", replace(LIVE, octets=3 << 30, ltkms=None)),
        ("none,None", replace(LIVE, octets=None, ltkms=None)),
        ("body=2MiB", replace(LIVE, octets=2 << 20)),
        ("ltkms=none, payloads = 5", replace(LIVE, ltkms=None, payloads=5)),
        ("FINDINGS=7,directives=None", replace(LIVE, findings=7, directives=None)),
        ("body=1,ltkms=2,payloads=3,findings=4,directives=5,tags=6", Limits(1, 2, 3, 4, 5, 6)),
    ],
)
def test_a_limit_has_parts_of_which_each_has_a_default(text: str, limits: Limits) -> None:
    assert parse_limit(text) == limits


@pytest.mark.parametrize(
    "text",
    [
        *("", "1MiB", "200,1MiB", "-1,200", "0,200", "1MiB,0", "1MB,200", "1.5MiB,2", "1,2,3", "1MiB,200,findings=5"),
        *("body", "body=", "=5", "body=1,", "ltkms=1MiB", "findings=0", "finding=5", "body=1,body=2", "octets=5"),
    ],
)
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"^limit: (?:expected|body appears twice)[^\n]*$"):
        parse_limit(text)


def test_a_part_of_a_limit_that_is_not_known_is_named() -> None:
    with pytest.raises(OptionError, match="got finding=5; did you mean findings"):
        parse_limit("finding=5")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("run.jsonl", "run.jsonl"),
        ("jsonl=run.txt", "run.txt"),
        ("jsonl=a=b", "a=b"),
        ("/tmp/%Y-%m-%d.jsonl", "/tmp/%Y-%m-%d.jsonl"),
    ],
)
def test_a_report_is_a_path_with_or_without_its_format(text: str, path: str) -> None:
    assert parse_report(text) == ReportTarget("jsonl", Path(path))


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("out.html", "html"),
        ("OUT.HTM", "html"),
        ("a.sarif.json", "sarif"),
        ("out.xml", "junit"),
        ("./text=out.txt", "text"),
    ],
)
def test_the_end_of_a_path_is_its_format(path: str, format: str) -> None:
    assert parse_report(path) == ReportTarget(format, Path(path))


@pytest.mark.parametrize("text", ["+run.jsonl", "jsonl=+run.jsonl"])
def test_a_path_that_begins_with_a_plus_is_appended_to(text: str) -> None:
    assert parse_report(text) == ReportTarget("jsonl", Path("run.jsonl"), appends=True)
    with pytest.raises(OptionError, match=r"^report: expected a path without \+, because only jsonl is appended to"):
        parse_report("+run.html")


@pytest.mark.parametrize(
    ("path", "code"), [("%Q.jsonl", "%Q"), ("100%.jsonl", "%."), ("jsonl=run%", "%"), ("%f.html", "%f")]
)
def test_codes_that_strftime_does_not_know_are_refused(path: str, code: str) -> None:
    expected = f"report: expected codes of strftime, or %% for a percent sign, got {code}"
    with pytest.raises(OptionError, match=f"^{expected}$"):
        parse_report(path)
    assert parse_report("%a%%%-d%H%M%S.jsonl").format == "jsonl"


@pytest.mark.parametrize("text", ["", "jsonl=", "xml=run.xml", "a\0b", "   ", "out.pdf", "run", "/dev/stdout", "./a=b"])
def test_a_report_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"^report: expected "):
        parse_report(text)
