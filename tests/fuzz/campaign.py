"""The fuzz test's rounds: keys, heads, messages and frames that are wrong, thrown at a running gateway, and
what must hold whatever they are. A `Broken` says which of it does not, and with which bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any

import aiohttp

from tests.fuzz.heads import good_head, mutated_head
from tests.fuzz.messages import broken_frames, framed, mutated_message
from tests.fuzz.provider import SYNC, LenientProvider
from tests.fuzz.tokens import TokenMutator
from tests.gateway.policies.readers import READERS
from tests.gateway.policies.test_allowed import brings_a_tool
from tests.gateway.policies.test_session_lock import ALL, SETTINGS, changes_a_lock
from voxgate.realtime.frames import CLOSE, TEXT, FrameDecoder, decode_close, encode_close, encode_frame

EVENTS = ("response.*", "input_audio_buffer.append", "session.update")
SCOPES: dict[str, dict[str, Any]] = {
    "fake-locks": {"session": {**SETTINGS, "lock": ALL}, "model": "fake-locks"},
    "fake-events": {"allowed_events": list(EVENTS), "allowed_tools": ["get_weather"]},
    "fake-models": {"model": ["fake-models"]},
    "fake-free": {"logging": {"project_name": "fuzz", "audio": False, "text": False}},
    "fake-heads": {"model": "fake-heads"},
    "fake-normal": {"model": "fake-normal", "session": {**SETTINGS, "lock": ALL}},
}
"""What the credentials of the calls to a model allow; the model tells the provider which rules hold."""
TOKEN_MODEL = "fake-tokens"
_CARRIERS = ("authorization", "api-key", "subprotocol", "query")
_SECONDS = 60.0
_LONGEST_WAIT = 0.4
"""For an answer that need not come, such as to half a head."""


class Broken(AssertionError):
    """What must hold does not."""


@dataclass
class Ended:
    """How a connection went, as its client saw it."""

    status: int = 0
    code: int | None = None
    started: bool = False
    synced: bool = False


class Wire:
    """One connection to the gateway, of a client that keeps no rules."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = FrameDecoder()
        self._head = b""
        self.ended = Ended()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def read(self, *, sync: bytes | None = None, started: bool = False) -> Ended:
        """Until the connection ends; with `sync` until the provider has said that, with `started` until it
        has said anything."""
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(1 << 16):
                if self._take(data, sync) or (started and self.ended.started) or self.ended.synced:
                    break
        return self.ended

    def _take(self, data: bytes, sync: bytes | None) -> bool:
        """Whether a close frame was in it."""
        if not self.ended.status:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return False
            words = head.split(b" ", 2)
            self.ended.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else -1
        if self.ended.status != 101:
            return False
        for message in self._decoder.feed(data):
            if message.opcode == CLOSE:
                self.ended.code = decode_close(message.payload).code
                return True
            self.ended.started |= b'"session.created"' in message.payload
            self.ended.synced |= sync is not None and sync in message.payload
        return False

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Campaign:
    def __init__(
        self, url: str, keys: dict[str, str], provider: LenientProvider, tokens: TokenMutator
    ) -> None:
        self._url = url
        self._port = int(url.rpartition(":")[2])
        self._keys = keys
        self._provider = provider
        self._tokens = tokens
        self._syncs = 0
        self.done: Counter[str] = Counter()

    async def round(self, chance: Random) -> None:
        """A bit of everything, and then whether all is well."""
        await _all(self._token(chance) for _ in range(24))
        await _all(self._minting(chance) for _ in range(2))
        await _all(self._heads(chance) for _ in range(12))
        await _all(self._messages(chance, model) for model in list(SCOPES)[:4])
        await _all(self._frames(chance, model) for model in list(SCOPES)[:4] for _ in range(2))
        await self.normal_call()
        self._check_provider()

    # Keys

    async def _token(self, chance: Random) -> None:
        token, carrier = self._tokens.mutate(chance), chance.choice(_CARRIERS)
        ended = await self._ask(good_head(token, f"/v1/realtime?model={TOKEN_MODEL}", carrier))
        self.done["tokens"] += 1
        if ended.started or (ended.status == 101 and ended.code != 3000):
            raise Broken(f"a mutated token was answered {ended} ({carrier}): {token!r}")
        if ended.status == 0 or ended.status >= 500:
            raise Broken(f"a mutated token had no good answer, {ended} ({carrier}): {token[:3000]!r}")

    async def _minting(self, chance: Random) -> None:
        """With a token that is none, over HTTP."""
        token = self._tokens.mutate(chance)
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{self._url}/v1/credentials", json={}, headers={"api-key": token}) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, ValueError):  # a header that this client does not write
            return
        self.done["requests"] += 1
        if status not in (400, 401, 403, 431):
            raise Broken(f"a mutated token was answered {status}: {token!r}")

    # Heads

    async def _heads(self, chance: Random) -> None:
        head = mutated_head(chance, self._keys["fake-heads"])
        ended = await self._ask(head, patient=False)
        self.done["heads"] += 1
        if ended.status >= 500:
            raise Broken(f"a mutated head was answered {ended}: {head!r}")

    # Messages

    async def _messages(self, chance: Random, model: str) -> None:
        """On a call that has to survive them."""
        wire = await self._call(model)
        texts = [mutated_message(chance) for _ in range(25)]
        stream = b"".join(framed(chance, text) for text in texts)
        while stream:
            size = chance.choice([1, 100, 5000, 1 << 20])
            await wire.send(stream[:size])
            stream = stream[size:]
        self.done["messages"] += len(texts)
        ended = await self._synced(wire)
        if not ended.synced:
            raise Broken(f"a call to {model} did not survive, {ended}: {texts!r}")

    async def _frames(self, chance: Random, model: str) -> None:
        """On a call that they may end."""
        wire = await self._call(model)
        for _ in range(3):
            await wire.send(broken_frames(chance, mutated_message(chance)))
            self.done["frames"] += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_WAIT):
                await wire.read()
        await wire.close()

    async def normal_call(self) -> None:
        ended = await self._synced(await self._call("fake-normal"))
        self.done["normal calls"] += 1
        if not ended.synced:
            raise Broken(f"a normal call does not work any more: {ended}")

    async def _synced(self, wire: Wire) -> Ended:
        """Once what was sent has reached the provider."""
        self._syncs += 1
        name = SYNC + b"%d-" % self._syncs
        await wire.send(encode_frame(TEXT, b'{"type":"response.cancel","event_id":"%s"}' % name, masked=True))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await wire.read(sync=name)
        ended = wire.ended
        await wire.send(encode_close(1000, "", masked=True))
        await wire.close()
        return ended

    async def _call(self, model: str) -> Wire:
        wire = await self._connect()
        # By this path the client speaks GA, whatever its messages look like.
        await wire.send(good_head(self._keys[model], f"/openai/v1/realtime?model={model}"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await wire.read(started=True)
        if not wire.ended.started:
            raise Broken(f"no call to {model}: {wire.ended}")
        return wire

    async def _ask(self, head: bytes, *, patient: bool = True) -> Ended:
        wire = await self._connect()
        await wire.send(head)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS if patient else _LONGEST_WAIT):
                await wire.read(started=True)
        await wire.close()
        return wire.ended

    async def _connect(self) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", self._port))

    # What reached the provider

    def _check_provider(self) -> None:
        if unknown := set(self._provider.calls) - set(SCOPES):
            raise Broken(f"calls began that nobody may begin: {unknown}")
        for model, texts in self._provider.take().items():
            for text in texts:
                check_message(model, text)


def check_message(model: str, text: bytes) -> None:
    """Of a message that got to the provider, whichever way that reads it."""
    found: Sequence[Any] = [read(text) for read in READERS]
    events = [event for event in found if isinstance(event, dict)]
    if model in ("fake-locks", "fake-normal") and any(map(changes_a_lock, events)):
        raise Broken(f"a locked field was changed: {text!r}")
    if model == "fake-events":
        kinds = [str(event.get("type")) for event in found if isinstance(event, dict)]
        if not kinds or not all(any(fnmatchcase(kind, one) for one in EVENTS) for kind in kinds):
            raise Broken(f"an event passed that is not allowed: {text!r}")
        if any(map(brings_a_tool, events)):
            raise Broken(f"a tool was brought that is not allowed: {text!r}")
    if model == "fake-models" and any(map(_names_another_model, events)):
        raise Broken(f"another model was named: {text!r}")


def _names_another_model(event: dict[str, Any]) -> bool:
    bodies = [event, event.get("session"), event.get("response")]
    names = [body["model"] for body in bodies if isinstance(body, dict) and body.get("model") is not None]
    return any(name != "fake-models" for name in names)


async def _all(cases: Any) -> None:
    """At the same time; the first that is broken says so."""
    for result in await asyncio.gather(*cases, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
