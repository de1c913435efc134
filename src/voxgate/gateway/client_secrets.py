"""OpenAI's endpoints for client secrets, under the paths of OpenAI and of Azure. Each secret is a temporary
credential of ours that carries the session's settings as defaults:

    POST …/client_secrets           GA:   {expires_after, session}  → {value, expires_at, session}
    POST …/sessions                 beta: a flat session            → the same with client_secret
    POST …/transcription_sessions   beta: a flat session            → the same with client_secret
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.auth.credentials import DEFAULT_PROJECT, CredentialRequest, Grant, LoggingRequest, Minted, Minter
from voxgate.auth.keys import ApiKey
from voxgate.auth.scopes import SessionScope
from voxgate.core.errors import InvalidRequest
from voxgate.core.ids import new_id
from voxgate.gateway.answers import Json, guarded, json_body
from voxgate.gateway.callers import Callers, request_key
from voxgate.gateway.session_bodies import Wanted, beta_session, ga_session, read_beta, read_ga
from voxgate.providers.openai import TRANSCRIPTION
from voxgate.providers.routes import Router
from voxgate.realtime.dialects.bodies import leaf
from voxgate.realtime.redaction import redact

_PREFIXES: Final = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime")
_NAMES: Final = ("client_secrets", "sessions", "transcription_sessions")
SECRET_PATHS: Final = frozenset(f"{prefix}/{name}" for prefix in _PREFIXES for name in _NAMES)
_SAFETY_HEADER: Final = "openai-safety-identifier"


class ClientSecrets:
    def __init__(self, callers: Callers, minter: Minter, router: Router) -> None:
        self._callers = callers
        self._minter = minter
        self._router = router

    def routes(self) -> list[Route]:
        endpoints = dict(zip(_NAMES, (self.ga, self.beta, self.beta_transcription), strict=True))
        return [
            Route(f"{prefix}/{name}", guarded(endpoint), methods=["POST"])
            for prefix in _PREFIXES
            for name, endpoint in endpoints.items()
        ]

    async def ga(self, request: Request) -> Response:
        wanted, minted = await self._mint(request, read_ga)
        session = _shown(ga_session(wanted, new_id("sess")))
        return _answer({"value": minted.key, "expires_at": minted.expires_at, "session": session})

    async def beta(self, request: Request) -> Response:
        return await self._beta(request, lambda body: read_beta(body, "realtime"))

    async def beta_transcription(self, request: Request) -> Response:
        return await self._beta(request, lambda body: read_beta(body, "transcription"))

    async def _beta(self, request: Request, read: Callable[[Any], Wanted]) -> Response:
        wanted, minted = await self._mint(request, read)
        secret = {"value": minted.key, "expires_at": minted.expires_at}
        return _answer({**_shown(beta_session(wanted, new_id("sess"))), "client_secret": secret})

    async def _mint(self, request: Request, read: Callable[[Any], Wanted]) -> tuple[Wanted, Minted]:
        caller = await self._callers.of(request)
        wanted = read(await json_body(request))
        if wanted.model is not None:
            self._router.check_model(wanted.model, wanted.model_param)
        credential = _credential(wanted, caller, request.headers.get(_SAFETY_HEADER))
        if isinstance(caller, Grant) and caller.provider_key:
            self._router.check_client_key(credential.models, caller.provider_key)
        minted = await run_in_threadpool(self._minter.mint, credential, caller, request_key(request))
        return wanted, minted


def _credential(wanted: Wanted, caller: Grant | ApiKey, safety_identifier: str | None) -> CredentialRequest:
    """Its calls are recorded as those of the key that asks."""
    project = caller.project or DEFAULT_PROJECT
    return CredentialRequest(
        model=_models(wanted),
        ttl_seconds=wanted.ttl_seconds,
        logging=LoggingRequest(project_name=project) if isinstance(caller, ApiKey) else None,
        metadata={"safety_identifier": safety_identifier[:512]} if safety_identifier else {},
        session=_scope(wanted.settings),
    )


def _models(wanted: Wanted) -> str | list[str] | None:
    """Its only one. A session that transcribes is connected to without a model and names one inside."""
    if wanted.kind == "realtime":
        return wanted.model
    inside = leaf(wanted.settings, ("audio", "input", "transcription", "model"))
    return [TRANSCRIPTION, inside] if isinstance(inside, str) and inside else None


def _scope(settings: dict[str, Any]) -> SessionScope | None:
    """None when nothing is set: then no message of the calls has to be looked at."""
    if settings == {"type": "realtime"}:
        return None
    try:
        return SessionScope.model_validate({**settings, "lock": "defaults"})
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"Invalid 'session': {said}.", param="session") from error


def _shown(session: dict[str, Any]) -> dict[str, Any]:
    """Without the credentials of MCP servers: answers like this one are passed on to browsers."""
    shown: dict[str, Any] = (redact({"session": session}) or {"session": session})["session"]
    return shown


def _answer(body: dict[str, Any]) -> Response:
    return Json(body, headers={"cache-control": "no-store"})
