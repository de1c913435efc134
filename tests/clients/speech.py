"""Speech for the tests: the voice that the extra voxgate[local] brings. Needs that extra when it is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxgate.providers.local.voices import load_hibari, to_int16

QUESTION = "What is the weather in Paris?"


class Speaker:
    """Says something: 24 kHz samples."""

    def __init__(self) -> None:
        self._engine = load_hibari(0)

    def __call__(self, text: str) -> NDArray[np.int16]:
        return to_int16(self._engine(text, 1.0))

    def pcm(self, text: str) -> bytes:
        return self(text).astype("<i2").tobytes()
