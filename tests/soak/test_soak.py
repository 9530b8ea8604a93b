"""What `make soak` judges by: what was sent beside what was reported, and whether something grows."""

import json
from collections import Counter
from pathlib import Path

from tests.soak import _ledger, _verdict
from tests.soak._ledger import Ledger, Reported
from tests.soak._proxies import Sample

MB = 1 << 20


def record(host: str, id: str, *, kind: str = "exchange", faults: tuple[str, ...] = (), rule: str = "") -> str:
    sides = {"client": f"{host}:4711", "server": "127.63.0.1:2269"}
    if kind == "datagram":
        sides = {"client": sides["server"], "server": sides["client"]}
    findings = [{"rule": rule}] if rule else []
    return json.dumps({"schema": f"ltkm-inspect/{kind}/1", "id": id, **sides, "faults": faults, "findings": findings})


def test_lost_repeated_and_missing_lines_are_told_apart(tmp_path: Path) -> None:
    ledger = Ledger()
    terminal, pusher, page = (ledger.address() for _ in range(3))
    for host, kind, ended in ((terminal, "session", 4), (pusher, "push", 2), (page, "foreign", 1)):
        for number in range(ended + (host == terminal)):  # one exchange of the terminal broke off
            ledger.begin(host, kind)
            if number < ended:
                ledger.end(host)
    run = '{"schema":"ltkm-inspect/run/1"}'
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    lines = [run, record(terminal, "a"), record(terminal, "a", faults=("f",)), record(terminal, "b", rule="r")]
    first.write_text("\n".join([*lines, record(pusher, "u.1", kind="datagram"), '{"schema":"torn']))
    missing = '{"schema":"ltkm-inspect/missing/1","records":1}'
    second.write_text("\n".join([record(terminal, "b"), missing, record("127.64.9.9", "z"), ""]))
    reported = Reported()
    for path in (first, second):
        reported.add(path)
    assert (reported.repeated, reported.faulted, reported.missing, reported.torn) == (1, 1, 1, 1)
    assert reported.damaged == ["2.jsonl does not begin with the record of a run"]
    balance = _ledger.balance(ledger, reported)
    assert (balance.sent, balance.unsure, balance.lost, balance.surplus) == (6, 1, 2, 1)
    assert balance.findings == {"session": Counter({"r": 1})}
    verdict = _verdict.report_lines(balance, reported)
    assert verdict.holds is False
    assert _verdict.report_lines(balance, reported, kills=1).says.count("torn") == 0
    assert "1 lost and not told missing, 1 twice, 1 never sent, 1 lines torn, 1 files damaged" in verdict.line


def test_what_is_told_missing_is_not_lost() -> None:
    reported = Reported(missing=3)
    assert _verdict.report_lines(_ledger.Balance(10, 0, 3, 0, {}), reported).holds


def test_a_leak_is_found_and_noise_is_not() -> None:
    def samples(leak: int) -> list[Sample]:
        noise = (0, 3 * MB, 1 * MB, 40 * MB, 2 * MB)
        return [Sample(n, n * 400, 100 * MB + leak * n * 400 + noise[n % 5], n, 7, 50, 9) for n in range(100)]

    assert _verdict.memory(samples(0), samples(0)).holds
    assert _verdict.memory(samples(2000), samples(0)).holds is False
    assert _verdict.memory(samples(2000)[:20], samples(0)[:20]).holds is None, "too few flows"
    assert _verdict.memory(samples(2000), samples(2000)).holds, "what mitmproxy leaves behind is not ours"
    assert _verdict.memory(samples(2000), samples(-2000)).holds is False
    assert _verdict.handles(samples(0)).holds
    grows = [Sample(n, n * 400, MB, n, 7 + n, 50, 9) for n in range(100)]
    assert _verdict.handles(grows).holds is False


def test_latency_is_compared_with_a_proxy_without_the_addon() -> None:
    slower = [(n, 0.002 + 0.00001 * n) for n in range(400)]
    steady = [(n, 0.002) for n in range(400)]
    assert _verdict.latency(slower, steady).holds is False
    assert _verdict.latency(slower, slower).holds, "the machine became slower"
    assert _verdict.latency(steady[:100], steady[:100]).holds is None, "too few probes"
