"""Keys in the real mitmdump: what is told of them where, what is kept everywhere, and a key ring that changes."""

import base64
import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.io import FlowReader

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import parse_application
from ltkm_inspect.finding import Problem
from ltkm_inspect.keys.protection import authenticate
from ltkm_inspect.mikey import Kemac
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.reference import AGAIN, B_TID, FIRST, KEYS, MRK, MUK, OTHER_TERMINAL, SECOND, ltkm
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.keys.derived import derived
from tests.proxy.parts import Mitmdump, Origin, Save, clean, flawed
from tests.proxy.test_traffic import request, response
from tests.proxy.test_view import shown

VALID = f"MAC valid (MUK of {B_TID})"
TOLD = f"{VALID}, TEK of 16 octets, SEQ 0 to 4095, check value fde4fb"


def _derived(grants: Iterable[reference.Grant]) -> Iterator[bytes]:
    for grant in grants:
        yield from derived(reference.ltkm(grant), MUK)


GRANTS = (FIRST, SECOND, AGAIN)
MSKS = [FIRST.msk, SECOND.msk]
NEVER = [MUK, MRK, OTHER_TERMINAL.muk, OTHER_TERMINAL.mrk, *_derived(GRANTS)]
"""The keys that no option shows."""


def leaks(output: str, keys: Iterable[bytes]) -> list[str]:
    """Return the keys that stand in an output: in hex of any case, in base64, or as Python writes octets."""
    found, lower = [], output.lower()
    for key in keys:
        hexadecimal = key.hex()
        spaced, coded = key.hex(" "), base64.b64encode(key).decode().rstrip("=")
        urlsafe = base64.urlsafe_b64encode(key).decode().rstrip("=")
        if hexadecimal in lower or spaced in lower or any(each in output for each in (coded, urlsafe, repr(key)[2:-1])):
            found.append(hexadecimal)
    return found


def not_encrypted() -> Exchange:
    """Return an exchange whose LTKM carries its key data as they are."""
    message = ltkm(AGAIN)
    kemac = Kemac(0, AGAIN.plaintext, 1, b"")
    message = authenticate(replace(message, payloads=(*message.payloads[:-1], kemac)), MUK)
    return reference.exchange([AGAIN.msk_id], [(AGAIN, "200 OK", message)])


def faulted(fault: str) -> Exchange:
    """Return the clean exchange with a fault in it."""
    return inject(clean(), [parse_application(fault)], Context(keys=KEYS, session=Session()))


EXCHANGES = (clean(), clean("several-keys"), flawed(), faulted("flip-mac"), faulted("replace-muk"), not_encrypted())


def ring_text(muk: bytes = MUK) -> str:
    """Return a key ring with the keys of the terminal of the reference, the MUK in hex and the MRK in base64."""
    mrk = base64.b64encode(MRK).decode()
    return f'[[subscribers]]\nb_tid = "{B_TID}"\nmuk = "{muk.hex()}"\nmrk = "{mrk}"\n'


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """Write the key ring."""
    path = tmp_path / "ring.toml"
    path.write_text(ring_text())
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("show", [False, True], ids=["kept", "shown"])
def test_no_output_of_mitmdump_has_a_key_that_is_not_to_be_shown(
    mitmdump: Mitmdump, save: Save, ring: Path, tmp_path: Path, show: bool
) -> None:
    report, out = tmp_path / "r.jsonl", tmp_path / "out.flow"
    flags = [f"ltkm_keys={ring}", f"ltkm_report={report}", "termlog_verbosity=debug"]
    flags += ["ltkm_show_keys=true"] if show else []
    typed = [word for each in flags for word in ("--set", each)]
    run = mitmdump("-nr", save(EXCHANGES), *typed, "-w", out, "--flow-detail", "3")
    assert run.status == 0
    with io.BytesIO(out.read_bytes()) as file:
        flows = [*FlowReader(file).stream()]
    assert len(flows) == len(EXCHANGES)
    written = "\n".join(f"{flow.metadata} {flow.comment} {flow.marked}" for flow in flows)
    for output in (run.output, run.errors, report.read_text("ascii"), written, out.read_bytes().decode("latin-1")):
        assert leaks(output, NEVER) == []
    everything = (run.output, report.read_text("ascii"))
    assert [leaks(output, MSKS) for output in everything] == [[key.hex() for key in MSKS] if show else []] * 2
    assert leaks(run.errors + written, MSKS) == []
    assert any(line.startswith("ltkm: ltkm_show_keys is on: ") for line in run.log) is show
    ours = [line.strip() for line in run.log if line.startswith("  key ")]
    assert f"key item 1, LTKM 1: {TOLD}{f', key {FIRST.msk.hex()}' if show else ''}" in ours
    assert any("MAC invalid (does not verify with the MUK of " in line for line in ours)
    # in the view, beside the message
    assert f"# key: {VALID}" in run.output
    assert "keys of 1 subscriber" in run.output


