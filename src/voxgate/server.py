"""The composition root of a gateway worker: builds every object from the settings and runs it until its calls
have ended and their logs are written.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from voxgate.api.access import House, Imports, Transcribing
from voxgate.api.app import build_api
from voxgate.api.sessions import END_SIGNAL
from voxgate.auth.credentials import Gatekeeper, Minter
from voxgate.auth.keys import KeyRing
from voxgate.auth.places import Places
from voxgate.auth.revocation import END, END_MINTED
from voxgate.auth.tokens import TOKEN_KEYS_NAME, TokenBox, load_token_keys
from voxgate.auth.web import WebSignIn
from voxgate.core.errors import MethodNotAllowed, NotFound, RequestError, VoxgateError
from voxgate.core.ids import new_id
from voxgate.core.prices import PriceTable
from voxgate.core.settings import Settings
from voxgate.core.upstreams import ProviderSettings
from voxgate.gateway.admission import Admission
from voxgate.gateway.answers import error_response
from voxgate.gateway.app import Endpoints
from voxgate.gateway.callers import Callers
from voxgate.gateway.calls import Calls
from voxgate.gateway.cors import CrossOrigin
from voxgate.gateway.dial import Dialler
from voxgate.gateway.forwarded import ForwardedHeaders, Proxies
from voxgate.gateway.leases import Leases
from voxgate.gateway.limits import CallLimits, most_calls
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.opening import Gateway
from voxgate.gateway.rates import Rates
from voxgate.gateway.requests.cache import AnswerCache
from voxgate.gateway.requests.endpoints import ENDPOINTS, PASS_THROUGH
from voxgate.gateway.requests.flow import Parts, Requests
from voxgate.gateway.requests.sending import Sender
from voxgate.gateway.scoreboard import Place, Scoreboard
from voxgate.gateway.serving import GatewayServer
from voxgate.gateway.signals import SignalFollower
from voxgate.gateway.spending import Spending
from voxgate.providers.routes import Router
from voxgate.providers.targets import Targets
from voxgate.recording.spool import Spool
from voxgate.store import Kept, Store, open_blobs, open_cache

_PUBLISH_SECONDS: Final = 1.0
_SECURITY_HEADERS: Final = {
    # 'self' is also the WebSocket of this origin. Nothing may come from or go to another one.
    "content-security-policy": (
        "default-src 'self'; media-src 'self' blob:; img-src 'self' data: blob:; worker-src 'self' blob:; "
        "object-src 'none'; frame-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """One gateway worker, wired."""

    settings: Settings
    store: Store
    gateway: Gateway
    app: ASGIApp
    place: Place
    revoked: set[str]
    last_signal: int
    """The newest signal that the worker knew when it was built."""


def build_worker(
    settings: Settings,
    environ: dict[str, str],
    admin_key: str,
    local: ProviderSettings | None,
    board: Scoreboard | None = None,
    number: int = 1,
    sources: Mapping[str, str] | None = None,
    replays: ProviderSettings | None = None,
) -> Worker:
    """`local` is the embedded provider where it runs, `replays` what plays recorded sessions.
    The data folder must exist. `board` is shared by all
    workers; `number` is this one's place on it. `sources` says where settings come from."""
    store = Store(settings.database_url)
    tokens = TokenBox(load_token_keys(settings.data_dir / TOKEN_KEYS_NAME))
    keys = KeyRing(store, admin_key)
    sign_in = WebSignIn(keys, tokens)
    last_signal = store.last_signal_id()  # before the revocations are read, so that none falls between
    revoked = store.revoked_credentials()
    gatekeeper = Gatekeeper(keys, tokens, revoked)
    router = Router(settings, environ, local, replays)
    proxies = Proxies(settings.trusted_proxies)
    metrics = Metrics()
    calls = Calls(metrics, most_calls(settings.limits))
    leases = Leases(store, settings.limits)
    prices = PriceTable(settings.prices)
    spending, rates = Spending(store, prices), Rates(store)
    spool = Spool(settings.wire_dir, new_id("worker"), buffer_bytes=settings.recording_buffer_bytes)
    _count_recording(metrics, spool)
    place = Place(board or Scoreboard(), number, metrics)
    callers = Callers(gatekeeper, sign_in)
    endpoints = Endpoints(store, callers, Minter(store, tokens), router, prices, calls, place.text)
    dialler = Dialler(metrics)
    admission, places, sender = Admission(gatekeeper), Places(settings.projects), Sender(metrics)
    targets = Targets(router)
    gateway = Gateway(
        admission=admission,
        places=places,
        proxies=proxies,
        router=router,
        targets=targets,
        dialler=dialler,
        sender=sender,
        spool=spool,
        calls=calls,
        limits=CallLimits(settings.limits, calls, leases, spending, rates),
        leases=leases,
        spending=spending,
        rates=rates,
        largest_message_bytes=settings.largest_message_bytes,
        held_bytes=settings.limits.held_bytes,
    )
    api = build_api(
        store=store,
        blobs=open_blobs(settings),
        keys=keys,
        sign_in=sign_in,
        models=functools.partial(router.models, aliases=False),
        kept=Kept(settings.retention_days, settings.days_of_projects("retention_days")),
        imports=Imports(
            settings.data_dir / "uploads", settings.wire_dir, settings.database_url, settings.prices
        ),
        transcribing=Transcribing(settings.transcription_of_projects, router.transcribers),
        house=House(settings, sources or {}, router, dialler.health),
    )
    requests = Requests(
        Parts(
            admission=admission,
            places=places,
            proxies=proxies,
            targets=targets,
            sender=sender,
            spool=spool,
            calls=calls,
            leases=leases,
            spending=spending,
            cache=AnswerCache(open_cache(settings), settings.cache, settings.projects, metrics),
            rates=rates,
            limits=settings.limits,
            largest_body_bytes=settings.largest_message_bytes,
            body_seconds=settings.limits.body_seconds,
        )
    )
    app = _compose(endpoints, requests, api)
    app = ForwardedHeaders(CrossOrigin(app, settings.cors_origins), proxies)
    return Worker(settings, store, gateway, app, place, revoked, last_signal)


