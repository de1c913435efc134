"""What both handshakes of a call agree on, and that nothing said around them is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.conftest import StartGateway
from tests.gateway.streams import over_one_gateway, seeded_bytes
from tests.gateway.wire import (
    PATIENCE_SECONDS,
    Part,
    Place,
    RawProvider,
    answer_head,
    assert_same,
    dial_gateway,
    header,
    joined,
    open_place,
    read_answer,
    upgrade_head,
    write_close,
    write_frame,
)
from voxgate.realtime.frames import BINARY, decode_close

pytestmark = pytest.mark.anyio

DEFLATE = "permessage-deflate; client_max_window_bits, permessage-deflate"


@pytest.fixture(scope="module")
async def place(anyio_backend: object, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_place(tmp_path_factory.mktemp("place")) as place:
        yield place


async def heads(place: Place, request: bytes) -> tuple[bytes, bytes]:
    """Our answer to the client and our request to the provider."""
    async with joined(place.gateway, place.provider, request=request) as (client, upstream):
        return client.head, upstream.head


@pytest.mark.parametrize("name", ["Sec-WebSocket-Extensions", "sec-websocket-extensions"])
async def test_compression_that_a_client_offers_is_declined_on_both_legs(place: Place, name: str) -> None:
    answer, request = await heads(place, upgrade_head(headers=f"{name}: {DEFLATE}\r\n"))
    assert header(answer, "sec-websocket-extensions") is None
    assert header(request, "sec-websocket-extensions") is None


async def test_a_provider_that_compresses_without_being_asked_is_refused(start_gateway: StartGateway) -> None:
    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        client = await dial_gateway(gateway)
        await client.send(upgrade_head(headers=f"Sec-WebSocket-Extensions: {DEFLATE}\r\n"))
        upstream = await provider.take()
        await upstream.send(answer_head(upstream.head, "Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        await read_answer(client)
        assert header(client.head, "sec-websocket-extensions") is None
        event, close = await client.receive_until_close()
        assert json.loads(event.payload)["error"]["code"] == "upstream_refused"
        assert decode_close(close.payload).code == 1011
        assert b"extension" in b"".join(await gateway.facts())
        await client.close()
        await upstream.close()


tokens = st.text("abcdefghijklmnopqrstuvwxyz.-", min_size=1, max_size=12).filter(
    lambda t: "realtime" not in t
)


@settings(over_one_gateway, max_examples=15)
@given(
    offered=st.lists(st.one_of(tokens, st.just("realtime")), max_size=4, unique=True),
    separator=st.sampled_from([",", ", ", " ,  ", "\r\nSec-WebSocket-Protocol: "]),
)
async def test_the_subprotocol_realtime_is_chosen_where_it_is_offered_and_no_other(
    place: Place, offered: list[str], separator: str
) -> None:
    line = f"Sec-WebSocket-Protocol: {separator.join(offered)}\r\n" if offered else ""
    answer, request = await heads(place, upgrade_head(headers=line))
    assert header(answer, "sec-websocket-protocol") == ("realtime" if "realtime" in offered else None)
    assert header(request, "sec-websocket-protocol") is None


@pytest.mark.parametrize("connection", ["keep-alive, Upgrade", "Upgrade, keep-alive", "keep-alive,upgrade"])
async def test_an_upgrade_that_keeps_the_connection_alive_is_one(place: Place, connection: str) -> None:
    answer, _ = await heads(place, upgrade_head(connection=connection))
    assert answer.startswith(b"HTTP/1.1 101 ")


async def test_an_answer_is_accepted_whatever_the_case_and_order_of_its_headers(place: Place) -> None:
    client = await dial_gateway(place.gateway)
    await client.send(upgrade_head())
    upstream = await place.provider.take()
    first, *lines, _, _ = answer_head(upstream.head).decode().split("\r\n")
    shuffled = [
        first,
        "X-Request-Id: req_1",
        *(line.upper().split(":")[0] + ":" + line.split(":")[1] for line in lines),
    ]
    await upstream.send("\r\n".join([*shuffled, "", ""]).encode())
    await read_answer(client)
    await client.close()
    await upstream.close()


@settings(over_one_gateway, max_examples=20)
@given(
    sizes=st.tuples(*[st.one_of(st.integers(0, 500), st.integers(0, 600_000))] * 2),
    pieces=st.tuples(*[st.lists(st.one_of(st.integers(1, 40), st.integers(1, 90_000)), min_size=1)] * 2),
    rounds=st.lists(st.sampled_from([0, 1, 3]), min_size=1, max_size=4),
    slow_provider=st.booleans(),
)
async def test_nothing_is_lost_of_what_comes_behind_either_handshake_however_it_is_cut(
    place: Place,
    sizes: tuple[int, int],
    pieces: tuple[list[int], list[int]],
    rounds: list[int],
    slow_provider: bool,
) -> None:
    up, down = (
        write_frame(BINARY, seeded_bytes(size, size), mask=mask) + write_close(1000, mask=mask)
        for size, mask in zip(sizes, (b"mask", b""), strict=True)
    )
    client = await dial_gateway(place.gateway)
    impatient = asyncio.create_task(
        client.play(Part(upgrade_head() + up, coarse(pieces[0], len(up)), rounds))
    )
    upstream = await place.provider.take()
    if slow_provider:  # the client has said all that the gateway takes before it gets its 101
        await asyncio.wait([impatient], timeout=0.05)
    head = answer_head(upstream.head)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(
            impatient,
            upstream.play(Part(head + down, coarse(pieces[1], len(down)), rounds)),
            read_answer(client),
        )
    assert_same(await client.receive_until_end(), down, "at the client")
    assert_same(await upstream.receive_until_end(), up, "at the provider")
    await place.logged(client.session_id, up, down)
    await client.close()
    await upstream.close()


def coarse(sizes: list[int], total: int) -> list[int]:
    """The same sizes, but so large that a stream of this length takes no more than a few hundred writes."""
    return [max(size, total // 300) for size in sizes]


async def test_a_handshake_that_comes_byte_by_byte_is_one(place: Place) -> None:
    client = await dial_gateway(place.gateway)
    frame = write_frame(BINARY, b"early", mask=b"mask")
    await client.play(Part(upgrade_head() + frame, [1], [1]))
    upstream = await place.provider.take()
    await upstream.play(Part(answer_head(upstream.head) + write_frame(BINARY, b"too"), [1], [1]))
    await read_answer(client)
    assert await client.receive_exactly(5) == write_frame(BINARY, b"too")
    assert await upstream.receive_exactly(len(frame)) == frame
    await client.close()
    await upstream.close()
