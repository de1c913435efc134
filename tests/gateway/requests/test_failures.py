"""Each way in which a provider can fail, met by a plain request, a streamed one and a socket of `responses`,
where there is another provider and where there is none: the client gets the provider's truth or the next
one's answer, in time, and the trace says what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.playing import trace_of
from tests.gateway.requests import failing
from tests.gateway.requests.failing import BODY, EVENT, FailingProvider, Misbehave, answer
from tests.gateway.requests.standin import StandIn
from tests.gateway.requests.test_responses_socket import answer_on

from voxgate.realtime.frames import TEXT, encode_close, encode_frame
from voxgate.realtime.handshake import accept_key
from voxgate.testing.http_provider import HttpProvider
from voxgate.traces import Trace

pytestmark = pytest.mark.anyio
KEY = "provider-key-0000000000000000000000"
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
LARGE = b'{"choices": [{"message": {"content": "' + b"x" * 300_000 + b'"}}]}'
_REDIRECTED = "answered 302, and redirects are not followed"
BEFORE: Mapping[str, tuple[Misbehave, str]] = {
    "stalls": (failing.stalls, "did not answer within 1 s"),
    "hangs-up": (failing.hangs_up, "closed the connection before it answered"),
    "garbage": (failing.says_garbage, "did not answer in HTTP"),
    "redirect": (answer(302, b"location: http://127.0.0.1:9/"), _REDIRECTED),
    "broken-chunks": (failing.says_broken_chunks, "did not answer in HTTP"),
    "too-long": (failing.says_more_than_it_said, "did not answer in HTTP"),
    "no-tls": (failing.speaks_first, "failed the TLS handshake"),
}
"""Nothing of an answer, and how the error goes on behind the provider's name."""
REFUSING: Mapping[str, tuple[int, bytes | None]] = {
    "429": (429, None),
    "429-later": (429, b"retry-after: 7"),
    "500": (500, None),
    "502": (502, None),
    "503": (503, b"retry-after: Wed, 21 Oct 2065 07:28:00 GMT"),
    "529": (529, None),
}
CUT: Mapping[str, tuple[Misbehave, bytes]] = {
    "stalls-in-body": (failing.stalls_in_the_body, BODY[:20]),
    "stalls-in-stream": (failing.stalls_in_the_stream, EVENT),
    "cuts-body": (failing.cuts_the_body, BODY[:20]),
    "cuts-stream": (failing.cuts_the_stream, EVENT),
    "cuts-chunk": (failing.cuts_a_chunk, EVENT[:20]),
    "resets": (failing.resets_in_the_body, b""),
}
"""The beginning of an answer, and what comes of it at least."""
ODD: Mapping[str, tuple[Misbehave, bytes, str | None]] = {
    "no-json": (answer(200, body=b"<html>It works!</html>"), b"<html>It works!</html>", "unreadable"),
    "no-gzip": (answer(200, b"content-encoding: gzip", body=b"plain"), b"plain", "unreadable"),
    "cut-gzip": (
        answer(200, b"content-encoding: gzip", body=gzip.compress(BODY, mtime=0)[:30]),
        gzip.compress(BODY, mtime=0)[:30],
        "unreadable",
    ),
    "large": (answer(200, body=LARGE), LARGE, "unreadable"),
    "trickles": (failing.trickles, BODY, None),
}
"""Whole answers that are odd: they are passed on as they are; and what the trace says of them."""
WAYS = {name: way for name, (way, *_) in {**BEFORE, **CUT, **ODD}.items()} | {
    name: answer(status, *([header] if header else [])) for name, (status, header) in REFUSING.items()
}


