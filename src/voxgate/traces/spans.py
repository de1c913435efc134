"""The last step: from what the events left behind to spans, summary and data. Pure, and cheap enough to run
a few times a second for a live session.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from voxgate.traces.bill import Bill, bill_of
from voxgate.traces.conversation import Conversation, Turn, UserItem
from voxgate.traces.events import Json, name_of, obj, string
from voxgate.traces.lanes import Run
from voxgate.traces.metrics import (
    first_run,
    response_metrics,
    session_metrics,
    tool_metrics,
    user_metrics,
)
from voxgate.traces.model import Attachment, Span, Trace, round_ms, stable_id
from voxgate.traces.responses import Response, Responses, ToolCall
from voxgate.traces.session import SessionState
from voxgate.traces.tracks import Track, TrackLayout
from voxgate.traces.usage import flat_usage

_TITLE_LENGTH = 80
_DAY_MS = 86_400_000.0


@dataclass(slots=True)
class _Assembly:
    session: SessionState
    conversation: Conversation
    responses: Responses
    layout: TrackLayout
    bill: Bill
    is_over: bool
    taken: set[str] = field(default_factory=set)

    def id(self, *names: object) -> str:
        """From the provider's ids; should one come twice, its place in the order tells them apart."""
        found = stable_id("span", self.session.id, *names)
        while found in self.taken:
            found = stable_id("span", self.session.id, found)
        self.taken.add(found)
        return found

    @property
    def open_status(self) -> str:
        return "unfinished" if self.is_over else "in_progress"


def assemble(
    session: SessionState,
    conversation: Conversation,
    responses: Responses,
    layout: TrackLayout,
    *,
    is_over: bool,
) -> Trace:
    bill = bill_of(session, conversation, responses)
    one = _Assembly(session, conversation, responses, layout, bill, is_over)
    root = _session_span(one)
    spans = [root]
    for index, turn in enumerate(conversation.turns):
        spans += _turn_spans(one, turn, index + 1, root.id)
    summary = _summary(one, spans)
    metrics, reasons = session_metrics(session, spans, bill.usage, summary, layout)
    root.usage, root.cost_usd, root.metrics = bill.usage or None, bill.cost_usd, metrics
    return Trace(session.id, summary, metrics, _data(one, reasons), spans)


# Spans


def _session_span(one: _Assembly) -> Span:
    session, layout = one.session, one.layout
    failure = session.failure()
    return Span(
        id=one.id("session"),
        parent_id=None,
        type="session",
        name="session",
        start_ms=0.0,
        end_ms=session.last_ns / 1e6 if one.is_over else None,
        status=_status(one),
        error=failure,
        input=session.shown_config() or None,
        output={"close": session.close} if session.close else None,
        attachments=[
            _clip(one, track, f"{track} track", 0, layout.frames(track)) for track in layout.present
        ],
    )


def _turn_spans(one: _Assembly, turn: Turn, number: int, root_id: str) -> list[Span]:
    users = [_user_span(one, user) for user in turn.users]
    responses = [one.responses.all[response_id] for response_id in turn.response_ids]
    answers = _response_spans(one, responses)
    inside = [*users, *answers]
    key = turn.users[0].item_id or turn.users[0].number if turn.users else turn.response_ids[:1]
    starts = [span.start_ms for span in inside if span.start_ms is not None]
    span = Span(
        id=one.id("turn", key),
        parent_id=root_id,
        type="turn",
        name=f"turn {number}",
        start_ms=min(starts, default=None),
        end_ms=_turn_end(one, inside, responses),
        status=_turn_status(inside),
        input={"text": _joined(span.input for span in users)} if users else None,
        output={"text": _joined(span.output for span in answers if span.type == "response")}
        if answers
        else None,
        metrics={"interrupted": any(_is_interrupted(one, response) for response in responses)},
    )
    for child in inside:
        child.parent_id = child.parent_id or span.id
    return [span, *inside]


