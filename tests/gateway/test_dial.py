"""Failover over real connections: providers that are dead in different ways beside one that lives."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.wire import RawProvider, answer_head
from voxgate.recording.wirelog import FACT
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

TIMEOUT_SECONDS = 1.0
"""Of the providers that never answer. All others may take long on a machine that is busy."""
AUTH = {"Authorization": f"Bearer {ADMIN_KEY}"}
SECRET_WORDS = "quota of sk-verysecretkey at db.internal is used up"


class BackAgain(ScriptedProvider):
    """A provider that is overloaded until it is told to be well."""

    def __init__(self) -> None:
        super().__init__(refuse_status=503)

    def be_well(self) -> None:
        self._refuse_status = None


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def speaking(serve: Serve) -> AsyncIterator[str]:
    """A TCP server that is no provider."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.internal ESMTP\r\n\r\n")
    await reader.read(-1)


@contextlib.asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"


@contextlib.asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """A listener whose queue is full, so that the kernel drops every further SYN."""
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = open_sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@contextlib.asynccontextmanager
async def answering(status: int) -> AsyncIterator[str]:
    async with ScriptedProvider(refuse_status=status, refuse_body=SECRET_WORDS) as provider:
        yield provider.base_url


@contextlib.asynccontextmanager
async def plain_behind_tls() -> AsyncIterator[str]:
    async with speaking(babble) as url:
        yield url.replace("http://", "https://")


DEAD: dict[str, tuple[Callable[[], AbstractAsyncContextManager[str]], str]] = {
    "nobody listens": (nobody, "could not be connected to"),
    "drops every SYN": (black_hole, f"timed out after {TIMEOUT_SECONDS:g} s"),
    "never answers": (lambda: speaking(stay_silent), f"timed out after {TIMEOUT_SECONDS:g} s"),
    "hangs up": (lambda: speaking(hang_up), "closed the connection before it answered"),
    "is no web server": (lambda: speaking(babble), "did not answer as a WebSocket"),
    "has no TLS": (plain_behind_tls, "failed the TLS handshake"),
    "answers 503": (lambda: answering(503), "answered 503"),
    "answers 429": (lambda: answering(429), "answered 429"),
}


def two_providers(first: str, second: str, **of_first: Any) -> dict[str, Any]:
    """Settings with which the model `fake` goes to the first, then to the second."""
    return routed({"fake": first}, second, **of_first)


def routed(first: dict[str, str], second: str, **of_first: Any) -> dict[str, Any]:
    """Settings with which each model goes to a first provider of its own, then to the second."""
    firsts = {
        f"first {model}": {"base_url": url, "connect_timeout_seconds": seconds_for(model), **of_first}
        for model, url in first.items()
    }
    return {
        "providers": {**firsts, "second": {"base_url": second, "connect_timeout_seconds": 60}},
        "routes": [{"model": model, "providers": [f"first {model}", "second"]} for model in first],
    }


def seconds_for(model: str) -> float:
    """Only those that are dead in another way than by silence need no time-out."""
    return 60 if model in DEAD and "timed out" not in DEAD[model][1] else TIMEOUT_SECONDS


@contextlib.asynccontextmanager
async def all_of(kinds: Iterable[str]) -> AsyncIterator[dict[str, str]]:
    """A dead provider of each kind."""
    async with contextlib.AsyncExitStack() as stack:
        yield {kind: await stack.enter_async_context(DEAD[kind][0]()) for kind in kinds}


async def call(gateway: RunningGateway, model: str = "fake", key: str = ADMIN_KEY, **options: Any) -> str:
    """A call that works: its message comes back. The session's id."""
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{gateway.url}?{urlencode({'model': model})}"
    async with connect(url, additional_headers=headers, **options) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        assert socket.response is not None
        return str(socket.response.headers["x-voxgate-session-id"])


async def facts_of(gateway: RunningGateway, session_id: str) -> list[dict[str, Any]]:
    records = await gateway.records(session_id)
    return [json.loads(record.data) for record in records if record.kind == FACT]


