"""Redaction: no B-TID, IMPI or address is in anything that is said, and a name is the same within a run only."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.cli import commands
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.exchange import Exchange
from ltkm_inspect.mikey import Identity
from ltkm_inspect.proxy.reading import exchanges
from ltkm_inspect.reference import AGAIN, B_TID, FIRST, SECOND, TERMINAL, Terminal, ltkm
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.redaction import Redaction
from ltkm_inspect.session import Session
from tests.proxy.parts import ROOT, TRIAL, clean

FLOWS = [
    TRIAL,
    *(ROOT / "flows" / name for name in ("change-request.flow", "mbs.flow")),
    *sorted((ROOT / "flows" / "faults").glob("*.flow")),
]


def forms(value: str) -> tuple[str, str]:
    """Return an identity or address as text and as hex, in lower case."""
    return value.lower(), value.encode("utf-8", "surrogateescape").hex()


def personal(exchange: Exchange) -> Iterator[str]:
    """Yield what tells who somebody is, found without the code under test."""
    authorization = exchange.request.headers.get("Authorization") or ""
    yield from re.findall(r'username="([^"]+)"', authorization)
    for address in (exchange.client, exchange.server):
        yield address.rpartition(":")[0].strip("[]")
    for each in exchange.document.ltkms if exchange.document else ():
        for found in re.findall(rb"[A-Za-z0-9+/.]+=*@[a-z0-9.]+", each.octets or b""):
            yield found.decode()


def found_in(said: Iterable[str], values: Iterable[str]) -> list[str]:
    """Return the values that stand in what is said, in any of their forms."""
    everything = "\n".join(said).lower()
    return [value for value in dict.fromkeys(values) if value and any(form in everything for form in forms(value))]


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
@pytest.mark.parametrize("shape", ["text", "jsonl"])
def test_check_says_nothing_of_who_asked(path: Path, shape: str) -> None:
    values = {value for each in exchanges(path) if isinstance(each, Exchange) for value in personal(each)}
    assert values
    shown = CliRunner().invoke(commands, ["check", "--format", shape, str(path)])
    hidden = CliRunner().invoke(commands, ["check", "--redact", "--format", shape, str(path)])
    assert found_in([hidden.output], values) == []
    assert hidden.exit_code == shown.exit_code
    assert hidden.output.count("\n") == shown.output.count("\n")
    if shape == "jsonl":
        assert found_in([shown.output], values)
        # the first record is that of the run, and each began at a time of its own
        told = (map(json.loads, each.stdout.splitlines()[1:]) for each in (shown, hidden))
        for before, after in zip(*told, strict=True):
            for name in ("verdict", "counts", "started", "status", "id"):
                assert before.get(name) == after.get(name)


def test_decode_says_nothing_of_the_terminal() -> None:
    octets = ltkm(FIRST).encode()
    for shape in ("text", "jsonl"):
        for given_octets in (octets, octets[:100], octets[:12] + b"\x63" + octets[13:], b"\x02" + octets[1:]):
            hidden = CliRunner().invoke(commands, ["decode", "--redact", "--format", shape, given_octets.hex()])
            assert found_in([hidden.output], [B_TID, B_TID[:30]]) == [], given_octets.hex()
            assert hidden.output


def test_a_terminal_keeps_its_name_within_a_run_and_has_another_in_the_next() -> None:
    first, again = clean(), reference.exchange([AGAIN.msk_id], [(AGAIN, "200 OK", ltkm(AGAIN))])
    redaction, other = Redaction(), Redaction()
    names = [redaction.veil(each).text(B_TID) for each in (first, again)]
    assert names[0] == names[1] == redaction.identity(B_TID) == redaction.terminal(B_TID)
    assert other.veil(first).text(B_TID) not in (B_TID, names[0])


def test_what_an_exchange_says_of_an_earlier_terminal_is_hidden_too() -> None:
    plain = Terminal(b_tid="terminal one")
    redaction, context = Redaction(), Context(session=Session())
    said = []
    for number, (terminal, grant) in enumerate([(TERMINAL, FIRST), (plain, SECOND), (TERMINAL, AGAIN)]):
        exchange = reference.exchange([grant.msk_id], [(grant, "200 OK", ltkm(grant, terminal))], terminal=terminal)
        exchange = replace(exchange, id=str(number), connection="one", started=float(number))
        report = inspect(exchange, context)
        assert number < 2 or "after terminal one" in "\n".join(each.text for each in (*report.findings, *report.notes))
        veil = redaction.veil(exchange)
        said += [veil.text(line) for line in text.lines(report)] + [jsonl.exchange_line(report, veil=veil)]
    assert found_in(said, ["terminal one", B_TID]) == []


def test_addresses_in_every_place_have_one_name_and_keep_their_port() -> None:
    exchange = replace(
        clean(), client="[2001:db8::7]:40001", server="192.0.2.80:8080", connection="[2001:db8::7]:40001"
    )
    exchange = replace(exchange, request=replace(exchange.request, host="192.0.2.80", port=8080))
    redaction = Redaction()
    record = json.loads(jsonl.exchange_line(inspect(exchange), veil=redaction.veil(exchange)))
    client, server = redaction.address("2001:db8::7"), redaction.address("192.0.2.80")
    assert record["client"] == f"[{client}]:40001"
    assert record["server"] == f"{server}:8080"
    assert record["url"].startswith(f"http://{server}:8080/")
    assert redaction.terminal("[2001:db8::7]:40001") == f"{client}:40001"


@pytest.mark.parametrize(
    "kept",
    [
        "3GPP TS 33.246 6.4.5.1; RFC 3830 §6.2",
        "realm 3GPP-bootstrapping@bmsc.home1.net",
        "expected bmsc.home1.net, got bsm.home2.net",
        "urn:oma:xml:bcast:pr:orderqueries:1.0",
        "application/mbms-msk-response+xml",
        "/keymanagement?requesttype=msk-request",
    ],
)
def test_what_is_no_identity_is_kept(kept: str) -> None:
    assert Redaction().veil(clean()).text(kept) == kept


@given(
    st.text(min_size=5, max_size=60).filter(lambda text: text.strip() and not re.fullmatch(r"[\w.-]+", text)),
    st.booleans(),
)
@example("alice in wonderland", True)
@example('"quoted\\"', False)
@example("\x1b[31m\u202e@x", True)
@example("46000123456789" * 10 + "@ims.mnc001.mcc001.3gppnetwork.org", True)
def test_an_identity_of_any_characters_is_hidden(b_tid: str, padded: bool) -> None:
    terminal = Terminal(b_tid=f"{b_tid} at home" if padded else b_tid)
    value = terminal.b_tid.encode("utf-8", "surrogatepass")
    grant = replace(FIRST, counter=7)
    message = ltkm(grant, replace(terminal, b_tid="x"))
    payloads = tuple(Identity(0, value) if each == Identity(0, b"x") else each for each in message.payloads)
    exchange = reference.exchange([grant.msk_id], [(grant, "200 OK", replace(message, payloads=payloads))])
    redaction = Redaction()
    veil = redaction.veil(exchange)
    report = inspect(exchange)
    said = [*map(veil.text, text.lines(report)), jsonl.exchange_line(report, veil=veil)]
    assert value.hex() not in "\n".join(said)
    if value.isascii() and terminal.b_tid.isprintable() and "\\" not in terminal.b_tid:
        assert f"got {terminal.b_tid}" not in "\n".join(said)


def test_masked_octets_are_as_many_as_before() -> None:
    octets = ltkm(FIRST).encode()
    masked = Redaction().veil(clean()).octets(octets)
    assert len(masked) == len(octets)
    assert B_TID.encode() not in masked
    assert [place for place, (old, new) in enumerate(zip(octets, masked, strict=True)) if old != new] == [
        place for place in range(len(octets)) if 77 <= place < 115 and octets[place] != ord("*")
    ]


@pytest.mark.parametrize("text", ["a" * 300_000, "a@" * 100_000, "=" * 300_000, "%40" * 100_000, "0a" * 200_000])
def test_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    veil = Redaction().veil(clean())
    best = min(_seconds(veil.text, text) for _ in range(3))
    assert best < 1.0
    octets = ltkm(FIRST).encode() + text.encode()
    assert min(_seconds(lambda each: Redaction().veil_of(None, each), octets) for _ in range(3)) < 1.0


def _seconds(function: object, argument: object) -> float:
    assert callable(function)
    begun = time.perf_counter()
    function(argument)
    return time.perf_counter() - begun
