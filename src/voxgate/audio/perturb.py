"""Worse sound from good sound, for replays: noise, a telephone line, lost packets, another level. Samples of
full scale 1 in, as many out; the same seed gives the same sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Final, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from voxgate.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from voxgate.audio.levels import mean_square
from voxgate.audio.voice import DIGITAL_SILENCE_DB, Voice
from voxgate.core.errors import InvalidRequest

Wave = NDArray[np.float32]
"""Mono, of full scale 1."""
Json = dict[str, Any]

PACKET_MS: Final = 20
"""Of RTP with G.711 and Opus as they are usually set."""
_TELEPHONE_RATE: Final = 8_000
_FULL_SCALE: Final = 32768.0
_MOST_DB: Final = 120.0
_NO_POWER: Final = 1e-30

# The spectrum of speech at normal effort: level per hertz in dB at the middle of each third of an octave
# (ANSI S3.5-1997, table 3).
_SPEECH_HZ: Final = (
    *(160, 200, 250, 315, 400, 500, 630, 800, 1000),
    *(1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000),
)
_SPEECH_DB: Final = (
    *(32.41, 34.48, 34.75, 33.98, 34.59, 34.27, 32.06, 28.30, 25.01),
    *(23.00, 20.15, 17.32, 13.18, 11.55, 9.33, 5.31, 2.59, 1.13),
)


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One way to make sound worse. `seed` is None for those that draw nothing."""

    kind: ClassVar[str]

    def describe(self) -> Json:
        """All that decides what comes out; `perturbations` reads it again."""
        return {"kind": self.kind, **asdict(self)}

    def apply(self, wave: Wave, rate: int) -> Wave:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Noise(Perturbation):
    """Steady noise, `snr_db` below the level of the voice, by `voice_mean_square`. Silence stays as it is,
    since it has no level to be below of."""

    kind: ClassVar[str] = "noise"
    snr_db: float
    colour: Literal["white", "speech"] = "speech"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, "snr_db", self.snr_db, -_MOST_DB, _MOST_DB)
        _check_choice(self, "colour", self.colour, ("white", "speech"))

    def apply(self, wave: Wave, rate: int) -> Wave:
        level = voice_mean_square(wave, rate)
        if level <= 0:
            return wave
        noise = np.random.default_rng(self.seed).standard_normal(len(wave))
        if self.colour == "speech":
            noise = _shaped(noise, rate)
        wanted = level / 10 ** (self.snr_db / 10)
        return _clipped(wave + noise * np.sqrt(wanted / max(mean_square(noise), _NO_POWER)))


@dataclass(frozen=True, slots=True)
class Telephone(Perturbation):
    """To 8 kHz and G.711 and back, as over a telephone line."""

    kind: ClassVar[str] = "g711"
    law: Literal["ulaw", "alaw"] = "ulaw"

    def __post_init__(self) -> None:
        _check_choice(self, "law", self.law, ("ulaw", "alaw"))

    def apply(self, wave: Wave, rate: int) -> Wave:
        narrow = _resampled(wave, rate, _TELEPHONE_RATE)
        pcm = np.clip(np.rint(narrow * _FULL_SCALE), -32768, 32767).astype(np.int16)
        coded = decode_ulaw(encode_ulaw(pcm)) if self.law == "ulaw" else decode_alaw(encode_alaw(pcm))
        back = _resampled(coded.astype(np.float32) / np.float32(_FULL_SCALE), _TELEPHONE_RATE, rate)
        whole = np.zeros(len(wave), np.float32)
        whole[: len(back)] = back[: len(wave)]
        return _clipped(whole)


