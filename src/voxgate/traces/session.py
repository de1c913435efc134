"""What a session's events say about the session itself: the gateway's facts, the configuration in force,
errors and other moments worth a mark on the time line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from voxgate.traces.events import Event, Json, name_of, number, obj, objects, string
from voxgate.traces.parents import ignored

_MOST_EVENTS: Final = 1000
# RFC 6455 section 7.4 and what providers add: codes that end a call without anything being wrong.
# 4001 is ours: an operator ended the call.
_CALM_CLOSES: Final = frozenset({1000, 1001, 1005, 4001})
_INSTRUCTIONS_SHOWN: Final = 20_000


def content_hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


@dataclass(slots=True)
class SessionState:
    id: str = ""
    opened: Json = field(default_factory=dict)
    dialled: Json = field(default_factory=dict)
    prices: Json = field(default_factory=dict)
    """Those of the day of the call."""
    close: Json | None = None
    """Set by `gateway.closed`: the session is over."""
    relayed: Json | None = None
    """The bytes that each side sent, frames and all; None where nobody counted them."""
    config: Json = field(default_factory=dict)
    """The effective session as the provider last told it."""
    config_hash: str | None = None
    configured_ns: int | None = None
    provider_session_id: str | None = None
    model: str | None = None
    errors: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    dropped_events: int = 0
    lost: Json | None = None
    """What the recording lacks, of both sides together."""
    refused: Json | None = None
    """The last error event that came from the gateway itself."""
    last_ns: int = 0
    first_ns: int | None = None
    messages: int = 0
    _close_frames: dict[str, Json] = field(default_factory=dict)

    def see(self, event: Event) -> None:
        t_ns = event.t_ns
        if self.first_ns is None or t_ns < self.first_ns:
            self.first_ns = t_ns
        if t_ns > self.last_ns:
            self.last_ns = t_ns
        self.messages += event.dir != "gateway"
        if event.close is not None:
            self._close_frames.setdefault(event.dir, event.close)

    def mark(self, event: Event, kind: str, level: str, **details: object) -> None:
        """Put a moment on the session's time line."""
        if len(self.events) >= _MOST_EVENTS:
            self.dropped_events += 1
            return
        self.events.append({"t_ms": round(event.t_ms, 3), "type": kind, "level": level, **details})

    def error(self, event: Event, kind: str, error: Json, **details: object) -> Json:
        """Remember an error that the client or the user could notice."""
        shown: Json = {key: error.get(key) for key in ("type", "code", "message", "param") if key in error}
        if len(self.errors) < _MOST_EVENTS:
            self.errors.append({"t_ms": round(event.t_ms, 3), "source": kind, **shown, **details})
        self.mark(event, kind, "error", error=shown, **details)
        return shown

    # Facts of the gateway

    def on_opened(self, event: Event, msg: Json) -> None:
        if not self.opened:
            self.opened = msg
            self.id = self.id or string(msg, "session_id") or ""
            for header in ignored(obj(msg, "request")):
                self.mark(event, "gateway.not_joined", "warning", header=header)

    def on_dialled(self, event: Event, msg: Json) -> None:
        self.dialled = msg
        self.mark(event, "gateway.dialled", "info", provider=msg.get("provider"), ms=msg.get("ms"))

    def on_prices(self, event: Event, msg: Json) -> None:
        self.prices = msg

    def on_dial_failed(self, event: Event, msg: Json) -> None:
        error = {"type": "upstream_error", "message": string(msg, "message")}
        resting = bool(msg.get("resting"))
        self.error(event, "gateway.dial_failed", error, provider=msg.get("provider"), resting=resting)

    def on_gateway_error(self, event: Event, msg: Json) -> None:
        self.refused = self.error(event, "gateway.error", obj(msg, "error"))

    def on_lost(self, event: Event, msg: Json) -> None:
        gap = {key: int(number(msg, key) or 0) for key in ("records", "bytes")}
        self.lost = {key: size + (self.lost or {}).get(key, 0) for key, size in gap.items()}
        self.mark(event, "gateway.lost", "error", side=string(msg, "side"), **gap)

    def on_closed(self, event: Event, msg: Json) -> None:
        self.close = {key: msg.get(key) for key in ("code", "reason", "side")}
        counted = {key: number(obj(msg, "bytes"), key) for key in ("in", "out")}
        self.relayed = counted if None not in counted.values() else None

    def on_other_fact(self, event: Event, msg: Json) -> None:
        """Policies and what else the gateway did: shown as it is, except for what could be long."""
        facts = {k: v for k, v in msg.items() if k not in ("type", "t_ms", "level") and len(str(v)) < 1000}
        self.mark(event, event.type or "gateway", "info", facts=facts)

    # What the provider says

    def on_config(self, event: Event, msg: Json) -> None:
        session = obj(msg, "session")
        self.provider_session_id = name_of(session, "id") or self.provider_session_id
        self.model = name_of(session, "model") or self.model
        effective = {
            k: v for k, v in session.items() if k not in ("id", "object", "expires_at", "client_secret")
        }
        config_hash = content_hash(effective)
        if event.type == "session.updated" and self.configured_ns is None:
            self.configured_ns = event.t_ns
        if config_hash != self.config_hash:
            changed = sorted(k for k in {*effective, *self.config} if effective.get(k) != self.config.get(k))
            self.mark(event, "config", "info", hash=config_hash, changed=changed)
            self.config, self.config_hash = effective, config_hash

    def on_rate_limits(self, event: Event, msg: Json) -> None:
        self.mark(event, "rate_limits", "info", limits=objects(msg, "rate_limits")[:20])

    def on_tool_list(self, event: Event, msg: Json) -> None:
        level = "error" if event.type.endswith("failed") else "info"
        self.mark(event, event.type, level, item_id=string(msg, "item_id"))

    def on_dtmf(self, event: Event, msg: Json) -> None:
        self.mark(event, "dtmf", "info", key=string(msg, "event"))

    # What follows from them

    @property
    def untimed(self) -> bool:
        """Whether its times were made up, for an imported log that has none."""
        return obj(self.opened, "imported").get("times") == "made up"

    @property
    def recorded(self) -> Json:
        """Whether the call's sound and its words are in the log at all."""
        said = obj(self.opened, "recorded")
        return {name: said.get(name) is not False for name in ("audio", "text")}

    @property
    def retention_days(self) -> float | None:
        """Counted from the start of the call; None: as the settings say."""
        return number(self.opened, "retention_days")

    @property
    def audio_retention_days(self) -> float | None:
        """The same of the sound alone."""
        return number(self.opened, "audio_retention_days")

    @property
    def turn_detection(self) -> Json:
        ga = obj(self.config, "audio", "input").get("turn_detection")
        return obj(ga) or obj(self.config, "turn_detection")

    @property
    def instructions_hash(self) -> str | None:
        """Equal where the instructions are; None without any."""
        instructions = string(self.config, "instructions")
        return content_hash(instructions) if instructions else None

    @property
    def tools_hash(self) -> str | None:
        tools = objects(self.config, "tools")
        return content_hash(tools) if tools else None

    @property
    def transcription_model(self) -> str | None:
        ga = obj(self.config, "audio", "input", "transcription")
        return string(ga or obj(self.config, "input_audio_transcription"), "model")

    @property
    def silence_ms(self) -> float | None:
        """How much silence server VAD waits for: it is inside the provider's `audio_end_ms`."""
        vad = self.turn_detection
        return number(vad, "silence_duration_ms") if string(vad, "type") == "server_vad" else None

    @property
    def prefix_ms(self) -> float | None:
        """How much of what came before the speech is inside the provider's `audio_start_ms`."""
        vad = self.turn_detection
        return number(vad, "prefix_padding_ms") if string(vad, "type") == "server_vad" else None

    def failure(self) -> Json | None:
        """Why the call failed, if it did: refused by the gateway, or ended by the other side in an error."""
        close = self.close or {}
        code = number(close, "code")
        side = string(close, "side")
        if side in ("provider", "gateway") and code is not None and code not in _CALM_CLOSES:
            if side == "gateway" and self.refused is not None:
                return self.refused
            return {"type": "closed", "code": int(code), "message": string(close, "reason") or ""}
        if self.errors and self.errors[-1]["source"] == "gateway.dial_failed" and not self.dialled:
            return self.errors[-1]
        return None

    def shown_config(self) -> Json:
        """The configuration for people: long instructions are cut, the hash stands for the whole."""
        shown = dict(self.config)
        instructions = string(shown, "instructions")
        if instructions is not None:
            shown["instructions"] = instructions[:_INSTRUCTIONS_SHOWN]
        return shown
