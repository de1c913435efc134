"""What a run is told, and what follows from its seed: for each call how long it lives, what it carries and
which fault meets it. All processes of the soak work it out by themselves and come to the same.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from typing import Final, Literal

Codec = Literal["pcm", "pcmu"]
Fault = Literal[
    "client reset",
    "client vanished",
    "client stalled",
    "provider reset",
    "provider vanished",
    "provider stalled",
]
FAULTS: Final[tuple[Fault, ...]] = (
    "client reset",
    "client vanished",
    "client stalled",
    "provider reset",
    "provider vanished",
    "provider stalled",
)
STEADY, SHAKY = "soak-steady", "soak-shaky"
"""The models. The provider of the second is killed again and again; the first one's takes its calls over."""

SHORTEST_STALL_SECONDS: Final = 5.0
BEFORE_FAULT_SECONDS: Final = 2.0
"""What was sent earlier than this before a fault has to arrive in spite of it."""
_QUIET_SECONDS: Final = 4.0
_AFTER_STALL_SECONDS: Final = 25.0
_HURRY: Final = 4


@dataclass(frozen=True, slots=True)
class Orders:
    seed: int
    calls: int
    seconds: float
    shortest_call_seconds: float
    longest_call_seconds: float
    longest_stall_seconds: float
    fault_share: float
    shaky_share: float
    pcm_share: float
    ledger: str
    steady_port: int
    shaky_port: int
    gateway_port: int = 0
    key: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Orders:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Times are seconds after the call was opened."""

    number: int
    codec: Codec
    model: str
    life_seconds: float
    fault: Fault | None
    fault_at_seconds: float
    stall_seconds: float

    @property
    def stalls(self) -> bool:
        return self.stall_seconds > 0

    def hurry(self, seconds: float, other_side: str) -> int:
        """How many times as fast one side speaks while the other one is stalled: the kernel takes megabytes
        for a peer that does not read, and at the pace of speech nobody would feel the stall for a minute."""
        stalled = self.fault == f"{other_side} stalled"
        inside = self.fault_at_seconds < seconds < self.fault_at_seconds + self.stall_seconds
        return _HURRY if stalled and inside else 1


def plan_call(orders: Orders, number: int) -> CallPlan:
    chance = random.Random(f"{orders.seed}/{number}")
    life = chance.uniform(orders.shortest_call_seconds, orders.longest_call_seconds)
    codec: Codec = "pcm" if chance.random() < orders.pcm_share else "pcmu"
    model = SHAKY if chance.random() < orders.shaky_share else STEADY
    fault = chance.choice(FAULTS) if chance.random() < orders.fault_share else None
    at, stall = chance.uniform(_QUIET_SECONDS, life - _QUIET_SECONDS), 0.0
    if fault in ("client stalled", "provider stalled"):
        stall = chance.uniform(SHORTEST_STALL_SECONDS, orders.longest_stall_seconds)
        at = chance.uniform(_QUIET_SECONDS, life / 2)
        life = max(life, at + stall + _AFTER_STALL_SECONDS)
        codec = "pcm"  # or the stall is not felt
    return CallPlan(number, codec, model, life, fault, at, stall)