def _turn_end(one: _Assembly, inside: list[Span], responses: list[Response]) -> float | None:
    """When the last of it ended, including the sound that still played."""
    if not one.is_over and any(span.end_ms is None for span in inside):
        return None
    ends = [span.end_ms if span.end_ms is not None else span.start_ms for span in inside]
    runs = [run for response in responses for run in _runs(one, response) if run.heard_frames]
    ends += [run.start_ms + run.heard_frames * 1000 / one.layout.assistant.rate for run in runs]
    latest = max((end for end in ends if end is not None), default=None)
    if latest is None or not one.is_over:
        return latest
    return min(latest, one.session.last_ns / 1e6)


def _turn_status(inside: list[Span]) -> str:
    found = {span.status for span in inside}
    for status in ("failed", "in_progress", "unfinished", "incomplete", "cancelled"):
        if status in found:
            return status
    return "completed"


def _joined(values: Any) -> str:
    words = (string(value, "transcript") or string(value, "text") or "" for value in values)
    return "\n".join(word for word in words if word)


def _user_span(one: _Assembly, user: UserItem) -> Span:
    transcript = one.conversation.transcripts.get(user.item_id or "")
    start_ms, end_ms = _user_times(one, user)
    words = transcript.text if transcript else ""
    shown: Json = {
        "item_id": user.item_id,
        "kind": user.kind,
        "transcript": words or None,
        "text": user.text or None,
        "images": user.images,
        "vad": user.vad,
        "audio_start_ms": user.audio_start_ms,
        "audio_end_ms": user.audio_end_ms,
        "transcription_model": one.session.transcription_model if user.kind == "speech" else None,
    }
    return Span(
        id=one.id("user", user.item_id or user.number),
        parent_id=None,
        type="user",
        name="user",
        start_ms=start_ms,
        end_ms=end_ms,
        status=_user_status(one, user),
        error=user.error or (transcript.error if transcript else None),
        input=shown,
        usage=flat_usage(transcript.usage) if transcript else None,
        cost_usd=one.bill.of_transcript(user.item_id),
        metrics=user_metrics(user, transcript, one.layout),
        attachments=_user_clip(one, user),
    )


def _user_times(one: _Assembly, user: UserItem) -> tuple[float, float | None]:
    """On the call's clock; never later than the provider's message, even if audio was sent ahead of time."""
    start_ms = user.started_ns / 1e6
    if user.kind != "text" and user.audio_start_ms is not None:
        sent_ms = one.layout.user.time_of(user.audio_start_ms)
        start_ms = min(start_ms, sent_ms) if sent_ms is not None else start_ms
    if user.ended_ns is None:
        return start_ms, None
    end_ms = user.ended_ns / 1e6
    if user.kind != "text" and user.audio_end_ms is not None:
        sent_ms = one.layout.user.time_of(user.audio_end_ms)
        end_ms = min(end_ms, sent_ms) if sent_ms is not None else end_ms
    return start_ms, max(start_ms, end_ms)


def _user_status(one: _Assembly, user: UserItem) -> str:
    if user.error is not None:
        return "failed"
    if user.discarded:
        return "cancelled"
    return "completed" if user.committed_ns is not None else one.open_status


def _user_clip(one: _Assembly, user: UserItem) -> list[Attachment]:
    """The speech between the provider's marks, as far as it was appended."""
    lane = one.layout.user
    if user.kind == "text" or user.audio_start_ms is None or not one.layout.recorded:
        return []
    start = min(lane.frame_at(user.audio_start_ms), lane.frames)
    end = lane.frames if user.audio_end_ms is None else min(lane.frame_at(user.audio_end_ms), lane.frames)
    return [_clip(one, "user", "user", start, end)] if end > start else []


def _response_spans(one: _Assembly, responses: list[Response]) -> list[Span]:
    """The responses of a turn, each followed by its tools. Voice to voice is the first sound's."""
    sounding = next((one_of.id for one_of in responses if one_of.first_audio_ns is not None), None)
    spans: list[Span] = []
    for position, response in enumerate(responses):
        is_first = response.id == sounding or (sounding is None and position == 0)
        span = _response_span(one, response, is_first=is_first)
        spans += [span, *(_tool_span(one, tool, span.id) for tool in response.tools)]
    return spans


