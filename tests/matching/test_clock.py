"""The clock of the log: offset, drift, and a clock that was set."""

import random

import pytest

from ltkm_inspect.matching.clock import ClockOffset, ClockPair, estimated
from ltkm_inspect.matching.words import clock_lines, zone_text

START = 1_256_716_800.0
MINUTE = 60.0


def pairs(ahead: dict[int, float]) -> list[ClockPair]:
    """Return a pair for each minute, with a little noise that is the same each time."""
    noise = random.Random(1)
    return [ClockPair(START + minute * MINUTE, each + noise.uniform(-0.2, 0.2)) for minute, each in ahead.items()]


def test_wrong_pairs_do_not_move_the_offset() -> None:
    ahead = dict.fromkeys(range(50), 7200.4)
    ahead |= {0: -9000.0, 1: 40.0, 30: 5e6, 49: 0.0}
    (offset,) = estimated(pairs(ahead), 60).offsets
    assert offset.ahead == pytest.approx(7200.4, abs=0.1)
    assert offset.pairs == 46
    assert 0 < offset.spread < 0.2
    assert offset.drift == 0


@pytest.mark.parametrize("ahead", [{0: 3.0}, {0: 3.0, 1: 3.0}, {0: 900.0, 1: 3.0, 2: 3.0}, {0: 3.0, 1: 900.0, 2: 3.0}])
def test_few_pairs_give_an_offset(ahead: dict[int, float]) -> None:
    (offset,) = estimated(pairs(ahead), 60).offsets
    assert offset.ahead == pytest.approx(3.0, abs=0.3)
    assert estimated([], 60).offsets == ()


def test_a_drift_is_found_only_where_it_is_large() -> None:
    week = 7 * 24 * 60
    clock = estimated(pairs({minute: 5 + minute * MINUTE * 50e-6 for minute in range(0, week, 10)}), 60)
    (offset,) = clock.offsets
    assert offset.drift == pytest.approx(50e-6, rel=0.05)
    for minute in (0, week // 2, week):
        moment = START + minute * MINUTE
        assert clock.of_capture(moment) - moment == pytest.approx(5 + minute * MINUTE * 50e-6, abs=0.3)
        assert clock.of_log(clock.of_capture(moment)) == pytest.approx(moment, abs=1e-3)
    assert any("drifts: it gains 30." in line for line in clock_lines(clock))


def test_a_clock_that_was_set_has_an_offset_before_and_one_after() -> None:
    clock = estimated(pairs({**dict.fromkeys(range(30), 0.0), **dict.fromkeys(range(40, 60), -3600.0)}), 60)
    assert [round(each.ahead) for each in clock.offsets] == [0, -3600]
    assert [each.pairs for each in clock.offsets] == [30, 20]
    *_, last = clock.spans()
    assert last[1] == START + 29 * MINUTE, "either offset may hold between the pairs"
    assert "one of the clocks was set" in [*clock_lines(clock)][-1]


@pytest.mark.parametrize(
    ("ahead", "zone"),
    [(7200.4, "UTC+02:00"), (-18_000.0, "UTC-05:00"), (19_799.0, "UTC+05:30"), (20.0, ""), (5000.0, ""), (9e9, "")],
)
def test_an_offset_of_hours_looks_like_a_zone(ahead: float, zone: str) -> None:
    text = zone_text(ClockOffset(START, START, ahead, 0, 0, 1))
    assert (zone in text) if zone else text == ""