def test_a_crash_with_a_key_in_its_text_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(subject: object, context: Context) -> Iterator[Problem]:
        raise RuntimeError(f"{MUK.hex()} {MUK!r} {FIRST.msk.hex()}")

    for rule in ("status-not-200", "mac-invalid"):
        monkeypatch.setitem(RULES, rule, replace(RULES[rule], check=crash, takes_context=True))
    keys = Configuration(Context(keys=KEYS)).keys
    report = inspect(clean(), Context(keys=KEYS, session=Session()))
    assert "rule-crashed" in report.rules
    output = "\n".join([*text.lines(report), jsonl.exchange_line(report, keys=keys), repr(report.findings)])
    assert leaks(output, [*NEVER, *MSKS]) == []


def test_the_view_tells_what_the_keys_say_below_each_message() -> None:
    view = LtkmView(lambda: Configuration(Context(keys=KEYS)))
    comments = [line.strip() for line in shown(clean(), view) if line.strip().startswith("# key: ")]
    assert comments == [f"# key: {VALID}", "# key: TEK of 16 octets, SEQ 0 to 4095, check value fde4fb"]
    for exchange in EXCHANGES:
        assert leaks("\n".join(shown(exchange, view)), [*NEVER, *MSKS]) == []
        assert leaks("\n".join(shown(exchange)), [*NEVER, *MSKS]) == []
    showing = LtkmView(lambda: Configuration(Context(keys=KEYS), show_keys=True))
    assert leaks("\n".join(shown(clean(), showing)), [*NEVER, *MSKS]) == [FIRST.msk.hex()]


def test_a_key_ring_that_changes_is_read_again_and_a_broken_one_changes_nothing(
    mitmdump: Mitmdump, origin: Origin, ring: Path
) -> None:
    origin.answers = {b"/msk": response(clean())}
    ring.write_text(ring_text(bytes(32)))
    proxy = mitmdump.proxy("--set", f"ltkm_keys={ring}")
    texts = [ring_text(), f'{ring_text()}muck = "{MRK.hex()}"\n', None]
    proxy.send(request(origin, "/msk"))
    for written in texts:
        if written is not None:
            ring.write_text(written)
        time.sleep(1.1)  # the file is looked at once a second
        proxy.send(request(origin, "/msk"))
    run = proxy.stop()
    told = [line.partition(": ")[2] for line in run.log if line.startswith("  key item 1")]
    assert told == [f"MAC invalid (does not verify with the MUK of {B_TID})", TOLD, TOLD, TOLD]
    about = [line for line in run.log if str(ring) in line]
    assert about == [f"ltkm: read {ring} again: keys of 1 subscriber", about[-1]]
    assert about[1].startswith(f"ltkm: {ring}: subscribers[1].muck: unknown field; expected one of ")
    assert about[1].endswith("; still using the old keys")
    assert leaks(run.output, [*NEVER, *MSKS, bytes(32)]) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param(ring_text()[:-3], "expected TOML", id="syntax"),
        pytest.param(f'[[subscribers]]\nb_tid = "x"\nmuk = "{MUK.hex()[:-1]}"\n', "subscribers[1].muk", id="key"),
        pytest.param(f"{MUK.hex()} = 1\n", "(a field): expected [[subscribers]]", id="field"),
        pytest.param(None, "no such file or directory", id="missing"),
    ],
)
def test_a_key_ring_that_cannot_be_used_stops_mitmdump_with_one_line(
    mitmdump: Mitmdump, save: Save, ring: Path, written: str | None, said: str
) -> None:
    ring.unlink() if written is None else ring.write_text(written)
    run = mitmdump("-nr", save([clean()]), "--set", f"ltkm_keys={ring}")
    assert run.status == 1
    assert "Traceback" not in run.output + run.errors
    (line,) = [line for line in run.log if "ltkm_keys" in line]
    assert said in line
    assert leaks(run.output + run.errors, [*NEVER, MUK[:-1]]) == []
    assert not any(line.startswith("clean ") for line in run.log)


def test_a_key_ring_that_others_can_read_is_warned_of_once(mitmdump: Mitmdump, save: Save, ring: Path) -> None:
    ring.chmod(0o644)
    run = mitmdump("-nr", save([clean(), clean("several-keys")]), "--set", f"ltkm_keys={ring}")
    assert run.status == 0
    assert sum("other users can read this file (mode 644): chmod 600 " in line for line in run.log) == 1
