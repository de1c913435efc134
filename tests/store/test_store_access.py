"""API keys, temporary credentials and signals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from voxgate.core import clock
from voxgate.core.errors import InvalidRequest
from voxgate.store import Store, credentials, keys, signals

NOW = "2026-11-22T18:00:00.000Z"


def add_key(store: Store, name: str, **more: Any) -> None:
    store.add_api_key(
        id=f"key_{name}",
        name=name,
        role="read",
        project=None,
        key_hash=f"hash of {name}",
        key_hint="vg_ab…yz",
        created_at=NOW,
        **more,
    )


def add_credential(store: Store, name: str, **more: Any) -> None:
    row = {"id": name, "model": "gpt-realtime", "created_at": 100, "expires_at": 2**40, "project": "shop"}
    store.add_credential(
        {**row, "logging": {"project_name": "shop"}, "metadata": {"a": 1}, "minted_by": "k"} | more
    )


def test_an_api_key_is_found_by_its_hash_only(store: Store) -> None:
    add_key(store, "ci", expires_at="2027-01-01T01:00:00+01:00")
    assert store.find_api_key("hash of ci") == {
        "id": "key_ci",
        "name": "ci",
        "role": "read",
        "project": None,
        "key_hint": "vg_ab…yz",
        "created_at": NOW,
        "expires_at": "2027-01-01T00:00:00.000Z",
        "last_used_at": None,
        "old_secret_until": None,
        "max_requests_per_minute": None,
        "max_tokens_per_minute": None,
    }
    assert store.find_api_key("key_ci") is None


def test_lists_of_api_keys_do_not_show_hashes(store: Store) -> None:
    add_key(store, "a")
    add_key(store, "b")
    rows = store.list_api_keys()
    assert [row["name"] for row in rows] == ["a", "b"]
    assert not any("hash" in str(row) for row in rows)


def test_a_revoked_api_key_is_not_found_any_more(store: Store) -> None:
    add_key(store, "ci")
    assert store.revoke_api_key("key_ci") is True
    assert store.find_api_key("hash of ci") is None
    assert store.list_api_keys() == []
    assert store.revoke_api_key("key_ci") is False


def test_the_last_use_of_an_api_key_is_remembered(store: Store) -> None:
    add_key(store, "ci")
    store.touch_api_key("key_ci", "2026-11-23T00:00:00Z")
    assert store.list_api_keys()[0]["last_used_at"] == "2026-11-23T00:00:00.000Z"


def test_a_credential_comes_back_with_all_its_scopes(store: Store) -> None:
    add_credential(store, "cred_1", model=["a", "b"], uses=3)
    assert store.get_credential("cred_1") == {
        "id": "cred_1",
        "model": ["a", "b"],
        "created_at": 100,
        "expires_at": 2**40,
        "project": "shop",
        "logging": {"project_name": "shop"},
        "metadata": {"a": 1},
        "minted_by": "k",
        "uses": 3,
        "revoked_at": None,
    }
    assert store.get_credential("cred_2") is None


def test_a_credential_for_any_model_keeps_its_null(store: Store) -> None:
    add_credential(store, "cred_1", model=None, logging=None)
    credential = store.get_credential("cred_1")
    assert credential is not None
    assert (credential["model"], credential["logging"]) == (None, None)


def test_credentials_are_listed_in_pages_newest_first(store: Store) -> None:
    for n in range(5):
        add_credential(store, f"cred_{n}", created_at=100 + n // 2, project="odd" if n % 2 else "even")
    first, cursor = store.list_credentials(limit=3)
    rest, end = store.list_credentials(limit=3, cursor=cursor)
    assert [row["id"] for row in first + rest] == ["cred_4", "cred_3", "cred_2", "cred_1", "cred_0"]
    assert end is None
    assert [row["id"] for row in store.list_credentials(project="odd")[0]] == ["cred_3", "cred_1"]


def test_a_session_cursor_is_no_credential_cursor(store: Store) -> None:
    for name in "ab":
        store.save_session({"id": name})
    _, cursor = store.list_sessions(limit=1)
    with pytest.raises(InvalidRequest) as caught:
        store.list_credentials(cursor=cursor)
    assert caught.value.param == "cursor"


def test_revoked_credentials_are_known_until_they_would_have_expired(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_credential(store, "cred_valid", expires_at=clock.unix_seconds() + 60)
    add_credential(store, "cred_revoked", expires_at=clock.unix_seconds() + 60)
    assert store.revoke_credential("cred_revoked") is True
    assert store.revoke_credential("cred_revoked") is False
    assert store.revoke_credential("cred_none") is False
    assert store.revoked_credentials() == {"cred_revoked"}
    later = clock.unix_seconds() + 61
    monkeypatch.setattr(credentials, "unix_seconds", lambda: later)
    assert store.revoked_credentials() == set()


def test_a_reader_gets_each_signal_once_and_in_order(store: Store) -> None:
    assert store.last_signal_id() == 0
    store.add_signal("end_session", "sess_1")
    start = store.last_signal_id()
    store.add_signal("end_session", "sess_2")
    store.add_signal("revoke", "cred_1")
    assert store.signals_after(start) == [(2, "end_session", "sess_2"), (3, "revoke", "cred_1")]
    assert store.signals_after(3) == []


def test_signals_older_than_a_day_are_forgotten_but_their_ids_never_come_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_signal("end_session", "old")
    later = clock.unix_seconds() + signals.KEPT_SECONDS + 1
    monkeypatch.setattr(signals, "unix_seconds", lambda: later)
    store.add_signal("end_session", "new")
    assert store.signals_after(0) == [(2, "end_session", "new")]


def moment(seconds_from_now: float) -> datetime:
    return clock.now_utc() + timedelta(seconds=seconds_from_now)


def test_a_replaced_secret_is_good_for_its_grace_time_and_no_longer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_key(store, "ci")
    assert store.rotate_api_key("key_ci", "hash 2", "vg_2", moment(60)) is True
    assert store.rotate_api_key("key_ci", "hash 3", "vg_3", moment(30)) is True
    found = [store.find_api_key(secret) for secret in ("hash of ci", "hash 2", "hash 3")]
    assert [row and (row["id"], row["key_hint"]) for row in found] == [("key_ci", "vg_3")] * 3
    (row,) = store.list_api_keys()
    assert row["old_secret_until"] == found[0]["old_secret_until"] > clock.iso_utc(moment(50))  # type: ignore[index]
    for seconds, good in ((40, [True, False, True]), (70, [False, False, True])):
        later = moment(seconds)
        monkeypatch.setattr(keys, "now_utc", lambda later=later: later)
        secrets = ("hash of ci", "hash 2", "hash 3")
        assert [store.find_api_key(secret) is not None for secret in secrets] == good
    assert store.list_api_keys()[0]["old_secret_until"] is None


def test_a_rotation_without_grace_ends_all_earlier_secrets(store: Store) -> None:
    add_key(store, "ci")
    add_key(store, "other")
    store.rotate_api_key("key_other", "hash 9", "vg_9", moment(60))
    store.rotate_api_key("key_ci", "hash 2", "vg_2", moment(60))
    assert store.rotate_api_key("key_ci", "hash 3", "vg_3", None) is True
    good = [store.find_api_key(secret) is not None for secret in ("hash of ci", "hash 2", "hash 3")]
    assert good == [False, False, True]
    assert store.find_api_key("hash of other") is not None


def test_a_revoked_key_cannot_be_rotated_and_its_old_secrets_are_worth_nothing(store: Store) -> None:
    add_key(store, "ci")
    store.rotate_api_key("key_ci", "hash 2", "vg_2", moment(60))
    store.revoke_api_key("key_ci")
    assert [store.find_api_key(secret) for secret in ("hash of ci", "hash 2")] == [None, None]
    assert store.rotate_api_key("key_ci", "hash 3", "vg_3", None) is False
    assert store.find_api_key("hash 3") is None


def test_a_project_has_the_credentials_recorded_there_and_those_of_its_keys(store: Store) -> None:
    store.add_api_key("key_1", "a", "mint", "shop", "hash", "hint", NOW)
    add_credential(store, "recorded")
    add_credential(store, "minted", project=None, minted_by="key_1")
    add_credential(store, "foreign", project="other", minted_by="key_2")
    assert {row["id"] for row in store.list_credentials(project="shop")[0]} == {"recorded", "minted"}
    found = [store.get_credential(each, project="shop") for each in ("recorded", "minted", "foreign")]
    assert [row is not None for row in found] == [True, True, False]


def test_all_credentials_that_a_key_has_made_are_revoked_at_once(store: Store) -> None:
    soon = clock.unix_seconds() + 60
    for name, minted_by in (("a", "key_1"), ("b", "key_1"), ("c", "key_2")):
        add_credential(store, name, minted_by=minted_by, expires_at=soon)
    add_credential(store, "over", minted_by="key_1", expires_at=clock.unix_seconds() - 1)
    store.revoke_credentials_of("key_1")
    assert store.revoked_credentials() == {"a", "b"}
    revoked = [name for name in ("a", "b", "c", "over") if store.get_credential(name)["revoked_at"]]  # type: ignore[index]
    assert revoked == ["a", "b"]


def test_a_reader_misses_no_signal_of_many_that_write_at_once(store: Store) -> None:
    """Ids are given out in order, but those who have them do not finish in order."""
    writers, each, seen = 6, 25, []

    def write(writer: int) -> None:
        for number in range(each):
            store.add_signal("end_session", f"{writer}_{number}")

    with ThreadPoolExecutor(writers) as pool:
        writing = [pool.submit(write, writer) for writer in range(writers)]
        last, over = 0, False
        while not over:
            over = all(one.done() for one in writing)
            for number, _, target in store.signals_after(last):
                seen.append(target)
                last = number
    for one in writing:
        one.result()
    assert len(seen) == writers * each == len(set(seen))
