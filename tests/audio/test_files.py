"""Sound files become tracks as far as they can be read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from voxgate.audio.files import LONGEST_SECONDS, RATE, decode_file

SECONDS = 2


def tone(rate: int, channels: int = 1) -> Any:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate * SECONDS) / rate)
    return np.repeat(wave[:, None], channels, axis=1)


def written(rate: int, channels: int = 1, **how: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(rate, channels), rate, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("rate", "channels", "how"),
    [
        (24_000, 1, {"format": "WAV", "subtype": "PCM_16"}),
        (44_100, 2, {"format": "MP3"}),
        (48_000, 1, {"format": "OGG", "subtype": "OPUS"}),
        (16_000, 1, {"format": "FLAC"}),
        (8_000, 1, {"format": "WAV", "subtype": "ULAW"}),
    ],
)
def test_a_file_is_read_whatever_its_format(rate: int, channels: int, how: dict[str, str]) -> None:
    pcm = decode_file(written(rate, channels, **how), "mp3")
    assert pcm is not None
    samples = np.frombuffer(pcm, "<i2") / 32767
    assert len(samples) / RATE == pytest.approx(SECONDS, abs=0.15)
    middle = samples[RATE // 2 : RATE]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(220, abs=2)


def test_pcm_is_taken_as_it_is() -> None:
    assert decode_file(b"\x01\x00\x02\x00", "pcm") == b"\x01\x00\x02\x00"
    assert decode_file(b"\x01\x00\x02\x00\x03", "pcm16") == b"\x01\x00\x02\x00"
    wav = written(24_000, format="WAV", subtype="PCM_16")
    assert decode_file(wav, "pcm") == decode_file(wav, "wav")


@pytest.mark.parametrize("data", [b"", b"ID3", b"not a sound", b"RIFF\xff\xff\xff\xffWAVE", bytes(2000)])
def test_what_is_no_sound_is_none(data: bytes) -> None:
    assert not decode_file(data, "mp3")


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    mp3 = written(24_000, format="MP3")
    pcm = decode_file(mp3[: len(mp3) // 2], "mp3")
    assert pcm is not None
    assert 0.5 < len(pcm) / 2 / RATE < 1.5


def test_a_small_file_with_hours_of_silence_is_read_for_some_minutes() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(RATE * (LONGEST_SECONDS + 60), "int16"), RATE, format="FLAC")
    pcm = decode_file(file.getvalue(), "flac")
    assert pcm is not None
    assert len(pcm) == LONGEST_SECONDS * RATE * 2
