"""Saved traffic as exchanges, up to the damage."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mitmproxy import version
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.io import tnetstring
from mitmproxy.test import tflow

from ltkm_inspect.capture import SkippedFlows, opened
from ltkm_inspect.capture.damage import RECORD, NotACaptureError
from ltkm_inspect.checking.reading import CaptureReader
from ltkm_inspect.engine import inspect
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.mitm.reading import Damage, DamagedEvent
from ltkm_inspect.traffic import Exchange, Limits
from tests.proxy.parts import Save, clean, edited, flawed
from tests.recorded import exchanges

FLOWS = [flow_of(flawed()), tflow.tflow(resp=True), tflow.tdnsflow(), flow_of(clean())]


ODD = "not a flow that mitmproxy writes"


def kinds(path: Path) -> list[str]:
    """Return what kind of thing each thing read is."""
    return [type(each).__name__ for each in exchanges(path)]


def damage(path: Path) -> Damage:
    """Return the damage of a file, which must be the last thing read."""
    *before, last = exchanges(path)
    assert not any(isinstance(each, Damage) for each in before)
    assert isinstance(last, Damage)
    assert last.flows == len(before)
    return last


def test_flows_come_in_order_and_those_that_are_not_msk_are_counted(save: Save) -> None:
    assert kinds(save(FLOWS)) == ["Exchange", "NoneType", "NoneType", "Exchange"]


def test_limits_go_with_the_exchanges(save: Save) -> None:
    first = next(iter(exchanges(save(FLOWS), Limits(5, 6))))
    assert isinstance(first, Exchange)
    assert first.limits == Limits(5, 6)


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert kinds(path) == []


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        list(exchanges(tmp_path / "none"))


def test_a_truncated_file_is_read_up_to_its_last_whole_flow(save: Save) -> None:
    path = save(FLOWS)
    octets = path.read_bytes()
    path.write_bytes(octets[:-10])
    found = damage(path)
    assert (found.reason, found.flows) == ("the file ends within a flow", 3)
    assert octets[found.offset :].partition(b":")[0].isdigit()


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        pytest.param(b"garbage", "what follows is not a flow", id="garbage"),
        pytest.param(b"999999999999:", "the file ends within a flow", id="huge-length"),
    ],
)
def test_what_follows_damage_is_not_read(save: Save, tail: bytes, reason: str) -> None:
    path = save(FLOWS)
    octets = path.read_bytes()
    more = b"" if reason.startswith("the file") else octets
    path.write_bytes(octets + tail + more)
    found = damage(path)
    assert (found.reason, found.flows, found.offset) == (reason, 4, len(octets))


def test_a_newer_format_is_named(save: Save) -> None:
    path = save(FLOWS)
    now = f"7:version;{len(str(version.FLOW_FORMAT_VERSION))}:{version.FLOW_FORMAT_VERSION}#".encode()
    octets = path.read_bytes()
    assert now in octets
    path.write_bytes(octets.replace(now, b"7:version;2:99#"))
    assert "cannot read files with flow format version 99, please update mitmproxy" in damage(path).reason


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"<xml/>", "an XML document: use ltkm-inspect decode for the LTKMs in an MSK response"),
        (b"PK\x03\x04\x14\0", "a zip archive: unpack it first"),
        (b"hello\n", f"other text: {RECORD}"),
    ],
    ids=["xml", "zip", "text"],
)
def test_another_kind_of_file_is_refused_by_its_name(tmp_path: Path, octets: bytes, kind: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(octets)
    with pytest.raises(OSError, match="expected a flow file") as refused:
        damage(path)
    assert refused.value.strerror == f"expected a flow file, a HAR or a packet capture, got {kind}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_makes_reading_raise(tmp_path: Path, save: Save, data: st.DataObject) -> None:
    octets = bytearray(save(FLOWS).read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=4)):
        octets[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated"
    path.write_bytes(octets)
    try:
        found = list(exchanges(path))
    except NotACaptureError:  # its first octets are those of something else
        assert octets[:16] != save(FLOWS).read_bytes()[:16]
    else:
        assert not any(isinstance(each, Damage) for each in found[:-1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"id": ["x"]}, "expected text in id, got a list", id="id-list"),
        pytest.param({"id": float("nan")}, "expected text in id, got another number", id="id-nan"),
        pytest.param({"id": None}, "expected text in id, got nothing", id="id-none"),
        pytest.param({"metadata": [1]}, "expected a table in metadata, got a list", id="metadata"),
        pytest.param({"error": {"msg": 5, "timestamp": 1.0}}, ODD, id="error"),
        pytest.param({"error": [1]}, ODD, id="error-list"),
        pytest.param({"request": {"port": 10**30}}, "expected a port, got another number", id="port-huge"),
        pytest.param({"request": {"port": True}}, "expected a port, got true or false", id="port-bool"),
        pytest.param({"request": {"headers": [[b"a", 5]]}}, ODD, id="headers"),
        pytest.param({"request": {"headers": {"a": "b"}}}, ODD, id="headers-table"),
        pytest.param({"request": {"timestamp_start": float("inf")}}, "expected times in seconds", id="start"),
        pytest.param({"request": {"timestamp_start": "now"}}, ODD, id="start-text"),
        pytest.param({"response": {"status_code": "200"}}, ODD, id="status"),
        pytest.param({"response": {"content": "text"}}, ODD, id="content"),
        pytest.param({"response": {"reason": None}}, ODD, id="reason"),
        pytest.param({"response": {"timestamp_end": float("nan")}}, "expected times in seconds", id="end"),
        pytest.param({"client_conn": {"id": 3}}, ODD, id="client-id"),
        pytest.param({"client_conn": {"peername": "x"}}, "expected an address with a port, got a list", id="peer"),
        pytest.param({"request": 5}, ODD, id="request"),
        pytest.param({"client_conn": None}, ODD, id="no-client"),
    ],
)
def test_a_flow_with_a_part_of_another_type_is_one_damaged_event(
    save: Save, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    first, odd, last = (save([each]).read_bytes() for each in (FLOWS[0], FLOWS[3], FLOWS[3]))
    state: Any = tnetstring.loads(odd)
    for name, value in change.items():
        state[name] = {**state[name], **value} if isinstance(value, dict) and state[name] else value
    path = tmp_path / "odd.flow"
    path.write_bytes(first + tnetstring.dumps(state) + last)
    through_mitmproxy = list(exchanges(path))
    with opened(str(path)) as source:
        every = CaptureReader(Limits()).events(source, "")
        alone = [held for _, _, held in every if not isinstance(held, SkippedFlows)]
    for found in (through_mitmproxy, alone):
        one, damaged, three = found
        assert isinstance(one, Exchange)
        assert isinstance(three, Exchange)
        assert isinstance(damaged, DamagedEvent)
        assert str(damaged).startswith(f"flow at octet {len(first)}: ")
        assert reason in str(damaged)


def har(save_path: Path, *flows: Any) -> dict[str, Any]:
    """Write flows as a HAR the way mitmproxy does; return it as data."""
    made = SaveHar().make_har(list(flows))
    save_path.write_text(json.dumps(made))
    return made


def test_a_har_gives_the_same_findings(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    har(path, *FLOWS[:2], FLOWS[3])
    first, second, third = exchanges(path)
    assert second is None
    assert isinstance(first, Exchange)
    assert isinstance(third, Exchange)
    assert not first.raw
    assert [each.rule for each in inspect(first).findings] == [each.rule for each in inspect(flawed()).findings]
    assert inspect(third).findings == ()
    assert first.request.body == flawed().request.body


def test_a_har_entry_without_bodies_has_none(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    made = har(path, flow_of(clean()))
    (entry,) = made["log"]["entries"]
    del entry["request"]["postData"]
    del entry["response"]["content"]["text"]
    path.write_text(json.dumps(made))
    (exchange,) = exchanges(path)
    assert isinstance(exchange, Exchange)
    assert exchange.request.body is None
    assert exchange.response is not None
    assert exchange.response.body is None


def test_a_har_entry_in_base64_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    made = har(path, flow_of(clean()))
    content = made["log"]["entries"][0]["response"]["content"]
    response = edited(clean(), "200 OK", "200 Ok").response
    assert response is not None
    content.update(text=base64.b64encode(response.body or b"").decode(), encoding="base64")
    path.write_text(json.dumps(made))
    (exchange,) = exchanges(path)
    assert isinstance(exchange, Exchange)
    assert exchange.response is not None
    assert exchange.response.body == response.body


def test_a_damaged_entry_of_a_har_does_not_hide_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    made = har(path, flow_of(clean()))
    made["log"]["entries"].insert(0, {"request": {}})
    path.write_text(json.dumps(made))
    first, second = exchanges(path)
    assert first == DamagedEvent("entry 1: request.url: missing from the capture")
    assert isinstance(second, Exchange)


@pytest.mark.parametrize(
    ("octets", "reason", "offset"),
    [
        pytest.param(b'{"log": {"entries": [', "the file ends within the HAR", 21, id="truncated"),
        pytest.param(b'{"log": {"entries": [] ', "the file ends within the HAR", 23, id="cut"),
        pytest.param(b'{"log": {"creator": "', "the file ends within the HAR", 21, id="cut-string"),
        pytest.param(b'{"log": {"entries": null}}', "expected a HAR with log.entries", 0, id="no-entries"),
    ],
)
def test_a_damaged_har_is_explained(tmp_path: Path, octets: bytes, reason: str, offset: int) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(octets)
    found = damage(path)
    assert found.reason.startswith(reason)
    assert found.offset == offset


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b'{"log": []}', "expected a HAR with log.entries", id="other-json"),
        pytest.param(b'{"a":' * 100_000, "the file ends within the HAR", id="deep"),
    ],
)
def test_json_that_is_no_har_at_all_cannot_be_read(tmp_path: Path, octets: bytes, reason: str) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(octets)
    with pytest.raises(OSError, match=reason):
        list(exchanges(path))
