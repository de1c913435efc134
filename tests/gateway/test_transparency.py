"""What is sent on one side of a call comes out on the other: the same bytes and no other, whatever they are
and in whatever pieces they come."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from tests.certificates import make_certificate
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.streams import EVENTS, parts, seeded_bytes, some_mask
from tests.gateway.wire import (
    PATIENCE_SECONDS,
    Part,
    RawProvider,
    Wire,
    assert_same,
    cross,
    joined,
    until,
    write_close,
    write_frame,
)
from voxgate.realtime.frames import BINARY, CONTINUATION, PING, PONG, TEXT, FrameDecoder
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio

MASK = b"mask"
over_one_gateway = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a lost byte costs seconds: no shrinking
    report_multiple_bugs=False,
)


@dataclass(frozen=True)
class Place:
    """One gateway with one provider, for all examples of a test. `trusted` is for clients of its TLS."""

    gateway: RunningGateway
    provider: RawProvider
    trusted: ssl.SSLContext | None = None

    async def carries(self, client: Part, provider: Part) -> None:
        """A whole call, compared at both far ends and with its wire log."""
        crossed = await cross(self.gateway, self.provider, client, provider, self.trusted)
        assert_same(crossed.at_provider, client.stream, "at the provider")
        assert_same(crossed.at_client, provider.stream, "at the client")
        records = await self.gateway.records(crossed.session_id)
        logged = {kind: b"".join(r.data for r in records if r.kind == kind) for kind in (CLIENT, SERVER)}
        assert_same(logged[CLIENT], client.stream, "in the log, from the client")
        assert_same(logged[SERVER], provider.stream, "in the log, from the provider")
        assert [r.t_ns for r in records] == sorted(r.t_ns for r in records)


@pytest.fixture
async def place(start_gateway: StartGateway) -> AsyncIterator[Place]:
    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        yield Place(gateway, provider)


@pytest.fixture(params=["client", "provider", "both"])
async def tls_place(
    request: pytest.FixtureRequest,
    start_gateway: StartGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Place]:
    """TLS on one leg or on both."""
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # what the gateway's dialler trusts
    trusted, serving = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate, key)
    own = {} if request.param == "provider" else {"tls_cert": certificate, "tls_key": key}
    async with RawProvider(None if request.param == "client" else serving) as provider:
        async with start_gateway(provider.base_url, **own) as gateway:
            yield Place(gateway, provider, trusted if own else None)


@settings(over_one_gateway, max_examples=25)
@given(client=parts(masked=True), provider=parts(masked=False))
async def test_all_bytes_come_out_unchanged_on_the_other_side_and_in_the_log(
    place: Place, client: Part, provider: Part
) -> None:
    await place.carries(client, provider)


@settings(over_one_gateway, max_examples=6)
@given(client=parts(masked=True), provider=parts(masked=False))
async def test_all_bytes_come_out_unchanged_with_tls(tls_place: Place, client: Part, provider: Part) -> None:
    await tls_place.carries(client, provider)


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
        await place.carries(Part(stream(MASK), [1], [rounds]), Part(stream(b""), [1], [rounds]))


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
    await place.carries(Part(large_message(*up, mask=MASK), [1 << 20]), Part(large_message(*down), [1 << 20]))


async def test_a_large_message_passes_with_tls(tls_place: Place) -> None:
    stream = large_message(5 << 20, 2, MASK)
    await tls_place.carries(Part(stream, [300_000]), Part(stream, [300_000]))


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
