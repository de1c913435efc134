"""The server: who is let in, how it fails, how it ends, and its parts elsewhere over HTTP."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket as sockets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pytest
from aiohttp import web
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

pytest.importorskip("_webrtcvad")

from tests.providers.local.conftest import Caller, Check, Server
from voxgate.core.errors import SettingsError
from voxgate.providers.local import settings as settings_module
from voxgate.providers.local.connection import Connection
from voxgate.providers.local.server import build_parts
from voxgate.providers.local.settings import LocalSettings

SPEAKS: Final[Any] = next((name for name in ("espeak-ng", "flite") if shutil.which(name)), "hibari")
"""Where any voice will do: the quickest that the machine has."""
QUIET = LocalSettings(ear_engine="none", voice_engine=SPEAKS, output_pace=50)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    server = Server(QUIET, api_key="sk-local")
    yield server
    server.close()


def url(server: Server, query: str = "?model=any-name") -> str:
    return f"ws://127.0.0.1:{server.port}/v1/realtime{query}"


def refusal(address: str, **options: Any) -> tuple[str | None, int, str]:
    """The error's code, then the close code and reason."""
    with connect(address, **options) as socket:
        error = json.loads(socket.recv(timeout=60))
        assert error["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    return error["error"]["code"], closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        (
            "?model=m",
            {"Authorization": "Bearer nope"},
            ("invalid_api_key", 3000, "invalid_request_error.invalid_api_key"),
        ),
        ("?model=m", {}, (None, 3000, "invalid_request_error")),
        ("", {"api-key": "sk-local"}, ("missing_model", 4000, "invalid_request_error.missing_model")),
        (
            "?model=m",
            {"api-key": "sk-local", "OpenAI-Beta": "realtime=v1"},
            ("beta_api_shape_disabled", 4000, "invalid_request_error.beta_api_shape_disabled"),
        ),
    ],
)
def test_a_wrong_handshake_fails_as_the_live_service_does(
    guarded: Server, query: str, headers: dict[str, str], expected: tuple[str | None, int, str]
) -> None:
    assert refusal(url(guarded, query), additional_headers=headers) == expected


def test_any_model_is_served_under_the_name_that_was_asked_for(guarded: Server, valid: Check) -> None:
    caller = Caller(url(guarded), valid, additional_headers={"Authorization": "Bearer sk-local"})
    assert caller.until("session.created")["session"]["model"] == "any-name"
    caller.close()


def test_a_browser_gives_its_key_as_a_subprotocol(guarded: Server, valid: Check) -> None:
    offered: Any = ["realtime", "openai-insecure-api-key.sk-local"]
    caller = Caller(url(guarded), valid, subprotocols=offered)
    caller.until("session.created")
    assert caller.socket.subprotocol == "realtime"
    caller.close()


def test_other_paths_are_not_found(guarded: Server) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://127.0.0.1:{guarded.port}/v1/elsewhere"),
    ):
        pass
    assert refused.value.response.status_code == 404


@contextmanager
def calling(settings: LocalSettings, valid: Check) -> Iterator[Caller]:
    server = Server(settings)
    caller = Caller(url(server), valid)
    try:
        yield caller
    finally:
        caller.close()
        server.close()


def test_the_call_goes_on_after_an_error(valid: Check) -> None:
    with calling(QUIET, valid) as caller:
        caller.until("session.created")
        caller.socket.send(b"\x00\x01")
        assert caller.until("error")["error"]["code"] == "invalid_event"
        caller.socket.send("{")
        assert caller.until("error")["error"]["code"] == "invalid_json"
        assert caller.update(instructions="Still here.")["session"]["instructions"] == "Still here."


def test_too_few_tokens_end_a_response_as_incomplete(valid: Check) -> None:
    with calling(QUIET, valid) as caller:
        caller.write("Tell me a story.")
        caller.send("response.create", response={"max_output_tokens": 30})
        response = caller.until("response.done")["response"]
        assert response["status"] == "incomplete"
        assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert 30 <= response["usage"]["output_tokens"] < 60
        assert response["output"][0]["status"] == "incomplete"


def test_audio_leaves_faster_than_it_plays_but_not_at_once(valid: Check) -> None:
    settings = LocalSettings(ear_engine="none", voice_engine=SPEAKS, output_pace=4, output_burst_ms=200)
    with calling(settings, valid) as caller:
        caller.write("Repeat after me: one two three four five six seven eight nine.")
        started = time.monotonic()
        caller.send("response.create")
        caller.until("response.done")
        took_ms = (time.monotonic() - started) * 1000
        audio_ms = len(caller.audio()) / 48
        assert audio_ms > 1500
        assert took_ms > (audio_ms - 200) / 4 * 0.8


