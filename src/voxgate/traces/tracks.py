"""The sound of a call from its events: which bytes belong to which track, in which format, and where they lie
on the call's clock. Events in, chunks out; the lanes remember the layout. Nothing is decoded but base64.
"""

from __future__ import annotations

import binascii
import re
from typing import Literal, NamedTuple

import pybase64

from voxgate.traces.events import CLIENT, GATEWAY, SERVER, Event, Json, name_of, number, obj, string
from voxgate.traces.formats import PCM_24K, AudioFormat, format_in
from voxgate.traces.lanes import AssistantLane, UserLane

Track = Literal["user", "assistant"]
TRACKS: tuple[Track, ...] = ("user", "assistant")

_APPEND = "input_audio_buffer.append"
_NOT_RECORDED = re.compile(r"\[not recorded: (\d{1,12}) bytes\]")
"""In the place of sound that is not to be recorded (`realtime.screening`)."""


class AudioChunk(NamedTuple):
    """Audio of one message. `frames` counts samples of the track, at the rate of the track's first chunk;
    bytes of an unfinished sample count with the next chunk."""

    track: Track
    format: AudioFormat
    data: bytes
    t_ns: int
    item_id: str | None
    frames: int


class _FrameCounter:
    """Counts a track's frames over chunks of any size, also where the format changes on the way."""

    def __init__(self, first: AudioFormat) -> None:
        self.rate = first.rate
        self._format = first
        self._is_plain = True
        self._sample_bytes = first.sample_bytes
        self._bytes = 0
        self._counted = 0

    def count(self, chunk_format: AudioFormat, size: int) -> int:
        if chunk_format is not self._format:
            if chunk_format != self._format:
                self._bytes = self._counted = 0
            self._format, self._is_plain = chunk_format, chunk_format.rate == self.rate
            self._sample_bytes = chunk_format.sample_bytes
        self._bytes += size
        total = self._bytes // self._sample_bytes
        if not self._is_plain:
            total = total * self.rate // chunk_format.rate
        frames = total - self._counted
        self._counted = total
        return frames


class _Proposed(NamedTuple):
    """An input format in a `session.update` that the provider has not answered yet."""

    event_id: str | None
    format: AudioFormat


