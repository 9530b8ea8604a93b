"""Faults in live responses, without a process of their own: which are hit, what is told, and what the session knows."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.addons.serverplayback import ServerPlayback
from mitmproxy.http import HTTPFlow
from mitmproxy.log import ALERT
from mitmproxy.test import taddons, tflow

from ltkm_inspect.fault import FAULTS
from ltkm_inspect.finding import Level
from ltkm_inspect.mitm.flows import FAULT, exchange_of, flow_of
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.reference import B_TID, FIRST, SECOND, TERMINAL, reference
from ltkm_inspect.rewriting.recording import only_in_recordings
from ltkm_inspect.selection import short_name
from ltkm_inspect.traffic import Exchange
from tests.loopback.bsm import ring_text
from tests.proxy.parts import clean, flawed


class Stage:
    """The addon on the stage of mitmproxy's own test tools."""

    def __init__(self, context: Any, caplog: pytest.LogCaptureFixture) -> None:
        """Load the addon into a context."""
        self.context, self.caplog = context, caplog
        self.addon = LtkmInspect()
        context.options.add_option("stream_large_bodies", str, "", "")
        context.master.addons.add(self.addon)
        context.configure(self.addon, ltkm_strict=False)

    def set(self, **options: Any) -> None:
        """Change options while running."""
        self.context.options.update(**options)

    def pass_on(self, exchange: Exchange, **attributes: Any) -> HTTPFlow:
        """Let a live exchange pass, and return its flow."""
        flow = flow_of(exchange)
        flow.live = True
        for name, value in attributes.items():
            setattr(flow, name, value)
        self.respond(flow)
        return flow

    def respond(self, flow: HTTPFlow) -> None:
        """Run the hook of a response to its end."""
        held = self.addon.response(flow)
        if held is not None:
            asyncio.run(_wait_for(held))

    @property
    def log(self) -> list[str]:
        """What was logged so far."""
        return [record.getMessage() for record in self.caplog.records]

    def heard(self, text: str, level: int | None = None) -> bool:
        """Tell whether a line with that text was logged, at that level."""
        return any(text in each.getMessage() and level in (None, each.levelno) for each in self.caplog.records)


async def _wait_for(held: Any) -> None:
    await held


