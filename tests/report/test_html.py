"""A report as an HTML page: what is on it, what is not, and that wire text stays text."""

import base64
import copy
import re
import weakref
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from typing import Any

import pytest

from ltkm_inspect import mikey
from ltkm_inspect.mikey import Kemac
from ltkm_inspect.reference import FIRST, SECOND, challenge, exchange, ltkm, reference
from ltkm_inspect.report.page.messages import ltkm_view
from ltkm_inspect.rule import RULES
from tests.proxy.parts import TRIAL, flawed
from tests.report.pages import (
    Record,
    data_of,
    headline,
    ltkms,
    page_of,
    record_of,
    recorded,
    records_of,
    rows,
    text_of,
    tiles,
)

CLEAN = record_of(*reference("download"))
FLAWED = record_of(flawed())
assert FLAWED["findings"]
assert not CLEAN["findings"]


@pytest.fixture(scope="module")
def trial() -> list[Record]:
    """The records of the recorded trial."""
    return recorded(TRIAL)


@pytest.fixture(scope="module")
def page(trial: list[Record]) -> str:
    """Its page."""
    return page_of(trial)


def many(record: Record, number: int, **changes: Any) -> Iterator[Record]:
    """Yield as many copies of a record."""
    for _ in range(number):
        yield {**record, **changes}


def test_the_counts_at_the_top_are_those_of_the_summary(trial: list[Record], page: str) -> None:
    summary = trial[-1]
    found = tiles(page)
    assert {name: found[f"with {name}s"] for name in ("violation", "warning")} == {
        name: summary["verdicts"][name] for name in ("violation", "warning")
    }
    assert found["clean"] == summary["verdicts"]["clean"]
    assert (found["items"], found["LTKMs"]) == (summary["counts"]["items"], summary["counts"]["ltkms"])
    assert found["findings"] == summary["counts"]["violations"] + summary["counts"]["warnings"]
    assert found["notes"] == summary["counts"]["notes"]
    noted = sum(
        len({each["rule"] for each in record["notes"]} - {each["rule"] for each in record["findings"]})
        for record in trial
        if "notes" in record
    )
    counts = summary["counts"]
    answers = f"{counts['passed']:,} passed, {counts['broken'] - noted:,} broken, {noted:,} noted"
    assert f"Rule results: {answers}, {counts['not_applicable']:,} not applicable." in text_of(page)


def test_the_verdict_is_the_first_thing_that_is_said(trial: list[Record], page: str) -> None:
    assert (
        headline(page) == f"{trial[-1]['verdicts']['violation']} of {trial[-1]['exchanges']} exchanges break the rules"
    )
    assert headline(page_of([CLEAN])) == "Nothing is wrong in 1 exchange"
    warned = next(record for record in trial if record.get("verdict") == "warning")
    assert headline(page_of([CLEAN, warned])) == "No violations, and warnings in 1 of 2 exchanges"


@pytest.mark.parametrize("others", [0, 3])
def test_a_run_without_an_msk_exchange_says_that_nothing_was_checked(others: int) -> None:
    page = page_of(records_of([None] * others))
    assert headline(page) == "No MSK exchange was seen, so nothing was checked"
    assert ("3 other flows ignored." in text_of(page)) == (others == 3)
    assert headline(page_of([])) == headline(page)


def test_every_exchange_of_the_trial_is_on_its_page(trial: list[Record], page: str) -> None:
    assert sorted(rows(page)) == list(range(len(trial) - 1))


def test_of_many_exchanges_the_first_are_shown_and_the_rest_is_folded_by_rule() -> None:
    page = page_of([*many(CLEAN, 620), *many(FLAWED, 1203), *many(CLEAN, 80)])
    assert rows(page) == list(range(1000))
    said = text_of(page)
    assert "Exchanges 1,903, of which 1,000 are on this page" in said
    assert "Not on this page 903 more exchanges: 703 with findings, 200 clean" in said
    folded = page[page.index('<table class="folded">') : page.index("</table>", page.index('<table class="folded">'))]
    assert text_of(folded).endswith("703 703")
    assert tiles(page)["clean"] == 700
    assert tiles(page)["findings"] == 1203