def _count_recording(metrics: Metrics, spool: Spool) -> None:
    metrics.gauge(
        "voxgate_recording_waiting_bytes",
        "What was relayed and is in memory, not yet on disk.",
        lambda: spool.waiting_bytes,
    )
    metrics.counted(
        "voxgate_recording_lost_records_total",
        "What was relayed but could not be recorded, in records (what was received at once).",
        lambda: spool.lost_records,
    )
    metrics.counted("voxgate_recording_lost_bytes_total", "The same in bytes.", lambda: spool.lost_bytes)
    metrics.counted(
        "voxgate_recording_lost_calls_total",
        "Calls of which nothing is recorded, because too much waited when they began.",
        lambda: spool.unrecorded_calls,
    )
    metrics.counted(
        "voxgate_recording_writer_starts_total",
        "How often a writer of wire logs was started: once for each worker, and again when it died.",
        lambda: spool.writer_starts,
    )
    metrics.shared_gauge(
        "voxgate_recording_unfinished_logs",
        "Wire logs on disk that the recorder has not finished, of running calls too.",
        lambda: spool.logs_on_disk,
    )
    metrics.shared_gauge("voxgate_recording_unfinished_bytes", "Their size.", lambda: spool.bytes_on_disk)


def _compose(endpoints: Endpoints, requests: Requests, api: ASGIApp) -> ASGIApp:
    """`/api` to the control plane; `/v1` and the probes to the data plane; everything else is the web app."""
    webapp = resources.files("voxgate") / "webapp"
    pages = WebApp(Path(str(webapp)))
    routes = [*endpoints.routes(), *pages.routes()]
    main = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _http_error, ClientDisconnect: _hung_up, Exception: _crash},
    )

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        endpoint = ENDPOINTS.get(scope["path"]) if is_http and scope["method"] == "POST" else None
        if endpoint is not None:
            await requests.serve(endpoint, scope, receive, send)
            return
        if is_http and scope["path"].startswith(PASS_THROUGH):
            await requests.pass_through(scope, receive, send)
            return
        under_api = is_http and scope["path"].split("/")[1:2] == ["api"]
        await (api if under_api else main)(scope, receive, send)

    return dispatch


