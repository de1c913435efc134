"""The HTTP endpoints under `/v1` that clients and backends call, and those that operators watch. Errors have
OpenAI's JSON shape, whatever the cause.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from voxgate.auth.credentials import Gatekeeper, Grant, Minter, parse_request
from voxgate.auth.keys import ApiKey
from voxgate.auth.web import COOKIE, CSRF_HEADER, WebSignIn, check_own_page
from voxgate.core.errors import (
    BodyTooLarge,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    VoxgateError,
)
from voxgate.gateway.calls import Calls
from voxgate.providers.routes import Router
from voxgate.store import Store

_ALL_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_LARGEST_BODY: Final = 64 << 10

Endpoint = Callable[[Request], Awaitable[Response]]


class Json(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def error_response(error: VoxgateError) -> Response:
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return Json(error.body(), status_code=error.status, headers=headers)


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose VoxgateErrors become answers."""

    async def run(request: Request) -> Response:
        try:
            return await endpoint(request)
        except VoxgateError as error:
            return error_response(error)

    return run


class Endpoints:
    def __init__(
        self,
        store: Store,
        gatekeeper: Gatekeeper,
        minter: Minter,
        sign_in: WebSignIn,
        router: Router,
        calls: Calls,
        metrics_text: Callable[[], str],
    ) -> None:
        self._store = store
        self._gatekeeper = gatekeeper
        self._minter = minter
        self._sign_in = sign_in
        self._router = router
        self._calls = calls
        self._metrics_text = metrics_text

    def routes(self) -> list[Route]:
        one = "/v1/credentials/{id}"
        return [
            Route("/v1/credentials", guarded(self.create_credential), methods=["POST"]),
            Route("/v1/credentials", guarded(self.list_credentials), methods=["GET"]),
            Route(one, guarded(self.show_credential), methods=["GET"]),
            Route(one, guarded(self.revoke_credential), methods=["DELETE"]),
            Route("/v1/models", guarded(self.list_models), methods=["GET"]),
            Route("/v1/realtime", guarded(self.explain_realtime), methods=["GET", "POST"]),
            Route("/v1/{path:path}", guarded(self.nothing_here), methods=_ALL_METHODS),
            Route("/openai/{path:path}", guarded(self.nothing_here), methods=_ALL_METHODS),
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def create_credential(self, request: Request) -> Response:
        caller = await self._caller(request)
        wanted = parse_request(await _json_body(request))
        if isinstance(caller, Grant) and caller.provider_key:
            self._router.check_client_key(wanted.models, caller.provider_key)
        minted = await run_in_threadpool(self._minter.mint, wanted, caller)
        return Json(minted.body(), headers={"cache-control": "no-store"})

    async def list_credentials(self, request: Request) -> Response:
        owner = await self._key_owner(request)
        limit = _limit(request.query_params.get("limit"))
        rows, cursor = await run_in_threadpool(
            self._store.list_credentials, limit, request.query_params.get("cursor"), project=owner.project
        )
        return Json({"items": [_credential(row) for row in rows], "next_cursor": cursor})

    async def show_credential(self, request: Request) -> Response:
        return Json(await self._find(request))

    async def revoke_credential(self, request: Request) -> Response:
        row = await self._find(request)
        await run_in_threadpool(self._store.revoke_credential, row["id"])
        await run_in_threadpool(self._store.add_signal, "revoke_credential", row["id"])
        if request.query_params.get("end_sessions") in {"true", "1"}:
            await run_in_threadpool(self._store.add_signal, "end_credential", row["id"])
        return Json({"id": row["id"], "object": "credential", "revoked": True})

    async def list_models(self, request: Request) -> Response:
        await self._caller(request)
        return Json({"object": "list", "data": self._router.models()})

    async def explain_realtime(self, request: Request) -> Response:
        raise InvalidRequest(
            "This endpoint speaks WebSocket: connect with 'Upgrade: websocket', for example to "
            f"ws://{request.url.netloc}/v1/realtime?model=local."
        )

    async def nothing_here(self, request: Request) -> Response:
        if request.url.path in {"/v1/credentials", "/v1/models", "/v1/realtime"}:
            raise MethodNotAllowed(f"{request.url.path} does not take {request.method}.")
        raise NotFound(f"There is no endpoint {request.method} {request.url.path} on this gateway.")

    async def healthz(self, request: Request) -> Response:
        return Json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        if self._calls.draining:
            return Json({"status": "draining"}, status_code=503)
        return Json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        return PlainTextResponse(self._metrics_text(), media_type="text/plain; version=0.0.4")

    async def _find(self, request: Request) -> dict[str, Any]:
        owner = await self._key_owner(request)
        row = await run_in_threadpool(self._store.get_credential, request.path_params["id"])
        if row is None or (owner.project and row["project"] != owner.project):
            raise NotFound(f"There is no credential {request.path_params['id']!r}.", param="id")
        return _credential(row)

    async def _key_owner(self, request: Request) -> ApiKey:
        caller = await self._caller(request)
        if not isinstance(caller, ApiKey):
            raise Forbidden("This needs a Voxgate API key.")
        caller.require("mint")
        return caller

    async def _caller(self, request: Request) -> Grant | ApiKey:
        """Who asks: by a key, or by the web app's cookie (which works from our own pages only)."""
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
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return request.headers.get("x-api-key") or request.headers.get("api-key")


async def _json_body(request: Request) -> Any:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise BodyTooLarge(f"The body is larger than {_LARGEST_BODY:,} bytes.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error


def _limit(text: str | None) -> int:
    if text is None:
        return 50
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 500:
        raise InvalidRequest("'limit' must be a whole number from 1 to 500.", param="limit")
    return int(text)


def _credential(row: dict[str, Any]) -> dict[str, Any]:
    """What may be shown of a credential: everything but the key, which is stored nowhere."""
    return {"object": "credential", **row}