@dataclass
class House:
    gateway: RunningGateway
    failing: dict[str, FailingProvider]
    stand_in: StandIn


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@contextlib.asynccontextmanager
async def house(start_gateway: StartGateway, **settings: Any) -> AsyncIterator[House]:
    """The model NAME has the provider that fails so alone; behind NAME+ there is a good one, too."""
    async with contextlib.AsyncExitStack() as stack:
        ways = {name: await stack.enter_async_context(failing.failing(way)) for name, way in WAYS.items()}
        stand_in = StandIn()
        good = await stack.enter_async_context(HttpProvider(stand_in))
        ports = {name: each.port for name, each in ways.items()} | {"gone": 9}
        urls = {name: f"http://127.0.0.1:{port}/v1" for name, port in ports.items()}
        urls["no-tls"] = urls["no-tls"].replace("http", "https")
        urls["stalls-at-first"] = urls["stalls"]
        own = {"api_key": KEY, "rest_seconds": 0, "connect_timeout_seconds": 60}
        known: dict[str, dict[str, Any]] = {name: {"base_url": url, **own} for name, url in urls.items()}
        known["stalls"]["answer_seconds"] = known["stalls-at-first"]["connect_timeout_seconds"] = 1
        known["stalls-in-body"]["silence_seconds"] = known["stalls-in-stream"]["silence_seconds"] = 1
        known["good"] = {"base_url": good.base_url, "api_key": KEY}
        routes = [{"model": name, "providers": [name]} for name in urls]
        routes += [{"model": f"{name}+", "providers": [name, "good"]} for name in urls]
        more = {"largest_message_bytes": 1 << 16, **settings}
        gateway = await stack.enter_async_context(start_gateway(providers=known, routes=routes, **more))
        yield House(gateway, ways, stand_in)


@dataclass
class Came:
    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def session_id(self) -> str:
        return self.headers["x-voxgate-session-id"]

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


async def ask(gateway: RunningGateway, model: str, *, stream: bool) -> Came:
    url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    body = {**CHAT, "model": model, "stream": stream}
    came, whole = b"", True
    async with asyncio.timeout(60), aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.post(url, json=body, headers=headers) as answered:
            try:
                async for piece in answered.content.iter_any():
                    came += piece
            except aiohttp.ClientPayloadError:
                whole = False
            return Came(answered.status, answered.headers, came, whole)


async def traces(gateway: RunningGateway, came: Mapping[Any, Came]) -> dict[Any, Trace]:
    return {name: await trace_of(gateway, each.session_id) for name, each in came.items()}


async def asked_all(gateway: RunningGateway, *names: str, more: str = "") -> dict[tuple[str, bool], Came]:
    """Each plain and streamed, all at once."""
    kinds = [(name, stream) for name in names for stream in (False, True)]
    answers = await asyncio.gather(*(ask(gateway, name + more, stream=stream) for name, stream in kinds))
    return dict(zip(kinds, answers, strict=True))


def response_of(found: Trace) -> Any:
    return next(span for span in found.spans if span.type == "response")


def tried(found: Trace) -> list[tuple[str, str]]:
    """Who was asked in vain, and what became of it."""
    return [
        (error["provider"], error["message"])
        for error in found.data["errors"]
        if error["source"] == "gateway.dial_failed"
    ]


SAID = {name: said for name, (_, said) in BEFORE.items()} | {
    "gone": "could not be reached",
}