async def metric(gateway: RunningGateway, name: str) -> float:
    async with gateway.http.get(f"http://127.0.0.1:{gateway.port}/metrics") as answer:
        lines = [line for line in (await answer.text()).splitlines() if line.startswith(name)]
    return float(lines[0].split()[-1]) if lines else 0.0


async def failures(gateway: RunningGateway, model: str = "fake") -> float:
    return await metric(gateway, f'voxgate_dial_failures_total{{provider="first {model}"}}')


async def resting(gateway: RunningGateway) -> float:
    return await metric(gateway, "voxgate_providers_resting")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_with_one_of_two_providers_dead_every_call_succeeds_and_only_the_first_waits(
    start_gateway: StartGateway,
) -> None:
    async with (
        all_of(DEAD) as dead,
        ScriptedProvider() as alive,
        start_gateway(**routed(dead, alive.base_url, rest_seconds=60)) as gateway,
    ):
        first = dict(zip(dead, await asyncio.gather(*(call(gateway, kind) for kind in dead)), strict=True))
        assert {kind: await failures(gateway, kind) for kind in dead} == dict.fromkeys(dead, 1)
        assert await resting(gateway) == len(dead)
        await asyncio.gather(*(call(gateway, kind) for kind in dead for _ in range(3)))
        assert len(alive.calls) == 4 * len(dead)
        tried = {kind: await failures(gateway, kind) for kind in dead}
        assert tried == dict.fromkeys(dead, 1), "a resting provider was tried"
        for kind, session_id in first.items():
            failed, dialled = (await facts_of(gateway, session_id))[1:3]
            assert (failed["type"], failed["provider"]) == ("gateway.dial_failed", f"first {kind}")
            assert failed["message"].startswith(DEAD[kind][1])
            assert failed["resting"] is False
            assert (dialled["type"], dialled["provider"]) == ("gateway.dialled", "second")


async def test_each_provider_has_its_own_time_and_the_client_its_101_only_when_one_has_answered(
    start_gateway: StartGateway,
) -> None:
    async with speaking(stay_silent) as silent, RawProvider() as slow, ScriptedProvider() as alive:
        settings = routed({"hasty": silent, "patient": slow.base_url}, alive.base_url)
        settings["providers"]["first patient"]["connect_timeout_seconds"] = 60
        async with start_gateway(**settings) as gateway:
            opening = asyncio.create_task(open_call(gateway, "patient"))
            upstream = await slow.take()
            await call(gateway, "hasty")  # whose provider's time began later and is over
            assert (await failures(gateway, "hasty"), await failures(gateway, "patient")) == (1, 0)
            assert not opening.done()
            await upstream.send(answer_head(upstream.head))
            await (await opening).close()
            await upstream.close()


async def open_call(gateway: RunningGateway, model: str) -> ClientConnection:
    return await connect(f"{gateway.url}?model={model}", additional_headers=AUTH, close_timeout=0.1)


