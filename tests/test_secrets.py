"""The canary: keys that are planted in every input are in no output of any command, whatever goes wrong.

Beside it stand the canaries of single rooms: of the real mitmdump in tests/proxy/test_keys.py, of every `repr` and
exception of the keys room in tests/keys/test_robustness.py.
"""

import base64
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ltkm_inspect import reference
from ltkm_inspect.cli import main
from ltkm_inspect.cli.program import commands
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inject
from ltkm_inspect.fault import parse_application
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.reference import FIRST, KEYS, MRK, MUK, SECOND, ltkm
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.proxy.test_keys import MSKS, NEVER, leaks, ring_text
from tests.samples.generate import written

KS_NAF = bytes(range(0x40, 0x60))
CALLS: Mapping[str, list[str]] = {
    "addon": [""],
    "check": [
        "--keys RING FLOW",
        "--keys RING --format jsonl FLOW",
        "--keys RING --report REPORT --redact FLOW",
        "--keys WRONG FLOW",
        "--keys BROKEN FLOW",
        "--keys RING RING",
        "--config BROKEN FLOW",
        "--names RING FLOW",
        "--names BROKEN FLOW",
        "--baseline RING FLOW",
        "--baseline BROKEN FLOW",
        "--keys RING --write-baseline OUT FLOW",
    ],
    "completion": ["bash"],
    "decode": [
        "--keys RING LTKM",
        "--keys RING --format jsonl LTKM",
        "--keys BROKEN LTKM",
        "--keys WRONG LTKM",
        "RING",
    ],
    "diff": ["--keys RING FLOW FLOW", "--keys WRONG --all --format json FLOW FLOW", "--keys BROKEN FLOW FLOW"],
    "dump": ["--config BROKEN"],
    "explain": ["mac-invalid", "replace-muk"],
    "export": [
        "csv --keys RING FLOW",
        "json --keys RING FLOW",
        "csv --keys RING --redact FLOW -o OUT",
        "base64 --keys WRONG FLOW -o OUT",
        "pcapng --keys RING FLOW -o OUT",
        "xml FLOW",
        "csv --keys BROKEN FLOW",
        "csv RING",
    ],
    "fault": [
        "--keys RING flip-mac FLOW OUT",
        "--keys RING inject-ltkm:synthetic=RECIPE FLOW OUT",
        "--keys BROKEN flip-mac FLOW OUT",
        "flip-mac RING OUT",
        "inject-ltkm:synthetic=RING FLOW OUT",
        "inject-ltkm:file=RECIPE FLOW OUT",
    ],
    "faults": ["", "--format json"],
    "keys check": ["RING", "BROKEN", "AKMA", "FLOW"],
    "keys derive": ["BROKEN", "AKMA", "RING"],
    "match": ["FLOW TABLE", "FLOW RING", "FLOW BROKEN", "RING TABLE", "--columns time=1,ts=RECIPE FLOW TABLE"],
    "report": [
        "RUN",
        *(f"--format {name} RUN" for name in ("jsonl", "sarif", "junit", "html")),
        "--report REPORT RUN",
        "--schema",
        "RING",
    ],
    "proxy": ["--config BROKEN"],
    "rules": ["", "--format json"],
    "web": ["--config BROKEN"],
    "wireshark": [""],
}
"""What is typed, by command; one that is not here fails a test. `keys derive` shows what it was asked for."""


