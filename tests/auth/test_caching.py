"""What cached answers are kept under: keys of one caller and one project."""

from __future__ import annotations

import pytest

from voxgate.auth.caching import CacheKeys, scope_secret


def test_every_key_and_every_project_has_secrets_of_its_own() -> None:
    scopes = [(key, project) for key in ("vg_a", "vg_b") for project in ("p", "q", "nowhere", "", None)]
    secrets = {scope_secret(key, project) for key, project in scopes}
    assert len(secrets) == len(scopes)
    assert scope_secret("vg_a", "p") == scope_secret("vg_a", "p")


def test_a_name_says_where_each_part_ends() -> None:
    keys = CacheKeys(scope_secret("vg_a", "p"))
    names = {keys.name(parts) for parts in ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"abc", b""])}
    assert len(names) == 4
    assert CacheKeys(scope_secret("vg_b", "p")).name([b"abc"]) not in names


@pytest.mark.parametrize("key", ["vg_b", "vg_a"])
def test_what_was_sealed_opens_under_the_same_key_and_name_only(key: str) -> None:
    keys, other = CacheKeys(scope_secret("vg_a", "p")), CacheKeys(scope_secret(key, "q"))
    sealed = keys.seal("name", b"words")
    assert b"words" not in sealed
    assert keys.open("name", sealed) == b"words"
    assert keys.open("other", sealed) is None
    assert other.open("name", sealed) is None
    assert all(keys.open("name", sealed[:end]) is None for end in range(len(sealed)))
    assert keys.seal("name", b"words") != sealed