async def test_a_wrong_setting_fails_over_and_is_not_taken_for_an_illness(
    start_gateway: StartGateway,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        statuses = (401, 403, 404, 301)
        wrong = {str(status): await stack.enter_async_context(answering(status)) for status in statuses}
        alive = await stack.enter_async_context(ScriptedProvider())
        gateway = await stack.enter_async_context(start_gateway(**routed(wrong, alive.base_url)))
        for _ in range(2):
            for status in wrong:
                await call(gateway, status)
        assert {status: await failures(gateway, status) for status in wrong} == dict.fromkeys(wrong, 2)
        assert await resting(gateway) == 0


async def test_when_all_rest_they_are_tried_in_order_all_the_same(start_gateway: StartGateway) -> None:
    async with (
        BackAgain() as first,
        ScriptedProvider(refuse_status=503) as second,
        start_gateway(**two_providers(first.base_url, second.base_url, rest_seconds=60)) as gateway,
    ):
        assert (await refusal(gateway))[0] == (
            "The provider could not be reached: first fake answered 503; second answered 503."
        )
        assert await resting(gateway) == 2
        first.be_well()
        await call(gateway)
        assert await resting(gateway) == 1
        await call(gateway)
        assert len(first.calls) == 2


async def test_a_provider_that_is_back_is_first_again_and_no_call_has_waited_for_it(
    start_gateway: StartGateway,
) -> None:
    async with (
        BackAgain() as first,
        ScriptedProvider() as second,
        start_gateway(**two_providers(first.base_url, second.base_url, rest_seconds=0.05)) as gateway,
    ):
        await call(gateway)

        async def tried_again() -> bool:
            await call(gateway)
            return await failures(gateway) >= 2

        await until(tried_again)
        assert not first.calls
        first.be_well()

        async def back() -> bool:
            await call(gateway)
            return await resting(gateway) == 0

        await until(back)
        assert [one.messages for one in first.calls] == [[]], "only the trial, which carries no call"
        before = len(second.calls)
        await call(gateway)
        assert len(second.calls) == before
        assert first.calls[-1].messages == ["hello"]


async def test_a_trial_is_hung_up_in_order(start_gateway: StartGateway) -> None:
    async with (
        BackAgain() as first,
        ScriptedProvider() as second,
        start_gateway(**two_providers(first.base_url, second.base_url, rest_seconds=0.01)) as gateway,
    ):
        await call(gateway)
        first.be_well()

        async def back() -> bool:
            await call(gateway)
            return bool(first.calls)

        await until(back)
        trial = first.calls[0].socket
        async with asyncio.timeout(60):
            await trial.wait_closed()
        assert trial.close_code == 1000


async def test_callers_without_patience_do_not_keep_a_dead_provider_first(
    start_gateway: StartGateway,
) -> None:
    """Each gives up before the provider's time is up, so none of them sees it fail."""
    asked: asyncio.Queue[None] = asyncio.Queue()

    async def take_note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(None)
        await reader.read(-1)

    async with (
        speaking(take_note) as silent,
        ScriptedProvider() as alive,
        start_gateway(**two_providers(silent, alive.base_url, rest_seconds=60)) as gateway,
    ):
        callers = [asyncio.create_task(call(gateway)) for _ in range(2)]
        await asyncio.gather(*(asked.get() for _ in callers))
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert not alive.calls
        await until(lambda: _is(resting(gateway), 1))
        await call(gateway)
        assert asked.empty()
        assert await failures(gateway) == 1


async def _is(number: Awaitable[float], wanted: float) -> bool:
    return await number == wanted


async def test_a_callers_own_empty_account_is_no_illness_of_the_provider(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider(refuse_status=429) as first,
        ScriptedProvider() as second,
    ):
        settings = two_providers(first.base_url, second.base_url, accepts_client_keys=True)
        settings["providers"]["second"]["accepts_client_keys"] = True
        async with start_gateway(**settings) as gateway:
            await call(gateway, key="sk-of-the-caller")
            assert (await failures(gateway), await resting(gateway)) == (1, 0)
            await call(gateway)
            assert await resting(gateway) == 1


async def test_a_caller_learns_what_failed_and_the_trace_alone_where_and_in_which_words(
    start_gateway: StartGateway,
) -> None:
    kinds = ("nobody listens", "never answers", "answers 503")
    async with (
        all_of(kinds) as dead,
        nobody() as second,
        start_gateway(**routed(dead, second)) as gateway,
    ):
        facts = []
        for kind in kinds:
            message, session_id = await refusal(gateway, kind)
            assert message == (
                f"The provider could not be reached: first {kind} {DEAD[kind][1]}; "
                "second could not be connected to."
            )
            facts += await facts_of(gateway, session_id)
        details = [fact["message"] for fact in facts if fact["type"] == "gateway.dial_failed"]
        assert len(details) == 2 * len(kinds)
        assert any("quota of sk-… at db.internal is used up" in detail for detail in details)
        assert any(f"[Errno {errno.ECONNREFUSED}]" in detail for detail in details)


async def refusal(gateway: RunningGateway, model: str = "fake") -> tuple[str, str]:
    """The message with which a call is refused because no provider could be reached, and the session's id."""
    async with connect(f"{gateway.url}?{urlencode({'model': model})}", additional_headers=AUTH) as socket:
        error = json.loads(await socket.recv())["error"]
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (1011, "server_error.upstream_refused")
        assert socket.response is not None
        return error["message"], socket.response.headers["x-voxgate-session-id"]