def test_the_first_exchanges_of_a_rule_are_shown_however_late_they_come() -> None:
    late = copy.deepcopy(FLAWED)
    late["findings"][0]["rule"] = "rule-of-tomorrow"
    page = page_of([*many(FLAWED, 600), *many(late, 7)])
    assert rows(page) == list(range(505))
    assert re.findall(r'data-rules="rule-of-tomorrow"', page) == ['data-rules="rule-of-tomorrow"'] * 5


def test_500_clean_exchanges_are_all_of_them() -> None:
    page = page_of(many(CLEAN, 500))
    assert len(rows(page)) == 500
    assert "Not on this page" not in text_of(page)


def test_exchanges_come_in_the_order_of_time() -> None:
    times = ("2009-10-28T08:00:00.000Z", "2009-10-28T10:00:00.000Z", "2009-10-28T09:00:00.000Z")
    page = page_of([{**FLAWED, "started": times[0]}, {**CLEAN, "started": times[1]}, {**FLAWED, "started": times[2]}])
    assert rows(page) == [0, 2, 1]


def test_an_exchange_that_goes_on_with_a_fault_counts_once() -> None:
    """As beside live traffic: one record of it as it came, one of it as it went on; here with another in between."""
    came, other = {**CLEAN, "file": None, "id": "1"}, {**CLEAN, "file": None, "id": "2"}
    page = page_of([came, other, {**FLAWED, "file": None, "id": "1", "faults": ["drop-ltkm:item=2"]}])
    counts = {"clean": 2, "with violations": 0, "findings": 0, "faults put in": 1, "items": 2, "LTKMs": 2}
    assert tiles(page) == {**tiles(page), **counts}
    assert "Exchanges 2 " in text_of(page)
    assert re.findall(r'id="x(\d)" data-kind="(\w+)"[^>]*data-came="(\d)"', page) == [("2", "faulted", "0")]
    bars = page[page.index('<svg class="bars"') : page.index("</svg>", page.index('<svg class="bars"'))]
    assert re.findall(r"<title>from [^:]*:[^:]*:[^:]*: (.*?)</title>", bars) == ["2 clean"]


def test_exchanges_with_faults_put_in_stand_apart_and_do_not_count() -> None:
    faulted = {**FLAWED, "faults": ["drop-ltkm:item=2"]}
    page = page_of([CLEAN, faulted, {**CLEAN, "faults": ["shorten-rand"]}])
    assert headline(page) == "Nothing is wrong in 1 exchange"
    assert tiles(page) == {**tiles(page), "with violations": 0, "clean": 1, "findings": 0, "faults put in": 2}
    said = text_of(page)
    assert "2 exchanges have faults put in. Their 1 finding does not count" in said.replace(" do not", " does not")
    assert "clean 1 faulted 2" in said
    assert "fault drop-ltkm:item=2" in said
    assert "No rule was broken." in said
    assert headline(page_of([faulted])) == "Every exchange has faults put in, so nothing counts against the server"


def test_a_run_that_was_killed_says_so_and_one_that_ended_does_not(trial: list[Record], page: str) -> None:
    said = "The records have no end"
    assert said in page_of(trial[:-1])
    assert said not in page
    assert tiles(page_of(trial[:-1])) == tiles(page)
    assert said not in page_of(trial + trial)  # two runs in one file
    assert said in page_of(trial + trial[:-1])


def test_every_broken_rule_says_what_is_wrong_why_and_what_to_do(trial: list[Record], page: str) -> None:
    broken = {finding["rule"] for record in trial[:-1] for finding in record["findings"]}
    section = page[page.index('<section id="findings"') : page.index('<section id="exchanges"')]
    entries = dict(re.findall(r'<details class="rule" id="rule-([\w-]+)">(.*?)</details>', section, re.S))
    assert set(entries) == broken
    for id, entry in entries.items():
        said = text_of(entry.replace("<code>", "`").replace("</code>", "`"))
        for paragraph in [*RULES[id].paragraphs, *map(str, RULES[id].clauses)]:
            assert " ".join(paragraph.split()) in said
    count = sum(finding["rule"] == "msk-id-mismatch" for record in trial[:-1] for finding in record["findings"])
    assert re.search(
        rf"findings </span>{count}<.*?exchanges </span>1<.*?terminals </span>1<", entries["msk-id-mismatch"]
    )