def _response_span(one: _Assembly, response: Response, *, is_first: bool) -> Span:
    status = one.open_status if response.done_ns is None else response.status
    start_ns = response.created_ns if response.created_ns is not None else response.first_event_ns
    end_ns = response.done_ns or (response.last_event_ns if one.is_over else None)
    return Span(
        id=one.id("response", response.id),
        parent_id=None,
        type="response",
        name="response",
        start_ms=start_ns / 1e6 if start_ns is not None else None,
        end_ms=end_ns / 1e6 if end_ns is not None else None,
        status=status,
        error=response.error,
        input=_response_input(response),
        output=_response_output(one, response),
        usage=flat_usage(response.usage),
        cost_usd=one.bill.of_response(response.id),
        metrics=response_metrics(response, one.layout, is_first=is_first),
        attachments=_response_clips(one, response),
    )


def _response_input(response: Response) -> Json:
    return {
        "response_id": response.id,
        "trigger": response.trigger,
        "config_hash": response.config_hash,
        "context_item_ids": response.context,
        "context_length": response.context_length,
        "out_of_band": response.out_of_band,
        "instructions": response.instructions,
        "metadata": response.metadata or None,
    }


def _response_output(one: _Assembly, response: Response) -> Json:
    run = first_run(response, one.layout)
    return {
        "transcript": response.transcript or None,
        "heard_transcript": _heard_transcript(one, response),
        "text": response.text or None,
        "item_ids": [item_id for item_id in response.item_ids if item_id],
        "tool_calls": [{"call_id": tool.call_id, "name": tool.name} for tool in response.tools],
        "reason": response.reason,
        "interrupted": _is_interrupted(one, response),
        "cost": one.bill.parts_of(response.id),
        "play_start_ms": round_ms(run.start_ms) if run else None,
    }


def _heard_transcript(one: _Assembly, response: Response) -> str | None:
    """The words up to the cut, in proportion to the sound, as providers give words no times."""
    words = response.transcript.split()
    lane = one.layout.assistant
    generated = sum(lane.item_frames(item_id) for item_id in response.item_ids)
    if not words or not generated:
        return None
    heard = sum(lane.heard_frames(item_id) for item_id in response.item_ids)
    return " ".join(words[: round(len(words) * heard / generated)])


def _is_interrupted(one: _Assembly, response: Response) -> bool:
    if response.status == "cancelled" and response.done_ns is not None:
        return True
    lane = one.layout.assistant
    cut = [item_id for item_id in response.item_ids if item_id in lane.cuts]
    return any(lane.heard_frames(item_id) < lane.item_frames(item_id) for item_id in cut)


def _tool_span(one: _Assembly, tool: ToolCall, parent_id: str) -> Span:
    start_ns = tool.args_done_ns if tool.args_done_ns is not None else tool.added_ns
    status = "failed" if tool.error else "completed" if tool.result_ns is not None else "unfinished"
    return Span(
        id=one.id("tool", tool.key),
        parent_id=parent_id,
        type="tool",
        name=tool.name or "tool",
        start_ms=start_ns / 1e6,
        end_ms=max(start_ns, tool.result_ns) / 1e6 if tool.result_ns is not None else None,
        status=status,
        error=tool.error,
        input={
            "call_id": tool.call_id,
            "name": tool.name,
            "arguments": _parsed(tool.arguments),
            "ran_in": tool.ran_in,
            "server_label": tool.server_label,
            "approval": tool.approval,
        },
        output={"result": _parsed(tool.result)} if tool.result is not None else None,
        metrics=tool_metrics(tool),
    )


def _parsed(text: str | None) -> Any:
    """JSON as what it says, anything else as it is."""
    try:
        return json.loads(text) if text else text
    except (ValueError, RecursionError):
        return text


# Attachments


def _runs(one: _Assembly, response: Response) -> list[Run]:
    return [run for item_id in response.item_ids for run in one.layout.assistant.item_runs(item_id)]


