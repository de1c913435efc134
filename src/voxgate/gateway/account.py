"""One credential's budget in this worker: what all its calls have used as far as is known here, and whether
that is all it may. Shared by the credential's calls; `Spending` exchanges it with the other workers.

    known      as the database had it a moment ago, from all workers
    on its way what is being written there
    fresh      what was used here since
"""

from __future__ import annotations

from voxgate.auth.credentials import Grant
from voxgate.core.errors import BudgetSpent
from voxgate.store import Spent


class Account:
    def __init__(self, grant: Grant, known: Spent) -> None:
        self.credential_id = grant.id
        self.known = known
        self.calls = 0
        """That run in this worker, or are being opened."""
        self.max_cost_usd = grant.max_cost_usd
        self.max_tokens = grant.max_tokens
        self._max_audio_seconds = grant.max_audio_seconds
        self._on_its_way = Spent()
        self._tokens = self._audio_ms = self._nano_usd = 0.0
        self._unpriced = 0

    def add(self, *, tokens: float = 0, audio_ms: float = 0, nano_usd: float = 0, unpriced: int = 0) -> None:
        self._tokens += tokens
        self._audio_ms += audio_ms
        self._nano_usd += nano_usd
        self._unpriced += unpriced

    def take_sound(self, audio_ms: float, tokens: float = 0, nano_usd: float = 0) -> bool:
        """Counts it if there is sound left behind it; else counts nothing."""
        most = self._max_audio_seconds
        if most is not None and self.audio_seconds + audio_ms / 1e3 >= most:
            return False
        self._audio_ms += audio_ms
        self._tokens += tokens
        self._nano_usd += nano_usd
        return True

    @property
    def tokens(self) -> float:
        return self.known.tokens + self._on_its_way.tokens + self._tokens

    @property
    def audio_seconds(self) -> float:
        return (self.known.audio_ms + self._on_its_way.audio_ms + self._audio_ms) / 1e3

    @property
    def cost_usd(self) -> float:
        return (self.known.nano_usd + self._on_its_way.nano_usd + self._nano_usd) / 1e9

    def spent(self) -> BudgetSpent | None:
        """Why there may be no further response."""
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            return _spent("max_tokens", f"{self.max_tokens:,} tokens")
        if self.max_cost_usd is not None and self.cost_usd >= self.max_cost_usd:
            return _spent("max_cost_usd", f"${self.max_cost_usd:,.10g}")
        return self.sound_spent()

    @property
    def held(self) -> tuple[int, int]:
        """Tokens and billionths of a dollar that requests may still use, here or elsewhere."""
        return self.known.held_tokens, self.known.held_nano_usd

    def sound_spent(self) -> BudgetSpent | None:
        """Why there may be no more sound: asked for every message that carries some."""
        most = self._max_audio_seconds
        if most is None or self.audio_seconds < most:
            return None
        return _spent("max_audio_seconds", f"{most:,.10g} seconds of sound")

    # On the way to the database

    def send(self) -> Spent:
        """What is to be written now, in whole numbers; the rest waits."""
        sent = Spent(0, int(self._tokens), int(self._audio_ms), int(self._nano_usd), self._unpriced)
        self._take_off(sent)
        self._on_its_way = sent
        return sent

    def arrived(self, known: Spent) -> None:
        self.known, self._on_its_way = known, Spent()

    def came_back(self) -> None:
        """It could not be written."""
        back, self._on_its_way = self._on_its_way, Spent()
        self.add(tokens=back.tokens, audio_ms=back.audio_ms, nano_usd=back.nano_usd, unpriced=back.unpriced)

    def _take_off(self, sent: Spent) -> None:
        self.add(
            tokens=-sent.tokens, audio_ms=-sent.audio_ms, nano_usd=-sent.nano_usd, unpriced=-sent.unpriced
        )

    @property
    def is_settled(self) -> bool:
        """Whether nothing whole is left to write."""
        rest = max(abs(self._tokens), abs(self._audio_ms), abs(self._nano_usd), self._unpriced)
        return rest < 1 and self._on_its_way == Spent()


def _spent(scope: str, budget: str) -> BudgetSpent:
    return BudgetSpent(f"This temporary credential has spent its budget of {budget}.", param=scope)
