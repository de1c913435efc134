"""From where a call may come, by the lists of its credential and of its project."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.auth.credentials import Grant
from voxgate.auth.places import Places
from voxgate.core.errors import AddressNotAllowed, OriginNotAllowed
from voxgate.core.networks import parse_address
from voxgate.core.projects import ProjectSettings

SHOP, EVIL = "https://shop.example", "https://evil.example"
PLACES = Places(
    {
        "shop": ProjectSettings(allowed_origins=[SHOP, "https://*.shop.example"]),
        "closed": ProjectSettings(allowed_origins=[]),
        "open": ProjectSettings(),
        "default": ProjectSettings(allowed_origins=["https://home.example"]),
    }
)


def may_call(origin: str | None = None, address: str | None = None, **grant: Any) -> bool:
    one = Grant("temporary", "cred_1", **grant)
    try:
        PLACES.check(one, origin, parse_address(address) if address else None)
    except (OriginNotAllowed, AddressNotAllowed):
        return False
    return True


@pytest.mark.parametrize(
    ("project", "origin", "allowed"),
    [
        ("shop", SHOP, True),
        ("shop", "https://eu.shop.example", True),
        ("shop", EVIL, False),
        ("shop", None, True),
        ("closed", SHOP, False),
        ("closed", None, True),
        ("open", EVIL, True),
        ("unheard-of", EVIL, True),
        (None, EVIL, False),
        (None, "https://home.example", True),
    ],
)
def test_a_projects_list_is_for_browsers(project: str | None, origin: str | None, allowed: bool) -> None:
    assert may_call(origin, project=project) is allowed


def test_an_unrecorded_call_belongs_to_the_project_of_the_key_that_allowed_it() -> None:
    assert may_call(SHOP, home="shop")
    assert not may_call(EVIL, home="shop")
    assert may_call(EVIL, project="open", home="shop")


def test_a_credentials_list_is_for_everybody() -> None:
    assert may_call(SHOP, project="open", allowed_origins=(SHOP,))
    assert not may_call(EVIL, project="open", allowed_origins=(SHOP,))
    assert not may_call(None, project="open", allowed_origins=(SHOP,))


def test_both_lists_must_allow_a_page() -> None:
    both = (EVIL, "https://eu.shop.example")
    assert may_call("https://eu.shop.example", project="shop", allowed_origins=both)
    assert not may_call(EVIL, project="shop", allowed_origins=both)
    assert not may_call(SHOP, project="shop", allowed_origins=both)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("203.0.113.9", True), ("10.9.9.9", True), ("203.0.113.10", False), ("::1", False), (None, False)],
)
def test_a_credentials_addresses_are_the_only_ones(address: str | None, allowed: bool) -> None:
    assert may_call(None, address, project="open", allowed_ips=("203.0.113.9", "10.0.0.0/8")) is allowed


def test_a_refusal_names_what_was_refused() -> None:
    with pytest.raises(OriginNotAllowed, match=EVIL):
        PLACES.check(Grant("temporary", "c", project="shop"), EVIL, None)
    with pytest.raises(AddressNotAllowed, match=r"203\.0\.113\.7"):
        PLACES.check(
            Grant("temporary", "c", project="open", allowed_ips=("::1",)), None, parse_address("203.0.113.7")
        )


def test_what_is_recorded_is_what_project_and_credential_both_want() -> None:
    places = Places({"shop": ProjectSettings(audio=False), "default": ProjectSettings(text=False)})

    def recorded(**grant: Any) -> tuple[bool, bool]:
        found = places.recorded(Grant("temporary", "cred_1", **grant))
        return found["audio"], found["text"]

    assert recorded(project="shop") == (False, True)
    assert recorded(project="shop", record_text=False) == (False, False)
    assert recorded(project="other") == (True, True)
    assert recorded(project="other", record_audio=False) == (False, True)
    assert recorded(project="default") == (True, False)
