"""The real mitmdump as the fault: what the client gets, what the flow says, what is left alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.reference import KEYS, MRK, MUK, TERMINAL, reference
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import Mitmdump, Origin, Proxy, Run, Save, clean

PATH = b"/keymanagement"


def wire(exchange: Exchange) -> bytes:
    """Return the response of an exchange as octets on the wire."""
    answer = exchange.response
    assert answer is not None
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in answer.headers.fields)
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (answer.status, answer.reason.encode(), fields) + (answer.body or b"")


def ask(proxy: Proxy, origin: Origin, exchange: Exchange, answer: bytes | None = None) -> bytes:
    """Send the request of an exchange through the proxy to the origin, which gives its response; return what comes."""
    origin.answers[PATH] = wire(exchange) if answer is None else answer
    asked = exchange.request
    fields = b"".join(
        name + b": " + value + b"\r\n" for name, value in asked.headers.fields if name.lower() != b"connection"
    )
    head = f"{asked.method} http://{origin.authority}{asked.target} HTTP/1.1\r\nConnection: close\r\n".encode()
    return proxy.send(head + fields + b"\r\n" + (asked.body or b""))


def options(words: Sequence[str]) -> list[str]:
    """Return words as options of mitmdump."""
    return [part for word in words for part in ("--set", word)]


def saved(path: Path) -> list[HTTPFlow]:
    """Return the flows of a file."""
    with path.open("rb") as file:
        return [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]


def body(octets: bytes) -> bytes:
    """Return the body of a response on the wire."""
    return octets.partition(b"\r\n\r\n")[2]


def faults(run: Run) -> list[str]:
    """Return the lines of the summary about faults."""
    return [line for line in run.log if line.startswith("faults: ")]


def test_the_client_gets_the_fault_and_the_flow_says_so(mitmdump: Mitmdump, origin: Origin, tmp_path: Path) -> None:
    out, report = tmp_path / "out.flow", tmp_path / "r.jsonl"
    words = ["ltkm_fault=shorten-rand:octets=8", f"ltkm_report={report}", "ltkm_fail_on=warning"]
    # the origin of the test has another name than the realm
    proxy = mitmdump.proxy("-w", out, *options([*words, "ltkm_ignore=realm-host-mismatch"]))
    exchange = clean()
    got = ask(proxy, origin, exchange)
    run = proxy.stop()
    assert exchange.response is not None
    assert body(got) != exchange.response.body
    assert f"Content-Length: {len(body(got))}\r\n".encode() in got
    assert run.status == 0, "what was put in does not count against the server"
    (flow,) = saved(out)
    assert flow.response is not None
    assert flow.response.raw_content == body(got)
    assert exchange_of(flow).faults == ("shorten-rand:octets=8",)
    assert flow.marked == ":wrench:"
    flow.revert()  # type: ignore[no-untyped-call]
    assert flow.response.raw_content == exchange.response.body
    assert exchange_of(flow).faults == ()
    assert any(" fault shorten-rand:octets=8: " in line and "item 1, LTKM 1" in line for line in run.log)
    assert any("the terminal will reject it" in line for line in run.log)
    assert faults(run)[0] == "faults: shorten-rand:octets=8 put into 1 of 1 selected MSK exchange"
    _, first, second, _, summary = [json.loads(line) for line in report.read_text("ascii").splitlines()]
    assert (first["id"], first["faults"], first["verdict"]) == (flow.id, [], "clean")
    assert (second["id"], second["faults"]) == (flow.id, ["shorten-rand:octets=8"])
    assert "rand-length-wrong" in [each["rule"] for each in second["findings"]]
    assert (summary["exchanges"], summary["findings"], summary["faulted"]["exchanges"]) == (1, [], 1)


def test_only_responses_are_held_back_that_are_selected_and_other_clients_do_not_wait(
    mitmdump: Mitmdump, origin: Origin
) -> None:
    proxy = mitmdump.proxy(*options(["ltkm_fault_delay=0.05", "ltkm_fault_filter=~m POST"]))
    exchange = clean()
    assert body(ask(proxy, origin, exchange)) == (exchange.response.body if exchange.response else None)
    run = proxy.stop()
    assert faults(run) == ["faults: none; delayed 1 of 1 selected MSK exchange"]


def test_a_server_replay_of_a_faulted_capture_is_left_alone_and_reported_as_faulted(
    mitmdump: Mitmdump, origin: Origin, save: Save, tmp_path: Path
) -> None:
    out = tmp_path / "out.flow"
    exchange = clean()
    proxy = mitmdump.proxy("-w", out, *options(["ltkm_fault=shorten-rand"]))
    first = ask(proxy, origin, exchange)
    proxy.stop()
    again = tmp_path / "again.flow"
    words = ["ltkm_fault=rename-ltkm", "server_replay_extra=kill", "ltkm_fail_on=warning"]
    proxy = mitmdump.proxy("-S", out, "-w", again, *options(words))
    second = ask(proxy, origin, exchange)
    run = proxy.stop()
    assert body(second) == body(first)
    assert any("unchanged: the replayed response already has faults" in line for line in run.log)
    (flow,) = saved(again)
    assert exchange_of(flow).faults == ("shorten-rand",)
    assert flow.metadata["ltkm_original"] == saved(out)[0].metadata["ltkm_original"]
    assert run.status == 0


def test_a_server_replay_of_a_clean_capture_gets_the_fault_once(
    mitmdump: Mitmdump, origin: Origin, save: Save, tmp_path: Path
) -> None:
    asked = clean().request
    headers = asked.headers.put("Host", origin.authority)
    exchange = replace(clean(), request=replace(asked, host="127.0.0.1", port=origin.port, headers=headers))
    out = tmp_path / "out.flow"
    words = ["ltkm_fault=shorten-rand", "server_replay_extra=kill"]
    proxy = mitmdump.proxy("-S", save([exchange]), "-w", out, *options(words))
    got = ask(proxy, origin, exchange)
    proxy.stop()
    (flow,) = saved(out)
    assert flow.response is not None
    assert flow.response.raw_content == body(got) != (exchange.response.body if exchange.response else None)
    assert exchange_of(flow).faults == ("shorten-rand",)


def test_a_client_replay_of_a_faulted_flow_forgets_the_old_fault(
    mitmdump: Mitmdump, origin: Origin, save: Save, tmp_path: Path
) -> None:
    exchange = clean()
    origin.answers[PATH] = wire(exchange)
    asked = replace(exchange.request, host="127.0.0.1", port=origin.port)
    asked = replace(asked, headers=asked.headers.put("Host", origin.authority))
    flow = flow_of(replace(exchange, request=asked, faults=("rename-ltkm",)))
    flow.comment, flow.marked = "mine [rename-ltkm; ltkm: fault]", ":wrench:"
    path = save([flow])
    out = tmp_path / "out.flow"
    mitmdump("-n", "-C", path, "-w", out, *options(["ltkm_ignore=realm-host-mismatch"]))
    (fresh,) = saved(out)
    assert exchange_of(fresh).faults == ()
    assert (fresh.comment, fresh.marked) == ("mine", "")
    mitmdump("-n", "-C", path, "-w", out, *options(["ltkm_fault=shorten-rand"]))
    (fresh,) = saved(out)
    assert exchange_of(fresh).faults == ("shorten-rand",)
    assert fresh.response is not None
    assert fresh.response.raw_content != (exchange.response.body if exchange.response else None)
    fresh.revert()  # type: ignore[no-untyped-call]
    assert fresh.response.raw_content == (exchange.response.body if exchange.response else None)


def test_a_loaded_flow_is_never_touched(mitmdump: Mitmdump, save: Save, tmp_path: Path) -> None:
    out = tmp_path / "out.flow"
    run = mitmdump("-nr", save(reference("download")), "-w", out, *options(["ltkm_fault=shorten-rand"]))
    assert all(exchange_of(flow).faults == () for flow in saved(out))
    assert faults(run) == [
        "faults: shorten-rand put into nothing: 1 MSK exchange loaded from a file; faults only go into live traffic: "
        "use ltkm-inspect fault shorten-rand IN OUT"
    ]


def test_with_the_mrk_the_digest_of_what_the_client_gets_is_right(
    mitmdump: Mitmdump, origin: Origin, tmp_path: Path
) -> None:
    ring, out = tmp_path / "ring.toml", tmp_path / "out.flow"
    ring.write_text(f'[[subscribers]]\nb_tid = "{TERMINAL.b_tid}"\nmuk = "{MUK.hex()}"\nmrk = "{MRK.hex()}"\n')
    ring.chmod(0o600)
    words = ["ltkm_fault=shorten-rand", "ltkm_fault=rename-ltkm", "ltkm_fault_unsigned=refuse", f"ltkm_keys={ring}"]
    proxy = mitmdump.proxy("-w", out, *options(words))
    got = ask(proxy, origin, clean())
    run = proxy.stop()
    (flow,) = saved(out)
    exchange = exchange_of(flow)
    assert exchange.response is not None
    assert exchange.response.body == body(got) != (clean().response or exchange.response).body
    assert Session().look(exchange, KEYS).response_proof.holds is True
    assert exchange.response.authentication_info_text is not None
    assert exchange.response.authentication_info_text.encode() in got
    assert not any("the terminal will see" in line for line in run.log)
