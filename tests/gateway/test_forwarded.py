"""Whose word is taken for where a caller is: a trusted proxy's, hop by hop, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.gateway.conftest import ADMIN_KEY, StartGateway
from voxgate.gateway.forwarded import Proxies

TRUSTED = Proxies(["10.0.0.0/8", "2001:db8:ffff::/48"])
PROXY, OTHER_PROXY, STRANGER, CALLER = "10.0.0.1", "10.0.0.2", "198.51.100.66", "203.0.113.9"
SIX = "2001:db8::9"

X_FOR, FORWARDED, X_PROTO = "x-forwarded-for", "forwarded", "x-forwarded-proto"


def caller(peer: str, *headers: tuple[str, str], proxies: Proxies = TRUSTED) -> str | None:
    address = proxies.caller(peer, headers)
    return None if address is None else str(address)


@pytest.mark.parametrize("header", [(X_FOR, CALLER), (FORWARDED, f"for={CALLER}")])
def test_a_stranger_is_who_connects_whatever_its_headers_say(header: tuple[str, str]) -> None:
    assert caller(STRANGER, header) == STRANGER
    assert caller(PROXY, header, proxies=Proxies()) == PROXY


def test_a_proxy_that_says_nothing_is_the_caller() -> None:
    assert caller(PROXY) == PROXY


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (CALLER, CALLER),
        (f"{CALLER}:51234", CALLER),
        (f"{CALLER}, {OTHER_PROXY}", CALLER),
        (f"127.0.0.1, {CALLER}", CALLER),  # what stands left of the first stranger, the stranger wrote
        (f"127.0.0.1, {CALLER}, {OTHER_PROXY}", CALLER),
        (f"[{SIX}]:443", SIX),
        (SIX, SIX),
        (f"::ffff:{CALLER}", CALLER),
        (f"{OTHER_PROXY}, {PROXY}", OTHER_PROXY),  # a proxy that calls by itself
        ("unknown", None),
        (f"{CALLER}, unknown", None),
        ("", None),
    ],
)
def test_the_caller_is_the_right_most_hop_that_is_no_proxy(value: str, address: str | None) -> None:
    assert caller(PROXY, (X_FOR, value)) == address


def test_several_lines_of_a_header_are_one_list() -> None:
    assert caller(PROXY, (X_FOR, "127.0.0.1"), (X_FOR, CALLER), (X_FOR, OTHER_PROXY)) == CALLER
    assert caller(PROXY, (FORWARDED, "for=127.0.0.1"), (FORWARDED, f"for={CALLER}")) == CALLER


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (f"for={CALLER}", CALLER),
        (f"For={CALLER};Proto=https;by={PROXY}", CALLER),
        (f'proto=https; for="[{SIX}]:47011"', SIX),
        (f"for=127.0.0.1, for={CALLER}, for={OTHER_PROXY}", CALLER),
        (f'for="{CALLER}";host="a, for=1.1.1.1"', CALLER),
        ("for=_hidden", None),
        ("for=unknown", None),
        ("proto=https", None),
        (f"for={CALLER}, proto=https", None),
        (f'for=127.0.0.1, x=", for="{CALLER}"', None),  # a quote that the caller left open hides only itself
    ],
)
def test_the_standard_header_is_read_likewise(value: str, address: str | None) -> None:
    assert caller(PROXY, (FORWARDED, value)) == address


def test_a_second_header_that_tells_another_story_makes_the_caller_unknown() -> None:
    """A proxy sets one of the two and passes the other on as the caller wrote it."""
    assert caller(PROXY, (X_FOR, CALLER), (FORWARDED, "for=127.0.0.1")) is None
    assert caller(PROXY, (X_FOR, "127.0.0.1"), (FORWARDED, f"for={CALLER}")) is None
    assert caller(PROXY, (X_FOR, CALLER), (FORWARDED, f"for=127.0.0.1, for={CALLER}")) == CALLER


@pytest.mark.parametrize(
    ("peer", "headers", "scheme"),
    [
        (PROXY, [(X_PROTO, "https")], "https"),
        (PROXY, [(X_PROTO, "HTTPS, http")], "https"),
        (PROXY, [(X_PROTO, "wss")], "https"),
        (PROXY, [(X_PROTO, "gopher")], "http"),
        (PROXY, [(FORWARDED, f"for={CALLER};proto=https")], "https"),
        (PROXY, [], "http"),
        (STRANGER, [(X_PROTO, "https")], "http"),
        (STRANGER, [(FORWARDED, "proto=https")], "http"),
    ],
)
def test_the_scheme_is_what_the_caller_spoke_with_the_proxy(
    peer: str, headers: Iterable[tuple[str, str]], scheme: str
) -> None:
    assert TRUSTED.scheme(peer, headers, "http") == scheme


@pytest.mark.anyio
@pytest.mark.parametrize(("trusted", "secure"), [(["127.0.0.1"], True), ([], False), (["10.0.0.0/8"], False)])
async def test_a_cookie_is_secure_behind_a_trusted_proxy_that_ends_tls(
    start_gateway: StartGateway, trusted: list[str], secure: bool
) -> None:
    async with start_gateway(trusted_proxies=trusted) as gateway:
        async with gateway.http.post(
            f"http://127.0.0.1:{gateway.port}/api/login",
            json={"api_key": ADMIN_KEY},
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": CALLER},
        ) as answer:
            assert answer.status == 200
            assert ("; Secure" in answer.headers["set-cookie"]) is secure


@pytest.mark.anyio
async def test_the_web_app_works_behind_a_proxy_that_ends_tls(start_gateway: StartGateway) -> None:
    """The cookie, and a change by a page of the proxy's own address."""
    async with start_gateway(trusted_proxies=["127.0.0.1"]) as gateway:
        url, behind = (
            f"http://127.0.0.1:{gateway.port}",
            {"Host": "vox.example", "X-Forwarded-Proto": "https"},
        )
        async with gateway.http.post(
            f"{url}/api/login", json={"api_key": ADMIN_KEY}, headers=behind
        ) as answer:
            cookie = answer.headers["set-cookie"].partition(";")[0]
        for origin, status in (("https://vox.example", 201), ("https://evil.example", 403)):
            async with gateway.http.post(
                f"{url}/api/keys",
                json={"name": "k", "role": "read"},
                headers={**behind, "Cookie": cookie, "Origin": origin},
            ) as answer:
                assert answer.status == status, await answer.text()
