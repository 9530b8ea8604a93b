"""The engine: limits, crashes, levels, selection, the three answers, and findings that point."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError, parse_application
from ltkm_inspect.finding import Answer, Level, Problem
from ltkm_inspect.rule import RULES
from ltkm_inspect.traffic import Exchange, Limits

DOWNLOAD = reference.reference("download")[0]
SEVERAL = reference.reference("several-keys")[0]


def _broken(fault: str, start: Exchange = DOWNLOAD, context: Context | None = None) -> Exchange:
    return inject(start, [parse_application(fault)], context)


def test_a_rule_that_crashes_becomes_a_finding_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(subject: object, context: Context) -> Iterator[Problem]:
        raise RuntimeError("secret")

    monkeypatch.setitem(RULES, "status-not-200", replace(RULES["status-not-200"], check=crash, takes_context=True))
    report = inspect(_broken("drop-authentication-info"), Context(Settings()))
    assert set(report.rules) == {"authentication-info-missing", "rule-crashed"}
    crashed = next(finding for finding in report.findings if finding.rule == "rule-crashed")
    assert crashed.level is Level.WARNING
    assert "RuntimeError" in crashed.text
    assert "secret" not in crashed.line


def test_a_body_over_the_limit_is_said() -> None:
    report = inspect(replace(DOWNLOAD, limits=Limits(octets=100)))
    assert [finding.rule for finding in report.findings] == ["not-checked-in-full"] * 2
    assert [finding.expected for finding in report.findings] == [
        "at most 100 octets of request body",
        "at most 100 octets of response body",
    ]


def test_more_ltkms_than_the_limit_are_said_and_the_first_are_checked() -> None:
    limited = replace(_broken("garble-base64", SEVERAL), limits=Limits(ltkms=1))
    assert set(inspect(limited).rules) == {"not-checked-in-full", "ltkm-not-base64"}


def test_the_three_answers_are_told_apart() -> None:
    outcomes = inspect(reference.reference("plain-mbms")[0]).outcomes
    assert outcomes["ltkm-missing"].answer is Answer.NOT_APPLICABLE
    assert "UDP" in outcomes["ltkm-missing"].reason
    assert outcomes["status-not-200"].answer is Answer.NOT_APPLICABLE
    assert outcomes["root-element-wrong"].answer is Answer.PASSED
    assert outcomes["octets-left-over"].answer is Answer.NOT_APPLICABLE
    assert inspect(_broken("strip-ltkm", SEVERAL)).outcomes["ltkm-missing"].answer is Answer.BROKEN


@pytest.mark.parametrize("settings", [Settings(expect="always"), Settings(strict=True)], ids=["expect", "strict"])
def test_an_ltkm_can_be_expected_in_every_granted_item(settings: Settings) -> None:
    report = inspect(reference.reference("plain-mbms")[0], Context(settings))
    assert list(report.rules) == ["ltkm-missing"]


def test_strict_mode_makes_ambiguities_violations() -> None:
    for fault, rule in (("request-current", "msk-id-current"), ("misspell-response-code", "ltkm-on-error-code")):
        exchange = _broken(fault)
        lenient = {finding.rule: finding.level for finding in inspect(exchange).findings}
        strict = {finding.rule: finding.level for finding in inspect(exchange, Context(Settings(strict=True))).findings}
        assert lenient[rule] is Level.WARNING
        assert strict[rule] is Level.VIOLATION


def test_a_level_can_be_set_and_off_leaves_the_rule_out() -> None:
    exchange = _broken("replace-status")
    noted = inspect(exchange, Context(Settings(severity={"status-not-200": Level.NOTE})))
    assert list(noted.rules) == []
    assert "status-not-200" in [note.rule for note in noted.notes]
    off = inspect(exchange, Context(Settings(severity={"status-not-200": Level.OFF})))
    assert "status-not-200" not in off.outcomes


@pytest.mark.parametrize("word", ["status-not-200", "exchange", "cr"], ids=["by id", "by subject", "by document"])
def test_rules_can_be_selected_and_ignored(word: str) -> None:
    exchange = _broken("replace-status")
    chosen = inspect(exchange, Context(Settings(select=frozenset({word}))))
    assert "status-not-200" in chosen.rules
    assert all(word in RULES[id].names() for id in chosen.outcomes)
    ignored = inspect(exchange, Context(Settings(ignore=frozenset({word}))))
    assert "status-not-200" not in ignored.outcomes


def test_later_namespaces_can_be_accepted() -> None:
    exchange = _broken("advance-namespace:minor=2")
    assert list(inspect(exchange).rules) == ["ltkm-namespace-later"]
    accepted = Settings(namespaces=frozenset({"1.0", "1.2"}))
    assert list(inspect(exchange, Context(accepted)).rules) == []


def test_a_finding_in_a_message_points_to_its_octets() -> None:
    exchange = _broken("replace-key-domain")
    finding = inspect(exchange).findings[0]
    assert (finding.place.item, finding.place.ltkm, finding.place.path) == (1, 1, "EXT[1].key_ids[1].value")
    assert finding.span is not None
    assert exchange.document is not None
    octets = exchange.document.ltkms[0].octets
    assert octets is not None
    assert octets[finding.span.start : finding.span.end].hex() == "68ca0c"
    assert finding.span_of == "message"


def test_a_finding_on_an_element_points_to_its_octets_in_the_body() -> None:
    exchange = _broken("write-version")
    finding = inspect(exchange).findings[0]
    assert finding.span is not None
    assert finding.span_of == "body"
    assert exchange.response is not None
    element = (exchange.response.body or b"")[finding.span.start : finding.span.end]
    assert element.startswith(b'<bcast:LTKM version="0x00">')
    assert element.endswith(b"</bcast:LTKM>")


def test_both_slips_of_the_printed_example_are_named_at_once() -> None:
    exchange = _broken("unquote-attribute")
    assert exchange.response is not None
    body = (exchange.response.body or b"").replace(b'"urn:oma:', b'" urn:oma:')
    both = replace(exchange, response=exchange.response.with_content(body))
    assert [finding.rule for finding in inspect(both).findings] == ["xml-malformed", "xml-malformed"]


def test_sealing_signs_the_changed_body_and_nothing_else() -> None:
    context = Context(keys=reference.KEYS)
    changed = _broken("replace-key-number", context=context)
    assert changed.response is not None
    assert DOWNLOAD.response is not None
    before, after = DOWNLOAD.response.authentication_info_text or "", changed.response.authentication_info_text or ""
    assert before.partition("rspauth")[0] == after.partition("rspauth")[0]
    assert before != after
    assert before.partition(", cnonce")[2] == after.partition(", cnonce")[2]
    assert _broken("replace-key-number").response.authentication_info_text == before  # type: ignore[union-attr]


def test_the_mac_of_a_changed_message_is_made_anew_with_the_muk() -> None:
    from ltkm_inspect.keys.protection import authenticate

    changed = _broken("replace-key-number", context=Context(keys=reference.KEYS))
    assert changed.document is not None
    message = changed.document.ltkms[0].message
    assert message is not None
    assert authenticate(message, reference.MUK) == message


def test_an_edit_leaves_every_octet_outside_it() -> None:
    assert DOWNLOAD.response is not None
    body = DOWNLOAD.response.body or b""
    changed = _broken("write-version").response
    assert changed is not None
    assert (changed.body or b"").replace(b' version="0x00"', b"") == body


@pytest.mark.parametrize(
    ("fault", "start"),
    [("strip-ltkm", "challenge"), ("cut-message", "plain-mbms")],
    ids=["no document", "no LTKM"],
)
def test_a_fault_without_subject_says_so(fault: str, start: str) -> None:
    with pytest.raises(FaultError, match=f"fault {fault}: .* to damage"):
        inject(reference.reference(start)[0], [Application(FAULTS[fault])])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strip-ltkn", "did you mean strip-ltkm"),
        ("cut-message:octets=1", "expected octets_off="),
        ("cut-message:octets_off=x", "expected a whole number"),
        ("append-octets:value=zz", "expected octets in hex"),
        ("cut-message:octets_off=1,octets_off=2", "appears twice"),
        ("drop-challenge:x=1", "no parameters"),
    ],
)
def test_a_fault_that_is_asked_for_wrongly_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(FaultError, match=said) as raised:
        parse_application(text)
    assert "\n" not in str(raised.value)


def test_a_response_whose_body_was_not_captured_is_no_clean_one() -> None:
    assert DOWNLOAD.response is not None
    streamed = replace(DOWNLOAD, response=replace(DOWNLOAD.response, body=None))
    assert list(inspect(streamed).rules) == ["not-checked-in-full"]


def test_an_exchange_without_response_is_no_clean_one() -> None:
    report = inspect(replace(DOWNLOAD, response=None, error="connection closed"))
    assert list(report.rules) == ["not-checked-in-full"]
    assert "connection closed" in report.findings[0].line


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_that_can_have_no_body_misses_none(status: int) -> None:
    assert DOWNLOAD.response is not None
    empty = replace(DOWNLOAD, response=replace(DOWNLOAD.response, status=status, body=None))
    assert not {"not-checked-in-full", "body-missing"}.intersection(inspect(empty).rules)
