"""What a replay is asked to do, checked once, and as it goes into the experiment's record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from voxgate.core.errors import InvalidRequest
from voxgate.evals.mocks import Mock
from voxgate.evals.model import Json

Mode = Literal["turn", "session", "timing", "simulate"]
ToolSource = Literal["recorded", "mock", "live"]
Miss = Literal["error", "nearest", "live"]
Pace = Literal["fast", "real"]
History = Literal["text", "audio"]
LiveTool = Callable[..., Any | Awaitable[Any]]
"""Called with the arguments by name; what it returns is the result, what it raises the error."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Plan:
    model: str | None = None
    """None: as in the recording or the scenario."""
    mode: Mode = "turn"
    instructions: str | None = None
    voice: str | None = None
    turn_detection: Json | Literal["recorded", "off"] | None = None
    """None: off in mode `turn`, as recorded in the others."""
    session: Json = field(default_factory=dict)
    """More fields of the session, in the shape of a GA `session.update`."""
    tools: ToolSource = "recorded"
    miss: Miss = "error"
    mocks: tuple[Mock, ...] = ()
    live: Mapping[str, LiveTool] = field(default_factory=dict)
    live_url: str | None = None
    perturb: tuple[Json, ...] = ()
    pace: Pace = "fast"
    history: History = "text"
    simulator_model: str | None = None
    timeout_seconds: float = 120.0
    """For one turn; for the trace of the whole call as long again, and five minutes at least."""
    project: str | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("mode", self.mode, MODES),
            ("tools", self.tools, get_args(ToolSource)),
            ("miss", self.miss, get_args(Miss)),
            ("pace", self.pace, get_args(Pace)),
            ("history", self.history, get_args(History)),
        ):
            if value not in choices:
                raise InvalidRequest(
                    f"replay: {name} must be one of {', '.join(choices)}, not {value!r}.", param=name
                )
        if isinstance(self.turn_detection, str) and self.turn_detection not in ("recorded", "off"):
            raise InvalidRequest(
                "replay: turn_detection must be 'recorded', 'off' or the object of a session, not "
                f"{self.turn_detection!r}.",
                param="turn_detection",
            )
        if self.timeout_seconds <= 0:
            raise InvalidRequest("replay: timeout must be more than 0 seconds.", param="timeout")
        if "live" in (self.tools, self.miss) and not (self.live or self.live_url):
            raise InvalidRequest(
                "replay: live tools need functions (live={'name': function}) or an endpoint (live_url=…).",
                param="live",
            )

    @property
    def detects_turns(self) -> bool:
        """Whether the provider is to say where turns end, if it did so in the recording."""
        if self.turn_detection is None:
            return self.mode in ("session", "timing")
        return self.turn_detection != "off"

    def describe(self) -> Json:
        names = ("model", "mode", "instructions", "voice", "turn_detection", "session", "tools", "miss")
        more = ("live_url", "pace", "history", "simulator_model", "timeout_seconds")
        return {
            **{name: getattr(self, name) for name in names + more},
            "mocks": [one.to_json() for one in self.mocks],
            "live": {name: _named(one) for name, one in self.live.items()},
            "perturb": list(self.perturb),
        }


def _named(function: LiveTool) -> str:
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    return f"{module}.{name}".strip(".") or type(function).__name__