async def test_without_an_answer_and_another_provider_there_is_an_error(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as home:
        came = await asked_all(home.gateway, *SAID)
        found = await traces(home.gateway, came)
    for (name, stream), each in came.items():
        message = f"No provider answered: {name} {SAID[name]}."
        assert (each.status, each.whole) == (502, True), (name, stream)
        assert (each.error["code"], each.error["message"]) == ("upstream_refused", message)
        trace = found[name, stream]
        error = response_of(trace).error
        assert (response_of(trace).status, error["code"], error["message"]) == (
            "failed",
            "upstream_refused",
            message,
        )
        [(provider, reason)] = tried(trace)
        assert provider == name
        assert reason.startswith(SAID[name])
        assert trace.summary["status"] == "failed"


async def test_a_refusal_is_the_clients_where_there_is_no_other_provider(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as home:
        came = await asked_all(home.gateway, *REFUSING)
        found = await traces(home.gateway, came)
    for (name, stream), each in came.items():
        status, header = REFUSING[name]
        assert (each.status, each.error) == (status, {"message": "not now"}), name
        if header is not None:
            assert each.headers["retry-after"] == header.partition(b": ")[2].decode()
        response = response_of(found[name, stream])
        assert (response.status, response.error) == ("failed", {"code": status, "message": "not now"})


async def test_the_next_one_answers_whatever_the_first_one_did(start_gateway: StartGateway) -> None:
    names = [*SAID, *REFUSING]
    async with house(start_gateway) as home:
        came = await asked_all(home.gateway, *names, more="+")
        found = await traces(home.gateway, came)
        asked = {name: len(each.asked) for name, each in home.failing.items()}
    for (name, stream), each in came.items():
        assert (each.status, each.whole, each.headers["x-voxgate-provider"]) == (200, True, "good"), name
        trace = found[name, stream]
        response = response_of(trace)
        assert (response.status, response.output["text"]) == ("completed", "Hello.")
        assert trace.summary["provider"] == "good"
        [(provider, reason)] = tried(trace)
        assert provider == name
        assert (SAID.get(name) or "answered ") in reason
    assert all(asked[name] == 2 for name in names if name not in ("gone", "no-tls", "stalls")), asked


@pytest.mark.parametrize("more", ["", "+"], ids=["one", "two"])
async def test_what_is_cut_off_is_cut_off_for_the_client(start_gateway: StartGateway, more: str) -> None:
    async with house(start_gateway) as home:
        came = await asked_all(home.gateway, *CUT, more=more)
        found = await traces(home.gateway, came)
    for (name, stream), each in came.items():
        assert (each.status, each.whole) == (200, False), name
        assert each.body.startswith(CUT[name][1]), name
        assert each.headers["x-voxgate-provider"] == name
        response = response_of(found[name, stream])
        assert (response.status, response.error["code"]) == ("incomplete", "upstream_lost"), name
        assert response.error["message"] == f"{name} broke off in the middle of its answer."


async def test_what_is_odd_goes_on_as_it_is(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as home:
        came = await asked_all(home.gateway, *ODD)
        found = await traces(home.gateway, came)
    for (name, stream), each in came.items():
        _, body, said = ODD[name]
        assert (each.status, each.whole, each.body) == (200, True, body), name
        response = response_of(found[name, stream])
        assert (response.error or {}).get("code") == said, name
        assert response.status == ("failed" if said else "completed"), name


# On a socket of `responses`


async def talk(gateway: RunningGateway, model: str) -> tuple[list[dict[str, Any]], int | None, str]:
    """What was said, the code of the close frame, and the session's id."""
    url, headers = f"http://127.0.0.1:{gateway.port}/v1/responses", {"authorization": f"Bearer {ADMIN_KEY}"}
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as http,
        http.ws_connect(url, headers=headers) as socket,
    ):
        await socket.send_json({"type": "response.create", "model": model, "input": "Hi"})
        told = await answer_on(socket)
        if told[-1]["type"] == "error":
            await socket.receive()
        return told, socket.close_code, socket._response.headers["x-voxgate-session-id"]


ON_SOCKETS = {
    "stalls-at-first": "timed out after 1 s",
    "hangs-up": "closed the connection before it answered",
    "garbage": "did not answer as a WebSocket",
    "redirect": "answered 302",
    "gone": "could not be connected to",
    "no-tls": "failed the TLS handshake",
    "no-json": "answered 200",
    **{name: f"answered {status}" for name, (status, _) in REFUSING.items()},
}


@pytest.mark.parametrize("more", ["", "+"], ids=["one", "two"])
async def test_a_socket_whose_provider_fails(start_gateway: StartGateway, more: str) -> None:
    async with house(start_gateway) as home:
        said = await asyncio.gather(*(talk(home.gateway, name + more) for name in ON_SOCKETS))
        came = dict(zip(ON_SOCKETS, said, strict=True))
        found = {name: await trace_of(home.gateway, each[2]) for name, each in came.items()}
    for name, (told, code, _) in came.items():
        trace, shown = found[name], ON_SOCKETS[name]
        [(provider, reason)] = tried(trace)
        assert provider == name
        assert reason.startswith(shown)
        if more:
            assert told[-1]["type"] == "response.completed", name
            assert response_of(trace).output["text"] == "Hello."
            assert trace.summary["provider"] == "good"
            continue
        [error] = told
        assert (error["status"], error["error"]["code"], code) == (502, "upstream_refused", 1011), name
        assert error["error"]["message"] == f"The provider could not be reached: {name} {shown}."
        assert trace.data["errors"][-1]["code"] == "upstream_refused"
        assert trace.summary["status"] == "failed"


# Behind the 101


async def says_no_frames(connection: failing.Connection) -> None:
    await _accept(connection, b"\xff\xff\xff\xff no frames")


async def says_no_json(connection: failing.Connection) -> None:
    await _accept(connection, encode_frame(TEXT, b"<html>"), encode_close(1000, ""))


async def says_too_much(connection: failing.Connection) -> None:
    await _accept(connection, encode_frame(TEXT, b"x" * 100_000))


async def says_half_a_message(connection: failing.Connection) -> None:
    await _accept(connection, encode_frame(TEXT, b'{"type": "response.created"}')[:-5])


async def closes_as_overloaded(connection: failing.Connection) -> None:
    await _accept(connection, encode_close(1013, "try again later"))


async def says_nothing_any_more(connection: failing.Connection) -> None:
    await _accept(connection)
    await connection.stall()


async def _accept(connection: failing.Connection, *pieces: bytes) -> None:
    """The upgrade; then waits for the client's first message."""
    [key] = re.findall(rb"(?i)sec-websocket-key: *([^\r]+)", connection.head)
    head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    await connection.say(head + b"sec-websocket-accept: " + accept_key(key.decode()).encode() + b"\r\n\r\n")
    await connection.reader.read(1)
    await connection.say(*pieces)


@pytest.mark.parametrize(
    ("way", "code", "said"),
    [
        (says_no_frames, None, None),
        (says_no_json, 1000, None),
        (says_too_much, 1009, "message_too_large"),
        (says_half_a_message, None, "upstream_lost"),
        (closes_as_overloaded, 1013, None),
        (says_nothing_any_more, 4008, "session_idle"),
    ],
)
async def test_a_socket_that_fails_behind_the_101_ends(
    start_gateway: StartGateway, way: Misbehave, code: int | None, said: str | None
) -> None:
    limits = {"idle_seconds": 0.5} if way is says_nothing_any_more else {}
    async with failing.failing(way) as provider:
        known = {"it": {"base_url": f"http://127.0.0.1:{provider.port}/v1", "api_key": KEY}}
        routes = [{"model": "*", "providers": ["it"]}]
        settings = {"providers": known, "routes": routes, "limits": limits}
        async with start_gateway(largest_message_bytes=1 << 16, **settings) as gateway:
            closed = await _closed(gateway)
            found = await trace_of(gateway)
    assert code is None or closed == code
    assert found.summary["provider"] == "it"
    codes = [error.get("code") for error in found.data["errors"]]
    assert said is None or said in codes


async def _closed(gateway: RunningGateway) -> int | None:
    """The code of the close frame, once the socket has ended, whichever way."""
    url, headers = f"http://127.0.0.1:{gateway.port}/v1/responses", {"authorization": f"Bearer {ADMIN_KEY}"}
    async with asyncio.timeout(60), gateway.http.ws_connect(url, headers=headers) as socket:
        await socket.send_json({"type": "response.create", "model": "m", "input": "Hi"})
        while not socket.closed:
            await socket.receive()
        return socket.close_code