def test_a_written_answer_comes_word_by_word(valid: Check) -> None:
    with calling(QUIET, valid) as caller:
        caller.write("Repeat after me: one two three")
        caller.send("response.create", response={"output_modalities": ["text"]})
        caller.until("response.done")
        assert [event["delta"] for event in caller.of("response.output_text.delta")] == [
            "one",
            " two",
            " three",
        ]


def test_a_stopping_server_says_that_it_goes_away(valid: Check) -> None:
    server = Server(QUIET)
    with connect(url(server)) as socket:
        socket.recv(timeout=60)
        server.close()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_a_session_ends_after_its_time(valid: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    serve = Connection.serve
    monkeypatch.setattr(Connection, "serve", lambda self: serve(self, session_seconds=0.2))
    with calling(QUIET, valid) as caller:
        assert caller.until("error")["error"]["code"] == "session_expired"
        with pytest.raises(ConnectionClosed) as closed:
            caller.socket.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert closed.value.rcvd.reason == "Your session hit the maximum duration of 60 minutes."


def test_a_caller_that_leaves_in_the_middle_harms_nobody(valid: Check) -> None:
    server = Server(QUIET)
    for _ in range(3):
        gone = Caller(url(server), valid)
        gone.write("Tell me a story.")
        gone.send("response.create")
        gone.until("response.output_audio.delta")
        gone.close()
    caller = Caller(url(server), valid)
    caller.write("Hello!")
    caller.send("response.create")
    assert caller.until("response.done")["response"]["status"] == "completed"
    caller.close()
    server.close()


@pytest.mark.parametrize("engine", ["flite", "espeak-ng"])
def test_programs_on_the_path_can_be_the_voice(valid: Check, engine: Any) -> None:
    if not settings_module.shutil.which(engine):
        pytest.skip(f"{engine} is not installed")
    with calling(LocalSettings(ear_engine="none", voice_engine=engine, output_pace=50), valid) as caller:
        caller.write("Repeat after me: -o is no option; $(nor is this).")
        caller.send("response.create")
        assert caller.until("response.done")["response"]["status"] == "completed"
        samples = np.frombuffer(caller.audio(), np.int16)
        assert 1.0 < len(samples) / 24_000 < 8.0
        assert np.abs(samples).max() > 1000


class Elsewhere:
    """An OpenAI-compatible endpoint for chat, speech and transcription that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.chat: list[dict[str, Any]] = []
        self.status = 200
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(60)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        routes: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "/v1/chat/completions": self._chat,
            "/v1/audio/speech": self._speech,
            "/v1/audio/transcriptions": self._transcription,
        }
        app = web.Application()
        app.add_routes([web.post(path, handler) for path, handler in routes.items()])
        runner = web.AppRunner(app)
        await runner.setup()
        listener = sockets.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        await web.SockSite(runner, listener).start()
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.headers.get("Authorization", ""), await request.json()))
        if self.status != 200:
            return web.json_response({"error": {"message": "No such model."}}, status=self.status)
        lines = [f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in self.chat]
        return web.Response(text="".join([*lines, "data: [DONE]\n\n"]), content_type="text/event-stream")

    async def _speech(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(("speech", body))
        return web.Response(body=np.full(2400 * len(body["input"].split()), 1000, np.int16).tobytes())

    async def _transcription(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        self.asked.append(("transcription", (form["model"], len(file.file.read()))))
        return web.json_response({"text": " What is the weather in Oslo? "})

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    endpoint = Elsewhere()
    yield endpoint
    endpoint.close()


def parts_elsewhere(elsewhere: Elsewhere, **more: Any) -> LocalSettings:
    base_url = elsewhere.base_url
    return LocalSettings(
        chat_base_url=base_url,
        chat_model="some-model",
        speech_base_url=base_url,
        transcription_base_url=base_url,
        **more,
    )


def test_brain_ear_and_voice_may_be_elsewhere(
    elsewhere: Elsewhere, valid: Check, question: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_KEY", "sk-house")
    elsewhere.chat = [
        {"role": "assistant"},
        {"content": "It is "},
        {"content": "cold. Very"},
        {"content": " cold!"},
    ]
    with calling(parts_elsewhere(elsewhere, chat_api_key_env="HOUSE_KEY"), valid) as caller:
        caller.append(question.tobytes())
        caller.until("response.done")
        assert caller.of("response.output_audio_transcript.done")[0]["transcript"] == "It is cold. Very cold!"
        assert len(caller.audio()) == 2 * 2400 * 5
    kinds = [kind for kind, _ in elsewhere.asked]
    assert kinds == ["transcription", "Bearer sk-house", "speech", "speech"]
    chat = elsewhere.asked[1][1]
    assert chat["model"] == "some-model"
    assert chat["messages"][-1] == {"role": "user", "content": "What is the weather in Oslo?"}
    assert [body["input"].strip() for kind, body in elsewhere.asked if kind == "speech"] == [
        "It is cold.",
        "Very cold!",
    ]


def test_a_brain_elsewhere_calls_tools(elsewhere: Elsewhere, valid: Check) -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "id": f"call_{index}", "function": function}]}

    elsewhere.chat = [
        piece(0, name="get_weather", arguments=""),
        piece(0, arguments='{"city":'),
        piece(0, arguments='"Oslo"}'),
        piece(1, name="get_time", arguments="{}"),
    ]
    tools = [{"type": "function", "name": "get_weather"}, {"type": "function", "name": "get_time"}]
    with calling(parts_elsewhere(elsewhere), valid) as caller:
        caller.update(tools=tools)
        caller.write("Weather and time?")
        caller.send("response.create")
        output = caller.until("response.done")["response"]["output"]
        called = [(each["name"], each["call_id"], each["arguments"]) for each in output]
        assert called == [("get_weather", "call_0", '{"city":"Oslo"}'), ("get_time", "call_1", "{}")]
        for _, call_id, _ in called:
            item = {"type": "function_call_output", "call_id": call_id, "output": "ok"}
            caller.send("conversation.item.create", item=item)
        elsewhere.chat = [{"content": "Done."}]
        caller.send("response.create", response={"output_modalities": ["text"]})
        caller.until("response.done")
    roles = [message["role"] for message in elsewhere.asked[-1][1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool"]
    assert len(elsewhere.asked[-1][1]["messages"][2]["tool_calls"]) == 2


def test_a_brain_that_fails_fails_the_response_and_not_the_call(elsewhere: Elsewhere, valid: Check) -> None:
    elsewhere.status = 404
    with calling(parts_elsewhere(elsewhere), valid) as caller:
        caller.write("Hello!")
        caller.send("response.create")
        response = caller.until("response.done")["response"]
        assert response["status"] == "failed"
        assert "status 404" in response["status_details"]["error"]["message"]
        elsewhere.status, elsewhere.chat = 200, [{"content": "Hello."}]
        caller.send("response.create")
        assert caller.until("response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"voice_engine": "hibari"}, "voxgate[local]"),
        ({"ear_engine": "whisper"}, "voxgate[local]"),
        ({"ear_engine": "auto"}, "voxgate[local]"),
        ({"voice_engine": "http"}, "speech_base_url"),
        ({"ear_engine": "http"}, "transcription_base_url"),
        ({"chat_base_url": "http://127.0.0.1/v1", "chat_api_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
    ],
)
def test_what_is_missing_is_said_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], part: str
) -> None:
    monkeypatch.setattr(settings_module, "installed", lambda module: module == "_webrtcvad")
    monkeypatch.setattr(settings_module.shutil, "which", lambda program: f"/usr/bin/{program}")
    with pytest.raises(SettingsError, match=part.replace("[", r"\[")):
        build_parts(LocalSettings(**{"ear_engine": "none", "voice_engine": "espeak-ng", **fields}))


class DeafSocket:
    """A client that sends on and on and takes nothing."""

    def __init__(self, message: str, most: int) -> None:
        self.read = 0
        self._message, self._most = message, most

    async def send(self, message: str) -> None:
        await asyncio.Event().wait()

    async def __aiter__(self) -> AsyncIterator[str]:
        while self.read < self._most:
            self.read += 1
            yield self._message
            await asyncio.sleep(0)


def test_a_client_that_takes_nothing_is_not_read_from_for_ever() -> None:
    async def call() -> int:
        socket: Any = DeafSocket('{"type": "response.cancel"}', most=2000)
        parts = build_parts(QUIET)
        serving = asyncio.create_task(Connection(socket, "local", parts).serve())
        for _ in range(10_000):
            await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait([serving])
        await parts.close()
        return int(socket.read)

    assert 0 < asyncio.run(call()) < 200