class TrackLayout:
    def __init__(self) -> None:
        self.plays_on = False
        """Whether all of its sound counts as heard, also what is longer than it: that of a request."""
        self.recorded = True
        """Whether there is sound; without it the lanes still tell when it passed and how long it was."""
        self.user = UserLane(PCM_24K.rate)
        self.assistant = AssistantLane(PCM_24K.rate)
        self.input_format = PCM_24K
        self.output_format = PCM_24K
        self._agreed_input: AudioFormat | None = None
        self._proposed: list[_Proposed] = []
        self._response_formats: dict[str, AudioFormat] = {}
        self._counters: dict[Track, _FrameCounter] = {}
        self._speech_started_ms = 0.0
        self._cancel_ms: dict[str | None, float] = {}

    def rate(self, track: Track) -> int:
        return self.user.rate if track == "user" else self.assistant.rate

    def frames(self, track: Track) -> int:
        return self.user.frames if track == "user" else self.assistant.frames

    @property
    def present(self) -> list[Track]:
        """The tracks whose sound there is."""
        return [track for track in TRACKS if self.recorded and self.frames(track)]

    @property
    def end_ms(self) -> float:
        return max(self.user.end_ms, self.assistant.end_ms)

    def feed(self, event: Event) -> list[AudioChunk]:
        """Takes note of the event; the audio it carries, if any."""
        if event.msg is None:
            if event.close is not None and event.dir == CLIENT:
                self.close(event.t_ms)
            return []
        if event.dir == CLIENT:
            return self._client(event, event.msg)
        if event.dir == GATEWAY:
            self._gateway(event, event.msg)
        return self._server(event, event.msg) if event.dir == SERVER else []

    def user_sound(self, event: Event) -> list[AudioChunk]:
        """The same of an event of the client that has its sound already: nearly all events are such."""
        counter, sound, msg = self._counters.get("user"), event.sound, event.msg
        if counter is None or not sound or not self.recorded or msg is None or msg.get("type") != _APPEND:
            return self.feed(event)
        t_ns, chunk_format = event.t_ns, self.input_format
        frames = counter.count(chunk_format, len(sound))
        self.user.add(frames, t_ns / 1e6)
        return [AudioChunk("user", chunk_format, sound, t_ns, None, frames)]

    def close(self, t_ms: float) -> None:
        """The call ended then: what waits to be played is not heard any more."""
        if not self.plays_on:
            self.assistant.close(t_ms)

    def _gateway(self, event: Event, msg: Json) -> None:
        match event.type:
            case "gateway.opened":
                self.recorded = obj(msg, "recorded").get("audio") is not False
            case "gateway.answered":
                self._refuse(obj(msg, "message", "error"))
            case "gateway.closed":
                self.close(event.t_ms)

    def _client(self, event: Event, msg: Json) -> list[AudioChunk]:
        match event.type:
            case "input_audio_buffer.append":  # also `user_sound`
                return self._user_chunk(event, msg)
            case "session.update":
                # The provider reads in order: what is appended after this is in the new format already.
                self._propose(msg)
            case "conversation.item.truncate":
                self._truncate(event, msg)
            case "response.cancel":
                self._cancel_ms[name_of(msg, "response_id")] = event.t_ms
        return []

    def _server(self, event: Event, msg: Json) -> list[AudioChunk]:
        match event.type:
            case "response.output_audio.delta":
                return self._assistant_chunk(event, msg)
            case "session.created" | "session.updated":
                self._agree(obj(msg, "session"))
            case "error":
                self._refuse(obj(msg, "error"))
            case "response.created":
                self._start_response(obj(msg, "response"))
            case "response.done":
                self._end_response(event, obj(msg, "response"))
            case "input_audio_buffer.speech_started":
                self._speech_started_ms = event.t_ms
            case "output_audio_buffer.cleared":
                self.assistant.stop(event.t_ms, name_of(msg, "response_id"), exact=True)
            case "conversation.item.truncated":
                self._truncate(event, msg)
        return []

    def _propose(self, msg: Json) -> None:
        named = format_in(obj(msg, "session"), "input")
        if named is not None:
            self._proposed.append(_Proposed(name_of(msg, "event_id"), named))
            self.input_format = named

    def _refuse(self, error: Json) -> None:
        """A refused session.update is discarded as a whole. Errors may be about anything else, too."""
        event_id, param = name_of(error, "event_id"), string(error, "param")
        if error and (param is None or param.startswith("session")):
            self._proposed = [one for one in self._proposed if event_id not in (None, one.event_id)]
            self._take_input()

    def _agree(self, session: Json) -> None:
        """What the provider says may be older than what the client asked for meanwhile."""
        named, proposed = format_in(session, "input"), [one.format for one in self._proposed]
        if named in proposed:
            del self._proposed[: proposed.index(named) + 1]
        self._agreed_input = named or self.input_format
        self._take_input()
        self.output_format = format_in(session, "output") or self.output_format

    def _take_input(self) -> None:
        agreed = self._agreed_input or self.input_format
        self.input_format = self._proposed[-1].format if self._proposed else agreed

    def _start_response(self, response: Json) -> None:
        self._cancel_ms.pop(None, None)  # that was for one before, and came too late
        named = format_in(response, "output")
        if (response_id := name_of(response, "id")) is not None:
            self._response_formats[response_id] = named or self.output_format

    def _end_response(self, event: Event, response: Json) -> None:
        response_id = name_of(response, "id")
        if response_id is None:
            return
        self._response_formats.pop(response_id, None)
        cancel_ms = self._cancel_ms.pop(response_id, None)
        if string(response, "status") != "cancelled":
            return
        reason = string(response.get("status_details"), "reason")
        if reason == "turn_detected":
            self.assistant.stop(self._speech_started_ms or event.t_ms, response_id, exact=False)
        else:
            stop_ms = cancel_ms if cancel_ms is not None else self._cancel_ms.pop(None, event.t_ms)
            self.assistant.stop(stop_ms, response_id, exact=False)

    def _truncate(self, event: Event, msg: Json) -> None:
        item_id, audio_end_ms = name_of(msg, "item_id"), number(msg, "audio_end_ms")
        if item_id is not None and audio_end_ms is not None:
            self.assistant.truncate(item_id, audio_end_ms, event.t_ms)

    def _user_chunk(self, event: Event, msg: Json) -> list[AudioChunk]:
        return self._chunk("user", event, self.input_format, "audio", None)

    def _assistant_chunk(self, event: Event, msg: Json) -> list[AudioChunk]:
        chunk_format = self._response_formats.get(string(msg, "response_id") or "", self.output_format)
        return self._chunk("assistant", event, chunk_format, "delta", string(msg, "item_id") or "")

    def _chunk(
        self, track: Track, event: Event, chunk_format: AudioFormat, member: str, item_id: str | None
    ) -> list[AudioChunk]:
        data, size = self._sound(event, member)
        if not size:
            return []
        if track not in self._counters:
            self._begin(track, chunk_format)
        frames = self._counters[track].count(chunk_format, size)
        if track == "user":
            self.user.add(frames, event.t_ms)
        else:
            response_id = string(event.msg, "response_id") or ""
            self.assistant.add(frames, event.t_ms, item_id or "", response_id)
        return [AudioChunk(track, chunk_format, data, event.t_ns, item_id, frames)] if data else []

    def _sound(self, event: Event, member: str) -> tuple[bytes, int]:
        """And how much of it there was, which is known without it too."""
        if not self.recorded:
            return b"", _unrecorded_size(string(event.msg, member))
        data = event.sound if event.sound is not None else _decode_base64(string(event.msg, member))
        return data, len(data)

    def _begin(self, track: Track, first: AudioFormat) -> None:
        self._counters[track] = _FrameCounter(first)
        if track == "user":
            self.user.rate = first.rate
        else:
            self.assistant.rate = first.rate


def _unrecorded_size(text: str | None) -> int:
    found = _NOT_RECORDED.fullmatch(text or "")
    return int(found[1]) if found else 0


def _decode_base64(text: str | None) -> bytes:
    """Empty for what is no base64: the provider refuses such an append as well."""
    if not text:
        return b""
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
