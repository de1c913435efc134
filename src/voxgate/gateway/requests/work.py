"""One request on its way: what is known of it so far."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request

from voxgate.auth.credentials import Grant
from voxgate.core.errors import VoxgateError
from voxgate.core.networks import Address
from voxgate.gateway.requests.bodies import Wanted, with_model
from voxgate.gateway.requests.cached import Plan
from voxgate.gateway.requests.endpoints import Endpoint
from voxgate.gateway.requests.metering import Metering
from voxgate.providers.targets import Target
from voxgate.recording.spool import UNRECORDED, Log


@dataclass(slots=True)
class Work:
    session_id: str
    endpoint: Endpoint
    request: Request
    address: Address | None = None
    """The caller's, as far as it is known."""
    grant: Grant | None = None
    model: str | None = None
    body: bytes = b""
    wanted: Wanted | None = None
    plan: Plan | None = None
    """With the cache; None where nobody wants one."""
    log: Log = UNRECORDED
    begun: bool = False
    """Whether the head of an answer went to the client."""
    status: int = 0
    priced_as: tuple[str, ...] = ()
    metering: Metering | None = None
    """Of what it may use, where that is limited."""
    is_closed: bool = False
    ended: asyncio.Future[VoxgateError] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Why it ends before its answer does."""

    @property
    def recorded_as(self) -> str | None:
        return None if self.log is UNRECORDED else self.session_id

    def end(self, error: VoxgateError) -> None:
        if not self.ended.done():
            self.ended.set_result(error)

    def close(self, code: int, reason: str, side: str) -> None:
        """The log; the first one counts."""
        if not self.is_closed:
            self.is_closed = True
            self.log.close(code, reason, side)

    def body_for(self, target: Target) -> bytes:
        """With the provider's own name of the model."""
        if self.wanted is None:
            return self.body
        is_free = self.grant is not None and self.grant.models is None
        named = self.wanted.model or (self.endpoint.default_model if is_free else None)
        if named == target.model:
            return self.body
        return with_model(self.body, self.wanted, target.model)