def _response_clips(one: _Assembly, response: Response) -> list[Attachment]:
    """What was generated, item by item, and what was heard of it where that is less."""
    lane, clips = one.layout.assistant, list[Attachment]()
    if not one.layout.recorded:
        return clips
    for item_id in response.item_ids:
        for start, end, heard in _stretches(lane.item_runs(item_id)):
            clips.append(_clip(one, "assistant", "assistant", start, end))
            if heard < end - start and heard:
                clips.append(_clip(one, "assistant", "heard", start, start + heard))
    return clips


def _stretches(runs: list[Run]) -> list[tuple[int, int, int]]:
    """Runs that follow one another in the track, as (start, end, heard frames)."""
    found: list[tuple[int, int, int]] = []
    for run in runs:
        if found and found[-1][1] == run.start_frame:
            start, _, heard = found.pop()
            found.append((start, run.end_frame, heard + run.heard_frames))
        else:
            found.append((run.start_frame, run.end_frame, run.heard_frames))
    return found


def _clip(one: _Assembly, track: Track, name: str, start: int, end: int) -> Attachment:
    return Attachment(
        id=stable_id("att", one.session.id, track, name, start),
        name=name,
        content_type="audio/wav",
        duration_ms=(end - start) * 1000 / one.layout.rate(track),
        track=track,
        start_byte=start * 2,
        end_byte=end * 2,
    )


# Summary and data


def _status(one: _Assembly) -> str:
    if not one.is_over:
        return "live"
    if one.session.failure() is not None:
        return "failed"
    return "complete" if one.session.close is not None else "interrupted"


def _summary(one: _Assembly, spans: list[Span]) -> Json:
    session, opened = one.session, one.session.opened
    duration_ms = round(session.last_ns / 1e6, 3)
    started_at, days = string(opened, "started_at"), session.retention_days
    interrupted = [r for r in one.responses.all.values() if _is_interrupted(one, r)]
    return {
        "project": name_of(opened, "project") or "default",
        "model": name_of(opened, "model") or session.model or "",
        "provider": name_of(session.dialled, "provider") or name_of(opened, "provider") or "",
        "status": _status(one),
        "started_at": started_at,
        "ended_at": _later(started_at, duration_ms) if one.is_over else None,
        "duration_ms": duration_ms,
        "turns": len(one.conversation.turns),
        "interruptions": len(interrupted),
        "cost_usd": one.bill.cost_usd,
        "tags": _strings(opened.get("tags")),
        "metadata": obj(opened, "metadata"),
        "credential_id": string(obj(opened, "credential"), "id"),
        "title": _title(spans),
        "delete_after": _later(started_at, days * _DAY_MS) if days is not None else None,
    }


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _later(started_at: str | None, duration_ms: float) -> str | None:
    try:
        moment = datetime.fromisoformat(started_at or "") + timedelta(milliseconds=duration_ms)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _title(spans: list[Span]) -> str | None:
    """The first words of the user, else of the assistant."""
    for span_type in ("user", "response"):
        for span in spans:
            words = (
                _joined([span.input if span_type == "user" else span.output])
                if span.type == span_type
                else ""
            )
            if words.strip():
                text = " ".join(words.split())
                return text if len(text) <= _TITLE_LENGTH else text[: _TITLE_LENGTH - 1].rstrip() + "…"
    return None


def _data(one: _Assembly, reasons: Json) -> Json:
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
        "dial_ms": session.dialled.get("ms"),
        "close": session.close,
        "config": session.shown_config() or None,
        "config_hash": session.config_hash,
        "voice": _voice(session),
        "turn_detection": session.turn_detection or None,
        "transcription_model": session.transcription_model,
        "formats": {
            "input": {"type": layout.input_format.kind, "rate": layout.input_format.rate},
            "output": {"type": layout.output_format.kind, "rate": layout.output_format.rate},
        },
        "recorded": session.recorded,
        "retention_days": session.retention_days,
        "tracks": {track: _track(layout, track) for track in layout.present},
        "audio_ms": _audio_ms(layout),
        "usage": one.bill.usage or None,
        "cost": one.bill.to_json(),
        "metric_reasons": reasons,
        "errors": session.errors,
        "events": session.events,
        "dropped_events": session.dropped_events,
        "lost": session.lost,
        "messages": session.messages,
        "items": [item.to_json() for item in one.conversation.items.values()],
    }


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
