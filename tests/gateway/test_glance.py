"""Mediated calls' sound goes on at a glance: in its place among the other messages, as its stage says."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from tests.gateway.conftest import StartGateway
from tests.gateway.wire import (
    PATIENCE_SECONDS,
    RawProvider,
    Wire,
    decode,
    joined,
    running_call,
    until,
    write_close,
    write_frame,
)
from voxgate.gateway import farewell, mediation
from voxgate.gateway.glance import Glance
from voxgate.gateway.policies.ruling import NOTHING, Ruling
from voxgate.realtime.frames import (
    CONTINUATION,
    PING,
    TEXT,
    FrameDecoder,
    FrameFollower,
    Message,
    decode_close,
)
from voxgate.recording.wirelog import CLIENT, SERVER, WireRecord

pytestmark = pytest.mark.anyio
MASK = b"mask"
END = b'{"type":"end"}'


class Careful:
    """At a glance it lets `pass` go, says `new` for `old`, has to read `read`, and fails at `trap`. What it
    reads it shows in capitals."""

    def opening(self) -> Ruling:
        return NOTHING

    def _glance(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        assert size == text.count(b"A") * 3 // 4
        if b'"trap"' in text:
            raise ZeroDivisionError
        return None if b'"read"' in text else text.replace(b'"old"', b'"new"') if b'"old"' in text else text

    def _read(self, text: bytes) -> Ruling:
        return Ruling((text.replace(b'"read"', b'"READ"').replace(b'"trap"', b'"TRAP"'),))

    sound_to_provider = sound_to_client = _glance
    foresee_to_provider = foresee_to_client = None
    to_provider = to_client = _read


@pytest.fixture
def careful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediation, "stages_for", lambda *_: [Careful()])


def sound(kind: str, size: int, word: str) -> bytes:
    member = "audio" if kind.startswith("input") else "delta"
    return json.dumps({"type": kind, "event_id": word, member: "A" * size}, separators=(",", ":")).encode()


def said_by(chance: random.Random, kind: str, mask: bytes) -> tuple[bytes, list[bytes]]:
    """Frames of a side, and what of them is to arrive."""
    frames, texts = b"", []
    for number in range(100):
        size = chance.choice([0, 4, 1000, 3200, 16_000] * 4 + [90_000])
        text = sound(kind, size, chance.choice(["pass", "pass", "old"]))
        shape = chance.random()
        if shape < 0.1:
            text = text.replace(b'"pass"', b'"read"')
        elif shape < 0.15:
            text = text.replace(b'"pass"', b'"trap"')
        elif shape < 0.3:
            text = b'{"type":"other","number":%d}' % number
        if shape > 0.9:
            half = len(text) // 2
            frames += write_frame(TEXT, text[:half], mask=mask, final=False)
            frames += write_frame(PING, b"", mask=mask) + write_frame(CONTINUATION, text[half:], mask=mask)
        else:
            frames += write_frame(TEXT, text, mask=mask)
        texts.append(text)
    return frames + write_frame(TEXT, END, mask=mask), [*texts, END]


def arrived(text: bytes) -> bytes:
    """How a message of `said_by` is to arrive: in several frames it is read, else glanced at."""
    return text.replace(b'"read"', b'"READ"').replace(b'"trap"', b'"TRAP"')


async def send(wire: Wire, stream: bytes, chance: random.Random) -> None:
    at = 0
    while at < len(stream):
        size = chance.choice([1, 7, 500, 3300, 20_000, 150_000])
        await wire.send(stream[at : at + size])
        at += size


async def texts_until_end(wire: Wire) -> list[bytes]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        decoder, texts = FrameDecoder(), list[bytes]()
        while not texts or texts[-1] != END:
            texts += [m.payload for m in decoder.feed(await wire.receive()) if m.opcode == TEXT]
    return texts


def logged(records: list[WireRecord], kind: int) -> list[bytes]:
    decoder = FrameDecoder()
    return [m.payload for r in records if r.kind == kind for m in decoder.feed(r.data) if m.opcode == TEXT]


@pytest.mark.usefixtures("careful")
@pytest.mark.parametrize("seed", range(4))
async def test_sound_keeps_its_place_among_the_messages_in_whatever_pieces_it_comes(
    start_gateway: StartGateway, seed: int
) -> None:
    chance = random.Random(seed)
    up, up_texts = said_by(chance, "input_audio_buffer.append", MASK)
    down, down_texts = said_by(chance, "response.output_audio.delta", b"")
    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with joined(gateway, provider) as (client, upstream):
            _, _, at_provider, at_client = await asyncio.gather(
                send(client, up, chance),
                send(upstream, down, chance),
                texts_until_end(upstream),
                texts_until_end(client),
            )
        records = await gateway.records()
    assert [text.replace(b'"new"', b'"old"') for text in at_provider] == [arrived(text) for text in up_texts]
    assert [text.replace(b'"new"', b'"old"') for text in at_client] == [arrived(text) for text in down_texts]
    assert any(b'"new"' in text for text in at_provider)
    assert any(b'"new"' in text for text in at_client)
    assert logged(records, SERVER) == down_texts, "the log has what the provider said"
    assert len(logged(records, CLIENT)) == len(up_texts)


@pytest.mark.usefixtures("careful")
async def test_sound_that_is_too_large_ends_a_mediated_call_too(start_gateway: StartGateway) -> None:
    async with (
        RawProvider() as provider,
        start_gateway(provider.base_url, largest_message_bytes=1024) as gateway,
        joined(gateway, provider) as (client, _),
    ):
        await client.send(write_frame(TEXT, sound("input_audio_buffer.append", 4, "pass"), mask=MASK))
        await client.send(write_frame(TEXT, sound("input_audio_buffer.append", 4000, "pass"), mask=MASK))
        _, close = await client.receive_until_close()
        assert decode_close(close.payload).code == 1009


@pytest.mark.usefixtures("careful")
@pytest.mark.parametrize("ended_by", ["provider", "gateway"])
async def test_a_client_in_the_middle_of_sound_finds_the_end_of_the_call(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    monkeypatch.setattr(farewell, "CLOSE_SECONDS", 3600)
    whole = write_frame(TEXT, sound("input_audio_buffer.append", 4000, "pass"), mask=MASK)
    async with (
        RawProvider() as provider,
        start_gateway(provider.base_url) as gateway,
        joined(gateway, provider) as (client, upstream),
    ):
        call = running_call(gateway, client)
        await client.send(whole + whole[:2000])
        assert decode(await upstream.receive_exactly(len(whole)))
        await until(lambda: call.client.received_bytes == len(whole) + 2000)
        if ended_by == "provider":
            await upstream.send(write_close(1000))
            upstream.hang_up()
        else:
            gateway.worker.gateway.calls.end_session(client.session_id)
        await client.receive_until_close()
        await client.send(whole[2000:] + write_close(1000, mask=MASK))
        await client.receive_until_end()


def glance(sent: list[bytes], decoder: FrameDecoder) -> Glance:
    return Glance([], decoder, FrameFollower(1 << 20), lambda data: sent.append(bytes(data)), masked=False)


def test_what_is_not_whole_or_no_sound_stays() -> None:
    sent: list[bytes] = []
    whole = write_frame(TEXT, sound("response.audio.delta", 400, "pass"))
    other = write_frame(TEXT, b'{"type":"response.done"}')
    assert glance(sent, FrameDecoder()).pass_sound(whole + whole + whole[:99]) == 2 * len(whole)
    assert glance(sent, FrameDecoder()).pass_sound(other + whole) == 0
    assert b"".join(sent) == whole + whole


def test_nothing_passes_while_a_message_is_not_whole_or_when_the_call_ends() -> None:
    sent: list[bytes] = []
    whole = write_frame(TEXT, sound("response.audio.delta", 400, "pass"))
    decoder = FrameDecoder()
    looking = glance(sent, decoder)
    assert decoder.feed(whole[:50]) == []
    assert looking.pass_sound(whole) == 0
    assert decoder.feed(whole[50:]) == [Message(TEXT, sound("response.audio.delta", 400, "pass"))]
    looking.stopped = True
    assert looking.pass_sound(whole) == 0
    looking.stopped = False
    assert looking.pass_sound(whole) == len(whole)
