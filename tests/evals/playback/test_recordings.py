"""Recorded calls of the live services, replayed to a client that does what the recorded one did: the same
messages come again, and the trace of the replayed call has the same shape.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evals.playback.calls import again, comparable, do_the_same, hear, said, send_all, write_recording
from tests.traces.test_recordings_snapshots import RECORDINGS, normalised
from websockets.asyncio.client import connect

from voxgate.testing.replays import replaying

pytestmark = pytest.mark.anyio
BETA = {"OpenAI-Beta": "realtime=v1"}


def headers_for(name: str) -> dict[str, str]:
    """Of a client that speaks as the recorded one."""
    return BETA if "voice_live" in name else {}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_client_that_does_the_same_hears_the_same(shared: Path, tmp_path: Path, name: str) -> None:
    call, path = write_recording(shared, f"test_{name}", tmp_path)
    async with replaying(path) as replay:
        async with connect(replay.url, additional_headers=headers_for(name), max_size=None) as socket:
            heard = await do_the_same(socket, call)
        replay.assert_played()
    assert comparable(heard) == comparable(said(call, "server"))
    assert normalised(again(call, heard)) == normalised(call.trace())
    ids = {event["event_id"] for event in heard if "event_id" in event}
    assert ids.isdisjoint(event.get("event_id") for event in said(call, "server"))
    assert len(ids) == sum("event_id" in event for event in heard)


@pytest.mark.parametrize("name", [name for name in RECORDINGS if "tool" not in name])
async def test_a_client_that_says_everything_at_once_hears_the_same(
    shared: Path, tmp_path: Path, name: str
) -> None:
    call, path = write_recording(shared, f"test_{name}", tmp_path)
    async with replaying(path) as replay:
        async with connect(replay.url, additional_headers=headers_for(name), max_size=None) as socket:
            await send_all(socket, said(call, "client"))
            heard = await hear(socket, len(said(call, "server")))
        replay.assert_played()
    assert sorted(map(repr, comparable(heard))) == sorted(map(repr, comparable(said(call, "server"))))
