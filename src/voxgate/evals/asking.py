"""Asks a model behind an OpenAI-compatible endpoint: a request's body in, the answer's bytes out, with as
much patience as the settings have. At most `concurrency` requests of a program are on their way to it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from pydantic import ValidationError

from voxgate import __version__
from voxgate.client.http import Client
from voxgate.core.asked import GATEWAY, AskedModel
from voxgate.core.errors import SettingsError, VoxgateError
from voxgate.core.in_force import settings_in_force
from voxgate.core.prices import PriceTable
from voxgate.providers.refusals import LARGEST_ANSWER_BYTES, Refusal, Refusals
from voxgate.traces.costs import cost_of

_CONNECT_SECONDS: Final = 10.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_PATIENCE_SECONDS: Final = 300.0
"""Whoever wants to be asked again later than that is not."""


class NoAnswer(VoxgateError):
    """The model was not reached or refused; `refusal` is the last that it said."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(slots=True)
class _Door:
    """To one endpoint: how many may be inside, and until when it wants to be left alone."""

    room: asyncio.Semaphore
    rests_until: float = 0.0


_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Door]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Model:
    """`what` is the section of the settings it is of, for people."""

    what: str
    name: str
    wanted: AskedModel
    key: str | None = field(default=None, repr=False)
    prices: PriceTable = field(default_factory=PriceTable, repr=False)

    async def post(self, path: str, kind: str, body: bytes) -> bytes:
        """NoAnswer after as many attempts as the settings allow, or at once where no other would do."""
        refusals, door = Refusals([self.key] if self.key else []), self._door()
        give_up = time.monotonic() + _PATIENCE_SECONDS
        for attempt in range(1, self.wanted.attempts + 1):
            async with door.room:
                await asyncio.sleep(max(door.rests_until - time.monotonic(), 0.0))
                answer = await self._try(path, kind, body, refusals)
            if isinstance(answer, bytes):
                return answer
            pause = _pause(answer, attempt)
            if answer.is_final or attempt == self.wanted.attempts or time.monotonic() + pause > give_up:
                raise NoAnswer(answer)
            if answer.wait_seconds is not None:
                door.rests_until = max(door.rests_until, time.monotonic() + pause)
            else:
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: there is at least one attempt")

    def cost_usd(self, usage: Mapping[str, Any]) -> float | None:
        """None where the price of the model is not known, or what was used."""
        return cost_of(dict(usage), self.prices.of(self.name)).usd if usage else None

    async def _try(self, path: str, kind: str, body: bytes, refusals: Refusals) -> bytes | Refusal:
        headers = {"content-type": kind, "user-agent": f"voxgate/{__version__}"}
        headers |= {"authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = aiohttp.ClientTimeout(total=self.wanted.timeout_seconds, sock_connect=_CONNECT_SECONDS)
        url = self.wanted.base_url.rstrip("/") + path
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as http,
                # A redirect would take the key and the call to another place.
                http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                data = await _read(answer)
        except TimeoutError:
            message = f"it does not answer within {self.wanted.timeout_seconds:g} s"
            return Refusal(message, is_final=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Refusal(
                refusals.shown(f"it does not answer: {error or type(error).__name__}"), is_final=False
            )
        if answer.status == 200:
            return data
        retry_after, text = answer.headers.get("retry-after"), data.decode(errors="replace")
        return refusals.of(answer.status, answer.reason or "", retry_after, text)

    def _door(self) -> _Door:
        doors = _doors.setdefault(asyncio.get_running_loop(), {})
        if self.wanted.base_url not in doors:
            doors[self.wanted.base_url] = _Door(asyncio.Semaphore(self.wanted.concurrency))
        return doors[self.wanted.base_url]


def model_of(section: str, **own: Any) -> Model:
    """What the settings say in this section, and instead of it what is given here and not None. SettingsError
    where there is no model or no key."""
    settings = settings_in_force()
    written: AskedModel = getattr(settings, section)
    given = {name: value for name, value in own.items() if value is not None}
    if "base_url" in given and "api_key_env" not in given:  # the key is for where it was meant for
        given = {"api_key_env": None, "api_key": None, **given}
    try:
        wanted = AskedModel.model_validate({**dict(written), **given})
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False)
        raise SettingsError(f"{section}: {first['loc'][0]}: {first['msg']}", param=section) from error
    if wanted.model is None:
        raise SettingsError(
            f"Which model is the {section.replace('_', ' ')}? Set model in [{section}] of voxgate.toml, or "
            f"VOXGATE_{section.upper()}_MODEL.",
            param=f"{section}.model",
        )
    prices, name = PriceTable(settings.prices), wanted.model
    if wanted.base_url == GATEWAY:
        client = Client()
        wanted = wanted.model_copy(update={"base_url": f"{client.url}/v1"})
        return Model(section, name, wanted, client.key, prices)
    return Model(section, name, wanted, wanted.key(os.environ), prices)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_chunked(1 << 16):
        data += piece
        if len(data) > LARGEST_ANSWER_BYTES:
            raise ValueError("its answer has no end")
    return bytes(data)


def _pause(refusal: Refusal, attempt: int) -> float:
    if refusal.wait_seconds is not None:
        return refusal.wait_seconds
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1))
    return longest * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
