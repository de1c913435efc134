"""Calls that are relayed message by message, over real connections: old clients' dialect, and stages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import ADMIN_KEY, StartGateway
from tests.gateway.wire import RawProvider, decode, joined, write_frame
from voxgate.core.errors import InvalidRequest
from voxgate.gateway import mediation
from voxgate.gateway.policies.ruling import NOTHING, Ruling
from voxgate.realtime.frames import TEXT, FrameDecoder, decode_close, encode_frame
from voxgate.recording.wirelog import CLIENT, SERVER, WireRecord
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio
BETA = {"OpenAI-Beta": "realtime=v1"}
GA_SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_theirs",
    "model": "fake-live",
    "output_modalities": ["audio"],
    "audio": {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": {"type": "server_vad"}},
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
    },
}


async def live_service(call: Upstreamed) -> None:
    """As the live service begins, and takes settings over; every other message comes back as it is."""
    await call.send(json.dumps({"type": "session.created", "event_id": "event_1", "session": GA_SESSION}))
    async for message in call:
        event = json.loads(message) if str(message)[:1] == "{" else {}
        if event.get("type") == "session.update":
            session = {**GA_SESSION, **event["session"]}
            await call.send(json.dumps({"type": "session.updated", "event_id": "e2", "session": session}))
        else:
            await call.send(message)


def caller(url: str, key: str = ADMIN_KEY, **headers: str) -> connect:
    return connect(
        f"{url}?model=fake",
        additional_headers={"Authorization": f"Bearer {key}", **headers},
        max_size=None,
        compression=None,
    )


async def told(socket: ClientConnection, **event: Any) -> dict[str, Any]:
    await socket.send(json.dumps(event))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


def messages(records: list[WireRecord], kind: int) -> list[Any]:
    decoder = FrameDecoder()
    found = [m for r in records if r.kind == kind for m in decoder.feed(r.data) if m.opcode == 1]
    return [orjson.loads(message.payload) for message in found]


async def test_a_beta_client_and_a_provider_of_today_understand_each_other(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider(live_service) as provider, start_gateway(provider.base_url) as gateway:
        async with caller(gateway.url, **BETA) as socket:
            created = json.loads(await socket.recv())
            assert "modalities" in created["session"]
            assert created["session"]["input_audio_format"] == "pcm16"
            updated = await told(
                socket,
                type="session.update",
                session={"voice": "alloy", "output_audio_format": "g711_ulaw", "temperature": 0.7},
            )
            assert updated["session"]["voice"] == "alloy"
            assert updated["session"]["output_audio_format"] == "g711_ulaw"
            assert updated["session"]["temperature"] == 0.7
            delta = await told(socket, type="response.output_audio.delta", delta="AAAA")
            assert delta["type"] == "response.audio.delta"
        (call,) = provider.calls
        assert call.header("openai-beta") is None
        update = json.loads(call.messages[0])
        assert update["session"]["audio"]["output"]["format"] == {"type": "audio/pcmu"}
        assert "temperature" not in update["session"]
        records = await gateway.records()
        assert messages(records, CLIENT)[0]["session"] == update["session"], (
            "the log has what the provider saw"
        )
        assert messages(records, SERVER)[0]["session"] == GA_SESSION
        assert b'"dialect":"beta"' in records[0].data


@pytest.mark.parametrize("first", ["session.update", "input_audio_buffer.append", "something.else"])
async def test_a_client_of_today_is_soon_relayed_unseen(start_gateway: StartGateway, first: str) -> None:
    async with ScriptedProvider(live_service) as provider, start_gateway(provider.base_url) as gateway:
        async with caller(gateway.url) as socket:
            assert json.loads(await socket.recv())["session"] == GA_SESSION
            await told(socket, type=first, session={"type": "realtime"}, audio="AAAA")
            for number in range(25):
                assert await told(socket, type="ping", number=number) == {"type": "ping", "number": number}
            (running,) = gateway.worker.gateway.calls.all()
            assert running.client.splices
            assert running.upstream.splices
            odd = '{ "type" : "odd",  "x":1.0}'
            await socket.send(odd)
            assert await socket.recv() == odd
        said = [m for m in messages(await gateway.records(), CLIENT) if m["type"] == "ping"]
        assert [m["number"] for m in said] == list(range(25))


async def test_a_first_update_in_the_old_shape_shows_an_old_client(start_gateway: StartGateway) -> None:
    async with ScriptedProvider(live_service) as provider, start_gateway(provider.base_url) as gateway:
        async with caller(gateway.url) as socket:
            await socket.recv()
            updated = await told(socket, type="session.update", session={"modalities": ["text"]})
            assert updated["session"]["modalities"] == ["text"]
        assert json.loads(provider.calls[0].messages[0])["session"]["output_modalities"] == ["text"]


class Strict:
    """A stage that opens with a message of its own, refuses one kind, and ends the call at another."""

    sound_to_provider = sound_to_client = foresee_to_provider = foresee_to_client = None

    def opening(self) -> Ruling:
        return Ruling((b'{"type":"opening"}',))

    def to_provider(self, text: bytes) -> Ruling:
        if b"forbidden" in text:
            error = InvalidRequest("no", param="x").event("event_9")
            return Ruling(back=(orjson.dumps(error),))
        if b"fatal" in text:
            return Ruling(end=InvalidRequest("over"))
        return Ruling((text,))

    def to_client(self, text: bytes) -> Ruling:
        return (
            NOTHING
            if b"opening" in text
            else Ruling((text,), back=(b'{"type":"noted"}',) * (b'"note"' in text))
        )


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediation, "stages_for", lambda *_: [Strict()])


@pytest.mark.usefixtures("strict")
async def test_stages_open_refuse_answer_and_end(start_gateway: StartGateway) -> None:
    async with ScriptedProvider(live_service) as provider, start_gateway(provider.base_url) as gateway:
        async with caller(gateway.url) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"
            refused = await told(socket, type="forbidden")
            assert refused["error"]["param"] == "x"
            await socket.send(b"binary")
            assert "text messages only" in json.loads(await socket.recv())["error"]["message"]
            assert await told(socket, type="note") == {"type": "note"}
            assert json.loads(await socket.recv()) == {"type": "noted"}
            large = {"type": "large", "x": "y" * 3_000_000}
            assert await told(socket, **large) == large
            last = await told(socket, type="fatal")
            assert last["error"]["message"] == "over"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4000
        kinds = [json.loads(message)["type"] for message in provider.calls[0].messages]
        assert kinds == ["opening", "note", "noted", "large"]
        records = await gateway.records()
        assert [m["type"] for m in messages(records, CLIENT)] == kinds
        facts = [orjson.loads(record.data) for record in records if record.kind == 2]
        answered = [
            fact["message"]["error"]["message"] for fact in facts if fact["type"] == "gateway.answered"
        ]
        assert answered[0] == "no"
        assert len(answered) == 2


@pytest.mark.usefixtures("strict")
async def test_a_mediated_call_waits_for_a_slow_reader_too(start_gateway: StartGateway) -> None:
    async def flood(call: Upstreamed) -> None:
        for _ in range(200):
            await call.send(json.dumps({"type": "flood", "x": "y" * 100_000}))

    async with ScriptedProvider(flood) as provider, start_gateway(provider.base_url) as gateway:
        async with caller(gateway.url) as socket:
            async with asyncio.timeout(60):
                while (
                    not (calls := gateway.worker.gateway.calls.all()) or calls[0].client.stalled_since is None
                ):
                    await asyncio.sleep(0.01)
            assert calls[0].client.transport.get_write_buffer_size() < 1_000_000
            for _ in range(200):
                assert len(await socket.recv()) > 100_000


@pytest.mark.usefixtures("strict")
async def test_a_message_that_no_stage_changes_goes_on_as_the_frame_it_came_in(
    start_gateway: StartGateway,
) -> None:
    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with joined(gateway, provider) as (client, upstream):
            opening = len(encode_frame(TEXT, b'{"type":"opening"}', masked=True))
            await upstream.receive_exactly(opening)
            up = write_frame(TEXT, b'{ "type":"odd", "x":1.0}', mask=b"\1\2\3\4", length_bytes=2)
            await client.send(up)
            assert (await upstream.receive_exactly(opening + len(up)))[opening:] == up
            down = write_frame(TEXT, b'{"type" : "even"}', length_bytes=2)
            await upstream.send(down)
            assert await client.receive_exactly(len(down)) == down


class Faulty(Strict):
    def to_provider(self, text: bytes) -> Ruling:
        if b"trap" in text:
            raise ZeroDivisionError
        return super().to_provider(text)


async def test_a_stage_that_fails_lets_nothing_pass_and_ends_the_call(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mediation, "stages_for", lambda *_: [Faulty()])
    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with joined(gateway, provider) as (client, upstream):
            frames = [
                write_frame(TEXT, text, mask=b"mask") for text in (b'{"type":"trap"}', b'{"type":"next"}')
            ]
            await client.send(b"".join(frames))
            error, close = await client.receive_until_close()
            assert "its log says why" in json.loads(error.payload)["error"]["message"]
            assert decode_close(close.payload).code == 1011
            said = decode(await upstream.receive_until_end())
            assert [json.loads(m.payload)["type"] for m in said if m.opcode == TEXT] == ["opening"]
    assert "ZeroDivisionError" in caplog.text
