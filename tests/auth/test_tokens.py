"""Sealed tokens: what opens, what does not, and how keys are rotated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.auth.tokens import ExpiredToken, TokenBox, load_token_keys
from voxgate.core import clock
from voxgate.core.errors import InvalidKey, SettingsError

KEY = os.urandom(32)
BOX = TokenBox({"one": KEY})
TOKEN = BOX.seal({"id": "cred_1", "exp": clock.unix_seconds() + 3600}, purpose="call")


def test_claims_come_back_and_are_not_readable_in_the_token() -> None:
    token = BOX.seal({"id": "x", "secret": "sk-123", "exp": clock.unix_seconds() + 60}, purpose="call")
    assert BOX.open(token, purpose="call")["secret"] == "sk-123"
    assert "sk-123" not in token


@given(st.integers(0, len(TOKEN) - 1), st.characters(max_codepoint=0x7E, min_codepoint=0x21))
def test_no_token_with_a_changed_letter_opens(place: int, letter: str) -> None:
    if TOKEN[place] == letter:
        return
    with pytest.raises(InvalidKey):
        BOX.open(TOKEN[:place] + letter + TOKEN[place + 1 :], purpose="call")


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_random_text_opens(text: str) -> None:
    with pytest.raises(InvalidKey):
        BOX.open(text, purpose="call")


def test_a_token_for_one_purpose_does_not_serve_another() -> None:
    with pytest.raises(InvalidKey):
        BOX.open(TOKEN, purpose="web")


def test_a_token_of_another_gateway_does_not_open() -> None:
    with pytest.raises(InvalidKey):
        TokenBox({"one": os.urandom(32)}).open(TOKEN, purpose="call")


def test_after_a_rotation_old_tokens_open_and_new_ones_use_the_new_key() -> None:
    rotated = TokenBox({"two": os.urandom(32), "one": KEY})
    assert rotated.open(TOKEN, purpose="call")["id"] == "cred_1"
    fresh = rotated.seal({"exp": clock.unix_seconds() + 60}, purpose="call")
    with pytest.raises(InvalidKey):
        BOX.open(fresh, purpose="call")


def test_an_expired_token_is_told_apart_and_keeps_its_claims() -> None:
    token = BOX.seal({"id": "late", "exp": clock.unix_seconds()}, purpose="call")
    with pytest.raises(ExpiredToken) as caught:
        BOX.open(token, purpose="call")
    assert caught.value.claims["id"] == "late"


def test_the_key_file_is_private_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "token-keys.json"
    keys = load_token_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_token_keys(path) == keys


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "token-keys.json"
    path.write_text("{")
    with pytest.raises(SettingsError, match=r"token-keys\.json is damaged"):
        load_token_keys(path)
