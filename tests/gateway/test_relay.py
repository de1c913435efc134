"""The relay over real sockets: what goes on unchanged, how calls end, and what is recorded of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ADMIN_KEY, StartGateway
from voxgate.gateway import farewell
from voxgate.realtime.frames import BINARY, TEXT, FrameDecoder, encode_close, encode_frame
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio
AUTH = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def test_messages_of_all_sizes_arrive_unchanged_and_in_order_both_ways(
    start_gateway: StartGateway,
) -> None:
    chance = random.Random(7)
    sent: list[str | bytes] = ["", "ünï", "{not json", b"", b"\x00\xff", "x" * 125, "x" * 126, "y" * 65_536]
    sent += [chance.randbytes(chance.choice([1, 200, 5_000, 300_000])) for _ in range(20)]
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH, max_size=None) as socket:
            sending = asyncio.create_task(_send_all(socket, sent))
            assert [await socket.recv() for _ in sent] == sent
            await sending
        assert provider.calls[0].messages == sent


async def _send_all(socket: object, messages: list[str | bytes]) -> None:
    for message in messages:
        await socket.send(message)  # type: ignore[attr-defined]


async def test_the_wire_log_holds_every_message_of_both_directions(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            for number in range(50):
                await socket.send(json.dumps({"type": "x", "n": number}))
                await socket.recv()
            await socket.send(b"\x01\x02")
            await socket.recv()
        records = await gateway.records()
    for kind in (CLIENT, SERVER):
        decoder = FrameDecoder()
        data = [m for r in records if r.kind == kind for m in decoder.feed(r.data)]
        texts = [json.loads(m.payload)["n"] for m in data if m.opcode == TEXT]
        assert texts == list(range(50))
        assert [m.payload for m in data if m.opcode == BINARY] == [b"\x01\x02"]
    assert [r.t_ns for r in records] == sorted(r.t_ns for r in records)
    sizes = [sum(len(r.data) for r in records if r.kind == kind) for kind in (CLIENT, SERVER)]
    assert json.loads(records[-1].data)["bytes"] == dict(zip(("in", "out"), sizes, strict=True))


@pytest.mark.parametrize("by_client", [True, False])
async def test_close_code_and_reason_are_carried_across(start_gateway: StartGateway, by_client: bool) -> None:
    async def hang_up(call: Upstreamed) -> None:
        await call.receive()
        if not by_client:
            await call.socket.close(4321, "provider says bye")

    async with ScriptedProvider(hang_up) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("{}")
            if by_client:
                await socket.close(4321, "client says bye")
            else:
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert (socket.close_code, socket.close_reason) == (4321, "provider says bye")
        closed = json.loads((await gateway.facts())[-1])
        assert (closed["code"], closed["side"]) == (4321, "client" if by_client else "provider")
        if by_client:
            assert provider.calls[0].socket.close_reason == "client says bye"


async def test_a_client_that_vanishes_ends_the_upstream_and_the_trace(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("{}")
            await socket.recv()
            socket.transport.abort()
        closed = json.loads((await gateway.facts())[-1])
        assert (closed["code"], closed["side"]) == (1006, "client")
        async with asyncio.timeout(60):
            await provider.calls[0].socket.wait_closed()
        assert gateway.worker.gateway.calls.running == 0


async def test_a_provider_that_dies_mid_answer_is_told_to_the_client(start_gateway: StartGateway) -> None:
    async def die(call: Upstreamed) -> None:
        await call.receive()
        await call.send('{"type":"response.created"}')
        call.socket.transport.abort()

    async with ScriptedProvider(die) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("{}")
            assert json.loads(await socket.recv())["type"] == "response.created"
            error = json.loads(await socket.recv())
            assert (error["type"], error["error"]["code"]) == ("error", "upstream_lost")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (1011, "server_error.upstream_lost")
        facts = [json.loads(fact) for fact in await gateway.facts()]
        assert [fact["type"] for fact in facts][-2:] == ["gateway.error", "gateway.closed"]
        assert facts[-1]["side"] == "provider"


async def test_a_provider_that_dies_inside_a_message_does_not_get_an_error_event_into_it(
    start_gateway: StartGateway,
) -> None:
    async def die(call: Upstreamed) -> None:
        await call.receive()
        call.socket.transport.write(b"\x81\x7e\x10\x00" + b"half of a message")
        call.socket.transport.close()

    async with ScriptedProvider(die) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.unseen_url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("{}")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1006


async def test_a_message_over_the_largest_size_closes_with_1009(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, largest_message_bytes=10_000) as gateway,
    ):
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("x" * 10_000)
            assert len(await socket.recv()) == 10_000
            await socket.send("x" * 10_001)
            error = json.loads(await socket.recv())
            assert error["error"]["code"] == "message_too_large"
            assert "10,000 bytes" in error["error"]["message"]
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1009
        assert [len(message) for message in provider.calls[0].messages] == [10_000]


async def test_a_message_of_20_mib_passes_by_default(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH, max_size=None) as socket:
            message = "a" * (20 << 20)
            await socket.send(message)
            assert await socket.recv() == message


async def test_a_slow_client_does_not_make_the_gateway_hoard(start_gateway: StartGateway) -> None:
    """The provider's sending stops when the client does not read: back-pressure reaches it."""
    sent = 0

    async def flood(call: Upstreamed) -> None:
        nonlocal sent
        await call.receive()
        for _ in range(400):
            await call.send("z" * 100_000)
            sent += 1

    async with (
        ScriptedProvider(flood) as provider,
        start_gateway(provider.base_url) as gateway,
        connect(f"{gateway.url}?model=fake", additional_headers=AUTH, max_queue=1, max_size=None) as socket,
    ):
        await socket.send("go")
        async with asyncio.timeout(60):
            before = -1
            while sent != before or not sent:
                before = sent
                await asyncio.sleep(0.3)
        assert sent < 400
        for _ in range(400):
            assert len(await socket.recv()) == 100_000


