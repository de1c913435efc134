"""Times of logs become nanoseconds since the call began."""

from __future__ import annotations

import base64

import pytest

from voxgate.recording.foreign.orders import Unit
from voxgate.recording.foreign.shapes import Entry, Stamp, StampKind
from voxgate.recording.foreign.times import Clock, Survey


def times(kind: StampKind, *values: float | None, unit: Unit | None = None) -> list[float]:
    """In ms."""
    survey = Survey()
    entries = [Entry("server", None if value is None else Stamp(kind, value)) for value in values]
    for entry in entries:
        survey.see(entry.stamp)
    clock = Clock(survey, unit)
    return [round(clock.time_of(entry) / 1e6, 3) for entry in entries]


def test_moments_count_from_the_first() -> None:
    assert times("moment", 1.7e18, 1.7e18 + 5e6, 1.7e18 + 2e9) == [0, 5, 2000]


def test_our_own_times_stay_what_they_are() -> None:
    assert times("exact", 5_000_000, 7_000_000) == [5, 7]


def test_an_event_without_a_time_has_that_of_the_one_before() -> None:
    assert times("since", 1e6, None, 3e6, None) == [0, 0, 2, 2]


def test_an_event_that_was_written_late_keeps_its_place() -> None:
    assert times("moment", 1.7e18, 1.7e18 + 5e6, 1.7e18 + 3e6, 1.7e18 + 9e6) == [0, 5, 5, 9]


def test_a_harness_that_counts_from_each_response_is_put_one_after_the_other() -> None:
    assert times("since", 0, 8e9, 12e9, 1e9, 3e9) == [0, 8000, 12_000, 12_000, 14_000]


def test_a_clock_goes_on_over_midnight() -> None:
    before = (23 * 3600 + 59 * 60 + 58) * 1e9
    assert times("clock", before, before + 1e9, 1e9) == [0, 1000, 3000]


@pytest.mark.parametrize(
    ("values", "unit", "last_ms"),
    [
        ((0, 1.5, 90.25), None, 90_250),
        ((0, 1500, 90_250), None, 90_250),
        ((100, 1_500_000, 90_250_100), None, 90_250),
        ((0, 1500, 5000), "ms", 5000),
        ((0, 1500, 5000), "s", 5_000_000),
    ],
)
def test_bare_numbers_are_what_makes_a_call_of_a_likely_length(
    values: tuple[float, ...], unit: Unit | None, last_ms: float
) -> None:
    assert times("unsure", *values, unit=unit)[-1] == last_ms


def test_without_any_times_sound_takes_as_long_as_it_sounds() -> None:
    survey = Survey()
    clock = Clock(survey)
    sound = base64.b64encode(bytes(4800)).decode()
    append = {"type": "input_audio_buffer.append", "audio": sound}
    found = [
        clock.time_of(Entry("server", msg={"type": "session.created", "session": {}})),
        clock.time_of(Entry("client", msg=append)),
        clock.time_of(Entry("client", msg=append)),
        clock.time_of(Entry("client", msg={"type": "input_audio_buffer.commit"})),
    ]
    assert [value / 1e6 for value in found] == [0, 20, 120, 220]
    assert survey.quality == "made up"