@dataclass(frozen=True, slots=True)
class PacketLoss(Perturbation):
    """Packets of 20 ms are lost, each by itself with the probability `share`: silence is in their place, or
    the packet before once more."""

    kind: ClassVar[str] = "packet_loss"
    share: float
    fill: Literal["zero", "repeat"] = "zero"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, "share", self.share, 0.0, 1.0)
        _check_choice(self, "fill", self.fill, ("zero", "repeat"))

    def apply(self, wave: Wave, rate: int) -> Wave:
        size = max(rate * PACKET_MS // 1000, 1)
        packets = np.pad(wave, (0, -len(wave) % size)).reshape(-1, size)
        arrived = np.random.default_rng(self.seed).random(len(packets)) >= self.share
        if self.fill == "repeat":
            last = np.maximum.accumulate(np.where(arrived, np.arange(len(packets)), -1))
            repeated = np.where(last[:, None] >= 0, packets[last], np.float32(0))
        else:
            repeated = np.where(arrived[:, None], packets, np.float32(0))
        return repeated.reshape(-1)[: len(wave)].astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Gain(Perturbation):
    """Louder or softer. What is then over full scale is clipped, as a microphone too near does; with
    `clip_safe` the gain ends where that would begin."""

    kind: ClassVar[str] = "gain"
    db: float
    clip_safe: bool = False

    def __post_init__(self) -> None:
        _check(self, "db", self.db, -_MOST_DB, _MOST_DB)

    def apply(self, wave: Wave, rate: int) -> Wave:
        factor = 10 ** (self.db / 20)
        peak = float(np.abs(wave).max(initial=0.0))
        if self.clip_safe and peak * factor > 1:
            factor = 1 / peak
        return _clipped(wave * factor)


KINDS: Final[Mapping[str, type[Perturbation]]] = {
    one.kind: one for one in (Noise, Telephone, PacketLoss, Gain)
}
_SHORT: Final = {"noise": "snr_db", "g711": "law", "packet_loss": "share", "gain": "db"}
"""What a plain value instead of fields means: `{"noise": 10}`."""


def perturb(wave: Wave, rate: int, spec: Mapping[str, Any], seed: int = 0) -> Wave:
    """`spec` as `perturbations` reads it."""
    worse = np.nan_to_num(np.asarray(wave, np.float32), posinf=1.0, neginf=-1.0)
    for one in perturbations(spec, seed):
        worse = one.apply(worse, rate)
    return worse


def perturbations(spec: Mapping[str, Any], seed: int = 0) -> list[Perturbation]:
    """By kind, in the order in which they are applied: `{"gain": -6, "noise": {"snr_db": 10}, "g711":
    "ulaw", "packet_loss": {"share": 0.05, "fill": "repeat"}}`. `seed` is of those that name none of their
    own. InvalidRequest for what is none."""
    return [_made(kind, value, seed) for kind, value in spec.items()]


def _made(kind: str, value: Any, seed: int) -> Perturbation:
    made = KINDS.get(kind)
    if made is None:
        raise InvalidRequest(
            f"There is no perturbation {kind!r}; there are {', '.join(KINDS)}.", param=f"perturb.{kind}"
        )
    given = dict(value) if isinstance(value, Mapping) else {_SHORT[kind]: value}
    given.pop("kind", None)
    known = {one.name for one in fields(made)}
    if "seed" in known:
        given.setdefault("seed", seed)
    if wrong := given.keys() - known:
        raise InvalidRequest(
            f"{kind} has no {', '.join(sorted(wrong))}; it has {', '.join(sorted(known))}.",
            param=f"perturb.{kind}",
        )
    try:
        return made(**given)
    except TypeError as error:
        raise InvalidRequest(f"{kind}: {error}", param=f"perturb.{kind}") from error


def voice_mean_square(wave: Wave, rate: int) -> float:
    """The level of the voiced frames; where no voice is found, of those that are not digital silence."""
    voice = Voice.of(wave, rate)
    if voice.mean_square is not None:
        return voice.mean_square
    sounding = voice.mean_squares[voice.levels_db > DIGITAL_SILENCE_DB]
    return float(sounding.mean(dtype=np.float64)) if len(sounding) else mean_square(wave)


def _shaped(noise: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """White noise with the spectrum of speech; below and above the table it falls by 12 dB an octave."""
    spectrum = np.fft.rfft(noise)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(noise), 1 / rate), 1.0))
    known = np.log2(_SPEECH_HZ)
    db = np.interp(octaves, known, _SPEECH_DB)
    db -= 12 * (np.maximum(known[0] - octaves, 0) + np.maximum(octaves - known[-1], 0))
    shaped: NDArray[np.float64] = np.fft.irfft(spectrum * 10 ** (db / 20), len(noise))
    return shaped


def _resampled(wave: Wave, source_rate: int, rate: int) -> Wave:
    if source_rate == rate or not len(wave):
        return wave
    return np.asarray(soxr.resample(wave, source_rate, rate), np.float32)


def _clipped(wave: NDArray[np.floating[Any]]) -> Wave:
    clipped: Wave = np.clip(wave, -1.0, 1.0).astype(np.float32)
    return clipped


def _check(one: Perturbation, name: str, value: float, least: float, most: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise InvalidRequest(
            f"{one.kind}.{name} must be a number from {least:g} to {most:g}, not {value!r}.",
            param=f"perturb.{one.kind}.{name}",
        )


def _check_choice(one: Perturbation, name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidRequest(
            f"{one.kind}.{name} must be one of {', '.join(choices)}, not {value!r}.",
            param=f"perturb.{one.kind}.{name}",
        )
