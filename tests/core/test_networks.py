"""Addresses and networks: how they may be written, and what is inside."""

from __future__ import annotations

import pytest

from voxgate.core.networks import Networks, network_text, parse_address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", None),
        ("_hidden", None),
        ("shop.example:80", None),
        ("192.0.2.7, 10.0.0.1", None),
        ("", None),
    ],
)
def test_an_address_is_read_as_sockets_and_proxies_write_it(written: str, address: str | None) -> None:
    assert (None if (found := parse_address(written)) is None else str(found)) == address


@pytest.mark.parametrize(
    ("text", "normal"),
    [("10.0.0.0/8", "10.0.0.0/8"), ("2001:DB8:0::/48", "2001:db8::/48"), ("::ffff:10.0.0.1", "10.0.0.1")],
)
def test_a_network_has_one_spelling(text: str, normal: str) -> None:
    assert network_text(text) == normal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.1/8", "the network is '10.0.0.0/8'"),
        ("10.0.0.0/33", "neither"),
        ("localhost", "neither"),
        ("fe80::1%eth0", "neither"),
        ("", "neither"),
    ],
)
def test_a_wrong_network_says_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network_text(text)


def test_an_address_is_inside_one_of_the_networks_or_not() -> None:
    networks = Networks(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])
    inside = ["10.255.0.1", "2001:db8:1::1", "192.0.2.7", "::ffff:10.1.1.1"]
    outside = ["11.0.0.1", "2001:db9::1", "192.0.2.8", "::1"]
    assert all(parse_address(text) in networks for text in inside)
    assert not any(parse_address(text) in networks for text in outside)
    assert None not in networks
    assert parse_address("10.0.0.1") not in Networks()
