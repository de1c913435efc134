"""What is sent on one side of a call comes out on the other: the same bytes and no other, whatever they are
and in whatever pieces they come."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from tests.gateway.conftest import ADMIN_KEY, StartGateway
from tests.gateway.streams import EVENTS, over_one_gateway, parts, seeded_bytes, some_mask
from tests.gateway.wire import (
    GA_PATH,
    MASK,
    PATIENCE_SECONDS,
    Part,
    Place,
    Wire,
    assert_same,
    assert_same_messages,
    exchange,
    joined,
    open_place,
    open_tls_place,
    until,
    write_close,
    write_frame,
)
from voxgate.realtime.frames import BINARY, CONTINUATION, PING, PONG, TEXT, FrameDecoder
from voxgate.recording.wirelog import CLIENT, SERVER, wire_logs
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[GA_PATH, "/v1/realtime"])
async def place(
    request: pytest.FixtureRequest, anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """Also where a client's dialect is not known before it speaks."""
    async with open_place(tmp_path_factory.mktemp("place"), path=request.param) as place:
        yield place


@pytest.fixture(scope="module", params=["client", "provider", "both"])
async def tls_place(
    request: pytest.FixtureRequest, anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    async with open_tls_place(tmp_path_factory.mktemp("tls"), request.param) as place:
        yield place


@settings(over_one_gateway, max_examples=25)
@given(client=parts(masked=True), provider=parts(masked=False))
async def test_all_bytes_come_out_unchanged_on_the_other_side_and_in_the_log(
    place: Place, client: Part, provider: Part
) -> None:
    await place.carries_and_logs(client, provider)


@settings(over_one_gateway, max_examples=6)
@given(client=parts(masked=True), provider=parts(masked=False))
async def test_all_bytes_come_out_unchanged_with_tls(tls_place: Place, client: Part, provider: Part) -> None:
    await tls_place.carries_and_logs(client, provider)


@settings(over_one_gateway, max_examples=8)
@given(client=parts(masked=True), provider=parts(masked=False))
async def test_all_bytes_come_out_unchanged_where_nothing_is_recorded(
    place: Place, client: Part, provider: Part
) -> None:
    unrecorded = replace(place, key=await place.gateway.mint())
    session_id = await unrecorded.carries(client, provider)
    wire_dir = place.gateway.worker.settings.wire_dir
    assert not [path for path in wire_logs(wire_dir) if path.name.startswith(session_id)]


@settings(over_one_gateway, max_examples=10)
@given(client=parts(masked=True, lawful=True), provider=parts(masked=False, lawful=True))
async def test_all_messages_come_out_unchanged_while_it_is_not_known_which_dialect_a_client_speaks(
    place: Place, client: Part, provider: Part
) -> None:
    session_id = await replace(place, path="/v1/realtime").carries(client, provider, assert_same_messages)
    records = await place.gateway.records(session_id)
    for kind, part in ((CLIENT, client), (SERVER, provider)):
        logged = b"".join(record.data for record in records if record.kind == kind)
        assert_same_messages(logged, part.stream, "in the log")


@settings(over_one_gateway, max_examples=8)
@given(calls=st.lists(st.tuples(parts(masked=True), parts(masked=False)), min_size=2, max_size=4))
async def test_calls_at_the_same_time_keep_their_bytes_apart(
    place: Place, calls: list[tuple[Part, Part]]
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(place.join()) for _ in calls]
        late = [[replace(part, early_bytes=0) for part in both] for both in calls]
        got = await asyncio.gather(*(exchange(*wires, *both) for wires, both in zip(ends, late, strict=True)))
        for (client, _), (of_client, of_provider), (at_client, at_provider) in zip(
            ends, calls, got, strict=True
        ):
            assert_same(at_provider, of_client.stream, "at the provider")
            assert_same(at_client, of_provider.stream, "at the client")
            await place.logged(client.session_id, of_client.stream, of_provider.stream)


async def test_bytes_that_come_one_by_one_come_out_unchanged(place: Place) -> None:
    def stream(mask: bytes) -> bytes:
        fragments = [
            write_frame(TEXT, b"h", mask=mask, final=False),
            write_frame(PING, b"now", mask=mask),
            write_frame(CONTINUATION, b"x" * 130, mask=mask, final=False, length_bytes=8),
            write_frame(CONTINUATION, b"", mask=mask),
        ]
        events = [write_frame(TEXT, event, mask=mask) for event in EVENTS]
        return b"".join([*fragments, *events, write_close(4000, b"done", mask=mask)])

    for rounds in (1, 2):
        await place.carries_and_logs(Part(stream(MASK), [1], [rounds]), Part(stream(b""), [1], [rounds]))


def large_message(size: int, frames: int, mask: bytes = b"") -> bytes:
    """A message in so many frames of one size, with a ping before each continuation."""
    payload, each = seeded_bytes(size, size // frames), b""
    for number in range(frames):
        each += write_frame(PING, b"%d" % number, mask=mask) if number else b""
        opcode = CONTINUATION if number else BINARY
        each += write_frame(opcode, payload, mask=mask, final=number == frames - 1)
    return each + write_close(1000, mask=mask)


@pytest.mark.parametrize(("up", "down"), [((17 << 20, 1), (100, 1)), ((3 << 20, 3), (17 << 20, 4))])
async def test_messages_over_16_mib_pass_in_one_frame_and_in_several(
    place: Place, up: tuple[int, int], down: tuple[int, int]
) -> None:
    await place.carries_and_logs(
        Part(large_message(*up, mask=MASK), [1 << 20]), Part(large_message(*down), [1 << 20])
    )


async def test_a_large_message_passes_with_tls(tls_place: Place) -> None:
    stream = large_message(5 << 20, 2, MASK)
    await tls_place.carries_and_logs(Part(stream, [300_000]), Part(stream, [300_000]))


pings = st.lists(st.binary(max_size=125), min_size=1, max_size=12)


async def answer_pings(wire: Wire, mask: bytes, pongs: list[bytes]) -> None:
    """Behaves as RFC 6455 section 5.5.2 asks, until the stream ends; keeps the pongs that came."""
    decoder = FrameDecoder()
    while data := await wire.receive():
        for message in decoder.feed(data):
            if message.opcode == PING:
                await wire.send(write_frame(PONG, message.payload, mask=mask))
            elif message.opcode == PONG:
                pongs.append(message.payload)


@settings(over_one_gateway, max_examples=10)
@given(of_client=pings, of_provider=pings, mask=some_mask)
async def test_each_ping_of_either_side_gets_its_pong_in_order(
    place: Place, of_client: list[bytes], of_provider: list[bytes], mask: bytes
) -> None:
    to_client: list[bytes] = []
    to_provider: list[bytes] = []
    async with joined(place.gateway, place.provider) as (client, upstream):
        peers = asyncio.gather(
            answer_pings(client, mask, to_client), answer_pings(upstream, b"", to_provider)
        )
        for one, other in itertools.zip_longest(of_client, of_provider):
            if one is not None:
                await client.send(write_frame(PING, one, mask=mask) + write_frame(TEXT, b"{}", mask=mask))
            if other is not None:
                await upstream.send(write_frame(PING, other))
        await until(lambda: [len(to_client), len(to_provider)] == [len(of_client), len(of_provider)])
        assert [to_client, to_provider] == [of_client, of_provider]
        await client.send(write_close(1000, mask=mask))
        await upstream.send(write_close(1000))
        await peers


async def test_a_ping_of_an_ordinary_client_is_answered_by_the_provider(start_gateway: StartGateway) -> None:
    async def ping_back(call: Upstreamed) -> None:
        await (await call.socket.ping(b"from the provider"))
        await call.send("the client has answered")
        await call.receive()

    async with ScriptedProvider(ping_back) as provider, start_gateway(provider.base_url) as gateway:
        auth = {"Authorization": f"Bearer {ADMIN_KEY}"}
        async with connect(f"{gateway.url}?model=fake", additional_headers=auth) as socket:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await socket.recv() == "the client has answered"
                await (await socket.ping(b"from the client"))


async def test_a_client_hears_not_one_byte_that_its_provider_did_not_send(place: Place) -> None:
    async with joined(place.gateway, place.provider) as (client, upstream):
        sent = b"".join(write_frame(TEXT, event, mask=MASK) for event in EVENTS)
        sent += write_frame(PING, b"anyone?", mask=MASK)
        await client.send(sent)
        assert await upstream.receive_exactly(len(sent)) == sent
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.receive()
        assert client.received == b""
        await upstream.send(write_close(None))
        await client.send(write_close(None, mask=MASK))
        assert await client.receive_until_end() == write_close(None)
        assert await upstream.receive_until_end() == sent + write_close(None, mask=MASK)


async def test_event_ids_and_metadata_are_untouched(start_gateway: StartGateway) -> None:
    asked = '{"event_id": "agents_py_response_create_1", "type": "response.create", "response": {"metadata": '
    asked += '{"client_event_id": "é\\u00e9", "empty": ""}}, "unknown": [1.0, 1e2]}'
    answered = '{"type":"response.created","event_id":"event_B9","response":{"id":"resp_1","metadata":'
    answered += '{"client_event_id":"é\\u00e9","empty":""},"new_field":{"a":null}},"_":  0}'

    async def answer(call: Upstreamed) -> None:
        assert await call.receive() == asked
        await call.send(answered)

    async with ScriptedProvider(answer) as provider, start_gateway(provider.base_url) as gateway:
        auth = {"Authorization": f"Bearer {ADMIN_KEY}"}
        async with connect(f"{gateway.url}?model=fake", additional_headers=auth) as socket:
            await socket.send(asked)
            assert await socket.recv() == answered
