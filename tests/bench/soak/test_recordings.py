"""That the soak finds what a recording has wrong, with an API that answers as Voxgate's does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from bench.soak.judge import SURVIVED, Verdict
from bench.soak.ledger import Column, Ledger
from bench.soak.orders import CallPlan
from bench.soak.recordings import Findings, Recordings
from bench.soak.script import down_message, sound, up_message

from voxgate.audio.wav import wav_header

PLAN = CallPlan(0, "pcmu", "soak-steady", 60, None, 0, 0)
UP, DOWN = 30, 40


class Api:
    """One session as it should be; a test spoils a part."""

    def __init__(self) -> None:
        self.sound = {
            "user": bytearray(b"".join(sound(PLAN, "up", UP))),
            "assistant": bytearray(b"".join(sound(PLAN, "down", DOWN))),
        }
        self.lines = [
            b'{"t":1,"dir":"gateway","msg":{"type":"gateway.opened"}}',
            *(b'{"t":2,"dir":"client","msg":%s}' % up_message(PLAN, k) for k in range(UP)),
            *(b'{"t":3,"dir":"server","msg":%s}' % down_message(PLAN, k) for k in range(DOWN)),
            b'{"t":4,"dir":"client","close":{"code":1000,"reason":""}}',
        ]
        self.trace: dict[str, Any] = {"status": "complete", "lost": None}
        self.deleted = False

    async def session(self, request: web.Request) -> web.Response:
        tracks = {name: {"bytes": len(data)} for name, data in self.sound.items()}
        return web.json_response({"tracks": tracks, **self.trace})

    async def audio(self, request: web.Request) -> web.Response:
        data = bytes(self.sound[request.query["track"]])
        return web.Response(body=wav_header(8000, 1, len(data)) + data)

    async def events(self, request: web.Request) -> web.Response:
        return web.Response(body=b"".join(line + b"\n" for line in self.lines))

    async def delete(self, request: web.Request) -> web.Response:
        self.deleted = True
        return web.json_response({})


def spoil_status(api: Api) -> None:
    api.trace["status"] = "interrupted"


def spoil_sample(api: Api) -> None:
    api.sound["user"][100] ^= 1


def lose_sound(api: Api) -> None:
    del api.sound["assistant"][-2:]


def repeat_line(api: Api) -> None:
    api.lines.insert(5, api.lines[4])


def lose_line(api: Api) -> None:
    del api.lines[10]


async def check(api: Api, folder: Path) -> Findings:
    app = web.Application()
    app.add_routes(
        [
            web.get("/api/sessions/s", api.session), web.get("/api/sessions/s/audio", api.audio),
            web.get("/api/sessions/s/events", api.events), web.delete("/api/sessions/s", api.delete),
        ]
    )  # fmt: skip
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ledger = Ledger.make(folder / "ledger")
    for column, count in {
        Column.UP_SENT: UP, Column.UP_RECEIVED: UP, Column.DOWN_SENT: DOWN, Column.DOWN_RECEIVED: DOWN,
    }.items():  # fmt: skip
        ledger.set(0, column, count)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with Recordings(url, "key", ledger, sampled_share=1.0, seed=1) as recordings:
            await recordings.check(Verdict(PLAN, "s", SURVIVED, False, UP + DOWN, "1000", []))
    finally:
        await runner.cleanup()
    return recordings.findings


def test_a_recording_in_order_is_found_exact_and_deleted(tmp_path: Path) -> None:
    api = Api()
    found = anyio.run(check, api, tmp_path)
    assert (found.wrong, found.exact_tracks, found.exact_logs, found.recorded_messages) == (
        [],
        2,
        1,
        UP + DOWN,
    )
    assert api.deleted


@pytest.mark.parametrize("spoil", [spoil_status, spoil_sample, lose_sound, repeat_line, lose_line])
def test_a_recording_that_is_spoilt_is_found(spoil: Callable[[Api], None], tmp_path: Path) -> None:
    api = Api()
    spoil(api)
    assert anyio.run(check, api, tmp_path).wrong


def test_a_session_that_is_live_is_not_closed(tmp_path: Path) -> None:
    api = Api()
    api.trace["status"] = "live"
    assert anyio.run(check, api, tmp_path).not_closed
    assert not api.deleted


def test_a_trace_that_says_what_it_lacks_is_told_apart(tmp_path: Path) -> None:
    api = Api()
    api.trace["lost"] = {"records": 3, "bytes": 100}
    found = anyio.run(check, api, tmp_path)
    assert (len(found.incomplete), found.wrong) == (1, [])
