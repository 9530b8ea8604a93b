"""The sample flows are what the code generates, break what they say, and make mitmdump print what stands beside."""

import io
import re
from pathlib import Path

import pytest
from mitmproxy.io import FlowReader

from ltkm_inspect import digest
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.keys.protection import authenticate
from ltkm_inspect.mikey import Message, Timestamp
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.reference import STARTED, TERMINAL_OF_5G
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import DeliveredLtkm, Session, SessionEvent
from ltkm_inspect.traffic import Exchange
from tests import generated
from tests.generated import is_current, states
from tests.proxy.parts import Mitmdump
from tests.samples import expected, generate
from tests.samples.lab import PORTS, Handset, Sample

FILES = generate.samples()
SAMPLES = [
    pytest.param(sample, id=f"{file}-{number}") for file, all in FILES.items() for number, sample in enumerate(all, 1)
]
REQUIREMENTS = ["1a", "1b", "1c", "1d", "2a", "2b", "3", "4", "5a", "5b", "6", "7", "8a", "8b", "9"]
"""Every requirement that comes straight from the change request."""

OURS = re.compile(r"\[\d\d:\d\d:\d\d\.\d{3}\](?:\[[^\]]*:\d+\])? (?!Loading script )(.*)")


def reports(file: str) -> list[Report | None]:
    """Return what one session says of the flows of a file, in order; None for flows that are not MSK."""
    context = Context(Settings(debug=True), session=Session())
    exchanges = [sample.exchange for sample in FILES[file]]
    return [inspect(exchange, context) if exchange.is_ours else None for exchange in exchanges]


@pytest.mark.parametrize("file", FILES)
def test_a_sample_breaks_the_rules_it_names_and_no_others(file: str) -> None:
    for sample, report in zip(FILES[file], reports(file), strict=True):
        assert set(report.rules if report else ()) == sample.breaks, sample.title


def test_the_third_hour_breaks_every_rule_across_exchanges_and_nothing_else() -> None:
    third = [sample for sample in FILES["trial.flow"] if hour(sample.exchange) == 2]
    subjects = (SessionEvent, DeliveredLtkm)
    across = {
        rule.id for rule in RULES.values() if rule.on in subjects and rule.level > Level.NOTE and not rule.is_keyed
    }
    assert {rule for sample in third for rule in sample.breaks} == across
    alone = {sample.title: set(inspect(sample.exchange).rules) for sample in third if sample.breaks}
    assert {rule for rules in alone.values() for rule in rules} == WITHOUT_OTHERS


@pytest.mark.parametrize(
    ("title", "note"),
    [
        ("The same exchange again, because two captures overlap: not a replay", "exchange-captured-twice"),
        (
            "Alder asks again for the key that it just got (a note: Alder did not accept the LTKM)",
            "key-requested-again",
        ),
    ],
)
def test_what_is_only_a_note_is_noted(title: str, note: str) -> None:
    titles = [sample.title for sample in FILES["trial.flow"]]
    report = reports("trial.flow")[titles.index(title)]
    assert report is not None
    assert note in {each.rule for each in report.notes}


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_the_trial_breaks_every_requirement_of_the_change_request(requirement: str) -> None:
    reference = f"CR-{requirement}"
    broken = {rule for sample in FILES["trial.flow"] if sample.requirement == reference for rule in sample.breaks}
    assert broken
    assert all(reference in RULES[rule].covers for rule in broken)


HANDSETS = [*map(Handset, PORTS), Handset("Alder", bootstrapped=2), Handset("Dogwood", by_akma=True)]
TERMINALS = {handset.terminal.b_tid: handset.terminal for handset in HANDSETS}
WITHOUT_OTHERS = {"keystream-reused", "counters-disordered", "policy-missing", "rand-constant"}
"""The rules across exchanges that one document is enough to break."""


def hour(exchange: Exchange) -> int:
    """Return how many whole hours into the trial an exchange began."""
    assert exchange.started is not None
    return int(exchange.started - STARTED) // 3600


def messages(exchange: Exchange) -> list[Message]:
    """Return the LTKMs of a response that decode to their end."""
    found = exchange.document.ltkms if exchange.document else ()
    return [ltkm.message for ltkm in found if ltkm.message is not None and ltkm.message.problem is None]


@pytest.mark.parametrize("sample", SAMPLES)
def test_digests_and_message_authentication_codes_are_right(sample: Sample) -> None:
    exchange = sample.exchange
    credentials, response = exchange.request.credentials, exchange.response
    if credentials is None:
        assert not messages(exchange)
        return
    terminal = TERMINALS[credentials.get("username") or ""]
    assert terminal.address == exchange.client
    for message in messages(exchange):
        assert authenticate(message, terminal.muk) == message
    password = terminal.subscriber.password
    assert password is not None
    assert response is not None
    right = digest.response(credentials, password, exchange.request.method, exchange.request.body or b"")
    assert credentials.get("response") == right
    if response.authentication_info_text is not None:
        said = digest.parse_directives(response.authentication_info_text)
        assert said.get("rspauth") == digest.rspauth(credentials, password, response.body or b"")


