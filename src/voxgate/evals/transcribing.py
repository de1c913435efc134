"""What is said in a piece of sound, by a model that transcribes: samples in, words and their cost out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.audio.clips import clips_in
from voxgate.audio.pcm import to_bytes
from voxgate.core.errors import InvalidRequest
from voxgate.core.projects import TranscriptionSettings
from voxgate.evals.asking import Model, NoAnswer, model_of
from voxgate.evals.sound import Sound
from voxgate.providers.dictation import form, heard
from voxgate.providers.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Heard:
    """`cost_usd` is None where a price is not known."""

    text: str
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Ears:
    """A model, and what it is told beside the sound."""

    model: Model
    language: str | None = None
    prompt: str | None = None

    async def hear(self, sound: Sound) -> Heard:
        """What is silent has no words, and nobody is asked about it. NoAnswer where one of its pieces is not
        transcribed."""
        samples = np.clip(np.rint(np.nan_to_num(sound.samples) * 32767), -32768, 32767).astype(np.int16)
        texts, costs = list[str](), list[float | None]()
        for clip in clips_in(to_bytes(samples), sound.rate):
            if clip.may_have_words:
                text, usage = await self._ask(clip.wav)
                texts.append(text)
                counted = usage or {"type": "duration", "seconds": clip.seconds}
                costs.append(self.model.cost_usd(counted))
        known = [cost for cost in costs if cost is not None]
        return Heard(" ".join(filter(None, texts)), sum(known) if len(known) == len(costs) else None)

    async def _ask(self, wav: bytes) -> tuple[str, dict[str, Any]]:
        kind, body = form(self.model.name, wav, self.language, self.prompt)
        outcome = heard(await self.model.post("/audio/transcriptions", kind, body))
        if outcome.what != "said":
            raise NoAnswer(Refusal(outcome.message, is_final=True))
        return outcome.text, outcome.usage

    def params(self) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "base_url": self.model.wanted.base_url,
            "language": self.language,
            "prompt": self.prompt,
        }


def ears_of(language: str | None, prompt: str | None, **own: Any) -> Ears:
    """What the settings say in `[transcriber]`, and instead of it what is given. SettingsError where it is
    not known whom to ask."""
    model = model_of("transcriber", **own)
    try:
        TranscriptionSettings(model=model.name, language=language, prompt=prompt)
    except ValueError as error:
        raise InvalidRequest(f"A transcriber cannot be told that: {error}", param="language") from error
    return Ears(model, language, prompt)
