"""A report as JSON Lines."""

import json
import math
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from ltkm_inspect import __version__
from ltkm_inspect.capture.unread import UNREAD
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.engine.own_findings import PASSED_UNCHECKED
from ltkm_inspect.finding import Answer, Finding, Level, Outcome, Place, Report
from ltkm_inspect.mikey import Identity, Timestamp
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.reference import FIRST, KEY_DOMAIN, SECOND, challenge, exchange, ltkm, reference
from ltkm_inspect.report import jsonl
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.session import HISTORY, Session, SessionSettings
from ltkm_inspect.spec import CR
from ltkm_inspect.traffic import DatagramKind, Exchange, Limits
from ltkm_inspect.wire import Span
from tests.report.runs import FAULTED, TRIAL, checked


def line_of(exchange: Exchange) -> dict[str, Any]:
    line = jsonl.exchange_line(inspect(exchange))
    assert "\n" not in line
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_an_exchange_is_one_object_with_everything_that_is_in_it() -> None:
    found = line_of(reference("several-keys")[0])
    assert found["schema"] == "ltkm-inspect/exchange/1"
    assert found["method"] == "POST"
    assert found["url"] == "http://bmsc.home1.net/keymanagement?requesttype=msk-request"
    assert found["status"] == 200
    assert found["started"] == "2009-10-28T08:00:00.000Z"
    assert found["ended"] == "2009-10-28T08:00:00.250Z"
    assert found["terminal"] == "MTIzNDU2Nzg5MDEyMzQ1Ng==@bsf.home1.net"
    assert found["verdict"] == "clean"
    assert found["findings"] == []
    assert [item["msk_id"] for item in found["items"]] == [FIRST.msk_id.hex(), SECOND.msk_id.hex()]
    first = found["items"][0]
    assert first["key_domain_id"] == KEY_DOMAIN.hex()
    assert (first["key_group"], first["key_number"]) == ("24cb", "4400")
    assert first["response_code"] == "200 OK"
    message = first["ltkms"][0]["message"]
    assert [payload["name"] for payload in message["payloads"]][-1] == "KEMAC"
    assert message["error"] is None
    assert message["length"] == len(ltkm(FIRST).encode())


def test_a_finding_keeps_its_place_its_octets_and_its_clauses() -> None:
    finding = Finding(
        "rand-too-short",
        Level.VIOLATION,
        "RAND is too short.",
        Place(1, 2, "RAND.value"),
        "at least 16 octets",
        "8",
        "cut",
        (CR["5.2.1.1"],),
        lambda: (Span(37, 46), "message"),
    )
    report = Report(reference("download")[0], (finding,), outcomes={"rand-too-short": Outcome(Answer.BROKEN)})
    found = json.loads(jsonl.exchange_line(report, "a.flow"))
    assert found["file"] == "a.flow"
    assert found["verdict"] == "violation"
    assert found["counts"]["violations"] == 1
    assert found["counts"]["broken"] == 1
    assert found["outcomes"] == {"rand-too-short": {"answer": "broken", "reason": ""}}
    assert found["findings"] == [
        {
            "rule": "rand-too-short",
            "level": "violation",
            "title": "RAND is too short.",
            "place": {"item": 1, "ltkm": 2, "path": "RAND.value"},
            "expected": "at least 16 octets",
            "got": "8",
            "hint": "cut",
            "octets": [37, 46],
            "octets_of": "message",
            "clauses": ["CR 5.2.1.1"],
        }
    ]


def test_every_selected_rule_has_one_of_three_answers() -> None:
    report = inspect(reference("download")[0])
    found = json.loads(jsonl.exchange_line(report))
    assert set(found["outcomes"]) == set(report.outcomes)
    assert sum(found["counts"][answer] for answer in ("passed", "broken", "not_applicable")) == len(report.outcomes)


def test_what_cannot_be_known_is_null() -> None:
    unanswered = replace(
        challenge([FIRST.msk_id]), response=None, started=None, ended=math.inf, error="connection reset"
    )
    found = line_of(unanswered)
    assert found["status"] is None
    assert found["started"] is None
    assert found["ended"] is None
    assert found["error"] == "connection reset"
    assert found["items"] == []


@pytest.mark.parametrize("seconds", [math.nan, -math.inf, 1e300, -1e300])
def test_a_time_that_no_calendar_has_is_null(seconds: float) -> None:
    assert line_of(replace(reference("download")[0], started=seconds))["started"] is None


