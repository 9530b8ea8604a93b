"""The commands that take keys, as they are typed: what they show, and what they keep to themselves."""

import base64
import json
import os
from pathlib import Path

import pytest

from ltkm_inspect import reference
from ltkm_inspect.keys import key_check_value
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import B_TID, BSM, FIRST, MRK, MUK
from tests.command import ROOT
from tests.command import run_text as run
from tests.samples.generate import written

MESSAGE = base64.b64encode(reference.ltkm(FIRST).encode()).decode()
CK, IK, RAND = (bytes(range(start, start + 16)) for start in (0, 16, 0))
KS_NAF = "3d2fec766bf9a75e88caaa2e3eae83a339b4c555d8c400412e6e403aad5ec99a"
"""Worked out for these with an independent script (Ks_NAF of 3GPP TS 33.220 B.3)."""


def secrets(*keys: bytes) -> list[str]:
    """Return keys in every spelling in which they could leak."""
    return [each for key in keys for each in (key.hex(), key.hex().upper(), base64.b64encode(key).decode().rstrip("="))]


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """Write a key ring with the keys of the reference."""
    path = tmp_path / "ring.toml"
    path.write_text(f'[[subscribers]]\nb_tid = "{B_TID}"\nnaf = "{BSM}"\nmuk = "{MUK.hex()}"\nmrk = "{MRK.hex()}"\n')
    path.chmod(0o600)
    return path


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Write a flow file with one exchange of the reference."""
    path = tmp_path / "recorded.flow"
    path.write_bytes(written(map(flow_of, reference.reference("download"))))
    return path


def test_an_opened_message_tells_its_key_without_showing_it(ring: Path) -> None:
    for shape in ("text", "jsonl"):
        done = run("decode", "--keys", ring, "--format", shape, MESSAGE)
        assert done.returncode == 0
        assert key_check_value(FIRST.msk) in done.stdout
        assert not [secret for secret in secrets(MUK, MRK, FIRST.msk) if secret in done.stdout + done.stderr]


def test_a_key_is_shown_where_that_is_asked_for_by_name(ring: Path) -> None:
    done = run("decode", "--keys", ring, "--show-keys", MESSAGE)
    assert FIRST.msk.hex() in done.stdout
    assert "--show-keys is on" in done.stderr
    assert not [secret for secret in secrets(MUK, MRK) if secret in done.stdout + done.stderr]


def test_a_check_with_keys_tells_of_each_ltkm_and_shows_none(ring: Path, recorded: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.jsonl"
    done = run("check", "--keys", ring, "--report", report, recorded)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MAC valid" in done.stdout
    told = json.loads(report.read_text().splitlines()[1])["items"][0]["ltkms"][0]["key"]
    assert (told["verdict"], told["length"], told["key"]) == ("valid", 16, None)
    everything = done.stdout + done.stderr + report.read_text()
    assert not [secret for secret in secrets(MUK, MRK, FIRST.msk) if secret in everything]


def test_a_key_line_names_the_terminal_as_its_exchange_does_unless_names_are_hidden(ring: Path, recorded: Path) -> None:
    ring.write_text(ring.read_text() + 'name = "cedar"\n')
    heading, key, *_ = run("check", "--keys", ring, recorded).stdout.splitlines()
    assert " cedar POST " in heading
    assert key.startswith("  key item 1, LTKM 1: MAC valid (MUK of cedar), ")
    for command, input in (("check", str(recorded)), ("decode", MESSAGE)):
        done = run(command, "--redact", "--keys", ring, input)
        assert "MAC valid (MUK of identity-" in done.stdout
        assert "cedar" not in done.stdout + done.stderr
    ring.write_text(ring.read_text().replace(MUK.hex(), bytes(32).hex()))
    assert "MAC invalid (does not verify with the MUK of cedar)" in run("check", "--keys", ring, recorded).stdout


def test_a_wrong_key_is_a_finding_about_the_key(ring: Path, recorded: Path) -> None:
    ring.write_text(ring.read_text().replace(MUK.hex(), bytes(32).hex()))
    done = run("check", "--keys", ring, "--fail-on", "warning", recorded)
    assert done.returncode == 3
    assert "key-unproven" in done.stdout
    assert f"MAC does not verify with the MUK of {B_TID}" in done.stdout


def test_a_fault_with_keys_is_sealed(ring: Path, recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.flow"
    done = run("fault", "--keys", ring, "shorten-rand:octets=8", recorded, out)
    assert (done.returncode, done.stderr) == (0, "")
    checked = run("check", "--keys", ring, "--format", "jsonl", out)
    assert [finding["rule"] for finding in json.loads(checked.stdout.splitlines()[1])["findings"]] == [
        "rand-length-wrong"
    ]


@pytest.mark.parametrize("shape", ["text", "json"])
def test_keys_are_derived_from_standard_input(shape: str) -> None:
    given = f'ck = "{CK.hex()}"\nik = "{IK.hex()}"\nrand = "{RAND.hex()}"\nimpi = "user@home1.net"\nnaf = "{BSM}"\n'
    done = run("keys", "derive", "--format", shape, given=given)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout) if shape == "json" else dict(line.split(": ") for line in done.stdout.splitlines())
    assert found["Ks_NAF"] == found["MUK"] == KS_NAF
    assert base64.b64decode(found["password" if shape == "json" else "digest password"]).hex() == found["MRK"]


@pytest.mark.parametrize("shape", ["text", "json"])
def test_the_steps_of_akma_are_shown(shape: str, tmp_path: Path) -> None:
    steps = dict(line.rsplit(None, 1) for line in (ROOT / "tests/cases/mbs5g/akma.txt").read_text().splitlines())
    path = tmp_path / "akma.toml"
    path.write_text(f'k_ausf = "{steps["KAUSF"]}"\nsupi = "{steps["SUPI"]}"\nnaf = "mbssf.mbs.example.net"\n')
    done = run("keys", "derive", "--format", shape, path)
    found = json.loads(done.stdout) if shape == "json" else dict(line.split(": ") for line in done.stdout.splitlines())
    names = {
        "A-TID": "A-TID",
        "K_AKMA": "KAKMA",
        "AF_ID": "AF_ID",
        "K_AF": "KAF = MUK",
        "MUK": "KAF = MUK",
        "MRK": "MRK",
    }
    assert {name: found[name] for name in names} == {name: steps[worked] for name, worked in names.items()}
    assert (done.returncode, done.stderr) == (0, "")
    assert steps["KAUSF"] not in done.stdout


def test_the_mrk_of_the_worked_example_follows_from_its_ks_naf(tmp_path: Path) -> None:
    path = tmp_path / "ks.toml"
    path.write_text(f'ks_naf = "{MUK.hex()}"\n')
    assert f"MRK: {MRK.hex()}" in run("keys", "derive", path).stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('ck = "00"', "expected one of: ks_naf"),
        ('ks_naf = "zz"', "ks_naf: expected 32 octets in hex or base64"),
        ('ks_naf = "202122"', "ks_naf: expected 32 octets, got 3"),
        ("ks_naf = ", "expected TOML"),
        ("a = 1\nb c\n", "line 2"),
        ('muk = "00"', "muk: unknown field; expected one of ks_naf"),
        ("", "k_ausf; got none of them"),
        ('gba = "me"', "k_ausf; got gba alone"),
    ],
)
def test_what_cannot_be_derived_is_one_line_that_names_the_field(given: str, said: str) -> None:
    done = run("keys", "derive", given=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert "202122" not in done.stderr


def test_a_key_ring_is_checked_without_showing_it(ring: Path) -> None:
    done = run("keys", "check", ring)
    assert done.stdout == f"{B_TID} at {BSM}: 1 MUK of 32 octets, MRK of 32 octets, given\n1 subscriber\n"
    assert (done.returncode, done.stderr) == (0, "")
    ring.chmod(0o644)
    assert ("chmod 600" in run("keys", "check", ring).stderr) == (os.name == "posix")


@pytest.mark.parametrize("command", [["keys", "check"], ["decode", MESSAGE, "--keys"]])
def test_a_key_ring_that_cannot_be_used_is_one_line(command: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(f'[[subscribers]]\nb_tid = "x"\nmuk = "{MUK.hex()[:-1]}"\n')
    broken.chmod(0o600)
    (tmp_path / "in.flow").write_bytes(b"1:9:websocket;0:~}")
    near = f"did you mean {broken}?"
    for path, said in (
        (broken, "subscribers[1].muk"),
        (tmp_path / "missing.toml", "no such file"),
        (tmp_path / "brokn.toml", f"no such file or directory; {near}"),
        (tmp_path / "in.flow", "in.flow: expected a key ring, a TOML file with [[subscribers]], got a flow file"),
    ):
        done = run(*command, path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
        assert MUK.hex()[:20] not in done.stderr


def test_a_message_whose_mac_is_wrong_gives_exit_code_3_and_one_without_a_key_does_not(ring: Path) -> None:
    wrong = base64.b64encode(reference.ltkm(FIRST).encode()[:-1] + b"\0").decode()
    done = run("decode", "--keys", ring, MESSAGE, wrong)
    assert done.returncode == 3
    assert "key: MAC valid" in done.stdout
    assert "key: MAC invalid" in done.stdout
    assert run("decode", wrong).returncode == 0
    ring.write_text(ring.read_text().replace(B_TID, "somebody@else"))
    done = run("decode", "--keys", ring, wrong)
    assert f"key: no key for B-TID {B_TID} at {BSM}: the key ring has no entry for this terminal" in done.stdout
    assert done.returncode == 0


def test_a_fault_says_where_a_key_ring_has_no_key_that_fits(ring: Path, recorded: Path, tmp_path: Path) -> None:
    ring.write_text(ring.read_text().replace(B_TID, "somebody@else"))
    done = run("fault", "--keys", ring, "shorten-rand:octets=8", recorded, tmp_path / "out.flow")
    assert done.returncode == 0
    lacking = "the key ring has no entry for this terminal; add one with its"
    assert done.stderr == "".join(
        f"ltkm-inspect: 1 exchange: {part} not recomputed ({lacking} {key}); the terminal will reject it\n"
        for part, key in (("MAC", "MUK"), ("digest", "MRK"))
    )