@pytest.fixture
def stage(caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    caplog.set_level(logging.INFO)
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        stage = Stage(context, caplog)
        yield stage
        stage.addon.done()


def later(exchange: Exchange, number: int, terminal: str = B_TID) -> Exchange:
    """Return the same once more, as another exchange of a terminal."""
    assert exchange.request.credentials is not None
    request = exchange.request.with_credentials(exchange.request.credentials.refilled({"username": terminal}))
    started = (exchange.started or 0.0) + number
    return replace(exchange, request=request, id="", started=started, ended=started)


def faulted(flow: HTTPFlow) -> bool:
    """Tell whether a flow says that a fault is in it."""
    return FAULT in flow.metadata


def body(flow: HTTPFlow) -> bytes | None:
    """Return the body of the response as sent."""
    assert flow.response is not None
    return flow.response.raw_content


def test_only_live_flows_are_hit_and_each_once(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"])
    loaded = flow_of(clean())
    before = body(loaded)
    stage.respond(loaded)
    assert body(loaded) == before
    live = stage.pass_on(clean())
    after = body(live)
    assert after != before
    stage.respond(live)
    assert body(live) == after
    assert live.metadata[FAULT] == ["shorten-rand"]


def test_a_dropped_response_is_left_alone(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"])
    flow = flow_of(clean())
    flow.live, flow.error = True, tflow.terr()
    before = body(flow)
    stage.addon.error(flow)
    stage.respond(flow)
    assert body(flow) == before


def test_several_faults_are_put_in_in_their_order(stage: Stage) -> None:
    stage.set(ltkm_fault=["rename-ltkm:name=Ltkm", "replace-response-code:code=404 Not Found", "shorten-rand:octets=4"])
    flow = stage.pass_on(clean())
    assert exchange_of(flow).faults == (
        "rename-ltkm:name=Ltkm",
        "replace-response-code:code=404 Not Found",
        "shorten-rand:octets=4",
    )
    assert b"Ltkm>" in (body(flow) or b"")
    assert b"404 Not Found" in (body(flow) or b"")


@pytest.mark.parametrize(
    ("options", "hit"),
    [
        pytest.param({"ltkm_fault_filter": "~m POST"}, True, id="filter"),
        pytest.param({"ltkm_fault_filter": "~m GET"}, False, id="other-filter"),
        pytest.param({"ltkm_fault_terminal": [B_TID]}, True, id="b-tid"),
        pytest.param({"ltkm_fault_terminal": ["somebody@else"]}, False, id="other-b-tid"),
        pytest.param({"ltkm_fault_terminal": ["somebody@else", "192.0.2.10"]}, True, id="one-of-two"),
        pytest.param({"ltkm_fault_msk": [FIRST.key_domain.hex()]}, True, id="domain"),
        pytest.param({"ltkm_fault_msk": ["ffffff", FIRST.key_domain.hex()]}, True, id="one-of-two-domains"),
        pytest.param({"ltkm_fault_msk": [f"{FIRST.key_domain.hex()}/ffff"]}, False, id="other-group"),
        pytest.param({"ltkm_fault_msk": [FIRST.key_domain.hex()], "ltkm_fault_filter": "~m GET"}, False, id="both"),
    ],
)
def test_every_kind_of_selector_has_to_match(stage: Stage, options: dict[str, Any], hit: bool) -> None:
    stage.set(ltkm_fault=["shorten-rand"], **options)
    flow = stage.pass_on(replace(clean(), client="192.0.2.10:4001"))
    assert faulted(flow) is hit
    stage.addon.done()
    assert stage.heard(f"put into {int(hit)} of {int(hit)} selected MSK exchange")


def test_a_key_is_damaged_where_it_stands(stage: Stage) -> None:
    key = f"{SECOND.key_domain.hex()}/{SECOND.msk_id[:2].hex()}/{SECOND.msk_id[2:].hex()}"
    stage.set(ltkm_fault=["strip-ltkm"], ltkm_fault_msk=[key])
    document = exchange_of(stage.pass_on(clean("several-keys"))).document
    assert document is not None
    assert [bool(item.ltkms) for item in document.items] == [True, False]


def test_a_selector_that_never_matched_is_said_at_the_end(stage: Stage) -> None:
    stage.set(
        ltkm_fault=["shorten-rand"],
        ltkm_fault_terminal=[B_TID, "nobody@\x1b[31m"],
        ltkm_fault_msk=["ffffff"],
        ltkm_fault_filter="~m GET",
    )
    stage.pass_on(clean())
    stage.addon.done()
    said = [line for line in stage.log if line.startswith("faults: ")]
    assert said == [
        "faults: shorten-rand put into 0 of 0 selected MSK exchanges",
        "faults: ltkm_fault_msk: no MSK exchange matches ffffff; MSKs seen: b8709d/24cb/4400",
        f"faults: ltkm_fault_terminal: no MSK exchange matches nobody@\\x1b[31m; terminals seen: {short_name(B_TID)}",
        "faults: ltkm_fault_filter: no MSK exchange matches ~m GET",
    ]


def test_a_schedule_that_is_never_due_says_how_many_responses_there_were(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_fault_when="nth=3")
    stage.pass_on(clean())
    stage.pass_on(clean())
    stage.addon.done()
    assert [line for line in stage.log if line.startswith("faults: ")] == [
        "faults: shorten-rand put into 0 of 2 selected MSK exchanges (2 not due)",
        "faults: no MSK exchange was due (nth=3): no terminal got more than 2 responses that can be affected",
    ]


@pytest.mark.parametrize("keys", [False, True], ids=["without keys", "with keys"])
def test_an_exchange_with_one_fault_takes_at_most_four_lines(stage: Stage, keys: bool, tmp_path: Path) -> None:
    if keys:
        (ring := tmp_path / "ring.toml").write_text(ring_text([TERMINAL]))
        ring.chmod(0o600)
        stage.set(ltkm_keys=str(ring))
    stage.set(ltkm_fault=["shorten-rand"])
    since = len(stage.log)
    stage.pass_on(clean())
    heading, *below, change, finding = stage.log[since:]
    assert heading.endswith(": clean")
    assert [line.partition(":")[0] for line in below] == ["  key item 1, LTKM 1"] * keys
    assert change.startswith("#1 fault shorten-rand: ")
    assert finding.startswith("  violation rand-length-wrong: ")


def test_a_fault_that_breaks_no_rule_says_so_below_the_change(stage: Stage) -> None:
    stage.set(ltkm_fault=["strip-ltkm"])
    since = len(stage.log)
    stage.pass_on(clean())
    heading, change, unbroken = stage.log[since:]
    assert heading.endswith(": 1 item, 1 LTKM: clean")
    assert change.startswith("#1 fault strip-ltkm: ")
    assert unbroken == "  the fault breaks no active rule here (see ltkm-inspect explain strip-ltkm)"


def test_a_log_of_summaries_has_no_line_for_an_exchange_that_gets_a_fault(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_log="summary")
    since = len(stage.log)
    stage.pass_on(clean())
    stage.pass_on(clean("plain-mbms"))  # has nothing to damage
    assert stage.log[since:] == []
    stage.addon.done()
    assert "faults: 1 exchange: digest not recomputed (no key ring); the terminal will reject it" in stage.log


def test_names_stand_for_terminals_where_these_are_not_shown(stage: Stage) -> None:
    stage.set(ltkm_redact=True)
    named = ["rename-ltkm", "replace-status:reason=nobody@home1.net"]
    stage.set(ltkm_fault=named, ltkm_fault_terminal=["nobody@home1.net", "198.51.100.7"])
    stage.pass_on(clean())
    stage.addon.done()
    assert stage.heard("ltkm_fault_terminal: no MSK exchange matches identity-")
    assert stage.heard("ltkm_fault_terminal: no MSK exchange matches address-")
    for name in ("nobody@home1.net", "198.51.100.7", B_TID):
        assert not stage.heard(name)


def test_counted_are_the_responses_that_the_fault_can_be_put_into(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_fault_when="nth=2")
    plain = clean("plain-mbms")  # has no LTKM
    flows = [stage.pass_on(later(each, at)) for at, each in enumerate((clean(), plain, clean(), plain, clean()))]
    assert [faulted(flow) for flow in flows] == [False, False, True, False, False]
    stage.addon.done()
    # the third one comes when it is over, and is not tried any more
    assert stage.heard("faults: shorten-rand put into 1 of 5 selected MSK exchanges (3 not due, 1 unchanged)")


def test_each_terminal_is_counted_by_itself(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_fault_when="first")
    flows = [stage.pass_on(later(clean(), at, name)) for at, name in enumerate(["a@x", "b@x", "a@x", "b@x"])]
    assert [faulted(flow) for flow in flows] == [True, True, False, False]


def test_counting_goes_on_until_one_of_the_options_on_faults_changes(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_fault_when="first")
    assert faulted(stage.pass_on(later(clean(), 0)))
    stage.set(ltkm_strict=True)
    with pytest.raises(exceptions.OptionsError):
        stage.set(ltkm_fault_when="second")
    assert not faulted(stage.pass_on(later(clean(), 1)))
    stage.set(ltkm_fault=["rename-ltkm"])
    assert stage.heard("faults: shorten-rand put into 1 of 2 selected MSK exchanges (1 not due)")
    assert faulted(stage.pass_on(later(clean(), 2)))
    stage.set(ltkm_fault=[])
    assert stage.heard("ltkm_fault_when: has no effect without ltkm_fault or ltkm_fault_delay", logging.WARNING)
    assert not faulted(stage.pass_on(later(clean(), 3)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"ltkm_fault": ["shorten-rant"]}, "did you mean shorten-rand", id="unknown"),
        pytest.param({"ltkm_fault": ["shorten-rand:octets=many"]}, "octets", id="parameter"),
        pytest.param({"ltkm_fault": ["drop-authorization"]}, "damages the request", id="request"),
        pytest.param({"ltkm_fault": ["share-connection"]}, "damages the request", id="connection"),
        pytest.param({"ltkm_fault": ["inject-ltkm:file=/no/such"]}, "/no/such", id="file"),
        pytest.param({"ltkm_fault_filter": "~nonsense ("}, "filter expression", id="filter"),
        pytest.param({"ltkm_fault_msk": ["12"]}, "KEYDOMAIN", id="msk"),
        pytest.param({"ltkm_fault_when": "sometimes"}, "always, first", id="when"),
        pytest.param({"ltkm_fault_delay": "-1"}, "seconds from 0", id="delay"),
        pytest.param({"ltkm_fault_delay": "nan"}, "seconds from 0", id="nan"),
        pytest.param({"ltkm_fault_unsigned": "no"}, "warn or refuse", id="unsigned"),
    ],
)
def test_a_mistake_while_running_leaves_the_former_orders_in_force(
    stage: Stage, options: dict[str, Any], said: str
) -> None:
    stage.set(ltkm_fault=["shorten-rand"])
    with pytest.raises(exceptions.OptionsError, match=r"^ltkm_fault") as caught:
        stage.set(**options)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert stage.context.options.ltkm_fault == ["shorten-rand"]
    assert faulted(stage.pass_on(clean()))


def test_only_recordings_take_the_faults_that_damage_a_request() -> None:
    damaging = {id for id in FAULTS if only_in_recordings(id)}
    assert {"drop-authorization", "replace-method", "repeat-nonce-count", "share-connection"} <= damaging
    assert not damaging & {"shorten-rand", "drop-authentication-info", "replace-status", "replay-ltkm", "inject-ltkm"}


def test_the_server_is_judged_by_what_it_sent_and_the_flow_shows_what_goes_on(stage: Stage) -> None:
    stage.set(ltkm_fault=["rename-ltkm"])
    flow = stage.pass_on(flawed())
    summary = stage.addon.summary
    assert summary.exchanges == 1
    assert summary.verdicts == {"violation": 1}
    assert {rule for _, rule in summary.findings} == {"ltkm-missing"}
    assert summary.faulted == 1
    assert summary.faulted_findings[Level.VIOLATION] >= 1
    assert flow.metadata["ltkm_came"] == "violation: ltkm-missing"
    assert "[rename-ltkm; it came with violation: ltkm-missing; ltkm: fault]" in flow.comment
    assert "ltkm-misnamed" in flow.metadata["ltkm_rules"]
    assert flow.marked == ":wrench:"
    assert any(
        line.startswith("summary: 1 MSK exchange (0 clean, 0 with warnings, 1 with vio") for line in summary.lines()
    )
    flow.revert()  # type: ignore[no-untyped-call]
    assert flow.comment == "[ltkm-missing; ltkm: violation]"
    assert flow.marked == ":red_circle:"


def test_what_a_fault_sends_is_nothing_that_the_server_is_measured_by(stage: Stage) -> None:
    first, second = reference("renewal")
    stage.set(ltkm_fault=["replace-ltkm"])
    stage.pass_on(first)
    flow = stage.pass_on(second)
    assert faulted(flow), "the LTKM of the first exchange is sent in the second again"
    assert "ltkm-replayed" in flow.metadata["ltkm_rules"]
    assert stage.addon.summary.findings == {}
    assert stage.addon.summary.faulted_findings[Level.VIOLATION] == 1


def test_a_fault_repeats_what_the_terminal_got_and_not_what_was_taken_from_it(stage: Stage) -> None:
    first, second = reference("renewal")
    stage.set(ltkm_fault=["strip-ltkm"], ltkm_fault_when="first")
    assert faulted(stage.pass_on(first))
    stage.set(ltkm_fault=["replace-ltkm:previous=true"], ltkm_fault_when="always")
    assert not faulted(stage.pass_on(second))
    assert stage.heard("the terminal has no earlier LTKM")


def test_without_the_key_the_log_says_that_the_digest_fails_or_the_response_is_left(stage: Stage) -> None:
    stage.set(ltkm_fault=["rename-ltkm"])
    assert faulted(stage.pass_on(later(clean(), 0)))
    assert stage.heard("the terminal will reject it", logging.WARNING)
    stage.set(ltkm_fault_unsigned="refuse")
    flow = stage.pass_on(later(clean(), 1))
    assert not faulted(flow)
    assert stage.heard("unchanged: the digest cannot be recomputed", logging.WARNING)
    stage.set(ltkm_fault=["drop-authentication-info"])
    assert faulted(stage.pass_on(later(clean(), 2)))


def test_what_cannot_be_changed_is_left_with_a_warning(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"])
    head = clean()
    assert head.response is not None
    head = replace(head, request=replace(head.request, method="HEAD"), response=replace(head.response, body=b""))
    assert not faulted(stage.pass_on(head))
    assert stage.heard("HEAD", logging.WARNING)
    streamed = replace(clean(), response=replace(clean().response, body=None))  # type: ignore[type-var]
    assert not faulted(stage.pass_on(streamed))
    assert stage.heard("not captured", logging.WARNING)
    coded = clean().response
    assert coded is not None
    broken = replace(coded, headers=coded.headers.put("Content-Encoding", "gzip"))
    assert not faulted(stage.pass_on(replace(clean(), response=broken)))
    assert stage.heard("coding", logging.WARNING)


def test_streaming_together_with_faults_is_an_alert(stage: Stage) -> None:
    stage.set(stream_large_bodies="1k")
    assert not stage.heard("streamed body")
    stage.set(ltkm_fault=["shorten-rand"])
    assert stage.heard("streamed bodies get no faults", ALERT)


def test_only_what_is_hit_is_held_back_and_others_go_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    stage.set(ltkm_fault_delay="0.4", ltkm_fault_terminal=["slow@x"])
    slow, quick = (flow_of(later(clean(), at, name)) for at, name in enumerate(["slow@x", "quick@x"]))
    slow.live = quick.live = True
    held = stage.addon.response(slow)
    assert held is not None
    assert stage.addon.response(quick) is None

    async def awaited() -> None:
        await held

    asyncio.run(awaited())
    assert waits == [0.4]
    assert not faulted(slow)


def test_a_foreign_response_is_neither_held_back_nor_changed(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_fault_delay="5")
    flow = tflow.tflow(resp=True)
    flow.live = True
    before = flow.get_state()
    assert stage.addon.response(flow) is None
    assert flow.get_state() == before


def test_a_replayed_response_with_faults_is_known_also_when_it_is_used_up(stage: Stage) -> None:
    playback = ServerPlayback()  # type: ignore[no-untyped-call]
    stage.context.master.addons.add(playback)
    saved = flow_of(replace(clean(), faults=("shorten-rand",)))
    saved.metadata["ltkm_original"], saved.metadata["ltkm_faulted"] = "0" * 64, "1" * 64
    other = flow_of(clean("several-keys"))
    playback.load_flows([saved, other])
    flows = []
    for each in (saved, other):
        flow = each.copy()  # type: ignore[no-untyped-call]
        flow.response, flow.metadata, flow.live = None, {}, True
        playback.request(flow)
        assert flow.is_replay == "response"
        flows.append(flow)
    stage.set(ltkm_fault=["rename-ltkm"])
    for flow in flows:
        stage.respond(flow)
    assert exchange_of(flows[0]).faults == ("shorten-rand",)
    assert (flows[0].metadata["ltkm_original"], flows[0].metadata["ltkm_faulted"]) == ("0" * 64, "1" * 64)
    assert stage.heard("unchanged: the replayed response already has faults")
    assert exchange_of(flows[1]).faults == ("rename-ltkm",)
    assert stage.addon.summary.faulted == 2


def test_an_address_is_said_to_be_perhaps_many_terminals(stage: Stage) -> None:
    stage.set(ltkm_fault=["shorten-rand"], ltkm_fault_terminal=["192.0.2.10", B_TID])
    assert stage.heard("192.0.2.10 is a client address; behind NAT, several terminals may share it")
    assert not stage.heard(f"{B_TID} is")


def test_a_response_to_a_request_that_was_edited_gets_the_fault_too(stage: Stage) -> None:
    stage.set(ltkm_fault=["strip-ltkm"])
    flow = flow_of(clean())
    flow.live = True
    flow.metadata.update({FAULT: ["edit"], "ltkm_original": None, "ltkm_faulted": None})
    stage.respond(flow)
    assert flow.response is not None
    assert b"LTKM>" not in (flow.response.content or b"")
    assert flow.metadata[FAULT] == ["edit", "strip-ltkm"]
