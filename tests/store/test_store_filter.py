"""The filter language: text to a tree, and back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.filters import random_filter
from voxgate.core.clock import from_unix_ms, iso_utc, now_utc, unix_ms
from voxgate.core.errors import InvalidRequest
from voxgate.store.fields import ALIASES, FIELDS, STATUSES, WITHOUT_VALUE
from voxgate.store.filter import (
    ALL,
    Ago,
    And,
    Compare,
    Filter,
    Has,
    Moment,
    Not,
    Or,
    Pattern,
    Words,
    read_moment,
    words_of,
)
from voxgate.store.filter_parser import MOST_CHARACTERS, MOST_CONDITIONS, parse


def text(field: str, *pieces: str) -> Compare:
    return Compare(field, "=", Pattern(pieces))


FAILED = Compare("status", "=", "failed")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", ALL),
        ("  \n", ALL),
        ("status:failed", FAILED),
        ("STATUS:Failed", FAILED),
        (" status:failed   refund ", And((FAILED, Words("refund")))),
        ("status:failed AND refund", And((FAILED, Words("refund")))),
        ("refund or status:failed now", Or((Words("refund"), And((FAILED, Words("now")))))),
        ("(refund or status:failed) now", And((Or((Words("refund"), FAILED)), Words("now")))),
        ("not status:failed", Not(FAILED)),
        ("-status:failed", Not(FAILED)),
        ("-(refund or status:failed)", Not(Or((Words("refund"), FAILED)))),
        ("not not refund", Not(Not(Words("refund")))),
        ("not(refund)", Not(Words("refund"))),
        ("status!=failed", Not(FAILED)),
        ("model:gpt-*", text("model", "gpt-", "")),
        ("model:*mini", text("model", "", "mini")),
        ("model:a**b", text("model", "a", "b")),
        ('tag:"front desk"', text("tag", "front desk")),
        (r'tag:"\"a\\b\*"', text("tag", r'"a\b*')),
        ("tag:front* tag:*desk", And((text("tag", "front", ""), text("tag", "", "desk")))),
        ("tag:*d*", text("tag", "", "d", "")),
        ("credential:a:b=c", text("credential", "a:b=c")),
        ("tags:x user_id:u", And((text("tag", "x"), text("user", "u")))),
        ("duration>30s", Compare("duration", ">", 30_000.0)),
        ("duration >= 1h30m", Compare("duration", ">=", 5_400_000.0)),
        ("duration:<1.5s", Compare("duration", "<", 1500.0)),
        ("v2v<=800MS", Compare("v2v_p50", "<=", 800.0)),
        ("first_audio_p95>2s", Compare("model_ttfa_p95", ">", 2000.0)),
        ("cost>0.10", Compare("cost", ">", 0.1)),
        ("cost:$2", Compare("cost", "=", 2.0)),
        ("response_rate<90%", Compare("response_rate", "<", 0.9)),
        ("snr_db<-5.5", Compare("snr_db", "<", -5.5)),
        ("turns=3", Compare("turns", "=", 3.0)),
        ("turns!=3", Not(Compare("turns", "=", 3.0))),
        ("started>-2h", Compare("started", ">", Ago(7_200_000))),
        ("last:7d", Compare("started", ">=", Ago(604_800_000))),
        ("has:cost -has:tools", And((Has("cost"), Not(Has("tool"))))),
        ('"refund please"', Words("refund please")),
        ("refu*", Words("refu", prefix=True)),
        ('"your refu"*', Words("your refu", prefix=True)),
        ("title:refund", Words("refund", field="title")),
        ('user_said!="no thanks"', Not(Words("no thanks", field="user_said"))),
        ('"or" "not"', And((Words("or"), Words("not")))),
        ("10:30 don't", And((Words("10:30"), Words("don't")))),
        ("東*", Words("東", prefix=True)),
    ],
)
def test_a_filter_means(written: str, meant: Filter) -> None:
    assert parse(written) == meant


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2026-02", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-11-23", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
        ("2026-11-23T10:15", "2026-11-23T10:15:00Z", "2026-11-23T10:16:00Z"),
        ("2026-11-23 10:15+02:00", "2026-11-23T08:15:00Z", "2026-11-23T08:16:00Z"),
        ("2026-11-23T10:15:07Z", "2026-11-23T10:15:07Z", "2026-11-23T10:15:08Z"),
        ("2026-11-23T10:15:07.5z", "2026-11-23T10:15:07.500Z", "2026-11-23T10:15:07.501Z"),
    ],
)
def test_a_moment_is_as_long_as_it_is_exact(written: str, start: str, end: str) -> None:
    moment = read_moment(written)
    assert moment is not None
    bounds = [iso_utc(from_unix_ms(ms)) for ms in (moment.start_ms, moment.end_ms)]
    assert bounds == [each if "." in each else each.replace("Z", ".000Z") for each in (start, end)]


def test_before_now_is_counted_in_milliseconds() -> None:
    now = now_utc()
    assert Ago(1500).bounds_ms(now) == (unix_ms(now) - 1500, unix_ms(now) - 1499)


@pytest.mark.parametrize(
    ("written", "place", "possible"),
    [
        ("colour:red", "character 1 ('colour:red')", "possible are project, model"),
        ("refund colour > 3", "character 8 ('colour')", "no field 'colour'"),
        ("status:done", "character 8 ('done')", "live, complete, interrupted, failed"),
        ("status>live", "character 1 ('status>live')", "with : and != only"),
        ("duration>30", "character 10 ('30')", "500ms, 30s"),
        ("cost>much", "character 6 ('much')", "0.10, $2"),
        ("turns:x", "character 7 ('x')", "3, 0.5"),
        ("response_rate>1000000000000000%", "character 15", "90%"),
        ("started:-2h", "character 9 ('-2h')", "started>-2h"),
        ("started>soon", "character 9 ('soon')", "started:2026-11-23"),
        ("started>2026-13-01", "character 9 ('2026-13-01')", "started:2026-11-23"),
        ("started>2026-02-30", "character 9", "started:2026-11-23"),
        ("started>2026-02T10:00", "character 9", "started:2026-11-23"),
        ("last:soon", "character 6 ('soon')", "last:30m"),
        ("last:7", "character 6 ('7')", "last:30m"),
        ("last:٣d", "character 6 ('٣d')", "last:30m"),
        ("has:model", "character 5 ('model')", "cost"),
        ("tag:a*b", "character 5 ('a*b')", "at its beginning and at its end"),
        ('tag:""', "character 5", "at its beginning"),
        ('model:""', "character 7", "gpt-*"),
        ("model:", "character 1 ('model:')", "a value is missing"),
        ("cost> or x", "character 7 ('or')", "0.10, $2"),
        ('refund "open', "character 8 ('\"')", "never closed"),
        ('tag:"a"*', "at its end", "inside the quotes"),
        ("(refund", "character 1 ('(')", "never closed"),
        ("refund)", "character 7 (')')", "closes nothing"),
        ("()", "character 2 (')')", "a condition is missing"),
        ("or refund", "character 1 ('or')", "a condition is missing"),
        ("refund or", "at its end", "a condition is missing"),
        ("not", "at its end", "a condition is missing"),
        ("%", "character 1 ('%')", "no letter or digit"),
        ("re*", "character 1 ('re*')", "at least 3 letters"),
        ("title:", "at its end", "words are missing"),
        ("(" * 50 + "x" + ")" * 50, "character 41", "nested deeper"),
        ("-" * 50 + "x", "character 41", "nested deeper"),
        ("x " * (MOST_CONDITIONS + 1), "character 101", "more than 50 conditions"),
    ],
)
def test_a_wrong_filter_names_the_place_and_what_is_possible(written: str, place: str, possible: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(written)
    assert caught.value.param == "q"
    assert place in caught.value.message
    assert possible in caught.value.message


def test_a_filter_has_a_largest_length() -> None:
    with pytest.raises(InvalidRequest, match="4001 characters"):
        parse("x" * (MOST_CHARACTERS + 1))


NASTY = [
    *(*FIELDS, *ALIASES, *STATUSES, "has", "last", "and", "or", "not"),
    *(":", "=", "!=", "<", ">", "<=", ">=", "(", ")", '"', "*", "-", "\\", " ", "\n"),
    *("7d", "-2h", "2026-11-23", "T10:00", "0.1", "$", "%", "x", "é", "東", "\ud800", "\0"),
]


@given(st.text() | st.lists(st.sampled_from(NASTY), max_size=20).map("".join))
def test_any_text_gives_a_filter_or_an_invalid_request(written: str) -> None:
    try:
        found = parse(written)
    except InvalidRequest:
        return
    assert parse(str(found)) == found


@given(st.integers(0).map(lambda seed: random_filter(Random(seed))))
def test_a_filter_that_is_written_down_is_read_as_the_same(wanted: Filter) -> None:
    assert parse(str(wanted)) == wanted


def test_what_was_found_by_words_are_those_that_are_not_excluded() -> None:
    found = words_of(parse("(refund or status:live) not cancel title:gift"))
    assert found == [Words("refund"), Words("gift", field="title")]


def test_every_alias_is_one_of_a_field_and_every_field_that_can_miss_exists() -> None:
    assert set(ALIASES.values()) | WITHOUT_VALUE <= set(FIELDS)
    assert not set(ALIASES) & set(FIELDS)


def test_a_moment_is_written_as_it_was_read() -> None:
    assert str(read_moment("2026-11-23 10:15z")) == "2026-11-23T10:15Z"
    assert isinstance(read_moment("2026-11"), Moment)
