"""What is measured: the loads, which peers take part, and with how many calls where one cannot carry all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

SIZES: Final = (1024, 4096, 16_384, 65_536)
VOICE, CROWD, TLS, RULES, WORKERS, IDLE = "voice", "voice 1500", "voice TLS", "rules", "workers", "idle"
TWO_WORKERS: Final = "voxgate, 2 workers"
WITH_RULES: Final = "voxgate, with rules"
FOR_BETA: Final = "voxgate, for beta clients"
VARIANTS: Final = (TWO_WORKERS, WITH_RULES, FOR_BETA)
"""Of voxgate: started or called in another way than usual."""
_VOICE_BYTES: Final = 160_000
"""A second of a call, with what the frames and the log's records add."""
_SATURATED_BYTES: Final = 800_000_000
_BUFFERED_BYTES: Final = 300_000_000
"""What waits in memory at most."""
REWRITING: Final = ("litellm",)
"""They write the JSON anew in a form of their own, which only the load in Python compares."""
_ALL: Final = ("nginx", "haproxy", "node-ws", "litellm", "voxgate")
_FAST: Final = ("direct", "nginx", "haproxy", "voxgate")


@dataclass(frozen=True)
class Scenario:
    """`orders` are the load's. `fewer_calls` is for peers that fall behind at the number of all."""

    orders: dict[str, Any]
    peers: tuple[str, ...]
    fewer_calls: dict[str, int] = field(default_factory=dict)
    tls: bool = False
    start: str | None = None
    """Loads of the same name here are carried one after the other by a relay that is started once."""
    catch_up: bool = False
    """Whether to wait, after the load, until those beside the relay have done what it left them."""

    def calls(self, peer: str) -> int:
        calls: int = self.orders["calls"]
        return min(calls, self.fewer_calls.get(peer, calls))

    def touches(self, peer: str) -> int:
        """Bytes of memory that files and buffers of what is recorded take, generously."""
        a_second = self.calls(peer) * _VOICE_BYTES if self.orders["kind"] == "voice" else _SATURATED_BYTES
        return _BUFFERED_BYTES + int(self.orders["seconds"] * a_second)


def scenarios(*, quick: bool) -> dict[str, Scenario]:
    def voice(calls: int, seconds: float, peers: tuple[str, ...], **options: Any) -> Scenario:
        """The load has real-time priority over the writer and the recorder on its core."""
        if quick:
            calls, seconds = calls // 10, min(seconds, 3.0)
        return Scenario(
            {"kind": "voice", "calls": calls, "seconds": seconds, "first": True}, peers, **options
        )

    found = {f"{size // 1024} KB": _saturated(size, 1.5 if quick else 2.5) for size in SIZES}
    found[VOICE] = voice(500, 8.0, ("direct", *_ALL), fewer_calls={"litellm": 150}, catch_up=True)
    found[CROWD] = voice(1500, 8.0, _FAST)
    found[TLS] = voice(400, 6.0, _FAST, tls=True)
    found[RULES] = voice(500, 8.0, ("voxgate", WITH_RULES, FOR_BETA))
    found[WORKERS] = voice(600, 6.0, ("voxgate", TWO_WORKERS), fewer_calls={"voxgate": 300})
    found[IDLE] = voice(2000, 0.0, _ALL, fewer_calls={"litellm": 300})
    return found


def _saturated(size: int, seconds: float) -> Scenario:
    orders = {"kind": "saturate", "calls": 8, "burst": 1, "seconds": seconds, "first": False}
    return Scenario({**orders, "up_bytes": size, "down_bytes": size}, _ALL, start="saturated")
