"""CORS for what pages of other origins may ask of the gateway: the answers of `/v1` and `/openai`, errors
included. Keys are the only proof there: a request that brings the web app's cookie instead of a key is not
opened to other origins, and no answer ever allows a browser to send cookies along.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxgate.auth.web import COOKIE, CSRF_HEADER
from voxgate.core.origins import EVERY_ORIGIN, origin_fits

_OPEN: Final = ("/v1/", "/openai/")
_METHODS: Final = "GET, POST, DELETE, OPTIONS"
_KINDS: Final = ("Requests", "Tokens")
_LIMITS: Final = ("Limit", "Remaining", "Reset")
_EXPOSED: Final = ", ".join((
    "Age", "Location", "WWW-Authenticate", "X-Request-Id", "Request-Id", "X-Voxgate-Cache",
    "X-Voxgate-Provider", "X-Voxgate-Session-Id", "Retry-After", "Retry-After-Ms", "X-Should-Retry",
    *(f"X-RateLimit-{a}-{b}" for b in _KINDS for a in _LIMITS),
    *(f"Anthropic-RateLimit-{b}-{a}" for b in _KINDS for a in _LIMITS),
))  # fmt: skip
"""When to try again, too: the SDKs run in browsers."""
_KEY_HEADERS: Final = ("authorization", "api-key", "x-api-key")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PREFLIGHT_SECONDS: Final = "600"


class CrossOrigin:
    """Around the data plane. `origins` are patterns; `*` alone is every page."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = tuple(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = self._allowed(headers)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await self._preflight(headers, allowed)(scope, receive, send)
            return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.update(allowed)
                if "access-control-allow-origin" in allowed:
                    answer["access-control-expose-headers"] = _EXPOSED
            await send(message)

        await self._app(scope, receive, send_open)

    def _allowed(self, headers: Headers) -> dict[str, str]:
        """What says which origin may read the answer."""
        if _has_cookie(headers) and not any(headers.get(name) for name in _KEY_HEADERS):
            return {"vary": "Origin, Cookie"}
        if EVERY_ORIGIN in self._origins:
            return {"access-control-allow-origin": "*"}
        origin = headers.get("origin")
        if origin is None or not origin_fits(origin, self._origins):
            return {"vary": "Origin"}
        return {"access-control-allow-origin": origin, "vary": "Origin"}

    @staticmethod
    def _preflight(headers: Headers, allowed: dict[str, str]) -> Response:
        if "access-control-allow-origin" not in allowed:
            return Response(status_code=204, headers=allowed)
        asked = headers.get("access-control-request-headers", "").split(",")
        names = [name.strip() for name in asked if _HEADER_NAME.fullmatch(name.strip())]
        # A page that could send this header could act with the web app's cookie.
        granted = ", ".join(name for name in names if name.lower() != CSRF_HEADER)
        answer = {
            **allowed,
            "access-control-allow-methods": _METHODS,
            "access-control-max-age": _PREFLIGHT_SECONDS,
            **({"access-control-allow-headers": granted} if granted else {}),
        }
        return Response(status_code=204, headers=answer)


def _has_cookie(headers: Headers) -> bool:
    try:
        return any(COOKIE in SimpleCookie(line) for line in headers.getlist("cookie"))
    except CookieError:
        return True  # whatever it is, it is no key
