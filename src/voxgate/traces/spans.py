"""From what the events left behind to spans. Pure, and cheap enough to run a few times a second for a live
session.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from voxgate.traces.assembly import Assembly
from voxgate.traces.conversation import Transcript, Turn, UserItem
from voxgate.traces.events import Json, string
from voxgate.traces.interruptions import is_interrupted
from voxgate.traces.lanes import AssistantLane, Run
from voxgate.traces.latency import first_run, response_metrics, tool_metrics, user_metrics
from voxgate.traces.model import Attachment, Span, round_ms, stable_id
from voxgate.traces.responses import Response, ToolCall
from voxgate.traces.tracks import Track
from voxgate.traces.usage import flat_usage


def session_span(one: Assembly) -> Span:
    session, layout = one.session, one.layout
    failure = session.failure()
    return Span(
        id=one.root_id,
        parent_id=None,
        type="session",
        name="session",
        start_ms=0.0,
        end_ms=session.last_ns / 1e6 if one.is_over else None,
        status=one.status,
        error=failure,
        input=session.shown_config() or None,
        output={"close": session.close} if session.close else None,
        attachments=[
            _clip(one, track, f"{track} track", 0, layout.frames(track)) for track in layout.present
        ],
    )


def turn_spans(one: Assembly, turn: Turn, number: int) -> list[Span]:
    users = [_user_span(one, user) for user in turn.users]
    responses = [one.responses.all[response_id] for response_id in turn.response_ids]
    answers = _response_spans(one, responses)
    inside = [*users, *answers]
    key = turn.users[0].item_id or turn.users[0].number if turn.users else turn.response_ids[:1]
    starts = [span.start_ms for span in inside if span.start_ms is not None]
    span = Span(
        id=one.id("turn", key),
        parent_id=one.root_id,
        type="turn",
        name=f"turn {number}",
        start_ms=min(starts, default=None),
        end_ms=_turn_end(one, inside, responses),
        status=_turn_status([_user_status(one, user) for user in turn.users], answers),
        input={"text": joined(span.input for span in users)} if users else None,
        output={"text": joined(span.output for span in answers if span.type == "response")}
        if answers
        else None,
        metrics={
            "interrupted": any(is_interrupted(response, one.layout.assistant) for response in responses)
        },
    )
    for child in inside:
        child.parent_id = child.parent_id or span.id
    return [span, *inside]


def _turn_end(one: Assembly, inside: list[Span], responses: list[Response]) -> float | None:
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


def _turn_status(users: list[str], answers: list[Span]) -> str:
    """Of the users' turns to speak, and of what they led to."""
    found = {*users, *(span.status for span in answers)}
    for status in ("failed", "in_progress", "unfinished", "incomplete", "cancelled"):
        if status in found:
            return status
    return "completed"


def joined(values: Any) -> str:
    words = (string(value, "transcript") or string(value, "text") or "" for value in values)
    return "\n".join(word for word in words if word)


def _user_span(one: Assembly, user: UserItem) -> Span:
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
        "transcription_model": _transcription_model(one, user, transcript),
        "transcribed_by": "voxgate" if transcript is not None and transcript.is_ours else None,
    }
    return Span(
        id=one.id("user", user.item_id or user.number),
        parent_id=None,
        type="user",
        name="user",
        start_ms=start_ms,
        end_ms=end_ms,
        status="failed" if _is_wordless(transcript) else _user_status(one, user),
        error=user.error or (transcript.error if transcript else None),
        input=shown,
        usage=flat_usage(transcript.usage) if transcript else None,
        cost_usd=one.bill.of_transcript(user.item_id),
        metrics=user_metrics(user, transcript, one.layout, one.sound),
        attachments=_user_clip(one, user),
    )


def _transcription_model(one: Assembly, user: UserItem, transcript: Transcript | None) -> str | None:
    if transcript is not None and transcript.is_ours:
        return transcript.model
    if transcript is not None and transcript.completed_ns is not None:
        return transcript.model
    if user.committed_ns is not None and user.item_id is not None and user.kind == "speech":
        return user.transcriber
    return one.session.transcription_model if user.kind == "speech" else None


