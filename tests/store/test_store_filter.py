"""The filter language: text to terms."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.core.errors import InvalidRequest
from voxgate.store.filter import KEYS, STATUSES, WORD, Term, parse


def test_terms_and_words_are_separated_by_spaces() -> None:
    assert parse(" status:failed   refund model:gpt-* ") == [
        Term("status", "failed"),
        Term(WORD, "refund"),
        Term("model", "gpt-*"),
    ]


def test_quotes_hold_a_value_together() -> None:
    assert parse('tag:"front desk" "please: hold" project:a"b c"d') == [
        Term("tag", "front desk"),
        Term(WORD, "please: hold"),
        Term("project", "ab cd"),
    ]


def test_a_value_may_contain_colons() -> None:
    assert parse("credential:a:b") == [Term("credential", "a:b")]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("last:30m", timedelta(minutes=30)),
        ("last:24h", timedelta(hours=24)),
        ("last:7d", timedelta(days=7)),
        ("last:2w", timedelta(weeks=2)),
    ],
)
def test_last_is_a_span_of_time(text: str, span: timedelta) -> None:
    assert parse(text)[0].span == span


def test_an_unknown_key_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse("colour:red")
    assert caught.value.param == "q"
    assert "'colour'" in caught.value.message
    assert all(f"{key}:" in caught.value.message for key in KEYS)


@pytest.mark.parametrize(
    "text",
    ['tag:"open', '"', "status:", 'tag:""', "status:done", "last:soon", "last:7", "last:-1d", "last:٣d"],
)
def test_a_wrong_term_is_an_invalid_request_about_q(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert caught.value.param == "q"


@given(st.text() | st.lists(st.sampled_from([*KEYS, ":", '"', " ", "7d", "live", "x", "\n"])).map("".join))
def test_any_text_gives_terms_or_an_invalid_request(text: str) -> None:
    try:
        terms = parse(text)
    except InvalidRequest:
        return
    assert all(term.key in (*KEYS, WORD) for term in terms)


values = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1)
terms = st.one_of(
    st.builds(Term, st.sampled_from([key for key in KEYS if key not in ("status", "last")]), values),
    st.builds(Term, st.just("status"), st.sampled_from(STATUSES)),
    st.builds(Term, st.just("last"), st.from_regex(r"[0-9]{1,5}[mhdw]", fullmatch=True)),
    st.builds(Term, st.just(WORD), values),
)


@given(st.lists(terms))
def test_quoted_terms_are_read_back_as_they_were(wanted: list[Term]) -> None:
    written = [f'"{t.value}"' if t.key == WORD else f'{t.key}:"{t.value}"' for t in wanted]
    assert parse(" ".join(written)) == wanted