def names(group: click.Group = commands, before: str = "") -> Iterator[str]:
    """Yield the name of every command, those of groups behind the name of the group."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from names(command, f"{before}{name} ")
        else:
            yield before + name


def exchanges() -> list[Exchange]:
    """Return exchanges that are right, wrong, and protected with other keys."""
    keyed = Context(keys=KEYS, session=Session())
    clean = reference.reference("several-keys")[-1]
    faults = ("flip-mac", "replace-muk", "weaken-key")
    return [clean, *(inject(clean, [parse_application(fault)], keyed) for fault in faults)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write the files that the calls name."""
    folder = tmp_path_factory.mktemp("canary")
    stranger = ring_text(KS_NAF[::-1])
    akma = f'[[subscribers]]\nb_tid = "{reference.TERMINAL_OF_5G.b_tid}"\nnaf = "{reference.MBSSF}"\n'
    texts = {
        "RING": ring_text() + f'{akma}supi = "{reference.SUPI}"\nk_ausf = "{reference.K_AUSF.hex()}"\n',
        "WRONG": stranger,
        "RECIPE": f'msk = "{SECOND.msk.hex()}"\ncounter = 99\n',
        "AKMA": f'{akma}supi = "{reference.K_AUSF.hex()}"\nk_ausf = "{reference.K_AUSF.hex()}"\n',
        "TABLE": f"time,b_tid,ts\n{MUK.hex()},{MRK.hex()},{base64.b64encode(MUK).decode()}\n",
        "BROKEN": f'{ring_text()}{MRK.hex()} = "{base64.b64encode(MUK).decode()}"\n',
    }
    paths = {name: folder / name.lower() for name in (*texts, "FLOW", "OUT", "RUN")} | {
        "REPORT": folder / "report.jsonl"
    }
    for name, text in texts.items():
        paths[name].write_text(text)
        paths[name].chmod(0o644)  # so that a warning is printed, too
    paths["FLOW"].write_bytes(written(map(flow_of, exchanges())))
    check = ["check", "--keys", str(paths["RING"]), "--report", f"jsonl={paths['RUN']}", str(paths["FLOW"])]
    assert CliRunner().invoke(commands, check).exit_code == 3
    return {
        **{name: str(path) for name, path in paths.items()},
        "LTKM": base64.b64encode(ltkm(FIRST).encode()).decode(),
    }


def output(command: str, call: str, inputs: Mapping[str, str]) -> str:
    """Return everything that a call prints or writes."""
    words = [
        inputs.get(word, word) for word in [*command.split(), *call.replace("=RECIPE", "=" + inputs["RECIPE"]).split()]
    ]
    done = CliRunner().invoke(commands, words)
    assert not isinstance(done.exception, Exception), done.output
    files = [Path(inputs[name]) for name in ("OUT", "REPORT") if name in call.split()]
    return done.output + "".join(path.read_bytes().decode("latin-1") for path in files if path.exists())


def test_every_command_has_its_canary() -> None:
    assert sorted(names()) == sorted(CALLS)


@pytest.mark.parametrize(("command", "call"), [(name, call) for name in CALLS for call in CALLS[name]])
def test_no_command_shows_a_key(command: str, call: str, inputs: dict[str, str]) -> None:
    said = output(command, call, inputs)
    assert said.strip()
    assert leaks(said, [*NEVER, *MSKS, KS_NAF[::-1], reference.K_AUSF, reference.TERMINAL_OF_5G.muk]) == []


def test_the_canary_finds_the_keys_that_are_asked_for(inputs: dict[str, str]) -> None:
    shown = output("check", "--keys RING --show-keys FLOW", inputs)
    assert leaks(shown, [FIRST.msk, SECOND.msk]) == [FIRST.msk.hex(), SECOND.msk.hex()]
    assert leaks(shown, NEVER) == []
    derived = CliRunner().invoke(commands, ["keys", "derive", "-"], input=f'ks_naf = "{MUK.hex()}"\nnaf = "x"\n').output
    assert leaks(derived, [MUK, MRK]) == [MUK.hex(), MRK.hex()]


@pytest.mark.parametrize("key", [MUK.hex(), repr(MUK), base64.b64encode(MUK).decode()], ids=["hex", "repr", "base64"])
def test_a_crash_of_the_program_does_not_tell_its_text(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], inputs: dict[str, str]
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot use {key}")

    monkeypatch.setattr(sys, "argv", ["ltkm-inspect", "keys", "check", inputs["RING"]])
    monkeypatch.setattr("ltkm_inspect.keys.RingFile", crash)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"ltkm-inspect: RuntimeError at files\.py:\d+\n", printed.err)


def test_a_crash_in_a_hook_does_not_tell_its_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError(f"cannot use {MUK.hex()}")

    addon = LtkmInspect()
    monkeypatch.setattr(addon, "_steps", crash)
    addon.response(flow_of(replace(exchanges()[0], id="")))
    assert "ltkm: response failed: RuntimeError at addon.py:" in caplog.text
    assert leaks(caplog.text, [MUK]) == []
