"""Origins: one spelling, and what a list of them lets in."""

from __future__ import annotations

import pytest

from voxgate.core.origins import normal_origin, origin_fits, origin_pattern


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8600", "http://[::1]:8600"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_has_one_spelling(written: str, normal: str) -> None:
    assert normal_origin(written) == origin_pattern(written) == normal


@pytest.mark.parametrize(
    "text",
    ["", "shop.example", "https://", "https://shop.example/", "https://*", "https://a.*.example",
     "https://a b", "https://bücher.example", "https://shop.example:", "https://user@shop.example",
     "http://shop.example:port"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin") as caught:
        origin_pattern(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "pattern", "fits"),
    [
        ("https://shop.example", "https://shop.example", True),
        ("HTTPS://SHOP.EXAMPLE:443", "https://shop.example", True),
        ("http://shop.example", "https://shop.example", False),
        ("https://shop.example:8443", "https://shop.example", False),
        ("https://shop.example.evil.example", "https://shop.example", False),
        ("https://evil-shop.example", "https://*.shop.example", False),
        ("https://evilshop.example", "https://*.shop.example", False),
        ("https://eu.shop.example", "https://*.shop.example", True),
        ("https://a.eu.shop.example", "https://*.shop.example", True),
        ("https://shop.example", "https://*.shop.example", False),
        ("https://*.shop.example", "https://*.shop.example", False),
        ("https://eu.shop.example:8443", "https://*.shop.example:8443", True),
        ("https://eu.shop.example:8443", "https://*.shop.example", False),
        ("http://eu.shop.example", "https://*.shop.example", False),
        ("null", "https://*.shop.example", False),
        ("null", "null", True),
        ("null", "*", True),
        ("not an origin", "*", True),
        ("https://shop.example, https://evil.example", "https://shop.example", False),
    ],
)
def test_an_origin_must_be_on_the_list(origin: str, pattern: str, fits: bool) -> None:
    assert origin_fits(origin, ["https://other.example", pattern]) is fits


def test_an_empty_list_lets_nothing_in() -> None:
    assert not origin_fits("https://shop.example", [])