async def test_the_provider_sees_neither_the_clients_key_nor_its_cookies(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model="fake")
        headers = {"Cookie": "secret=1", "X-Forwarded-For": "10.1.2.3", "User-Agent": "my-app/1"}
        async with connect(
            f"{gateway.url}?model=fake&api-key=also-secret&temperature=0.8",
            additional_headers=headers,
            subprotocols=["realtime", f"openai-insecure-api-key.{key}"],  # type: ignore[list-item]
        ) as socket:
            assert socket.subprotocol == "realtime"
            await socket.send("{}")
            await socket.recv()
        call = provider.calls[0]
        seen = call.path + repr(call.headers)
        assert key not in seen
        assert "secret" not in seen
        assert "10.1.2.3" not in seen
        assert call.header("user-agent") == "my-app/1"
        assert call.path == "/v1/realtime?model=fake&temperature=0.8"


async def test_stopping_lets_calls_end_and_closes_the_rest_with_1001(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            gateway.server.should_exit = True
            error = json.loads(await socket.recv())
            assert error["error"]["code"] == "draining"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1001


async def test_an_operator_ends_a_running_call(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            assert socket.response is not None
            session_id = socket.response.headers["x-voxgate-session-id"]
            gateway.worker.gateway.calls.end_session(session_id)
            assert json.loads(await socket.recv())["error"]["code"] == "session_ended"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4001


async def test_the_last_words_of_a_provider_that_hangs_up_at_once_reach_a_client_that_is_sending(
    start_gateway: StartGateway,
) -> None:
    async def slam(call: Upstreamed) -> None:
        await call.receive()
        await call.send('{"type":"last"}')
        call.socket.transport.write(encode_close(4000, "enough"))
        call.socket.transport.write_eof()
        async for _ in call:
            pass

    async with ScriptedProvider(slam) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            with contextlib.suppress(ConnectionClosed):
                for _ in range(200):
                    await socket.send("x" * 20_000)
            assert await socket.recv() == '{"type":"last"}'
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (4000, "enough")


async def test_an_end_from_outside_waits_for_the_message_that_is_passing(start_gateway: StartGateway) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    payload = b'{"type":"large","x":"' + b"y" * 50_000 + b'"}'
    frame = encode_frame(TEXT, payload)

    async def halves(call: Upstreamed) -> None:
        await call.receive()
        call.socket.transport.write(frame[:20_000])
        begun.set()
        await go_on.wait()
        call.socket.transport.write(frame[20_000:])

    async with ScriptedProvider(halves) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.unseen_url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("{}")
            await begun.wait()
            assert socket.response is not None
            call = socket.response.headers["x-voxgate-session-id"]
            while gateway.worker.gateway.calls.get(call).nothing_passes:
                await asyncio.sleep(0.01)
            gateway.worker.gateway.calls.end_session(call)
            go_on.set()
            assert await socket.recv() == payload.decode()
            assert json.loads(await socket.recv())["error"]["code"] == "session_ended"


async def test_a_client_that_never_reads_is_cut_off_and_holds_nothing(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "CLOSE_SECONDS", 0.3)

    async def flood_and_close(call: Upstreamed) -> None:
        await call.receive()
        for _ in range(400):  # more than all buffers on the way take
            await call.send("z" * 100_000)

    async with ScriptedProvider(flood_and_close) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(
            f"{gateway.url}?model=fake", additional_headers=AUTH, max_queue=1, max_size=None
        ) as socket:
            await socket.send("go")
            calls = gateway.worker.gateway.calls
            assert socket.response is not None
            session_id = socket.response.headers["x-voxgate-session-id"]
            async with asyncio.timeout(60):
                while calls.get(session_id).nothing_passes:
                    await asyncio.sleep(0.01)
                gateway.worker.gateway.calls.end_session(session_id)
                while calls.running:
                    await asyncio.sleep(0.01)
            closed = json.loads((await gateway.facts())[-1])
            assert closed["type"] == "gateway.closed"


async def test_the_last_words_of_a_provider_that_resets_the_connection_are_heard(
    start_gateway: StartGateway,
) -> None:
    async def slam(call: Upstreamed) -> None:
        await call.receive()
        call.socket.transport.write(encode_frame(TEXT, b"last") + encode_close(4002, "enough"))
        call.socket.transport.abort()

    async with ScriptedProvider(slam) as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("x")
            assert await socket.recv() == "last"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (4002, "enough")


async def test_a_client_that_ends_its_half_ends_the_call(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            await socket.send("x")
            await socket.recv()
            socket.transport.write_eof()
            closed = json.loads((await gateway.facts())[-1])
            assert (closed["code"], closed["side"]) == (1006, "client")


async def test_a_client_cannot_end_its_own_recording(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        headers = {**AUTH, "User-Agent": "gateway.closed"}
        async with connect(
            f"{gateway.url}?model=fake", additional_headers=headers, user_agent_header=None
        ) as socket:
            await socket.send("x")
            await socket.recv()
        assert len(await gateway.facts()) == 4


async def test_a_control_frame_without_end_is_refused(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with connect(f"{gateway.url}?model=fake", additional_headers=AUTH) as socket:
            socket.transport.write(b"\x88\xff" + (1 << 60).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 1000)
            assert json.loads(await socket.recv())["error"]["code"] == "message_too_large"
