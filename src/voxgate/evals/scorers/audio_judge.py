"""A model hears the call and says whether its sound meets a rubric, or which of several choices fits."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import soxr

from voxgate.audio.pcm import to_bytes
from voxgate.audio.wav import wav_header
from voxgate.evals.asking import model_of
from voxgate.evals.judging import PASS_OR_FAIL, VERSION, Judge, Manners, Ruling, slug, values_for
from voxgate.evals.model import Json, Score
from voxgate.evals.prompting import prompt_of, shipped_prompt
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Manner
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.session import Clip
from voxgate.evals.sheets import Entry, Sheet, sheet_of
from voxgate.evals.sound import Sound

TIMEOUT_SECONDS: Final = 900.0
_RATE: Final = 16_000
"""What models hear with; more would only be more to send."""
_SHORTEST_MS: Final = 100.0
_WORDS: Final = ("said", "heard")
Of = Literal["assistant", "user", "both"]


def audio_judge(
    rubric: str,
    *,
    of: Of = "assistant",
    words: bool = False,
    longest_seconds: float = 300.0,
    name: str | None = None,
    choices: Mapping[str, float] | None = None,
    votes: int = 1,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    temperature: float | None = None,
    seed: int | None = 0,
    prompt: str | Path | None = None,
    expected: bool = False,
    output: Manners = "auto",
    timeout_seconds: float | None = None,
    attempts: int | None = None,
) -> FunctionScorer:
    """As `judge`, with the sound of each line of `of`: of the assistant as much as was heard. `words` gives
    the judge the transcripts too. Of a call whose sound is longer than `longest_seconds` there is no score.

    What is not said here is said by `[audio_judge]` of the settings, and then by `[judge]`."""
    asked = model_of(
        "audio_judge",
        model=model,
        base_url=base_url,
        api_key_env=api_key_env,
        timeout_seconds=timeout_seconds,
        attempts=attempts,
    )
    heard = {"of": of, "words": words, "longest_seconds": longest_seconds, "expected": expected}
    text = shipped_prompt("audio_judge") if prompt is None else prompt_of(prompt)
    ruling = Ruling(rubric, choices or PASS_OR_FAIL, votes, temperature, seed, output, text, heard)
    manner = Manner(name or slug(rubric, "audio_judge"), "max", None, VERSION, ruling.params(asked))
    one = Judge(asked, ruling, manner)

    async def judged(subject: Subject) -> list[Score]:
        clips = _clips(subject, of) if subject.session is not None else []
        if not clips:
            return [manner.missing("there is no sound to judge", source="judge")]
        seconds = sum(one.ms for one in clips) / 1000
        if seconds > longest_seconds:
            reason = f"there are {seconds:.0f} s of sound, more than {longest_seconds:g}"
            return [manner.missing(reason, source="judge")]
        sheet = Sheet(tuple(one.entry if words else _without_words(one.entry) for one in clips))
        values = values_for(ruling, subject, sheet, with_expected=expected)
        system, before, after = text.around_the_call(values)
        parts = [
            part
            for entry, one in zip(sheet.entries, clips, strict=True)
            for part in _parts(entry, one.sound(subject))
        ]
        return await one.scores(system, [_text(before), *parts, _text(after)], sheet)

    return scorer(name=manner.name, version=VERSION, params=manner.params, timeout_seconds=TIMEOUT_SECONDS)(
        judged
    )


class _Clip(NamedTuple):
    """Of a line; its sound is read when it is known that all of them are not too long."""

    entry: Entry
    span_id: str
    name: Clip
    ms: float

    def sound(self, subject: Subject) -> Sound:
        assert subject.session is not None
        return subject.session.clip(self.span_id, self.name)


def _clips(subject: Subject, of: Of) -> list[_Clip]:
    """What was said with its sound, of a turn only what is in it."""
    session = subject.session
    assert session is not None
    found = []
    for entry in sheet_of(subject, with_tools=False, with_instructions=False).entries:
        line = entry.line
        if line is None or "earlier" in entry.body or of not in (line.role, "both"):
            continue
        name: Clip = "user" if line.role == "user" else "heard"
        ms = session.clip_ms(line.span_id, name)
        if ms >= _SHORTEST_MS:
            found.append(_Clip(entry, line.span_id, name, ms))
    return found


def _without_words(entry: Entry) -> Entry:
    return replace(entry, body={key: value for key, value in entry.body.items() if key not in _WORDS})


def _parts(entry: Entry, sound: Sound) -> list[Json]:
    wav = base64.b64encode(_wav(sound)).decode()
    return [_text(entry.text), {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}}]


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _wav(sound: Sound) -> bytes:
    samples = np.nan_to_num(sound.samples)
    if sound.rate > _RATE:
        samples = np.asarray(soxr.resample(samples, sound.rate, _RATE), np.float32)
    pcm = to_bytes(np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16))
    return wav_header(min(sound.rate, _RATE), 1, len(pcm)) + pcm
