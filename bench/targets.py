"""What the relay is meant to reach, and which figure of a run tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.figures import Figure, Load, capacity
from bench.scenarios import CROWD, FOR_BETA, IDLE, RULES, TLS, TWO_WORKERS, VOICE, WITH_RULES, WORKERS

_OURS: Final = "voxgate"


@dataclass(frozen=True)
class Target:
    """At most `limit` of a figure of a load, or at least that."""

    name: str
    load: str
    figure: Callable[[Load], Figure | None]
    limit: float
    at_most: bool = True
    digits: int = 2
    unit: str = ""

    def row(self, loads: dict[str, Load]) -> list[str]:
        """Name, what was measured, what was aimed at, whether it was met."""
        found = self.figure(loads[self.load]) if self.load in loads else None
        aim = f"{'≤' if self.at_most else '≥'} {self.limit:g}{self.unit}"
        if found is None:
            return [self.name, "not measured", aim, ""]
        met = found.middle <= self.limit if self.at_most else found.middle >= self.limit
        return [self.name, found.text(self.digits) + self.unit, aim, "yes" if met else "**no**"]


TARGETS: Final = [
    Target(
        "CPU a message, 500 calls: of nginx's", VOICE, lambda it: it.ratio(_OURS, "nginx", "cpu_us"), 1.25
    ),
    Target(
        "CPU a message, 500 calls: node-ws' of ours",
        VOICE,
        lambda it: it.ratio("node-ws", _OURS, "cpu_us"),
        3.5,
        at_most=False,
    ),
    Target(
        "CPU a message: LiteLLM's of ours",
        VOICE,
        lambda it: it.ratio("litellm", _OURS, "cpu_us"),
        5,
        at_most=False,
    ),
    Target(
        "p50 added latency, 500 calls: of nginx's",
        VOICE,
        lambda it: it.ratio_of_added(_OURS, "nginx", "latency_p50_ms"),
        1.3,
    ),
    Target(
        "p99 added latency, 500 calls: of nginx's",
        VOICE,
        lambda it: it.ratio_of_added(_OURS, "nginx", "latency_p99_ms"),
        2,
    ),
    Target(
        "p99 added latency, 1,500 calls on one core",
        CROWD,
        lambda it: it.added(_OURS, "latency_p99_ms"),
        10,
        unit=" ms",
    ),
    Target(
        "memory of an idle call", IDLE, lambda it: it.figure(_OURS, "kb_per_call"), 12, digits=1, unit=" KB"
    ),
    Target(
        "CPU a message, TLS on both sides: of nginx's",
        TLS,
        lambda it: it.ratio(_OURS, "nginx", "cpu_us"),
        1.5,
    ),
    Target(
        "CPU a message, credential with rules: of one without",
        RULES,
        lambda it: it.ratio(WITH_RULES, _OURS, "cpu_us"),
        2,
    ),
    Target(
        "CPU a message, clients of the beta: of those of today",
        RULES,
        lambda it: it.ratio(FOR_BETA, _OURS, "cpu_us"),
        2,
    ),
    Target(
        "calls that two workers carry: of one's",
        WORKERS,
        lambda it: it.compare(TWO_WORKERS, _OURS, capacity),
        1.8,
        at_most=False,
    ),
]