def test_a_finding_of_a_rule_that_is_not_ours_is_shown_with_what_the_record_says() -> None:
    foreign = copy.deepcopy(FLAWED)
    foreign["findings"][0] |= {
        "rule": "rule-of-tomorrow",
        "title": "Something else is wrong.",
        "clauses": ["RFC 9999 §1"],
    }
    said = text_of(page_of([foreign]))
    assert "Something else is wrong. rule-of-tomorrow RFC 9999 §1" in said


def test_notes_are_no_findings(trial: list[Record], page: str) -> None:
    findings = page[page.index('<section id="findings"') : page.index('<section id="exchanges"')]
    notes = page[page.index('<section id="notes"') : page.index('<section id="answers"')]
    noted = {note["rule"] for record in trial[:-1] for note in record["notes"]}
    assert set(re.findall(r'<details class="rule" id="note-([\w-]+)"', notes)) == noted
    assert not any(f'id="rule-{rule}"' in findings for rule in noted)


def test_every_rule_has_its_answers(trial: list[Record], page: str) -> None:
    answers = page[page.index('<section id="answers"') : page.index("</main>")]
    rules = re.findall(r'<th scope="row"><span class="id">([\w-]+)</span>', answers)
    assert rules == list(trial[0]["outcomes"])


def test_the_fields_of_an_ltkm_stand_where_the_codec_has_them(trial: list[Record], page: str) -> None:
    number, record = next(
        (number, record) for number, record in enumerate(trial) if record["verdict"] == "clean" and record["items"]
    )
    octets = bytes.fromhex(record["items"][0]["ltkms"][0]["octets"])
    (shown,) = ltkms(data_of(page, number))
    assert shown["o"] == octets.hex()
    spans = {path: (span.start, span.end) for path, span in mikey.spans(octets).items()}
    whole = {path for path in spans if path.endswith("].value") and path.startswith("EXT[") and path.count(".") == 1}
    assert whole  # the data of an extension is no field of its own: its fields stand directly below the payload
    assert {path: (start, end) for _, _, path, _, start, end in shown["r"] if start >= 0} == {
        path: span for path, span in spans.items() if path not in whole
    }
    starts = [start for _, _, path, _, start, _ in shown["r"] if start >= 0 and not path.startswith("HDR")]
    assert starts == sorted(starts)
    values = {path: value for _, _, path, value, _, _ in shown["r"]}
    assert values["RAND.value"] == record["items"][0]["ltkms"][0]["message"]["payloads"][3]["fields"]["value"]
    assert (values["ID[1].length"], values["KEMAC.encr_data_length"]) == ("14", "26")
    assert values["ID[1].value"].endswith("(bmsc.home1.net)")


def test_without_octets_the_same_fields_come_from_the_decoded_message(trial: list[Record]) -> None:
    seen = [each for record in trial[:-1] for item in record["items"] for each in item["ltkms"] if each["octets"]]
    assert len(seen) > 40
    for each in seen:
        whole, without = ltkm_view(each), ltkm_view({**each, "octets": None})
        assert without["o"] == ""
        # lengths are no fields of the decoded message
        expected = [row[:3] for row in whole["r"] if not row[1].endswith("length")]
        assert sorted(row[:3] for row in without["r"]) == sorted(expected)


def test_masked_octets_are_no_octets() -> None:
    each = CLEAN["items"][0]["ltkms"][0]
    assert ltkm_view({**each, "octets": "**" + each["octets"][2:]}) == ltkm_view({**each, "octets": None})


