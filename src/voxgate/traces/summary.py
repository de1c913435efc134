"""What of a trace is no span: the fields that lists of sessions show, and everything else that is known of
the call.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from voxgate.traces.assembly import Assembly
from voxgate.traces.conversation import Conversation
from voxgate.traces.events import Json, name_of, obj, string
from voxgate.traces.metrics import Measured
from voxgate.traces.model import Span, round_ms
from voxgate.traces.parents import parent_of, trace_context_of
from voxgate.traces.session import SessionState
from voxgate.traces.spans import joined
from voxgate.traces.tracks import Track, TrackLayout

_TITLE_LENGTH = 80
_DAY_MS = 86_400_000.0


def summary_of(one: Assembly, spans: list[Span], interruptions: int) -> Json:
    session, opened = one.session, one.session.opened
    duration_ms = round(session.last_ns / 1e6, 3)
    started_at = string(opened, "started_at")
    return {
        "project": name_of(opened, "project") or "default",
        "model": name_of(opened, "model") or session.model or "",
        "provider": name_of(session.dialled, "provider") or name_of(opened, "provider") or "",
        "status": one.status,
        "started_at": started_at,
        "ended_at": _later(started_at, duration_ms) if one.is_over else None,
        "duration_ms": duration_ms,
        "turns": len(one.conversation.turns),
        "interruptions": interruptions,
        "cost_usd": one.bill.cost_usd,
        "tags": _strings(opened.get("tags")),
        "metadata": obj(opened, "metadata"),
        "credential_id": string(obj(opened, "credential"), "id"),
        "title": title_of(spans),
        "delete_after": _days_later(started_at, session.retention_days),
        "audio_delete_after": _days_later(started_at, session.audio_retention_days),
    }


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _days_later(started_at: str | None, days: float | None) -> str | None:
    return None if days is None else _later(started_at, days * _DAY_MS)


def _later(started_at: str | None, duration_ms: float) -> str | None:
    try:
        moment = datetime.fromisoformat(started_at or "") + timedelta(milliseconds=duration_ms)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def title_of(spans: list[Span]) -> str | None:
    """The first words of the user, else of the assistant."""
    for span_type in ("user", "response"):
        for span in spans:
            words = (
                joined([span.input if span_type == "user" else span.output]) if span.type == span_type else ""
            )
            if words.strip():
                text = " ".join(words.split())
                return text if len(text) <= _TITLE_LENGTH else text[: _TITLE_LENGTH - 1].rstrip() + "…"
    return None


def data_of(one: Assembly, found: Measured) -> Json:
    session, opened, layout = one.session, one.session.opened, one.layout
    return {
        "version": 1,
        "requested_model": string(opened, "model"),
        "live_model": string(session.dialled, "live_model"),
        "upstream_model": string(session.dialled, "upstream_model"),
        "actual_model": session.model,
        "provider_session_id": session.provider_session_id,
        "dialect": string(opened, "dialect"),
        "provider_dialect": string(session.dialled, "dialect"),
        "transport": string(opened, "transport"),
        "credential": obj(opened, "credential") or None,
        "client": obj(opened, "client") or None,
        "request": obj(opened, "request") or None,
        **_joined(obj(opened, "request")),
        "dial_ms": session.dialled.get("ms"),
        "close": session.close,
        "config": session.shown_config() or None,
        "config_hash": session.config_hash,
        "instructions_hash": session.instructions_hash,
        "tools_hash": session.tools_hash,
        "voice": _voice(session),
        "turn_detection": session.turn_detection or None,
        "transcription_model": session.transcription_model,
        "transcription": _transcription(one.conversation),
        "formats": {
            "input": {"type": layout.input_format.kind, "rate": layout.input_format.rate},
            "output": {"type": layout.output_format.kind, "rate": layout.output_format.rate},
        },
        "recorded": session.recorded,
        "imported": obj(opened, "imported") or None,
        "retention_days": session.retention_days,
        "audio_retention_days": session.audio_retention_days,
        "audio_deleted_at": string(opened, "audio_deleted_at"),
        "tracks": {track: _track(layout, track) for track in layout.present},
        "audio_ms": _audio_ms(layout),
        "bytes": session.relayed,
        "usage": one.bill.usage or None,
        "cost": one.bill.to_json(),
        "metric_reasons": found.reasons,
        "metric_versions": found.how,
        "latency": found.latency,
        "errors": session.errors,
        "events": session.events,
        "dropped_events": session.dropped_events,
        "lost": session.lost,
        "messages": session.messages,
        "items": [item.to_json() for item in one.conversation.items.values()],
    }


def _joined(request: Json) -> Json:
    """What the caller said that it is a part of."""
    parent, context = parent_of(request), trace_context_of(request)
    return {
        "parent": parent.to_json() if parent else None,
        "trace_context": context.to_json() if context else None,
    }


def _transcription(conversation: Conversation) -> Json | None:
    """What the gateway had transcribed after the call; None if nothing."""
    ours = [one for one in conversation.transcripts.values() if one.is_ours]
    failed = [{"item_id": item_id, "error": error} for item_id, error in conversation.untranscribed.items()]
    if not ours and not failed:
        return None
    return {"by": "voxgate", "model": ours[-1].model if ours else None, "items": len(ours), "failed": failed}


def _voice(session: SessionState) -> Any:
    voice = obj(session.config, "audio", "output").get("voice") or session.config.get("voice")
    return name_of(voice, "name") or voice  # Azure Voice Live: {"type": "openai", "name": "alloy"}


def _track(layout: TrackLayout, track: Track) -> Json:
    return {"rate": layout.rate(track), "channels": 1, "bytes": layout.frames(track) * 2}


def _audio_ms(layout: TrackLayout) -> Json:
    heard = sum(run.heard_frames for run in layout.assistant.runs)
    return {
        "in": round_ms(layout.user.frames * 1000 / layout.user.rate),
        "generated": round_ms(layout.assistant.frames * 1000 / layout.assistant.rate),
        "heard": round_ms(heard * 1000 / layout.assistant.rate),
    }