@pytest.mark.parametrize("file", FILES)
def test_the_counters_of_a_terminal_only_rise_in_the_first_two_hours(file: str) -> None:
    for b_tid in TERMINALS:
        exchanges = [sample.exchange for sample in FILES[file] if sample.exchange.terminal == b_tid]
        exchanges = [exchange for exchange in exchanges if hour(exchange) < 2]
        counters = [time.value for each in exchanges for found in messages(each) for time in found.of(Timestamp)]
        assert counters == sorted(set(counters))
        used = [found.get("nc") or "" for each in exchanges if (found := each.request.credentials)]
        assert used == sorted(set(used))


def test_the_trial_has_every_kind_of_traffic() -> None:
    exchanges = [sample.exchange for sample in FILES["trial.flow"]]
    responses = [exchange.response for exchange in exchanges if exchange.response is not None]
    assert {response.status for response in responses} >= {200, 202, 401}
    assert any(response.headers.get("Content-Encoding") == "gzip" for response in responses)
    assert any(response.headers.get("Transfer-Encoding") == "chunked" for response in responses)
    assert {"text/html", "image/png", "application/json"} <= {response.media_type.name for response in responses}
    assert any(exchange.registers and not exchange.is_ours for exchange in exchanges)
    assert len({exchange.client.partition(":")[0] for exchange in exchanges}) == 1
    assert len({exchange.connection for exchange in exchanges}) == 3
    named = {exchange.terminal for exchange in exchanges if exchange.request.credentials}
    assert named == set(TERMINALS) - {TERMINAL_OF_5G.b_tid}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_is_the_same_exchange_after_it_was_recorded(sample: Sample) -> None:
    assert exchange_of(flow_of(sample.exchange)).request == sample.exchange.request
    assert exchange_of(flow_of(sample.exchange)).response == sample.exchange.response


@pytest.mark.parametrize("file", FILES)
def test_a_committed_recording_holds_the_flows_that_are_generated(file: str) -> None:
    committed = states((generate.FOLDER / file).read_bytes())
    assert committed == states(generate.recording(FILES[file]))


@pytest.mark.parametrize("file", FILES)
def test_a_recorded_flow_has_no_mark_or_comment(file: str) -> None:
    with (generate.FOLDER / file).open("rb") as octets:
        for flow in FlowReader(octets).stream():
            assert (flow.marked, flow.comment, flow.metadata) == ("", "", {})


@pytest.mark.parametrize("file", FILES)
def test_mitmdump_prints_the_text_beside_the_recording(file: str, mitmdump: Mitmdump) -> None:
    assert printed_by_mitmdump(file, mitmdump) == committed_text(file)


def printed_by_mitmdump(file: str, mitmdump: Mitmdump) -> list[str]:
    """Return our lines of what mitmdump prints for a flow file."""
    run = mitmdump("-nr", generate.FOLDER / file)
    assert run.status == 0, run.output + run.errors
    return expected.without_totals(match[1] for line in run.output.splitlines() if (match := OURS.fullmatch(line)))


def committed_text(file: str) -> list[str]:
    """Return the lines that are to be printed for a flow file."""
    return expected.without_comments((generate.FOLDER / file).with_suffix(".txt").read_text("utf-8"))


def test_a_changed_flow_is_out_of_date_and_another_way_to_write_it_is_not(tmp_path: Path) -> None:
    octets = generate.recording(FILES["change-request.flow"])
    path = tmp_path / "x.flow"
    path.write_bytes(octets)
    assert is_current(path, octets)
    flows = list(FlowReader(io.BytesIO(octets)).stream())
    reordered = generate.recording(reversed(FILES["change-request.flow"]))
    assert len(flows) == 2
    assert not is_current(path, reordered)
    assert not is_current(path.with_suffix(".txt"), octets)
    path.write_bytes(octets[:-9])
    assert not is_current(path, octets)


def test_the_check_names_the_command_that_mends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {tmp_path / "page.md": b"page", tmp_path / "flows" / "faults" / "item.flow": b""}
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FOLDER", tmp_path / "flows")
    monkeypatch.setattr(generate, "CATALOGUE", tmp_path / "docs" / "catalogue")
    monkeypatch.setattr(generate, "samples", lambda fixture: {})
    monkeypatch.setattr(generate, "generated", lambda files: made)
    assert generate.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert all(f"{path.relative_to(tmp_path)}; to write it again: make generate" in said for path in made)
    assert generate.main(["--write"]) == 0
    assert generate.main(["--check"]) == 0
    assert {path: path.read_bytes() for path in made} == made
    stray = tmp_path / "flows" / "faults" / "family-that-is-no-more.flow"
    stray.write_bytes(b"")
    assert generate.main(["--check"]) == 1
    assert f"flows/faults/{stray.name}" in capsys.readouterr().err
    assert generate.main(["--write"]) == 0
    assert not stray.exists()
