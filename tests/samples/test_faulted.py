"""The samples of faults: made by the code of the command, shown as having faults, reverted to what was clean."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader

from ltkm_inspect import digest
from ltkm_inspect.cli.program import commands
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.fault import FAULTS
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.keys.protection import authenticate
from ltkm_inspect.mikey import Kemac, Rand
from ltkm_inspect.mitm.udp_flows import events_of, flow_of_event
from ltkm_inspect.reference import KEYS, OTHER_TERMINAL, TERMINAL
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Event, Exchange
from tests.generated import states
from tests.proxy.parts import Mitmdump
from tests.samples import expected, faulted, generate
from tests.samples.faulted import Faulted
from tests.samples.test_samples import committed_text, messages, printed_by_mitmdump

SAMPLES = faulted.samples()
EVERY = pytest.mark.parametrize("sample", [pytest.param(sample, id=sample.family) for sample in SAMPLES])


def committed(sample: Faulted) -> list[Flow]:
    """Return the flows of the committed file."""
    return read(generate.FOLDER / sample.file)


def read(path: Path) -> list[Flow]:
    """Return the flows of a file."""
    with path.open("rb") as octets:
        return [*FlowReader(octets).stream()]


def event_of(flow: Flow) -> Event:
    """Return the only event of a flow."""
    (event,) = events_of(flow)
    return event


def test_there_is_one_sample_for_every_module_with_faults_and_no_other_file() -> None:
    modules = {fault.apply.__module__.rpartition(".")[2] for fault in FAULTS.values()}
    files = {path.name for path in (generate.FOLDER / faulted.FOLDER).iterdir()}
    assert files == {f"{module}.{ending}" for module in modules for ending in ("flow", "txt")}
    assert set(faulted.TELLING) <= modules


@EVERY
def test_a_sample_shows_a_fault_of_its_family(sample: Faulted) -> None:
    assert sample.fault.apply.__module__ == f"ltkm_inspect.catalogue.{sample.family}"


@EVERY
def test_a_committed_file_holds_the_flows_that_are_generated(sample: Faulted) -> None:
    assert [flow.get_state() for flow in committed(sample)] == states(generate.written(sample.flows()))


@EVERY
def test_only_the_last_flow_has_the_fault_and_says_so(sample: Faulted) -> None:
    *clean, last = committed(sample)
    assert [flow.get_state() for flow in clean] == [flow_of_event(event).get_state() for event in sample.clean[:-1]]
    assert last.metadata["ltkm_fault"] == [str(sample.application)]
    assert last.marked == ":wrench:"
    assert last.comment == f"[{sample.application}; ltkm: fault]"
    assert last.modified()  # type: ignore[no-untyped-call]


@EVERY
def test_a_sample_breaks_the_rules_of_its_fault_and_no_others(sample: Faulted) -> None:
    for keys in (KEYS, KeyRing()):
        context = Context(Settings(debug=True), keys, Session())
        *clean, last = [set(inspect(event_of(flow), context).rules) for flow in committed(sample)]
        assert clean == [set()] * (len(sample.clean) - 1)
        assert last == {rule for rule in sample.fault.trips if keys or not RULES[rule].is_keyed}


@EVERY
def test_what_the_fault_is_not_about_is_signed_with_the_keys_of_the_reference(sample: Faulted) -> None:
    exchange = event_of(committed(sample)[-1])
    if not isinstance(exchange, Exchange):
        return
    response, credentials = exchange.response, exchange.request.credentials
    assert response is not None
    terminal = OTHER_TERMINAL if exchange.terminal == OTHER_TERMINAL.b_tid else TERMINAL
    password = terminal.subscriber.password
    assert password is not None
    if credentials is not None and "digest" not in sample.fault.leaves:
        request = exchange.request
        right = digest.response(credentials, password, request.method, request.body or b"")
        assert credentials.get("response") == right
        if response.authentication_info_text is not None:
            said = digest.parse_directives(response.authentication_info_text)
            assert said.get("rspauth") == digest.rspauth(credentials, password, response.body or b"")
    for message in messages(exchange):
        if "mac" not in sample.fault.leaves and {Rand, Kemac} <= {type(payload) for payload in message.payloads}:
            assert authenticate(message, terminal.muk) == message


@EVERY
def test_reverting_gives_back_the_clean_reference(sample: Faulted) -> None:
    flow = committed(sample)[-1]
    clean = flow_of_event(sample.clean[-1]).get_state()
    assert flow.get_state() != clean
    flow.revert()  # type: ignore[no-untyped-call]
    assert flow.get_state() == clean


@EVERY
def test_the_text_beside_a_sample_is_what_is_printed_for_it(sample: Faulted) -> None:
    printed = expected.printed((generate.FOLDER / sample.file).read_bytes())
    assert [line for lines in printed for line in lines] == committed_text(sample.file)


@pytest.mark.parametrize("family", ["item", "counters"])
def test_mitmdump_prints_the_text_beside_a_sample(family: str, mitmdump: Mitmdump) -> None:
    assert printed_by_mitmdump(f"faults/{family}.flow", mitmdump) == committed_text(f"faults/{family}.flow")


def without_keys(sample: Faulted) -> dict[str, object]:
    """Return the state of the flow with the fault, once saved, where no keys are known."""
    return states(generate.written(sample.flows(KeyRing())))[-1]


@EVERY
def test_the_command_writes_the_same_flow_but_for_what_takes_a_key(sample: Faulted, tmp_path: Path) -> None:
    source, target = tmp_path / "in.flow", tmp_path / "out.flow"
    source.write_bytes(generate.written(map(flow_of_event, sample.clean)))
    result = CliRunner().invoke(commands, ["fault", str(sample.application), str(source), str(target)])
    assert result.exit_code == 0, result.output
    written, flow = read(target)[-1], committed(sample)[-1]
    assert written.get_state() == without_keys(sample)
    assert written.metadata["ltkm_fault"] == flow.metadata["ltkm_fault"]
    assert written.metadata.get("ltkm_original") == flow.metadata.get("ltkm_original")


def test_the_command_writes_the_very_flow_where_no_key_is_needed() -> None:
    sample = next(each for each in SAMPLES if each.fault.id == "drop-authentication-info")
    assert without_keys(sample) == committed(sample)[-1].get_state()


def test_the_index_lists_every_sample_of_a_fault() -> None:
    page = (generate.FOLDER / "README.md").read_text("utf-8")
    for sample in SAMPLES:
        rules = ", ".join(f"`{rule}`" for rule in sorted(sample.fault.trips))
        rules += " (with keys)" if sample.takes_keys else ""
        row = f"| [{sample.family}.flow]({sample.file}) | `{sample.application}` | {sample.fault.reference} | {rules} |"
        assert row in page
