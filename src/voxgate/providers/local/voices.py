"""Voices: a sentence goes in, samples at 24 kHz come out. Hibari in the box, flite, espeak-ng, or HTTP."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from voxgate.core.errors import UpstreamError, VoxgateError
from voxgate.providers.local.endpoints import Endpoint
from voxgate.providers.local.formats import Samples
from voxgate.providers.local.session_config import VOICES

RATE = 24_000
# How much higher (or lower) than the engine's own voice each name speaks: pitch and formants together.
_PITCH = {
    "alloy": 1.0,
    "ash": 0.84,
    "ballad": 0.92,
    "coral": 1.06,
    "echo": 0.80,
    "sage": 1.10,
    "shimmer": 1.14,
    "verse": 0.88,
    "marin": 1.03,
    "cedar": 0.77,
}
_SLOWEST, _FASTEST = 0.5, 2.0  # of what the engine does well
_PROGRAM_SECONDS = 30.0
_SPEAKABLE = re.compile(r"\w")


class Voice(Protocol):
    async def speak(self, sentence: str, voice: str, speed: float) -> Samples:
        """Samples at 24 kHz; none if there is nothing to say. Raises VoxgateError."""
        ...

    async def close(self) -> None: ...


def available_voices() -> list[str]:
    """The names that a session may choose."""
    return list(VOICES)


class EngineVoice:
    """A voice that runs here, in a thread of its own. `load` returns the engine: (text, speed) to samples."""

    def __init__(self, load: Callable[[], Callable[[str, float], NDArray[np.float32]]]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice")
        self._engine = self._thread.submit(load)

    async def speak(self, sentence: str, voice: str, speed: float) -> Samples:
        if not _SPEAKABLE.search(sentence):
            return np.zeros(0, np.int16)
        run = asyncio.get_running_loop().run_in_executor
        return await run(self._thread, self._speak, sentence, _PITCH.get(voice, 1.0), speed)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _speak(self, sentence: str, pitch: float, speed: float) -> Samples:
        engine = self._engine.result()
        # Read as if it had another rate, it is higher and shorter, so the engine speaks as much slower.
        samples = engine(sentence, min(_FASTEST, max(_SLOWEST, speed / pitch)))
        if pitch != 1.0:
            samples = soxr.resample(samples, RATE * pitch, RATE)
        return to_int16(samples)


def to_int16(samples: NDArray[Any]) -> Samples:
    return np.asarray(np.clip(samples, -1.0, 1.0) * 32767.0, np.int16)


def load_hibari(seed: int) -> Callable[[str, float], NDArray[np.float32]]:
    from hibari import Hibari  # noqa: PLC0415  # optional, loads its model

    engine = Hibari()

    def speak(text: str, speed: float) -> NDArray[np.float32]:
        return np.asarray(engine(text, speed=speed, seed=seed), np.float32)

    speak("Ready.", 1.0)
    return speak


def load_program(program: str) -> Callable[[str, float], NDArray[np.float32]]:
    """flite or espeak-ng as a child process that writes a WAV file."""

    def speak(text: str, speed: float) -> NDArray[np.float32]:
        with tempfile.TemporaryDirectory(prefix="voxgate-voice-") as folder:
            target = Path(folder, "speech.wav")
            _run(_command(program, text, speed, str(target)))
            samples, rate = soundfile.read(target, dtype="float32")
        return np.asarray(soxr.resample(samples, rate, RATE), np.float32)

    return speak


def _run(command: list[str]) -> None:
    """A list and no shell: whatever the text is, it stays one argument."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PROGRAM_SECONDS
    )
    if done.returncode != 0:
        raise VoxgateError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")


def _command(program: str, text: str, speed: float, target: str) -> list[str]:
    if program == "espeak-ng":
        return ["espeak-ng", "-v", "en-us", "-s", str(round(165 * speed)), "-w", target, "--", text]
    stretch = f"duration_stretch={1 / speed:.3f}"
    return ["flite", "-voice", "slt", "--setf", stretch, "-t", text, "-o", target]


class HttpVoice:
    """Any endpoint with OpenAI's `POST /audio/speech`, answering with PCM at 24 kHz or a WAV file."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def speak(self, sentence: str, voice: str, speed: float) -> Samples:
        if not _SPEAKABLE.search(sentence):
            return np.zeros(0, np.int16)
        body = {
            "model": self._endpoint.model or "tts-1",
            "voice": voice,
            "input": sentence,
            "response_format": "pcm",
            "speed": speed,
        }
        async with self._endpoint.post("/audio/speech", json=body) as answer:
            data = await answer.read()
        if data.startswith(b"RIFF"):
            return _wav_samples(data)
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)

    async def close(self) -> None:
        await self._endpoint.close()


def _wav_samples(data: bytes) -> Samples:
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UpstreamError(f"The speech endpoint's audio cannot be read: {error}") from error
    return to_int16(soxr.resample(samples.mean(axis=1), rate, RATE))
