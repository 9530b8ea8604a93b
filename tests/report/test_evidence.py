"""The evidence in a record: what request and response were, as text, without keys and without identities."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from ltkm_inspect.engine import inspect
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mikey import Kemac
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.redactor import NO_REDACTOR
from ltkm_inspect.reference import FIRST, exchange, ltkm, reference
from ltkm_inspect.report import evidence, jsonl
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import TRIAL, edited, flawed


def record(exchange: Exchange, keys: Keys = NO_KEYS, *, redacted: bool = False) -> dict[str, Any]:
    """Return the record of an exchange."""
    redactor = Redaction().redactor(exchange) if redacted else NO_REDACTOR
    found: dict[str, Any] = json.loads(jsonl.exchange_line(inspect(exchange), keys=keys, redactor=redactor))
    return found


def clear() -> Exchange:
    """An exchange that delivers a key in the clear, and has a finding."""
    message = ltkm(FIRST)
    kemac = Kemac(0, FIRST.plaintext, 0, b"")
    return exchange([FIRST.msk_id], [(FIRST, "200 OK", replace(message, payloads=(*message.payloads[:-1], kemac)))])


def test_a_finding_names_characters_of_the_body() -> None:
    found = record(flawed())
    (finding,) = found["findings"]
    (place,) = found["response"]["places"]
    assert place[:2] == finding["octets"]
    assert found["response"]["body"][slice(*place[2:])].startswith("<Response><MSK>")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_characters_are_found_in_every_encoding(encoding: str) -> None:
    plain = edited(flawed(), "<Response>", "<!-- \xe9\xe9 --><Response>")
    assert plain.response is not None
    text = (plain.response.body or b"").decode().replace("UTF-8", encoding)
    found = record(replace(plain, response=plain.response.with_content(text.encode(encoding))))
    octets, length = next(
        (each["octets"], found["response"]["length"]) for each in found["findings"] if each["rule"] == "ltkm-missing"
    )
    assert length == len(text.encode(encoding))
    place = next(place for place in found["response"]["places"] if place[:2] == octets)
    element = found["response"]["body"][slice(*place[2:])]
    assert element.startswith("<Response>")
    assert element.endswith("</Response>")


def test_a_clean_exchange_has_evidence_only_for_a_page(tmp_path: Path) -> None:
    report = inspect(reference("download")[0])
    assert not report.findings
    without, with_evidence = jsonl.exchange_record(report), jsonl.exchange_record(report, for_page=True)
    assert (without["request"], without["response"]) == (None, None)
    assert with_evidence["request"]["line"].startswith("POST /keymanagement")
    assert with_evidence["response"]["line"] == "HTTP/1.1 200 OK"
    assert inspect(flawed()).findings
    for format, has in (("text", False), ("html", True)):
        targets = [f"jsonl={tmp_path / 'out.jsonl'}", f"{format}={tmp_path / 'out'}"]
        CliRunner().invoke(commands, ["check", *(f"--report={each}" for each in targets), str(TRIAL)])
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        clean = next(each for each in map(json.loads, lines) if each.get("verdict") == "clean")
        assert (clean["response"] is not None) is has


@pytest.mark.parametrize("where", ["<bcast:LTKM>{}</bcast:LTKM>", "<!-- {} -->", "<![CDATA[ {} ]]>", "<a b='{}'/>"])
def test_a_key_in_the_clear_is_in_no_body_unless_it_is_to_be_shown(where: str) -> None:
    plain = clear()
    text = (plain.response.body or b"").decode() if plain.response else ""
    encoded = text.partition("<bcast:LTKM>")[2].partition("<")[0]
    moved = edited(plain, f"<bcast:LTKM>{encoded}</bcast:LTKM>", where.format(encoded) + "<MSKID/>")
    found = record(moved)
    assert found["findings"]
    assert encoded[-40:] not in found["response"]["body"]
    assert encoded in record(moved, Keys(KeyRing(()), show=True))["response"]["body"]


def test_a_key_in_the_clear_is_not_shown_in_parts() -> None:
    plain = clear()
    text = (plain.response.body or b"").decode() if plain.response else ""
    encoded = text.partition("<bcast:LTKM>")[2].partition("<")[0]
    parts = edited(plain, encoded, f"{encoded[:-40]}<!-- and -->{encoded[-40:]}")
    body = record(parts)["response"]["body"]
    assert encoded[-40:] not in body
    assert "<!-- and -->" not in body
    assert "<bcast:LTKM>(" in body


@pytest.mark.parametrize("spelled", [bytes, lambda octets: octets.hex().encode()], ids=["octets", "hex"])
def test_a_key_in_the_clear_is_shown_in_no_other_form(spelled: Callable[[bytes], bytes]) -> None:
    plain = clear()
    assert plain.response is not None
    octets = base64.b64decode((plain.response.body or b"").partition(b"<bcast:LTKM>")[2].partition(b"<")[0])
    parts = b"--part\r\n\r\n<a/>\r\n--part\r\nContent-Type: text/x\r\n\r\n" + spelled(octets) + b"\r\n--part--\r\n"
    found = record(replace(plain, response=plain.response.with_content(parts)))
    assert found["findings"]
    body = found["response"]["body"]
    assert FIRST.msk.hex() not in body
    assert FIRST.msk.decode("utf-8", "surrogateescape")[:4] not in body
    assert body.startswith("--part\r\n\r\n<a/>")


def test_a_redacted_record_shows_no_identity_and_leads_to_the_same_element() -> None:
    original = flawed()
    b_tid = original.terminal
    marked = edited(original, "<Response>", f"<!-- {b_tid} --><Response>")
    plain, found = record(marked), record(marked, redacted=True)
    assert b_tid in json.dumps(plain["request"])
    assert b_tid in plain["response"]["body"]
    assert b_tid not in json.dumps(found)
    assert original.client.partition(":")[0] not in json.dumps(found)
    places = list(zip(plain["response"]["places"], found["response"]["places"], strict=True))
    assert places
    for before, after in places:
        assert before[:2] == after[:2]
        assert found["response"]["body"][slice(*after[2:])].startswith("<Response><MSK>")
        assert after[2] != before[2]


def test_what_lets_anybody_in_is_not_kept() -> None:
    plain = flawed()
    fields = ((b"Cookie", b"session=opensesame"), (b"Authorization", b"Basic b3BlbnNlc2FtZQ=="))
    request = replace(
        plain.request, headers=replace(plain.request.headers, fields=plain.request.headers.fields + fields)
    )
    kept = record(replace(plain, request=request))["request"]["headers"]
    assert kept[-2:] == [["Cookie", "(18 characters)"], ["Authorization", "Basic (16 characters)"]]
    assert any(value.startswith("Digest username=") for _, value in kept)


def test_what_is_kept_of_request_and_response_is_bounded() -> None:
    long = edited(
        flawed(), "<Response>", f"<!-- {'x' * 40_000} --><a>{'y' * 10_000}</a><b>{'z' * 10_000}</b><Response>"
    )
    assert long.response is not None
    headers = replace(long.response.headers, fields=((b"X", b"v" * 5000),) * 500 + long.response.headers.fields)
    found = record(replace(long, response=replace(long.response, headers=headers)))["response"]
    assert len(found["body"]) < evidence.LONGEST_BODY + 50
    assert "(40009 characters)" in found["body"]
    assert len(found["headers"]) == evidence.MOST_FIELDS
    assert max(len(value) for _, value in found["headers"]) < 1100
    assert all(place[3] <= len(found["body"]) for place in found["places"])
