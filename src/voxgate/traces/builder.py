"""From the event log to a trace. `TraceBuilder` takes events one by one and can show the trace at any time;
the same events give the same trace, whether it is built live, at close or again later. It never raises,
whatever the events are: what it does not know, it passes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voxgate.traces.conversation import Conversation
from voxgate.traces.dialogue import Dialogue
from voxgate.traces.events import CLIENT, GATEWAY, SERVER, Event, Json, obj
from voxgate.traces.exchange import ITEM, RESPONSE, Decode, Exchange
from voxgate.traces.growth import Growth, State, whole_trace
from voxgate.traces.model import Trace
from voxgate.traces.responses import Responses
from voxgate.traces.session import SessionState
from voxgate.traces.sound import SoundFacts
from voxgate.traces.tracks import AudioChunk, TrackLayout

Handler = Callable[[Event, Json], None]


def build_trace(events: Iterable[Event], *, session_id: str = "", sound: SoundFacts | None = None) -> Trace:
    """The trace of a whole log. A log without `gateway.closed` is one that a crash cut off."""
    builder = TraceBuilder(session_id)
    for event in events:
        builder.feed(event)
    return builder.snapshot(live=False, sound=sound)


class TraceBuilder:
    def __init__(self, session_id: str = "", decode: Decode | None = None) -> None:
        """`decode` reads the sound files of requests; without it they have no tracks."""
        self._decode = decode
        self.session = SessionState(session_id)
        self.layout = TrackLayout()
        self.conversation = Conversation(self.session, self.layout)
        self.responses = Responses(self.session, self.conversation, self.layout)
        self._state: State = self.session, self.conversation, self.responses, self.layout
        self._growth = Growth(self._state)
        self._handlers = self._wire()
        self._exchange: Exchange | Dialogue | None = None
        """Where the log is of a request that was no call, or of a socket of `responses`."""

    @property
    def closed(self) -> bool:
        """Whether `gateway.closed` was seen."""
        return self.session.close is not None

    def feed(self, event: Event) -> list[AudioChunk]:
        """Takes the next event; gives the audio it carries, for whoever keeps the tracks."""
        self.session.see(event)
        if self._exchange is not None:
            if (words := self._exchange.words(event)) is not None:
                self.responses.on_text(event, RESPONSE, ITEM, words)
                return []
            return [chunk for told in self._exchange.translate(event) for chunk in self._handle(told)]
        if event.sound is not None and event.dir == CLIENT:
            return self.layout.user_sound(event)  # nobody else wants to know
        chunks = self._handle(event)
        if event.dir == GATEWAY:
            self._exchange = self._translator(self.session.opened)
        return chunks

    def _handle(self, event: Event) -> list[AudioChunk]:
        chunks = self.layout.feed(event)
        if event.msg is not None:
            handlers = self._handlers.get((event.dir, event.type))
            for handle in self._unknown(event) if handlers is None else handlers:
                handle(event, event.msg)
        elif event.close is None:
            self.session.mark(event, "unreadable", "warning", side=event.dir, bytes=len(event.raw or b""))
        return chunks

    def _translator(self, opened: Json) -> Exchange | Dialogue | None:
        if opened.get("transport") == "http":
            self.layout.plays_on = True
            return Exchange(opened, self._decode)
        return Dialogue() if opened.get("endpoint") == "responses" else None

    def counts(self) -> Json:
        """What of the trace's summary is known without putting it together."""
        return {"duration_ms": round(self.session.last_ns / 1e6, 3), "turns": len(self.conversation.turns)}

    def finish(self) -> float:
        """Nothing more will come: what has not played by now never does. How long the call took, in ms."""
        self.layout.close(self.session.last_ns / 1e6)
        return round(self.session.last_ns / 1e6, 3)

    def snapshot(self, *, live: bool = True, sound: SoundFacts | None = None) -> Trace:
        """The trace so far. `live=False`: nothing more will come, so what is open stays unfinished.
        `sound` is what was measured in the whole call; without it the metrics that need it are null."""
        if not live:
            self.finish()
        if self.closed or not live:
            return whole_trace(self._state, is_over=True, sound=sound)
        return self._growth.trace()

    def _unknown(self, event: Event) -> tuple[Handler, ...]:
        if event.dir == GATEWAY:
            return (self.session.on_other_fact,)
        return (self.responses.on_other,) if event.dir == SERVER else ()

    def _wire(self) -> dict[tuple[str, str], tuple[Handler, ...]]:
        return {**self._gateway_facts(), **self._client_events(), **self._server_events()}

    def _gateway_facts(self) -> dict[tuple[str, str], tuple[Handler, ...]]:
        session = self.session
        facts: dict[str, Handler] = {
            "gateway.opened": session.on_opened,
            "gateway.dialled": session.on_dialled,
            "gateway.dial_failed": session.on_dial_failed,
            "gateway.prices": session.on_prices,
            "gateway.error": session.on_gateway_error,
            "gateway.lost": session.on_lost,
            "gateway.closed": session.on_closed,
            "gateway.transcribed": self.conversation.on_transcribed,
        }
        return {(GATEWAY, name): (handle,) for name, handle in facts.items()}

    def _client_events(self) -> dict[tuple[str, str], tuple[Handler, ...]]:
        conversation, responses = self.conversation, self.responses
        events: dict[str, tuple[Handler, ...]] = {
            "input_audio_buffer.commit": (conversation.on_commit_sent,),
            "conversation.item.create": (conversation.on_item_sent, responses.on_item_sent),
            "response.create": (responses.on_asked,),
        }
        return {(CLIENT, name): handlers for name, handlers in events.items()}

    def _server_events(self) -> dict[tuple[str, str], tuple[Handler, ...]]:
        session, conversation, responses = self.session, self.conversation, self.responses
        transcription = "conversation.item.input_audio_transcription"
        events: dict[str, Handler] = {
            "session.created": session.on_config,
            "session.updated": session.on_config,
            "error": _on_error(session, conversation, responses),
            "rate_limits.updated": session.on_rate_limits,
            "mcp_list_tools.completed": session.on_tool_list,
            "mcp_list_tools.failed": session.on_tool_list,
            "input_audio_buffer.dtmf_event_received": session.on_dtmf,
            "input_audio_buffer.speech_started": conversation.on_speech_started,
            "input_audio_buffer.speech_stopped": conversation.on_speech_stopped,
            "input_audio_buffer.timeout_triggered": conversation.on_timeout,
            "input_audio_buffer.committed": conversation.on_committed,
            "input_audio_buffer.cleared": conversation.on_buffer_cleared,
            "conversation.item.added": conversation.on_item_added,
            "conversation.item.done": conversation.on_item_added,
            "conversation.item.deleted": conversation.on_item_deleted,
            f"{transcription}.delta": conversation.on_transcript_delta,
            f"{transcription}.updated": conversation.on_transcript,
            f"{transcription}.completed": conversation.on_transcript,
            f"{transcription}.failed": conversation.on_transcript_failed,
            "response.created": responses.on_created,
            "response.done": responses.on_done,
            "response.output_item.added": responses.on_output_item,
            "response.output_item.done": responses.on_output_item,
            "response.output_audio.delta": responses.on_audio,
            "response.output_audio_transcript.delta": responses.on_words,
            "response.output_audio_transcript.done": responses.on_words,
            "response.output_text.delta": responses.on_words,
            "response.output_text.done": responses.on_words,
            "response.function_call_arguments.delta": responses.on_arguments_delta,
            "response.function_call_arguments.done": responses.on_arguments_done,
            "response.mcp_call_arguments.delta": responses.on_arguments_delta,
            "response.mcp_call_arguments.done": responses.on_arguments_done,
            "response.mcp_call.completed": responses.on_mcp_call,
            "response.mcp_call.failed": responses.on_mcp_call,
            "output_audio_buffer.cleared": responses.on_cleared,
        }
        return {(SERVER, name): (handle,) for name, handle in events.items()}


def _on_error(session: SessionState, conversation: Conversation, responses: Responses) -> Handler:
    """No method of the builder, which holds the handlers: a trace must go without the garbage collector."""

    def handle(event: Event, msg: Json) -> None:
        error = obj(msg, "error")
        session.error(event, "error", error, event_id=error.get("event_id"))
        conversation.on_error(event, error)
        responses.on_error(event, error)

    return handle