def test_the_octets_of_a_broken_msk_id_are_not_split() -> None:
    short = replace(FIRST, msk_id=b"\x01\x02\x03")
    item = line_of(exchange([FIRST.msk_id], [(short, "200 OK", ltkm(FIRST))]))["items"][0]
    assert item["msk_id"] == "010203"
    assert (item["key_group"], item["key_number"]) == (None, None)


def test_hostile_text_stays_valid_json() -> None:
    clean = reference("download")[0]
    hostile = replace(clean, request=replace(clean.request, method="P\x1b\udcff", target="/\u2028\ud800"), error="\x00")
    found = line_of(hostile)
    assert found["method"] == "P\x1b\\xff"
    assert found["url"].endswith("/\u2028\\ud800")


def test_beside_live_traffic_no_more_ltkms_are_listed_than_were_checked() -> None:
    grants = [(FIRST, "200 OK", ltkm(FIRST)), (SECOND, "200 OK", ltkm(SECOND))]
    limited = replace(exchange([FIRST.msk_id, SECOND.msk_id], grants), limits=Limits(ltkms=1))
    found = line_of(limited)
    assert [len(item["ltkms"]) for item in found["items"]] == [1, 0]
    assert found["counts"]["ltkms"] == 2


def test_no_key_is_in_an_exchange_line() -> None:
    line = jsonl.exchange_line(inspect(reference("download")[0])).lower()
    assert FIRST.msk.hex() not in line


def test_a_summary_is_one_object() -> None:
    summary = Summary()
    summary.add(Report(reference("download")[0], (Finding("alpha", Level.WARNING, "", Place()),), items=1, ltkms=1))
    summary.other()
    assert json.loads(to_json(jsonl.summary_record(summary))) == {
        "schema": "ltkm-inspect/summary/1",
        "exchanges": 1,
        "datagrams": {kind.key: 0 for kind in DatagramKind},
        "others": 1,
        "unselected": 0,
        "forgotten": 0,
        "damaged": 0,
        "verdicts": {"clean": 0, "warning": 1, "violation": 0, "unchecked": 0},
        "counts": {
            "items": 1,
            "ltkms": 1,
            "violations": 0,
            "warnings": 1,
            "notes": 0,
            "passed": 0,
            "broken": 0,
            "not_applicable": 0,
        },
        "findings": [{"rule": "alpha", "level": "warning", "number": 1}],
        "accepted": [],
        "baseline": [],
        "faulted": {"exchanges": 0, "violations": 0, "warnings": 0},
        "unread": dict.fromkeys(UNREAD, 0),
        "waiting": {},
        "unchecked": dict.fromkeys(PASSED_UNCHECKED, 0),
        "late": 0,
    }


def test_a_run_is_told_with_every_option_of_the_table() -> None:
    typed = {"strict": True, "select": ("item",), "keys": None, "fail_on": "violation"}
    run = jsonl.run_record(["a.flow"], typed, started=1_256_716_800.25)
    assert (run["schema"], run["version"]) == ("ltkm-inspect/run/1", __version__)
    assert run["started"] == "2009-10-28T08:00:00.250Z"
    assert list(run["options"]) == list(DEFAULTS)
    given = {name: value for name, value in run["options"].items() if value is not None}
    assert given == {"strict": True, "select": ["item"], "keys": "", "fail_on": "violation"}
    assert jsonl.run_record(None, {})["sources"] is None


def test_of_a_redacted_run_no_option_tells_a_terminal_or_an_address() -> None:
    b_tid = "MTIzNDU2Nzg5MDEyMzQ1Ng==@bsf.home1.net"
    typed = {
        "fault_terminal": [b_tid, "192.0.2.7"],
        "fault_filter": "~src 192.0.2.7",
        "fault": [f"inject-ltkm:base64={b64encode(ltkm(FIRST).encode()).decode()}", f"replace-username:to={b_tid}"],
        "profile": ["auto"],
    }
    redaction = Redaction()
    run = jsonl.run_record(None, typed, redaction)
    assert run["redacted"] is True
    assert run["options"]["fault_terminal"] == [redaction.identity(b_tid), redaction.address("192.0.2.7")]
    assert run["options"]["profile"] == ["auto"]
    said = json.dumps(run)
    assert b_tid not in said
    assert "192.0.2.7" not in said
    assert b64encode(ltkm(FIRST).encode()).decode()[:60] not in said


