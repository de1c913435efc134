"""Asks a question that is in a sound file and saves the spoken answer: OpenAI's own Python package, with
nothing changed but the address and the key.

    VOXGATE_URL=http://127.0.0.1:8600 VOXGATE_KEY=ek_… python client.py question.wav
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import sys
import wave
from pathlib import Path

import soundfile
import soxr
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets.exceptions import ConnectionClosed

RATE = 24_000  # of `audio/pcm` in the Realtime protocol, in both directions
APPEND_MS = 100
TRAILING_SILENCE_MS = 1_000
APPEND_BYTES = RATE * 2 * APPEND_MS // 1000

SESSION = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            # The server finds the end of the question. Half a second, so that a comma does not end it.
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        }
    },
}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("question", type=Path, help="a sound file: WAV, FLAC, Ogg or MP3, any rate")
    parser.add_argument("--answer", type=Path, default=Path("answer.wav"))
    parser.add_argument("--model", default=os.environ.get("VOXGATE_MODEL", "local"))
    given = parser.parse_args()
    question = read_pcm(given.question)

    client = AsyncOpenAI(base_url=os.environ["VOXGATE_URL"] + "/v1", api_key=os.environ["VOXGATE_KEY"])
    async with client.realtime.connect(model=given.model) as connection:
        opened = await connection.recv()
        if opened.type == "error":  # a refusal, too, comes as an event
            raise SystemExit(f"Error: {opened.error.message}")
        await connection.session.update(session=SESSION)
        # Speaking and listening go on at once, as in a call.
        speaking = asyncio.create_task(speak(connection, question))
        try:
            answer = await listen(connection)
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    write_wav(given.answer, answer)
    print(f"{given.answer}: {len(answer) / 2 / RATE:.1f} s")


async def speak(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    """Sends the sound as a microphone would: in small pieces, no faster than time passes."""
    pcm += bytes(RATE * 2 * TRAILING_SILENCE_MS // 1000)
    for start in range(0, len(pcm), APPEND_BYTES):
        piece = pcm[start : start + APPEND_BYTES]
        await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        await asyncio.sleep(APPEND_MS / 1000)


async def listen(connection: AsyncRealtimeConnection) -> bytes:
    """The sound of the answer. It ends when that is whole and the question's transcript, which may come last,
    is there."""
    answer, is_answered, is_heard = b"", False, False
    async for event in connection:
        match event.type:
            case "response.output_audio.delta":
                answer += base64.b64decode(event.delta)
            case "response.output_audio_transcript.done":
                print(f"assistant: {event.transcript}")
            case "conversation.item.input_audio_transcription.completed":
                print(f"you:       {event.transcript}")
                is_heard = True
            case "conversation.item.input_audio_transcription.failed":
                print(f"you:       (no transcript: {event.error.message})", file=sys.stderr)
                is_heard = True
            case "response.done":
                if event.response.status != "completed":
                    raise SystemExit(
                        f"The response is {event.response.status}: {event.response.status_details}"
                    )
                is_answered = True
            case "error":
                raise SystemExit(f"Error: {event.error.message}")
        if is_answered and is_heard:
            return answer
    raise SystemExit("The connection ended before the answer was whole.")


def read_pcm(path: Path) -> bytes:
    """Mono 16-bit samples at 24 kHz. A file that is that already goes out bit by bit as it is."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    mono = samples[:, 0]
    return (mono if rate == RATE else soxr.resample(mono, rate, RATE)).astype("<i2").tobytes()


def write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ConnectionClosed as closed:
        raise SystemExit(f"The connection was closed: {closed}") from None
