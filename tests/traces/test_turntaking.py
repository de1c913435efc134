"""Turn-taking from segments that were made by hand: every answer is known. Times are in ms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.traces.sound import Interval, Lane, common, gaps, merged, total, within_ms
from voxgate.traces.turntaking import (
    Said,
    TurnTaking,
    dead_air,
    is_backchannel,
    take_turns,
    talk_ratio,
    user_turns,
)


def turns(user: list[Interval], heard: list[Interval], end_ms: float = 60_000, *said: Said) -> TurnTaking:
    return take_turns(user, heard, said, end_ms)


# Segments


def test_voice_with_short_pauses_is_one_segment() -> None:
    lane = Lane([(0, 500), (700, 1000), (1300, 1400), (1701, 1800)])
    assert lane.segments == [(0, 1400), (1701, 1800)]
    assert lane.voiced_ms == 1499


def test_the_first_and_the_last_voice_between_two_times() -> None:
    lane = Lane([(100, 200), (400, 500), (900, 1000)])
    assert lane.first_voice(0, 1000) == 100
    assert lane.first_voice(150, 1000) == 150
    assert lane.first_voice(200, 1000) == 400
    assert lane.first_voice(500, 900) is None
    assert lane.last_voice(0, 1000) == 1000
    assert lane.last_voice(0, 450) == 450
    assert lane.last_voice(0, 400) == 200
    assert lane.last_voice(500, 900) is None
    assert Lane().first_voice(0, 9) is Lane().last_voice(0, 9) is None


INTERVALS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 20)).map(lambda one: (one[0], one[0] + one[1])), max_size=12
)


@given(INTERVALS, INTERVALS, st.integers(0, 10))
def test_segments_are_what_a_tick_by_tick_count_says(
    one: list[Interval], other: list[Interval], gap: int
) -> None:
    ticks = [{at for start, end in each for at in range(start, end)} for each in (one, other)]
    a, b = merged(one), merged(other)
    assert total(a) == len(ticks[0])
    assert total(common(a, b)) == len(ticks[0] & ticks[1])
    assert total(gaps(a, 10, 90)) == len(set(range(10, 90)) - ticks[0])
    assert within_ms(a, 10, 90) == len(set(range(10, 90)) & ticks[0])
    assert all(
        later[0] - before[1] > gap
        for before, later in zip(merged(one, gap), merged(one, gap)[1:], strict=False)
    )


# Turns of the user


def test_the_user_goes_on_after_a_pause_unless_the_assistant_began() -> None:
    user = [(0, 1000), (1900, 3000), (4001, 5000)]
    assert [(turn.start_ms, turn.end_ms) for turn in user_turns(user, [], [])] == [(0, 3000), (4001, 5000)]
    cut = user_turns(user, [(1200, 1800)], [])
    assert [(turn.start_ms, turn.end_ms) for turn in cut] == [(0, 1000), (1900, 3000), (4001, 5000)]


def test_a_word_into_the_assistants_speech_is_a_backchannel() -> None:
    heard = [(0, 10_000)]
    said = [Said(3000, 3400, "Mm-hmm."), Said(6000, 6400, "Stop!")]
    assert [turn.is_backchannel for turn in user_turns([(3000, 3400), (6000, 6400)], heard, said)] == [
        True,
        False,
    ]
    # Without words: short, and talked through.
    assert user_turns([(3000, 3400)], heard, [])[0].is_backchannel
    assert not user_turns([(3000, 4000)], heard, [])[0].is_backchannel
    assert not user_turns([(9800, 10_200)], heard, [])[0].is_backchannel
    # "Yes" as an answer is a turn.
    assert not user_turns([(11_000, 11_400)], heard, [Said(11_000, 11_400, "yes")])[0].is_backchannel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("Uh-huh", True),
        ("okay, yeah", True),
        ("yeah yeah yeah", False),
        ("no", False),
        ("Stop.", False),
    ],
)
def test_backchannels_are_at_most_two_words_that_ask_for_nothing(text: str, expected: bool) -> None:
    assert is_backchannel(text) is expected


# Answered, missed, censored


def test_turns_are_answered_before_the_deadline_and_the_next_turn() -> None:
    user = [(0, 1000), (10_000, 11_000), (20_000, 21_000), (23_000, 24_000)]
    heard = [(1800, 4000), (16_001, 17_000), (24_500, 26_000)]
    found = turns(user, heard)
    # The second after 5001 ms; the third has to wait until the fourth is over.
    assert found.responses == [800, 500]
    assert found.response_rate == 0.5


def test_what_the_end_of_the_call_cut_off_is_censored() -> None:
    user = [(0, 1000), (10_000, 11_000)]
    assert turns(user, [(1500, 2000)], 15_999).response_rate == 1.0
    assert turns(user, [(1500, 2000)], 16_000).response_rate == 0.5
    assert turns([(0, 1000)], [], 2000).response_rate is None


def test_turns_that_want_no_answer_are_not_eligible() -> None:
    bye = Said(10_000, 11_000, "Thanks, goodbye!")
    found = turns([(0, 1000), (10_000, 11_000)], [(1500, 2000)], 60_000, Said(0, 1000, "hello there"), bye)
    assert found.response_rate == 1.0
    # The assistant speaks at its end.
    assert turns([(0, 1000)], [(500, 2000)]).response_rate is None


# Interruptions


def test_an_assistant_that_stops_in_time_yields() -> None:
    user = [(2000, 4500), (12_000, 15_000), (22_000, 24_000)]
    heard = [(0, 2300), (10_000, 14_100), (20_000, 22_700)]
    found = turns(user, heard)
    assert found.yields == [300, 700]
    assert found.yield_rate == pytest.approx(2 / 3)


def test_backchannels_and_the_end_of_the_call_are_no_test_of_yielding() -> None:
    assert turns([(2000, 2400)], [(0, 9000)]).yield_rate is None
    assert turns([(8000, 9000)], [(0, 9000)], 9000).yield_rate is None
    assert turns([(6000, 9000)], [(0, 9000)], 9000).yield_rate == 0.0


def test_an_assistant_that_begins_while_the_user_speaks_interrupts() -> None:
    found = turns([(0, 3000), (10_000, 11_000)], [(1000, 1500), (2000, 2500), (11_500, 12_000)])
    assert found.agent_interruption_rate == 2 / 2
    assert turns([(0, 3000)], [(1000, 1500), (2000, 2500)]).agent_interruption_rate == 2.0
    assert turns([(0, 3000)], [(3000, 3500)]).agent_interruption_rate == 0.0


# Reprompts, the last turn


def test_a_turn_after_an_unanswered_one_is_a_reprompt() -> None:
    user = [(0, 1000), (5000, 6000), (10_000, 11_000), (20_000, 21_000)]
    assert turns(user, [(11_500, 13_000), (21_500, 22_000)]).reprompt_rate == 2 / 4
    assert turns(user[:1], []).reprompt_rate == 0.0
    assert turns([], [(0, 100)]).reprompt_rate is None


def test_an_interrupted_answer_is_no_answer_to_the_interruption() -> None:
    user = [(2000, 3000), (6000, 7000)]
    assert turns(user, [(0, 2300)]).reprompt_rate == 1 / 2


@pytest.mark.parametrize(
    ("heard", "said", "missed"),
    [
        ([(1500, 2500)], None, 0),
        ([(0, 500)], None, 1),
        ([], None, 1),
        ([], "bye", 0),
        ([(500, 1500)], None, 0),
    ],
)
def test_a_call_that_ends_after_the_user_spoke_missed_the_last_turn(
    heard: list[Interval], said: str | None, missed: int
) -> None:
    assert turns([(400, 1000)], heard, 9000, Said(400, 1000, said)).missed_last_turn == missed


def test_without_a_user_nothing_is_missed() -> None:
    assert turns([], [(0, 100)]).missed_last_turn is None


# Silence and speaking at once


def test_overlap_and_talk_ratio() -> None:
    user, heard = [(0, 1000), (3000, 4000)], [(800, 3100), (3500, 3600)]
    assert total(common(user, heard)) == 200 + 100 + 100
    assert talk_ratio(user, heard) == 2400 / 4400
    assert talk_ratio([], []) is None


def test_dead_air_is_owed_by_somebody() -> None:
    user = [(5000, 6000), (20_000, 21_000), (40_000, 41_000)]
    heard = [(10_000, 15_000), (24_000, 25_000), (50_000, 51_000)]
    found = dead_air(user, heard, [(42_000, 49_000)], 55_000)
    assert found is not None
    # Nothing before the first voice; exactly 3 s (21 to 24) are none; 4, 5, 15, 9 and 4 s are left.
    assert found.agent_ms == 4000
    assert found.user_ms == 5000 + 15_000 + 4000
    assert found.tool_ms == 9000
    assert (found.total_ms, found.longest_ms) == (37_000, 15_000)


def test_a_call_without_pauses_has_no_dead_air_and_one_without_voice_is_unknown() -> None:
    found = dead_air([(0, 5000)], [], [], 5000)
    assert found is not None
    assert (found.total_ms, found.longest_ms) == (0, 0)
    assert dead_air([], [], [], 5000) is None


@given(INTERVALS, INTERVALS)
def test_any_segments_give_rates_within_their_bounds(one: list[Interval], other: list[Interval]) -> None:
    user, heard = ([(start * 97, end * 97) for start, end in merged(each)] for each in (one, other))
    found = turns(user, heard, 12_000)
    for rate in (found.response_rate, found.yield_rate, found.reprompt_rate):
        assert rate is None or 0 <= rate <= 1
    assert all(latency >= 0 for latency in (*found.responses, *found.yields))
    air = dead_air(user, heard, [], 12_000)
    assert air is None or air.total_ms == air.agent_ms + air.user_ms + air.tool_ms
