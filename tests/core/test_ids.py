"""Identifiers sort by time and do not repeat."""

from __future__ import annotations

import re

import pytest

from voxgate.core.ids import first_id, made_at_ms, new_id


def test_ids_ascend_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [1, 10**15, 10**18, 2 * 10**18]
    made = []
    for moment in moments:
        monkeypatch.setattr("voxgate.core.ids.time.time_ns", lambda moment=moment: moment)
        made.append(new_id("sess"))
    assert made == sorted(made)


def test_the_first_id_of_a_moment_parts_those_before_from_those_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    for ms in (1_699_999_999_999, 1_700_000_000_000):
        monkeypatch.setattr("voxgate.core.ids.time.time_ns", lambda ms=ms: ms * 1_000_000)
        made.append(new_id("cred"))
    assert made[0] < first_id("cred", 1_700_000_000) <= made[1]


def test_ids_have_one_form_and_do_not_repeat() -> None:
    made = {new_id("cred") for _ in range(10_000)}
    assert len(made) == 10_000
    assert all(re.fullmatch(r"cred_[0-9a-hjkmnp-tv-z]{26}", one) for one in made)


def test_an_id_tells_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.core.ids.time.time_ns", lambda: 1_795_452_016_789_000_000)
    assert made_at_ms(new_id("sess")) == 1_795_452_016_789


@pytest.mark.parametrize("text", ["", "sess_1", "sess_" + "u" * 26, "sess_01k9h7c2m8e4", "00000000-0000"])
def test_what_is_no_id_of_ours_tells_nothing(text: str) -> None:
    assert made_at_ms(text) is None
