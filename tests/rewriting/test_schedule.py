"""How often a fault is put in: what may be typed, and which responses of a terminal it means."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.reference import reference
from ltkm_inspect.rewriting.schedule import Schedule, ScheduleError, When, parse_when
from ltkm_inspect.traffic import Exchange

CLEAN = reference("download")[0]
WORDS = ("always", "first", "nth=3", "every=2", "until=5", "probability=0.2,seed=7")


def exchange(terminal: str | None, connection: str = "") -> Exchange:
    """Return an exchange of a terminal; None for one that does not say its name."""
    if terminal is None:
        request = replace(CLEAN.request, headers=CLEAN.request.headers.without("Authorization"))
    else:
        assert CLEAN.request.credentials is not None
        request = CLEAN.request.with_credentials(CLEAN.request.credentials.refilled({"username": terminal}))
    return replace(CLEAN, request=request, connection=connection)


def hits(schedule: Schedule, exchanges: list[Exchange]) -> list[bool]:
    """Return which of these are hit, counting each."""
    found = []
    for each in exchanges:
        turn = schedule.turn(each)
        schedule.count(turn)
        found.append(turn.is_hit)
    return found


@pytest.mark.parametrize(
    ("typed", "hit"),
    [
        pytest.param("always", [1, 2, 3, 4, 5, 6, 7], id="always"),
        pytest.param("first", [1], id="first"),
        pytest.param("nth=3", [3], id="nth"),
        pytest.param("every=2", [2, 4, 6], id="every"),
        pytest.param("every=1", [1, 2, 3, 4, 5, 6, 7], id="every-one"),
        pytest.param("until=5", [1, 2, 3, 4, 5], id="until"),
        pytest.param("probability=0,seed=7", [], id="never"),
        pytest.param("probability=1", [1, 2, 3, 4, 5, 6, 7], id="surely"),
        pytest.param(" probability=.5 , seed=7 ", None, id="spaces"),
    ],
)
def test_each_word_means_these_responses_of_every_terminal_by_itself(typed: str, hit: list[int] | None) -> None:
    schedule = Schedule(parse_when(typed))
    both = [exchange(terminal) for _ in range(7) for terminal in ("a", "b")]
    found = hits(schedule, both)
    if hit is not None:
        for part in (found[::2], found[1::2]):
            assert [number for number, was in enumerate(part, 1) if was] == hit


@pytest.mark.parametrize("typed", WORDS)
def test_what_is_parsed_is_written_as_it_was_typed(typed: str) -> None:
    assert str(parse_when(typed)) == typed


@pytest.mark.parametrize(
    "typed",
    [
        *("", "never", "always=1", "first,seed=1", "a\x1b[31m"),
        *("nth", "nth=0", "nth=-1", "nth=1.5", "nth=٣", "every=x", "until=", "every=2,seed=1"),
        *("probability", "probability=1.5", "probability=-1", "probability=nan", "probability=1e-1"),
        *("probability=0.2,seed=x", "probability=0.2,sead=1", "probability=0.2,seed=1,seed=2"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(typed: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_when(typed)
    assert str(caught.value).isprintable()
    assert "got" in str(caught.value)


@given(st.lists(st.sampled_from("abc"), max_size=40), st.randoms(use_true_random=False), st.sampled_from(WORDS))
def test_the_order_in_which_terminals_come_does_not_matter(terminals: list[str], random: object, typed: str) -> None:
    def chosen(order: list[str]) -> set[tuple[str, int]]:
        schedule, seen, found = Schedule(parse_when(typed)), dict.fromkeys("abc", 0), set()
        for terminal, hit in zip(order, hits(schedule, [exchange(each) for each in order]), strict=True):
            seen[terminal] += 1
            if hit:
                found.add((terminal, seen[terminal]))
        return found

    shuffled = [*terminals]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert chosen(terminals) == chosen(shuffled)


@given(st.integers(1, 300), st.sampled_from(WORDS[:5]))
def test_after_the_last_hit_it_is_over_and_never_before(number: int, typed: str) -> None:
    when = parse_when(typed)
    assert when.is_over(number) == (not any(when.hits("a", later) for later in range(number, number + 20)))


def test_chance_hits_about_as_many_as_it_says_and_another_seed_others() -> None:
    def chosen(seed: int) -> list[int]:
        return [n for n in range(2000) if When("probability", probability="0.2", seed=str(seed)).hits("a", n)]

    assert 320 < len(chosen(7)) < 480
    assert chosen(7) == chosen(7) != chosen(8)


def test_chance_does_not_depend_on_the_name_of_a_connection() -> None:
    def chosen(names: list[str]) -> list[bool]:
        return hits(Schedule(parse_when("probability=0.5,seed=1")), [exchange(None, name) for name in names])

    assert chosen(list("abcdefgh")) == chosen(list("stuvwxyz"))
    assert len(set(chosen(list("abcdefgh")))) == 2


def test_what_is_not_counted_is_the_same_turn_again() -> None:
    schedule = Schedule(parse_when("first"))
    assert schedule.turn(exchange("a")).is_hit
    assert schedule.turn(exchange("a")).is_hit
    schedule.count(schedule.turn(exchange("a")))
    assert not schedule.turn(exchange("a")).is_hit
    assert schedule.turn(exchange("a")).is_over


def test_memory_is_bounded_and_the_terminal_not_seen_for_longest_is_forgotten() -> None:
    schedule = Schedule(parse_when("first"), limit=2)
    assert hits(schedule, [exchange(each) for each in "abacbab"]) == [True, True, False, True, True, True, False]
