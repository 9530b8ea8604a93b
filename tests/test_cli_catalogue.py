"""The commands about the catalogue and the program itself: which words find what, and what is printed for a shell."""

import json

import pytest

from ltkm_inspect import __version__
from tests.command import run_text


def test_rules_are_found_by_all_of_the_words_in_any_case() -> None:
    found = json.loads(run_text("rules", "RSPAUTH", "--format", "json").stdout)
    assert {"rspauth-malformed", "authentication-info-incomplete"} <= {rule["id"] for rule in found}
    both = json.loads(run_text("rules", "RSPAUTH", "2617", "--format", "json").stdout)
    assert both == [rule for rule in found if "2617" in json.dumps(rule["clauses"])]
    shown = run_text("rules", "rspauth-malformed").stdout.splitlines()
    assert [line for line in shown if not line.startswith(" ")] == ["exchange:"]


def test_faults_are_found_by_the_rules_that_they_break() -> None:
    found = json.loads(run_text("faults", "rand-length-wrong", "--format", "json").stdout)
    assert found
    assert all("rand-length-wrong" in fault["trips"] for fault in found)


@pytest.mark.parametrize("word", ["ts33246", "3GPP TS 33.246"])
def test_rules_and_faults_are_found_by_their_document(word: str) -> None:
    rules = {rule["id"]: rule["documents"] for rule in json.loads(run_text("rules", "--format", "json").stdout)}
    found = json.loads(run_text("rules", word, "--format", "json").stdout)
    assert {rule["id"] for rule in found} == {id for id, documents in rules.items() if "TS33246" in documents}
    broken = json.loads(run_text("faults", word, "--format", "json").stdout)
    assert broken
    assert all(any("TS33246" in rules[id] for id in fault["trips"]) for fault in broken)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("rules ltkm-mising", "no rule matches ltkm-mising; did you mean ltkm-missing?"),
        ("faults ltkm nothing", "no fault matches ltkm and nothing; try fewer words"),
        (
            "explain LTKM-mis",
            "ids that contain it: ltkm-missing, ltkm-misnamed, ltkm-misplaced (ltkm-inspect rules ltkm-mis",
        ),
        ("explain counter-gaps", "did you mean counter-gap?"),
        ("explain zzz", "ltkm-inspect rules and ltkm-inspect faults list what there is"),
        ("completion tcsh", "expected bash, zsh or fish, got tcsh"),
        ("check --format html x", "expected text, concise, github or jsonl, got html; a file of it: --report out.html"),
        ("decode --input b64 x", "got b64; did you mean base64?"),
        ("help", "there is no command help; type ltkm-inspect --help, or ltkm-inspect COMMAND --help"),
        ("check --msk uHCd x", "got uHCd; write it in hex, not base64"),
        ("check --report xml=x y", "got xml=x; did you mean junit?"),
        ("check --jobs none x", "expected a whole number from 1, got none"),
    ],
)
def test_a_word_that_means_nothing_is_2_and_names_the_next_step(call: str, said: str) -> None:
    done = run_text(*call.split())
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_the_program_names_its_version_and_completes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_text("-V").stdout == f"ltkm-inspect {__version__}\n"
    for shell in ("zsh", "fish"):
        assert f"_LTKM_INSPECT_COMPLETE={shell}_complete" in run_text("completion", shell).stdout
    monkeypatch.setenv("_LTKM_INSPECT_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", "ltkm-inspect explain ltkm-miss")
    monkeypatch.setenv("COMP_CWORD", "ltkm-miss")
    assert run_text().stdout == "plain,ltkm-missing\n"
