"""Who makes an HTTP request: by a key in its headers, or by the web app's cookie."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from voxgate.auth.credentials import Gatekeeper, Grant
from voxgate.auth.keys import ApiKey
from voxgate.auth.web import COOKIE, CSRF_HEADER, WebSignIn, check_own_page


class Callers:
    def __init__(self, gatekeeper: Gatekeeper, sign_in: WebSignIn) -> None:
        self._gatekeeper = gatekeeper
        self._sign_in = sign_in

    async def of(self, request: Request) -> Grant | ApiKey:
        """The key's owner; the cookie counts without a key, and from our own pages only."""
        key = request_key(request)
        cookie = request.cookies.get(COOKIE)
        if key is None and cookie is not None:
            headers = request.headers
            check_own_page(
                request.method, headers.get("host"), headers.get("origin"), headers.get(CSRF_HEADER)
            )
            return await run_in_threadpool(self._sign_in.open_cookie, cookie)
        return await run_in_threadpool(self._gatekeeper.caller, key)


def request_key(request: Request) -> str | None:
    """Of several the first counts, as at the WebSocket: `Authorization`, `api-key`, `x-api-key`. A URL is no
    place for a key of the REST endpoints: those keys make others."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return request.headers.get("api-key") or request.headers.get("x-api-key") or None
