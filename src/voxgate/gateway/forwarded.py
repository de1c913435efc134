"""Who a caller is where proxies stand in front: headers that they forward are believed hop by hop from the
right, as long as each hop is a trusted proxy; without one the TCP peer is the caller.

    peer, headers → Proxies.caller   the address of a call
                  → ForwardedHeaders the address and the scheme of an HTTP request
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from voxgate.core.networks import Address, Networks, parse_address

Headers = Iterable[tuple[str, str]]

_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
# RFC 7239 section 4: elements between commas, pairs between semicolons, values perhaps in quotes.
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_PAIR: Final = re.compile(r'(?P<name>[\w-]+)=(?:"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<token>[^\s;,"]*))')


class Proxies:
    """The proxies whose forwarded headers are believed, as the setting `trusted_proxies` lists them."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = Networks(trusted)

    def caller(self, peer: str | None, headers: Headers) -> Address | None:
        """The address of the right-most hop that is no trusted proxy. None when it is not known: a proxy hid
        it, or the two headers tell different stories, one of which the caller may have written."""
        nearest = parse_address(peer or "")
        if nearest not in self._trusted:
            return nearest
        found = {self._right_most(hops) for hops in _told_hops(list(headers)) if hops}
        if not found:
            return nearest
        return found.pop() if len(found) == 1 else None

    def scheme(self, peer: str | None, headers: Headers, scheme: str) -> str:
        """`http` or `https`: what the caller spoke with the first proxy, else `scheme`."""
        if parse_address(peer or "") not in self._trusted:
            return scheme
        told = list(headers)
        plain = ",".join(_values(told, "x-forwarded-proto")).split(",")[0].strip()
        standard = next((pairs["proto"] for pairs in _elements(told) if "proto" in pairs), "")
        return _SCHEMES.get((plain or standard).lower(), scheme)

    def _right_most(self, hops: Sequence[str]) -> Address | None:
        for hop in reversed(hops):
            address = parse_address(hop)
            if address not in self._trusted:
                return address
        return parse_address(hops[0])


class ForwardedHeaders:
    """ASGI: puts the caller's address and scheme in the place of the proxy's, so that a cookie made behind a
    proxy that ends TLS is a secure one."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            scope = {**scope, **self._told(scope)}
        await self._app(scope, receive, send)

    def _told(self, scope: Scope) -> Scope:
        peer, port = scope["client"]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        caller = self._proxies.caller(peer, headers)
        client = (peer, port) if caller == parse_address(peer) else (str(caller or ""), 0)
        return {"client": client, "scheme": self._proxies.scheme(peer, headers, scope["scheme"])}


def _told_hops(headers: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The hops from left to right, by each of the two headers that may tell them."""
    plain = [hop.strip() for value in _values(headers, "x-forwarded-for") for hop in value.split(",")]
    return [plain, [pairs.get("for", "") for pairs in _elements(headers)]]


def _elements(headers: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {pair["name"].lower(): pair["quoted"] or pair["token"] or "" for pair in _PAIR.finditer(element)}
        for value in _values(headers, "forwarded")
        for element in _ELEMENT.findall(value)
    ]


def _values(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key == name]