class WebApp:
    """The built web app: its files, and `index.html` for every path that the browser's router knows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def routes(self) -> list[Route | Mount]:
        mounts: list[Route | Mount] = []
        if (self._folder / "assets").is_dir():
            mounts.append(Mount("/assets", _Immutable(self._folder / "assets")))
        return [*mounts, Route("/{path:path}", self.page, methods=["GET"])]

    async def page(self, request: Request) -> Response:
        path = request.path_params["path"]
        if path.split("/")[0] in {"v1", "openai"}:
            raise NotFound(f"There is no endpoint at /{path}.")
        index = self._folder / "index.html"
        if not index.is_file():
            raise NotFound("The web app is not built. Run 'make install', or install the wheel.")
        file = self._file(path)
        headers = {**_SECURITY_HEADERS, "cache-control": "no-cache"}
        return FileResponse(file or index, headers=headers)

    def _file(self, path: str) -> Path | None:
        try:
            file = (self._folder / path).resolve()
            return file if file.is_relative_to(self._folder.resolve()) and file.is_file() else None
        except (OSError, ValueError):  # no name that a file could have
            return None


class _Immutable(StaticFiles):
    """Files whose names carry their hash, packed where the build has done it and the browser takes it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)

    async def get_response(self, path: str, scope: Scope) -> Response:
        _, packed = self.lookup_path(f"{path}.gz")
        if packed is None or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            return await super().get_response(path, scope)
        response = await super().get_response(f"{path}.gz", scope)
        response.headers["content-encoding"] = "gzip"
        response.headers["vary"] = "accept-encoding"
        return response

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_SECURITY_HEADERS)  # a worker's policy is that of its own script
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "other methods")
        return error_response(MethodNotAllowed(f"{request.url.path} takes {allowed}, not {request.method}."))
    if error.status_code == 404:
        return error_response(NotFound(f"There is no endpoint at {request.url.path}."))
    return error_response(RequestError(str(error.detail)))


async def _hung_up(request: Request, error: Exception) -> Response:
    """Nobody reads it; but a body that never came is no crash of ours."""
    return error_response(RequestError("The connection was closed before the request was complete."))


async def _crash(request: Request, error: Exception) -> Response:
    if isinstance(error, VoxgateError):
        return error_response(error)
    logger.error("unhandled error at %s %s", request.method, request.url.path, exc_info=error)
    return error_response(VoxgateError("The gateway failed to answer this request; its log says why."))


async def serve_worker(worker: Worker, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until a signal, drains, and returns when everything recorded is on disk."""
    server = GatewayServer(worker.app, worker.gateway, worker.settings, worker.place)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, server.retire)
    follower = follow_signals(worker)
    announcer = asyncio.create_task(_announce(server, ready))
    publisher = asyncio.create_task(_publish(worker.place))
    try:
        await server.serve(sockets=[sock])
    finally:
        announcer.cancel()
        publisher.cancel()
        worker.gateway.spool.stop()
        worker.place.publish()
        await follower.stop()
        worker.store.close()


async def _announce(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    gc.collect()
    gc.freeze()  # what is there stays: looking through it again would stop all calls for a tenth of a second
    ready()


async def _publish(place: Place) -> None:
    while True:
        place.publish()
        await asyncio.sleep(_PUBLISH_SECONDS)


def follow_signals(worker: Worker) -> SignalFollower:
    """Until it is told to stop."""
    calls = worker.gateway.calls
    actions = {END_SIGNAL: calls.end_session, END: calls.end_credential, END_MINTED: calls.end_minted_by}
    return SignalFollower(worker.store, worker.last_signal, worker.revoked, actions)


def retire_process() -> None:
    """Asks this process to close its port, so that the next Voxgate can have it, to drain and to end."""
    signal.raise_signal(signal.SIGHUP)