def test_of_a_redacted_session_terminals_have_the_names_of_the_exchanges() -> None:
    session, redaction = Session(), Redaction()
    exchange = reference("download")[0]
    inspect(exchange, Context(session=session))
    found = jsonl.session_record(session, Wording(redaction))
    name = redaction.identity(exchange.terminal)
    assert [each["terminal"] for each in found["terminals"]] == [name]
    (muk,) = found["muks"]
    assert (muk["idi_text"], muk["idr"], muk["idr_text"]) == ("bmsc.home1.net", None, name)
    assert bytes.fromhex(muk["idi"]) == b"bmsc.home1.net"


def session_of(limit: int, *exchanges: Exchange) -> dict[str, Any]:
    session = Session(SessionSettings(limit))
    for each in exchanges:
        inspect(each, Context(session=session))
    return dict(jsonl.session_record(session))


def test_a_session_tells_its_terminals_and_what_each_muk_delivered() -> None:
    first, second = reference("two-terminals")[-2:]
    found = session_of(10, first, second, first)
    assert [each["terminal"] for each in found["terminals"]] == [first.terminal, second.terminal]
    assert [each["exchanges"] for each in found["terminals"]] == [1, 1]
    delivered = [each.document.ltkms[0].message for each in (first, second) if each.document]
    told = {each["idr_text"]: each for each in found["muks"]}
    assert len(told) == 2
    for message in delivered:
        assert message is not None
        idi, idr = (identity.value for identity in message.of(Identity))
        muk = told[idr.decode()]
        assert (muk["idi"], muk["idi_text"], muk["idr"]) == (idi.hex(), idi.decode(), idr.hex())
        assert (muk["counter"], muk["ltkms"]) == (message.of(Timestamp)[0].number, 1)
    assert found["forgotten"] == dict.fromkeys(["exchanges", "copies", *(each.name for each in HISTORY)], 0)


def test_the_newest_counter_of_a_muk_is_told_and_every_ltkm_counts() -> None:
    grants = [replace(FIRST, counter=counter) for counter in (5, 9, 7)]
    exchanges = [
        exchange([FIRST.msk_id], [(grant, "200 OK", ltkm(grant))], id=str(at), nc=at + 1, at=at)
        for at, grant in enumerate(grants)
    ]
    (muk,) = session_of(10, *exchanges)["muks"]
    assert (muk["counter"], muk["ltkms"]) == (9, 3)
    assert muk["delivered"] == "2009-10-28T08:00:01.250Z"
    (terminal,) = session_of(10, *exchanges)["terminals"]
    assert (terminal["first"], terminal["last"]) == ("2009-10-28T08:00:00.000Z", "2009-10-28T08:00:02.000Z")


def test_several_processes_tell_the_same_session_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltkm_inspect.checking.WORTH", 2)  # however little there is, it is shared
    one, two = (checked("--jobs", jobs, TRIAL, *FAULTED) for jobs in ("1", "2"))
    assert two[1:] == one[1:]
    (session,) = [record for record in two if record["schema"] == "ltkm-inspect/session/1"]
    assert len(session["terminals"]) > 5
    assert sum(muk["ltkms"] for muk in session["muks"]) > 20


def test_a_session_that_had_to_forget_says_how_much() -> None:
    first, second = reference("two-terminals")[-2:]
    found = session_of(1, replace(first, id="1"), replace(second, id="2"))
    assert [each["terminal"] for each in found["terminals"]] == [second.terminal]
    assert len(found["muks"]) == 1
    forgotten = {name for name, number in found["forgotten"].items() if number}
    assert forgotten == {"exchanges", "copies", "nonces", "terminals", "sightings", "muks", "senders", "connections"}
    assert max(found["forgotten"].values()) == 1


def test_faults_that_were_put_in_are_listed_and_counted_apart() -> None:
    exchange = replace(reference("download")[0], faults=("shorten-rand:octets=8", "replace-status"))
    assert line_of(exchange)["faults"] == ["shorten-rand:octets=8", "replace-status"]
    assert line_of(reference("download")[0])["faults"] == []
    summary = Summary()
    found = Finding("alpha", Level.VIOLATION, "", Place())
    summary.add(Report(exchange, (found, found, replace(found, level=Level.WARNING)), items=1, ltkms=1))
    said = json.loads(to_json(jsonl.summary_record(summary)))
    assert said["faulted"] == {"exchanges": 1, "violations": 2, "warnings": 1}
    assert said["exchanges"] == 1
    assert said["verdicts"] == {"clean": 0, "warning": 0, "violation": 0, "unchecked": 0}
    assert (said["counts"]["violations"], said["counts"]["warnings"], said["findings"]) == (0, 0, [])
