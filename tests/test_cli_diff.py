"""What a user of `ltkm-inspect diff` types, what is printed, and the exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.addons.savehar import SaveHar

from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import B_TID, FIRST, KEYS, exchange, ltkm
from tests.command import run
from tests.test_cli import CLEAN, WARNED, lines, save

BAD = exchange([FIRST.msk_id], [(FIRST, "200 OK", ltkm(replace(FIRST, rand=b"x" * 8)))], id="bad", nc=1)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return save(tmp_path / "a.flow", [CLEAN], foreign=1)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return save(tmp_path / "b.flow", [BAD])


def test_nothing_changed_ends_with_0_and_says_so(clean: Path) -> None:
    done = run("diff", clean, clean)
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(done.stdout) == [
        "summary: 1 MSK exchange in A, 1 in B, 1 in both",
        "summary: 0 findings only in B, 0 only in A, 0 fields differ",
    ]


def test_a_finding_that_came_ends_with_3_and_one_that_went_with_0(clean: Path, bad: Path) -> None:
    done = run("diff", clean, bad)
    assert done.returncode == 3
    assert lines(done.stdout) == [
        f"terminal {B_TID}, request 1 for b8709d/24cb/4400:",
        "  + violation rand-length-wrong: item 1, LTKM 1, RAND.value: expected 16 octets, got 8",
        "  ~ MSK b8709d/24cb/4400, LTKM 1, RAND.value: 16 octets -> 8 octets",
        "summary: 1 MSK exchange in A, 1 in B, 1 in both",
        "summary: 1 finding only in B, 0 only in A, 1 field differs",
        "summary: + violation rand-length-wrong: 1",
        "summary: ~ RAND.value: 1",
    ]
    done = run("diff", bad, clean)
    assert done.returncode == 0
    assert "  - violation rand-length-wrong: " in done.stdout.decode()
    assert run("diff", bad, bad).returncode == 0


def test_the_level_from_which_what_came_fails_is_told(clean: Path, bad: Path, tmp_path: Path) -> None:
    warned = save(tmp_path / "warned.flow", [WARNED])
    assert run("diff", "--fail-on", "never", clean, bad).returncode == 0
    assert run("diff", clean, warned).returncode == 0
    assert run("diff", "--fail-on", "warning", clean, warned).returncode == 3
    assert run("diff", "--ignore", "rand-length-wrong", clean, bad).returncode == 0


def test_json_is_one_object(clean: Path, bad: Path) -> None:
    done = run("diff", "--format", "json", clean, bad)
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["a"]["file"] == str(clean)
    assert found["counts"] == {"came": 1, "went": 0, "fields": 1}


def test_a_flow_file_and_its_har_do_not_differ(clean: Path, tmp_path: Path) -> None:
    har = tmp_path / "a.har"
    har.write_text(json.dumps(SaveHar().make_har([flow_of(CLEAN)])))
    done = run("diff", clean, har)
    assert done.returncode == 0
    assert lines(done.stdout)[-1] == "summary: 0 findings only in B, 0 only in A, 0 fields differ"


def test_with_all_and_keys_more_is_shown_and_never_a_key(clean: Path, bad: Path, tmp_path: Path) -> None:
    ring = tmp_path / "ring.toml"
    subscriber = KEYS.subscribers[0]
    ring.write_text(f'[[subscribers]]\nb_tid = "{subscriber.b_tid}"\nmuk = "{subscriber.muks[0].hex()}"\n')
    ring.chmod(0o600)
    done = run("diff", "--all", "--keys", ring, clean, bad)
    assert b"KEMAC.mac: " in done.stdout
    assert subscriber.muks[0].hex().encode() not in done.stdout
    assert FIRST.msk.hex().encode() not in done.stdout


def test_a_capture_without_msk_exchanges_ends_with_4(clean: Path, tmp_path: Path) -> None:
    foreign = save(tmp_path / "foreign.flow", [], foreign=2)
    for pair in ((clean, foreign), (foreign, clean)):
        done = run("diff", *pair)
        assert (done.returncode, done.stdout) == (4, b"")
        assert lines(done.stderr) == [f"ltkm-inspect: {foreign}: no MSK exchange was seen, so nothing was compared"]


def test_a_capture_that_is_missing_ends_with_1_and_a_damaged_one_with_5(clean: Path, tmp_path: Path) -> None:
    done = run("diff", clean, tmp_path / "missing.flow")
    assert (done.returncode, done.stdout) == (1, b"")
    assert len(lines(done.stderr)) == 1
    damaged = tmp_path / "damaged.flow"
    damaged.write_bytes(clean.read_bytes() + b"12:nonsense")
    done = run("diff", clean, damaged)
    assert done.returncode == 5
    assert lines(done.stdout)[-1] == "summary: 0 findings only in B, 0 only in A, 0 fields differ"


@pytest.mark.parametrize(
    "arguments", [["a"], ["a", "b", "c"], ["a", "b", "--fail-on", "x"], ["a", "b", "--select", "x"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run("diff", *arguments).returncode == 2
