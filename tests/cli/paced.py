"""Callers that talk at a steady pace through a gateway to an echoing provider, and know what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.running import Voxgate, start_voxgate
from voxgate.testing.provider import ScriptedProvider

PAUSE_SECONDS = 0.03


@dataclass
class Paced:
    """One call. Every message carries its number, and all of them must come back in order."""

    gateway: Voxgate
    sent: int = 0
    received: int = 0
    session_id: str = ""
    code: int | None = None
    reason: str | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it, and the caller hears the rest of its echoes and hangs up."""

    async def run(self, messages: int | None = None) -> Paced:
        """Talks until it is enough, or has sent so many messages, or is closed."""
        url = f"{self.gateway.ws_url}?model=echo"
        async with connect(url, additional_headers=self.gateway.auth, max_size=None) as socket:
            assert socket.response is not None
            self.session_id = socket.response.headers["x-voxgate-session-id"]
            with contextlib.suppress(ConnectionClosed):
                while not self.enough.is_set() and self.sent != messages:
                    await socket.send(text(self.sent))
                    self.sent += 1
                    answer = await socket.recv()
                    if '"type":"error"' in answer:
                        await socket.wait_closed()
                        break
                    assert answer == text(self.received)
                    self.received += 1
                    self.open.set()
                    await asyncio.sleep(PAUSE_SECONDS)
        self.code, self.reason = socket.close_code, socket.close_reason
        return self

    @property
    def whole(self) -> bool:
        """Whether it ended as the caller wanted and nothing was lost."""
        return self.code == 1000 and self.sent == self.received > 0


def text(number: int) -> str:
    return f'{{"type":"test.message","event_id":"event_{number}","text":"{"x" * 500}"}}'


def write_config(folder: Path, provider: ScriptedProvider, more: str = "") -> None:
    (folder / "voxgate.toml").write_text(
        f'{more}\n[providers.echo]\nbase_url = "{provider.base_url}"\n'
        '[[routes]]\nmodel = "echo*"\nproviders = ["echo"]\n'
    )


async def start_with(
    provider: ScriptedProvider, folder: Path, *flags: str, more: str = "", **how: bool
) -> Voxgate:
    """As `start_voxgate` does it, mostly without the embedded provider."""
    write_config(folder, provider, more)
    return await asyncio.to_thread(start_voxgate, folder, *flags, **{"local": False, **how})


async def begin_calls(gateway: Voxgate, count: int) -> tuple[list[Paced], list[asyncio.Task[Paced]]]:
    """So many calls that have exchanged their first message."""
    calls = [Paced(gateway) for _ in range(count)]
    tasks = [asyncio.create_task(call.run()) for call in calls]
    for call in calls:
        await asyncio.wait_for(call.open.wait(), 60)
    return calls, tasks