def test_a_key_in_the_clear_is_on_no_page() -> None:
    message = ltkm(FIRST)
    kemac = Kemac(0, FIRST.plaintext, 0, b"")
    clear = replace(message, payloads=(*message.payloads[:-1], kemac))
    record = record_of(exchange([FIRST.msk_id], [(FIRST, "200 OK", clear)]))
    each = record["items"][0]["ltkms"][0]
    zeros = clear.encode().replace(FIRST.plaintext, bytes(len(FIRST.plaintext))).hex()
    assert each["octets"] == zeros
    for octets in (None, zeros, clear.encode().hex()):  # whoever made the record
        each["octets"] = octets
        page = page_of([record])
        assert FIRST.msk.hex() not in page.lower()
        assert base64.b64encode(FIRST.msk).decode() not in page
        (shown,) = ltkms(data_of(page, 0))
        values = {path: value for _, _, path, value, _, _ in shown["r"]}
        assert values["KEMAC.encr_data"] == f"{len(FIRST.plaintext)} octets, hidden"
        assert values["KEMAC.key_data[1].type"] == "2 (TEK)"  # not what zeros would be read as
        assert ("--" * len(FIRST.plaintext) in shown["o"]) == (octets is not None)


def test_where_names_stand_for_identities_the_fields_show_the_names_and_keep_their_places() -> None:
    each = copy.deepcopy(CLEAN["items"][0]["ltkms"][0])
    expected = ltkm_view(each)["r"]
    identity = each["message"]["payloads"][5]["fields"]
    redacted = bytes.fromhex(each["octets"]).replace(
        bytes.fromhex(identity["value"]), b"*" * (len(identity["value"]) // 2)
    )
    identity |= {"value": "identity-0123456789", "value_text": "identity-0123456789"}
    shown = ltkm_view({**each, "octets": redacted.hex()})["r"]
    assert sorted(row[2] + str(row[4:]) for row in shown) == sorted(row[2] + str(row[4:]) for row in expected)
    assert {row[2]: row[3] for row in shown}["ID[2].value"] == "identity-0123456789"


def test_what_the_key_ring_told_is_shown() -> None:
    record = copy.deepcopy(CLEAN)
    record["items"][0]["ltkms"][0]["key"] = {
        **{
            "verdict": "valid",
            "reason": "",
            "b_tid": "someone@bsf",
            "muk": 1,
            "tried": 2,
            "type": 2,
            "type_name": "TEK",
        },
        **{"length": 16, "seq_l": 0, "seq_u": 4095, "valid_from": None, "valid_to": None, "spi": None},
        **{"check_value": "fde4fb", "key": None, "further": []},
    }
    (shown,) = ltkms(data_of(page_of([record]), 0))
    assert dict(map(tuple, shown["k"])) == {
        **{"MAC": "valid", "Key ring entry": "someone@bsf", "MUK": "1", "MUKs tried": "2"},
        **{"Key": "TEK of 16 octets", "SEQ": "0 to 4095", "Check value": "fde4fb"},
    }


def test_a_very_large_ltkm_is_shown_in_part_and_says_so() -> None:
    octets = ltkm(FIRST).encode()[:8] + b"\x00\x01" + b"\0" * 70_000
    shown = ltkm_view({"ltkm": 1, "octets": octets.hex(), "length": len(octets), "message": None})
    assert len(shown["o"]) == 2 * 16_384
    assert shown["l"] == len(octets)


def test_the_run_and_the_session_are_told_and_unknown_records_are_not() -> None:
    run = {
        **{"schema": "ltkm-inspect/run/1", "version": "9.9", "started": "2009-10-28T08:00:00.000Z", "redacted": True},
        **{"sources": ["a.flow", "b.har"], "options": {"strict": True, "select": [], "profile": "usim", "keys": None}},
    }
    muk = {"idi": "00", "idi_text": "bsm", "idr": "01", "idr_text": "me", "counter": 7, "delivered": None, "ltkms": 3}
    session = {"schema": "ltkm-inspect/session/1", "terminals": [], "muks": [muk], "forgotten": {}}
    page = page_of([run, CLEAN, session, {"schema": "ltkm-inspect/weather/1", "sky": "never-shown"}])
    said = text_of(page)
    assert "ltkm-inspect 9.9" in said
    assert "Sources a.flow, b.har ltkm_strict yes ltkm_profile usim" in said
    assert "bsm me 3 7" in said
    assert "names replace identities and addresses" in said
    assert "never-shown" not in page


def test_terminals_are_in_the_timeline_the_worst_first_with_a_mark_where_they_are() -> None:
    hours = ("2009-10-28T08:00:00.000Z", "2009-10-28T10:00:00.000Z", "2009-10-28T12:00:00.000Z")
    records = [
        {**CLEAN, "terminal": "quiet", "terminal_name": "quiet", "started": hours[0]},
        {**FLAWED, "terminal": "loud", "terminal_name": "loud", "started": hours[1]},
        {**CLEAN, "terminal": "quiet", "terminal_name": "quiet", "started": hours[2]},
        {**CLEAN, "terminal": "lost", "terminal_name": "lost", "started": None},
    ]
    page = page_of(records)
    chart = page[page.index('<div class="chart"') : page.index("</section>", page.index('<div class="chart"'))]
    assert re.findall(r'class="who wire"[^>]*>(\w+)<', chart) == ["loud", "quiet"]
    marks = re.findall(r'<use class="(\w+)" href="#s-\w+" x="([\d.]+)%"[^>]* data-x="(\d)" aria-label="([^"]*)"', chart)
    assert [(verdict, number, label) for verdict, _, number, label in marks] == [
        ("violation", "1", "10:00:00: violation"),
        ("clean", "0", "08:00:00: clean"),
        ("clean", "2", "12:00:00: clean"),
    ]
    places = [float(place) for _, place, _, _ in marks]
    assert places == pytest.approx([50, 0, 100], abs=1)
    assert "1 exchange without a time is not in the timeline." in text_of(page)


def test_thousands_of_exchanges_and_terminals_make_a_bounded_timeline() -> None:
    records = (
        {
            **CLEAN,
            "terminal": f"t{number % 700}",
            "terminal_name": f"t{number % 700}",
            "started": f"2009-10-28T{number % 24:02}:{number % 60:02}:00.000Z",
        }
        for number in range(14_000)
    )
    page = page_of(records)
    assert page.count('class="who wire"') == 500
    assert "200 further terminals" in text_of(page)
    assert page.count('role="button" tabindex="-1"') <= 500 * 120


@pytest.mark.parametrize("started", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_any_time_that_a_record_can_have_is_drawn(started: str) -> None:
    page = page_of([{**CLEAN, "started": started}, CLEAN])
    assert page.count('role="button" tabindex="-1"') == 2


def test_no_more_is_kept_of_the_records_than_the_page_shows() -> None:
    class Watched(dict[str, Any]):
        """A record that can be watched as it goes."""

    gone: list[int] = []
    held: list[int] = []

    class Run:
        """Records that can be gone through more than once."""

        def __iter__(self) -> Iterator[Watched]:
            for number in range(50):
                record = Watched(copy.deepcopy(FLAWED if number % 2 else CLEAN))
                weakref.finalize(record, gone.append, number)
                yield record
                del record
                held.append(len(held) + 1 - len(gone))

    page_of(Run())
    assert len(held) == 100
    assert max(held) <= 1


def test_the_policy_allows_the_style_and_script_of_the_page_and_nothing_else(page: str) -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = dict(part.strip().split(" ", 1) for part in found[1].replace("&#39;", "'").split(";"))
    inline = {
        "style-src": re.findall(r"<style>(.*?)</style>", page, re.S),
        "script-src": re.findall(r"<script>(.*?)</script>", page, re.S),
    }
    for kind, texts in inline.items():
        assert [policy[kind]] == [
            f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts
        ]
    others = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    assert policy == {**policy, **others}
    assert set(policy) == {*inline, *others}


def test_no_source_of_the_page_names_anything_outside_it() -> None:
    folder = files("ltkm_inspect.report") / "templates"
    sources = [entry.read_text("utf-8") for entry in folder.iterdir()]
    assert len(sources) == 10
    for source in sources:
        assert not re.search(
            r"https?:|\burl\(|@import|@font-face|<link|\bsrc=|<iframe|<img|innerHTML|\bfetch\b", source
        )


def test_a_page_is_the_same_each_time(trial: list[Record], page: str) -> None:
    assert page_of(trial) == page


def test_the_page_of_a_challenge_and_of_a_missing_response_can_be_made() -> None:
    unanswered = replace(challenge([FIRST.msk_id]), response=None, started=None, ended=None, error="connection reset")
    page = page_of([record_of(unanswered), record_of(challenge([SECOND.msk_id]))])
    assert "no response (connection reset)" in text_of(page)
