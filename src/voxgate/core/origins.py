"""Origins of web pages (RFC 6454) as browsers send them and as an operator writes them down: read, brought
to one spelling, compared. Wrong spellings are a ValueError that says what would be right.

    https://shop.example        that origin; case and the scheme's own port make no difference
    https://*.shop.example      every host below it, at any depth, and not shop.example itself
    null                        a page without an origin of its own (a sandboxed frame, a local file)
    *                           every page
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

EVERY_ORIGIN: Final = "*"
NO_ORIGIN: Final = "null"
_WILDCARD: Final = "*."
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


def normal_origin(text: str) -> str:
    """One spelling for one origin: `HTTPS://Shop.Example:443` is `https://shop.example`."""
    if text == NO_ORIGIN:
        return text
    normal = _normalised(text)
    if _WILDCARD in normal:
        raise ValueError(f"{text!r} is a pattern and no origin")
    return normal


def origin_pattern(text: str) -> str:
    """One spelling for one entry of a list of allowed origins."""
    return text if text in (EVERY_ORIGIN, NO_ORIGIN) else _normalised(text)


def origin_fits(origin: str, patterns: Iterable[str]) -> bool:
    """Whether an origin, as a browser sent it, is among the patterns (as `origin_pattern` gives them)."""
    allowed = set(patterns)
    if EVERY_ORIGIN in allowed:
        return True
    try:
        normal = normal_origin(origin)
    except ValueError:
        return False
    if normal in allowed:
        return True
    scheme, _, place = normal.partition("://")
    labels = place.split(".")  # of the host and, at its end, the port
    return any(f"{scheme}://*.{'.'.join(labels[n:])}" in allowed for n in range(1, len(labels)))


def _normalised(text: str) -> str:
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        raise ValueError(
            f"{text!r} is no origin; write scheme, host and, if it is not the usual one, port, as a browser "
            "sends them: 'https://shop.example', 'https://*.shop.example', 'http://localhost:3000' or '*'"
        )
    scheme, host, port = match["scheme"], match["host"], match["port"]
    return f"{scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS.get(scheme)) else f":{port}")
