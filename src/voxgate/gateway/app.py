"""The HTTP endpoints under `/v1` that clients and backends call, and those that operators watch. Errors have
OpenAI's JSON shape, whatever the cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from voxgate.auth.credentials import Grant, Minter, parse_request
from voxgate.auth.keys import ApiKey, Role
from voxgate.auth.revocation import revoke_credential
from voxgate.core.errors import Forbidden, InvalidRequest, MethodNotAllowed, NotFound
from voxgate.core.prices import PriceTable
from voxgate.gateway.answers import Json, guarded, json_body
from voxgate.gateway.callers import Callers, request_key
from voxgate.gateway.calls import Calls
from voxgate.gateway.client_secrets import SECRET_PATHS, ClientSecrets
from voxgate.gateway.policies.budget import check_prices
from voxgate.gateway.requests.endpoints import ENDPOINTS, PASS_THROUGH
from voxgate.gateway.spending import used
from voxgate.providers.routes import Router
from voxgate.store import Store

_REALTIME: Final = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime", "/voice-live/realtime")
_ALL_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Endpoints:
    def __init__(
        self,
        store: Store,
        callers: Callers,
        minter: Minter,
        router: Router,
        prices: PriceTable,
        calls: Calls,
        metrics_text: Callable[[], str],
    ) -> None:
        self._store = store
        self._callers = callers
        self._minter = minter
        self._router = router
        self._prices = prices
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
            Route("/v1/models/{name:path}", guarded(self.show_model), methods=["GET"]),
            *ClientSecrets(self._callers, self._minter, self._router).routes(),
            *(Route(path, guarded(self.explain_realtime), methods=["GET", "POST"]) for path in _REALTIME),
            *(
                Route(path + rest, guarded(self.explain_webrtc), methods=["POST"])
                for path in _REALTIME
                for rest in ("/calls", "/calls/{path:path}")
            ),
            Route("/v1/{path:path}", guarded(self.nothing_here), methods=_ALL_METHODS),
            Route("/openai/{path:path}", guarded(self.nothing_here), methods=_ALL_METHODS),
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def create_credential(self, request: Request) -> Response:
        caller = await self._callers.of(request)
        wanted = parse_request(await json_body(request))
        if isinstance(caller, Grant) and caller.provider_key:
            self._router.check_client_key(wanted.models, caller.provider_key)
        if wanted.max_cost_usd is not None:
            check_prices(self._prices, self._router.served_by(wanted.models))
        minted = await run_in_threadpool(self._minter.mint, wanted, caller, request_key(request))
        return Json(minted.body(), headers={"cache-control": "no-store"})

    async def list_credentials(self, request: Request) -> Response:
        owner = await self._key_owner(request, "read", "mint")
        limit = _limit(request.query_params.get("limit"))
        rows, cursor = await run_in_threadpool(
            self._store.list_credentials, limit, request.query_params.get("cursor"), project=owner.project
        )
        return Json({"items": await self._shown(rows), "next_cursor": cursor})

    async def show_credential(self, request: Request) -> Response:
        [shown] = await self._shown([await self._find(request, "read", "mint")])
        return Json(shown)

    async def revoke_credential(self, request: Request) -> Response:
        row = await self._find(request, "mint")
        end = _flag(request, "end_sessions")
        await run_in_threadpool(revoke_credential, self._store, row["id"], end_sessions=end)
        return Json({"id": row["id"], "object": "credential", "revoked": True})

    async def list_models(self, request: Request) -> Response:
        caller = await self._callers.of(request)
        shown = self._router.models()
        if isinstance(caller, Grant) and caller.models is not None:
            named = [entry for name in caller.models if (entry := self._router.model(name)) is not None]
            listed = {entry["id"]: entry for entry in [*shown, *named]}
            shown = [entry for name, entry in listed.items() if caller.names(name)]
        return Json({"object": "list", "data": shown})

    async def show_model(self, request: Request) -> Response:
        caller = await self._callers.of(request)
        name = request.path_params["name"]
        shown = self._router.model(name)
        if shown is None or (isinstance(caller, Grant) and not caller.names(name)):
            raise NotFound(
                f"There is no model {name[:200]!r} on this gateway; GET /v1/models says what there is."
            )
        return Json(shown)

    async def explain_realtime(self, request: Request) -> Response:
        raise InvalidRequest(
            "This endpoint speaks WebSocket: connect with 'Upgrade: websocket', for example to "
            f"ws://{request.url.netloc}/v1/realtime?model=local."
        )

    async def explain_webrtc(self, request: Request) -> Response:
        raise NotFound(
            "This gateway serves Realtime calls over WebSocket and not over WebRTC or SIP: there is no "
            f"{request.url.path}. Connect a WebSocket to ws://{request.url.netloc}/v1/realtime with the same "
            "key."
        )

    async def nothing_here(self, request: Request) -> Response:
        known = {"/v1/credentials", "/v1/models", *_REALTIME, *SECRET_PATHS, *ENDPOINTS}
        if request.url.path in known:
            raise MethodNotAllowed(f"{request.url.path} does not take {request.method}.")
        said = f"There is no endpoint {request.method} {request.url.path} on this gateway."
        if request.url.path.startswith("/v1/"):
            rest = request.url.path.removeprefix("/v1/")
            said += (
                f" A provider that has it is asked by {PASS_THROUGH}NAME/{rest}, with pass_through = true."
            )
        raise NotFound(said)

    async def healthz(self, request: Request) -> Response:
        return Json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        if self._calls.draining:
            return Json({"status": "draining"}, status_code=503)
        return Json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        return PlainTextResponse(self._metrics_text(), media_type="text/plain; version=0.0.4")

    async def _find(self, request: Request, *roles: Role) -> dict[str, Any]:
        owner = await self._key_owner(request, *roles)
        credential_id = request.path_params["id"]
        row = await run_in_threadpool(self._store.get_credential, credential_id, project=owner.project)
        if row is None:
            raise NotFound(f"There is no credential {credential_id!r}.", param="id")
        return row

    async def _shown(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What may be shown of credentials: everything but the key, which is stored nowhere."""
        spent = await run_in_threadpool(self._store.spent_by, [row["id"] for row in rows])
        return [{"object": "credential", **row, "used": used(row, spent.get(row["id"]))} for row in rows]

    async def _key_owner(self, request: Request, *roles: Role) -> ApiKey:
        caller = await self._callers.of(request)
        if not isinstance(caller, ApiKey):
            wanted = " or ".join(repr(role) for role in (*roles, "admin"))
            raise Forbidden(f"This needs a Voxgate API key with the role {wanted}.")
        caller.require(*roles)
        return caller


def _limit(text: str | None) -> int:
    if text is None:
        return 50
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 500:
        raise InvalidRequest("'limit' must be a whole number from 1 to 500.", param="limit")
    return int(text)


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in {"true", "1", "false", "0"}:
        raise InvalidRequest(f"{name!r} must be true or false, not {text[:50]!r}.", param=name)
    return text in {"true", "1"}
