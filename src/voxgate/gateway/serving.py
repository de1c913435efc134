"""A gateway worker's port: HTTP, the web app and the relay on one socket, what runs beside them, and the ways
in which it ends without dropping calls.

    signal → no new calls, `/readyz` false → calls may end by themselves → 1001 → logs written → exit
"""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import socket
import ssl
import time
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from voxgate.core.settings import Settings
from voxgate.gateway.acceptor import Acceptor, Connect
from voxgate.gateway.certificates import CertificateWatch
from voxgate.gateway.head import HeadLimiter
from voxgate.gateway.opening import Gateway
from voxgate.gateway.scoreboard import Place
from voxgate.gateway.tls import accept_tls
from voxgate.gateway.upgrade import UpgradeProtocol

_LINGER_SECONDS: Final = 2.0
"""How long a worker that retires waits for the first request on connections that it has accepted."""
_RETIRING_POLL_SECONDS: Final = 0.1
_FAREWELL_SECONDS: Final = 4.0
"""How long clients may take to read why they were closed, and to answer that."""
_HURRIED_FAREWELL_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class GatewayServer(uvicorn.Server):
    """uvicorn, with two ways of ending that let calls go on for `drain_seconds`; by itself it would close
    every call at the first signal.

    SIGTERM  the whole gateway stops: the port stays open, so that `/readyz` and refusals can say so
    SIGHUP   another worker takes over: the port is closed here, what was accepted before is still served
    SIGINT, or a second SIGTERM: the calls are closed now; when they are being closed, nobody is waited for
    """

    def __init__(self, app: ASGIApp, gateway: Gateway, settings: Settings, place: Place) -> None:
        super().__init__(_config(app, gateway, settings))
        self._gateway = gateway
        self._settings = settings
        self._place = place
        self._calls = gateway.calls
        self._retired = False
        self._told_to_stop = False
        self._loop = asyncio.get_running_loop()
        self._drain: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []
        """What runs as long as the port is served."""
        self._certificate = (
            CertificateWatch(settings.tls_cert, settings.tls_key)
            if settings.tls_cert and settings.tls_key
            else None
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """In place of uvicorn's own: workers share new connections, and a TLS handshake has a limit."""
        config = self.config
        protocol = functools.partial(  # type: ignore[call-arg]
            config.http_protocol_class,
            config=config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        connect = self._connect()
        acceptors = [
            Acceptor(sock, protocol, place=self._place, load=self._load, connect=connect)
            for sock in sockets or []
        ]
        for acceptor in acceptors:
            acceptor.start()
        self.servers = acceptors  # type: ignore[assignment]
        self._beside.append(asyncio.create_task(self._gateway.limits.run()))
        self.started = True

    def _connect(self) -> Connect:
        """How connections that were accepted are given to their protocols."""
        context = self.config.ssl
        if context is None:
            return self._loop.connect_accepted_socket
        context.options |= ssl.OP_NO_RENEGOTIATION
        if self._certificate is not None:
            self._certificate.attach(context)
            self._beside.append(asyncio.create_task(self._certificate.run()))
        seconds = self._settings.limits.handshake_seconds
        return functools.partial(accept_tls, context=context, handshake_seconds=seconds)

    def _load(self) -> int:
        return self._calls.running + len(self.server_state.connections)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGINT or self._told_to_stop:
            self.force_exit = True
            self._loop.call_soon_threadsafe(self._hurry)  # a signal's handler wakes nobody
        self._told_to_stop = self._calls.draining = self.should_exit = True

    def _hurry(self) -> None:
        if self._drain is None:
            return
        if self._drain.done():
            self._calls.cut_farewell()
        self._drain.cancel()

    def retire(self) -> None:
        """What is in the kernel's queue goes to the others: they listen on the same socket."""
        self._retired = self.should_exit = True
        if self.started:
            self._close_port()

    def _close_port(self) -> None:
        for server in self.servers:
            server.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        calls = self._calls
        self._drain = asyncio.create_task(self._let_calls_end())
        if self.force_exit:
            self._drain.cancel()
        try:
            await self._drain
        except asyncio.CancelledError:
            await calls.drain(0)
        await calls.close_rest(_HURRIED_FAREWELL_SECONDS if self.force_exit else _FAREWELL_SECONDS)
        self._gateway.dialler.close()
        self._gateway.admission.stop()
        for task in self._beside:
            task.cancel()
        await super().shutdown(sockets)
        await self._gateway.sender.close()
        await asyncio.to_thread(self._gateway.leases.stop)
        await asyncio.to_thread(self._gateway.spending.stop)
        await asyncio.to_thread(self._gateway.rates.stop)

    async def _let_calls_end(self) -> None:
        seconds = self._settings.drain_seconds
        deadline = time.monotonic() + seconds
        if self._calls.running:
            logger.info("draining %d calls for at most %g s", self._calls.running, seconds)
        if self._retired:
            self._close_port()
            await self._serve_what_was_accepted(deadline)
        await self._calls.drain(max(0.0, deadline - time.monotonic()))

    async def _serve_what_was_accepted(self, deadline: float) -> None:
        """A connection that was ours before the port was closed may still ask for a call."""
        linger = time.monotonic() + _LINGER_SECONDS
        while not self._calls.draining:
            await asyncio.sleep(_RETIRING_POLL_SECONDS)
            now = time.monotonic()
            # A TLS handshake is not among uvicorn's connections yet.
            expected = self._close_idle_connections() or self.config.ssl is not None
            being_opened = self._calls.being_opened and now < deadline
            if not being_opened and (not expected or now >= linger):
                return

    def _close_idle_connections(self) -> bool:
        """Whether there are others that have not asked for anything so far."""
        connections = [each for each in self.server_state.connections if isinstance(each, HeadLimiter)]
        for connection in connections:
            if connection.cycle is not None:
                connection.shutdown()
        return any(connection.cycle is None for connection in connections)


def _config(app: ASGIApp, gateway: Gateway, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws=functools.partial(UpgradeProtocol, gateway),  # type: ignore[arg-type]
        http=functools.partial(  # type: ignore[arg-type]
            HeadLimiter, settings.limits, gateway.calls.count_refusal
        ),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # uvicorn's own would believe whoever connects from this machine
        timeout_graceful_shutdown=3,
    )
