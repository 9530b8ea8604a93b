"""The LTKM request procedure on the loopback, clean: what the faults are held against is right to begin with."""

import gzip
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import FIRST, REFERENCES, SECOND
from tests.loopback.bsm import Bsm, Habits
from tests.loopback.proxy import Steered
from tests.loopback.scenes import SCENES, Scene, person, reports, served_for
from tests.loopback.terminal import Handset
from tests.proxy.parts import Mitmdump
from tests.samples.lab import granted


@pytest.fixture(scope="module")
def steered(mitmdump: Mitmdump, bsm: Bsm) -> Iterator[Steered]:
    """The proxy in front of the BSM."""
    with Steered(mitmdump, bsm.port) as proxy:
        yield proxy


VARIANTS = {
    **SCENES,
    "gzip": Scene(Habits(coding="gzip")),
    "chunked": Scene(Habits(chunk=100), (FIRST.msk_id, SECOND.msk_id)),
    "chunked-zstd": Scene(Habits(coding="zstd", chunk=64)),
}


@pytest.mark.parametrize("through", ["directly", "through-the-proxy"])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_clean_procedure_is_what_the_bsm_sent_verifies_and_trips_no_rule(
    name: str, through: str, bsm: Bsm, steered: Steered
) -> None:
    port = bsm.port if through == "directly" else steered.port
    scene = VARIANTS[name]
    with Handset(person(f"{name} {through}"), port) as handset:
        last = scene.act(bsm, handset)
    served = served_for(bsm, handset)
    assert [taken.exchange.response for taken in handset.taken] == [each.exchange.response for each in served]
    if not scene.habits.chunk:  # mitmproxy makes one chunk of several
        assert [taken.raw for taken in handset.taken] == [each.raw for each in served]
    for keys in (None, KeyRing()):
        assert [finding.line for report in reports(handset, keys) for finding in report.findings] == []
    assert last.digest is (True if scene.deliveries else None)
    delivered = scene.deliveries and scene.habits.delivers and scene.habits.code == "200 OK"
    grants = [granted(msk_id.hex()) for msk_id in scene.msk_ids] if delivered else []
    assert handset.opened(last) == [(grant.msk, True) for grant in grants]


def test_every_reference_of_one_terminal_and_gba_has_its_scene() -> None:
    # the BSM here authenticates by GBA, and what it answers is captured once
    others = {"two-terminals", "streaming-two-terminals", "rebootstrapped", "akma", "akma-challenge", "captured-twice"}
    assert set(REFERENCES) - set(SCENES) == others


def test_the_terminal_notices_a_digest_and_a_mac_that_are_wrong(bsm: Bsm) -> None:
    with Handset(person("notices"), bsm.port) as handset:
        taken = SCENES["download"].act(bsm, handset)
    response = taken.exchange.response
    assert response is not None
    assert response.body is not None
    wrong = replace(handset.terminal, mrk=bytes(32), muk=bytes(32))
    with Handset(wrong, bsm.port) as stranger:
        assert stranger.opened(taken) == [(None, False)]
        bsm.subscribe(handset.terminal)
        stranger.connect([FIRST.msk_id])
        refused = stranger.ask([FIRST.msk_id])
    assert refused.exchange.response is not None
    assert refused.exchange.response.status == 401, "the BSM notices a request that proves nothing"


def test_the_bsm_takes_a_nonce_count_once(bsm: Bsm) -> None:
    with Handset(person("once"), bsm.port) as handset:
        SCENES["download"].act(bsm, handset)
        handset._nc -= 1
        taken = handset.ask([FIRST.msk_id])
    assert taken.exchange.response is not None
    assert taken.exchange.response.status == 401


def test_the_bsm_codes_what_it_says_it_codes(bsm: Bsm) -> None:
    with Handset(person("coded"), bsm.port) as handset:
        taken = VARIANTS["gzip"].act(bsm, handset)
    assert b"<bcast:LTKM>" in gzip.decompress(taken.received.body)


def test_options_are_set_while_it_runs_and_refused_with_the_text_of_the_error(steered: Steered) -> None:
    assert steered.set(ltkm_ignore=["ltkm-missing"]) == ""
    assert "ltkm-misssing" in steered.set(ltkm_ignore=["ltkm-misssing"])
    assert steered.set(ltkm_ignore=[]) == ""


def test_other_traffic_comes_through_as_it_was_sent(bsm: Bsm, steered: Steered) -> None:
    with Handset(person("others"), steered.port) as far, Handset(person("others"), bsm.port) as near:
        for number in range(20):
            assert far.fetch(f"/page/{number}").raw == near.fetch(f"/page/{number}").raw