def _user_times(one: Assembly, user: UserItem) -> tuple[float, float | None]:
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


def _is_wordless(transcript: Transcript | None) -> bool:
    """Whether its transcription failed, also with us. The turn can go well all the same."""
    return transcript is not None and transcript.error is not None and not transcript.is_whole


def _user_status(one: Assembly, user: UserItem) -> str:
    if user.error is not None:
        return "failed"
    if user.discarded:
        return "cancelled"
    return "completed" if user.committed_ns is not None else one.open_status


def _user_clip(one: Assembly, user: UserItem) -> list[Attachment]:
    """The speech between the provider's marks, as far as it was appended."""
    lane = one.layout.user
    if user.kind == "text" or user.audio_start_ms is None or not one.layout.recorded:
        return []
    start = min(lane.frame_at(user.audio_start_ms), lane.frames)
    end = lane.frames if user.audio_end_ms is None else min(lane.frame_at(user.audio_end_ms), lane.frames)
    return [_clip(one, "user", "user", start, end)] if end > start else []


def _response_spans(one: Assembly, responses: list[Response]) -> list[Span]:
    """The responses of a turn, each followed by its tools. Voice to voice is the first sound's."""
    sounding = next((one_of.id for one_of in responses if one_of.first_audio_ns is not None), None)
    spans: list[Span] = []
    for position, response in enumerate(responses):
        is_first = response.id == sounding or (sounding is None and position == 0)
        span = _response_span(one, response, is_first=is_first)
        spans += [span, *(_tool_span(one, tool, span.id) for tool in response.tools)]
    return spans


def _response_span(one: Assembly, response: Response, *, is_first: bool) -> Span:
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
        metrics=response_metrics(response, one.layout, one.sound, is_first=is_first),
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


def _response_output(one: Assembly, response: Response) -> Json:
    run = first_run(response, one.layout)
    return {
        "transcript": response.transcript or None,
        "heard_transcript": heard_words(response.transcript, response.item_ids, one.layout.assistant),
        "text": response.text or None,
        "item_ids": [item_id for item_id in response.item_ids if item_id],
        "tool_calls": [{"call_id": tool.call_id, "name": tool.name} for tool in response.tools],
        **({"images": response.images} if response.images else {}),
        "reason": response.reason,
        "interrupted": is_interrupted(response, one.layout.assistant),
        "cost": one.bill.parts_of(response.id),
        **({"cache": response.cache} if response.cache else {}),
        "play_start_ms": round_ms(run.start_ms) if run else None,
    }


def heard_words(said: str, item_ids: Sequence[str], lane: AssistantLane) -> str | None:
    """The words up to the cut, in proportion to the sound, as providers give words no times. None without
    words or sound."""
    words = said.split()
    generated = sum(lane.item_frames(item_id) for item_id in item_ids)
    if not words or not generated:
        return None
    heard = sum(lane.heard_frames(item_id) for item_id in item_ids)
    return " ".join(words[: round(len(words) * heard / generated)])


def _tool_span(one: Assembly, tool: ToolCall, parent_id: str) -> Span:
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
            "misfit": tool.misfit,
        },
        output={"result": _parsed(tool.result)} if tool.result is not None else None,
        metrics=tool_metrics(tool, one.sound),
    )


def _parsed(text: str | None) -> Any:
    """JSON as what it says, anything else as it is."""
    try:
        return json.loads(text) if text else text
    except (ValueError, RecursionError):
        return text


# Attachments


def _runs(one: Assembly, response: Response) -> list[Run]:
    return [run for item_id in response.item_ids for run in one.layout.assistant.item_runs(item_id)]


def _response_clips(one: Assembly, response: Response) -> list[Attachment]:
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


def _clip(one: Assembly, track: Track, name: str, start: int, end: int) -> Attachment:
    return Attachment(
        id=stable_id("att", one.session.id, track, name, start),
        name=name,
        content_type="audio/wav",
        duration_ms=(end - start) * 1000 / one.layout.rate(track),
        track=track,
        start_byte=start * 2,
        end_byte=end * 2,
    )
