"""A rule that declares `shape_only` looks at the shape of a message alone; any other rule runs on every message."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.fault import FAULTS
from ltkm_inspect.finding import Answer, Level, Outcome, Problem
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mikey import Identity, Kemac, Message, Rand, Timestamp, decode, message_shape
from ltkm_inspect.mikey.shape import CSB_ID, unshared_fields
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.session import OpenedLtkm, Session
from ltkm_inspect.spec import RFC3830
from ltkm_inspect.traffic import Event, Exchange
from tests.catalogue.test_closed_loop import damaged

type Answers = dict[str, tuple[Outcome, list[str]]]
"""What each rule answers for the last exchange of a session, with the lines of its findings."""


def answers(exchanges: Iterable[Event], settings: Settings) -> Answers:
    context = Context(settings, KeyRing(), Session())
    *_, last = [inspect(exchange, context) for exchange in exchanges]
    said = (*last.findings, *last.notes)
    return {id: (answer, [each.line for each in said if each.rule == id]) for id, answer in last.outcomes.items()}


@cache
def warm(select: frozenset[str] = frozenset()) -> Settings:
    """Return settings under which the clean references were inspected."""
    settings = Settings(debug=True, select=select)
    for name in reference.REFERENCES:
        answers(reference.reference(name), settings)
    return settings


def lied(exchanges: Iterable[Event], settings: Settings) -> list[str]:
    """Return the rules whose answer under these settings is not the one that they give when nothing is remembered."""
    exchanges = tuple(exchanges)
    cold = answers(exchanges, Settings(debug=True, select=settings.select))
    found = answers(exchanges, settings)
    return [id for id, answer in cold.items() if found[id] != answer]


def varied(exchange: Exchange, octet: int) -> Exchange:
    """Return the exchange with that octet throughout every field which two messages never have in common."""
    response = exchange.response
    if exchange.document is None or response is None or response.body is None:
        return exchange
    body = response.body
    for ltkm in exchange.document.ltkms:
        if ltkm.message is not None and ltkm.octets is not None:
            new = _varied(ltkm.message, ltkm.octets, octet)
            body = body.replace(b64encode(ltkm.octets), b64encode(new))
    return replace(exchange, response=replace(response, body=body))


def _varied(message: Message, octets: bytes, octet: int) -> bytes:
    new = bytearray(octets)
    if message.header is not None and message.header.csb_id:
        new[CSB_ID.start : CSB_ID.end] = bytes((octet or 1,)) * 4
    for payload, offset in zip(message.payloads, message.offsets, strict=True):
        for _, start, end in unshared_fields(payload, offset):
            new[start:end] = bytes((octet,)) * (end - start)
        if isinstance(payload, Identity) and payload.value.isascii():
            new[offset + 4 : offset + 4 + len(payload.value)] = bytes((octet & 0x7F,)) * len(payload.value)
    assert message_shape(message, octets) == message_shape(decode(bytes(new)), bytes(new))
    return bytes(new)


@pytest.mark.parametrize("id", [fault.id for fault in FAULTS.values() if fault.on is not OpenedLtkm])
def test_rules_answer_a_fault_the_same_behind_a_warm_cache(id: str) -> None:
    assert lied(damaged(id, "without keys"), warm()) == []


@pytest.mark.parametrize("octet", [0, 0x41, 0xFF])
@pytest.mark.parametrize("name", reference.REFERENCES)
def test_rules_answer_the_same_whatever_the_fields_hold_that_no_shape_has(name: str, octet: int) -> None:
    *before, last = reference.reference(name)
    assert lied([*before, varied(last, octet)], warm()) == []


LOOKS: dict[str, tuple[type, Callable[[Any], bytes]]] = {
    "csb-id": (Message, lambda message: message.header.csb_id.to_bytes(4)),
    "timestamp": (Timestamp, lambda timestamp: timestamp.value),
    "rand": (Rand, lambda rand: rand.value),
    "encr-data": (Kemac, lambda kemac: kemac.encr_data),
    "mac": (Kemac, lambda kemac: kemac.mac),
    "identity": (Identity, lambda identity: identity.value),
}
"""What a shape leaves out, by the class to find it on."""


@pytest.mark.parametrize("shape_only", [True, False], ids=["declared", "not declared"])
@pytest.mark.parametrize("name", LOOKS)
def test_a_rule_that_looks_beyond_the_shape_is_named_if_it_declares_otherwise_and_else_runs(
    name: str, shape_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    on, look = LOOKS[name]

    def check(subject: Any) -> Iterator[Problem]:
        if len(set(look(subject))) == 1:
            yield Problem("", "octets that differ", "the same octet throughout")

    id = f"{name}-constant"
    clause = RFC3830["6"](says="nothing of the kind; for a test")
    rule = Rule(id, on, check, (clause,), Level.WARNING, takes_context=False, shape_only=shape_only)
    monkeypatch.setitem(RULES, id, rule)
    settings = Settings(debug=True, select=frozenset({id}))
    (clean,) = reference.reference("download")
    assert answers([clean], settings)[id][0].answer is Answer.PASSED
    assert lied([varied(clean, 0x41)], settings) == ([id] if shape_only else [])
    assert lied([clean], settings) == []


def test_only_a_rule_on_a_message_or_a_payload_can_declare_it() -> None:
    with pytest.raises(ValueError, match="expected a message or a payload for shape_only, got Exchange"):
        replace(RULES["status-not-200"], shape_only=True)
