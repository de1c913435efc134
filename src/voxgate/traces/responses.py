"""Responses and tool calls from their events, each with the turn it belongs to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final, Literal

from voxgate.traces.conversation import Conversation, Turn
from voxgate.traces.events import Event, Json, name_of, obj, objects, string
from voxgate.traces.schemas import misfit, schema_of
from voxgate.traces.session import SessionState
from voxgate.traces.tracks import TrackLayout

Trigger = Literal["vad", "client", "tool", "idle_timeout", "provider"]
MADE_IMAGES: Final = "voxgate.images"
"""In `response.done` of a request that is told as a call (`traces.exchange`): no provider says it."""


@dataclass(slots=True, eq=False)
class ToolCall:
    """`args_done_ns` is when the call was complete: the tool's span starts there."""

    key: str
    response_id: str | None
    added_ns: int
    ran_in: Literal["client", "mcp"] = "client"
    item_id: str | None = None
    call_id: str | None = None
    name: str = ""
    server_label: str | None = None
    arguments: str = ""
    args_done_ns: int | None = None
    result: str | None = None
    result_ns: int | None = None
    error: Json | None = None
    approval: str | None = None
    fits: bool | None = None
    """Whether the arguments fit the tool's schema; None if that is not known, and `misfit` says how not."""
    misfit: str | None = None

    @property
    def failed(self) -> bool:
        """Refused, failed, or answered with an error, as functions say it in what they return."""
        return self.error is not None or says_error(self.result)


@dataclass(slots=True, eq=False)
class Response:
    id: str
    number: int
    turn: Turn
    trigger: Trigger
    asked_ns: int | None = None
    created_ns: int | None = None
    first_event_ns: int | None = None
    first_audio_ns: int | None = None
    first_text_ns: int | None = None
    last_event_ns: int = 0
    done_ns: int | None = None
    previous_done_ns: int | None = None
    """When the turn's response before this one was done."""
    status: str = "in_progress"
    reason: str | None = None
    error: Json | None = None
    usage: Json = field(default_factory=dict)
    config_hash: str | None = None
    context: list[str] = field(default_factory=list)
    context_length: int = 0
    out_of_band: bool = False
    instructions: str | None = None
    metadata: Json = field(default_factory=dict)
    cache: Json | None = None
    """Of a request that asked for the cache: whether it was a `hit`."""
    item_ids: list[str] = field(default_factory=list)
    transcripts: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    tools: list[ToolCall] = field(default_factory=list)
    cleared: bool = False
    images: list[Json] = field(default_factory=list)
    """Those that it made, as the trace says it of pictures."""
    offered: Json = field(default_factory=dict)
    """What names the `tools` that it could call: the session's configuration, or the client's request."""

    @property
    def transcript(self) -> str:
        return " ".join(text.strip() for text in self.transcripts.values() if text.strip())

    @property
    def text(self) -> str:
        return "\n".join(text for text in self.texts.values() if text)


@dataclass(slots=True, eq=False)
class _Asked:
    """A `response.create` of the client that the provider has not answered yet."""

    t_ns: int
    trigger: Trigger
    turn: Turn | None
    event_id: str | None
    response: Json

    @property
    def out_of_band(self) -> bool:
        return self.response.get("conversation") == "none"


class Responses:
    def __init__(self, session: SessionState, conversation: Conversation, layout: TrackLayout) -> None:
        self.all: dict[str, Response] = {}
        self.tools: dict[str, ToolCall] = {}
        self.of_item: dict[str, Response] = {}
        self.touched: set[Turn] = set()
        """Turns about which something was said since they were last put together."""
        self.ambiguous = False
        """Whether two responses named the same item."""
        self.ended = 0
        """How often one has come to its end."""
        self._session = session
        self._conversation = conversation
        self._layout = layout
        self._asked: list[_Asked] = []
        self._answered_tools: list[ToolCall] = []
        self._results_sent: dict[str, ToolCall] = {}

    # Asked for and begun

    def on_asked(self, event: Event, msg: Json) -> None:
        turn = self._conversation.latest_ready()
        trigger: Trigger = "client"
        response = obj(msg, "response")
        if self._answered_tools and not self._has_new_input(turn):
            trigger, turn = "tool", self._turn_of_tool(self._answered_tools[0])
        asked = _Asked(event.t_ns, trigger, turn, name_of(msg, "event_id"), response)
        if not asked.out_of_band:
            self._answered_tools.clear()
            if turn is not None:
                turn.answered, asked.turn = True, self._continue_or_open(turn, trigger)
        self._asked.append(asked)

    @staticmethod
    def _has_new_input(turn: Turn | None) -> bool:
        return turn is not None and not turn.answered

    def _turn_of_tool(self, tool: ToolCall) -> Turn | None:
        response = self.all.get(tool.response_id or "")
        return response.turn if response else None

    def _continue_or_open(self, turn: Turn, trigger: Trigger) -> Turn | None:
        """The same turn for its first response, a tool's follow-up and another try; else a turn of its own,
        which begins with the response."""
        if trigger == "tool" or not turn.response_ids:
            return turn
        last = self.all[turn.response_ids[-1]]
        return turn if last.status in ("failed", "cancelled", "incomplete") else None

    def on_created(self, event: Event, msg: Json) -> None:
        shown = obj(msg, "response")
        response_id = name_of(shown, "id")
        if response_id is None or response_id in self.all:
            return
        asked = self._take_asked(shown)
        if asked is not None:
            response = self._begin(response_id, asked.turn, asked.trigger, event)
            response.asked_ns = asked.t_ns
            response.out_of_band = asked.out_of_band
            response.instructions = string(asked.response, "instructions")
            response.offered = asked.response if "tools" in asked.response else response.offered
        else:
            turn, trigger = self._unasked()
            response = self._begin(response_id, turn, trigger, event)
        response.created_ns = event.t_ns
        response.metadata = obj(shown, "metadata")

    def _take_asked(self, shown: Json) -> _Asked | None:
        """The oldest request; one with the same metadata first, since two may be under way."""
        metadata = obj(shown, "metadata")
        matching = [one for one in self._asked if metadata and obj(one.response, "metadata") == metadata]
        for chosen in matching or self._asked:
            self._asked.remove(chosen)
            return chosen
        return None

    def _unasked(self) -> tuple[Turn | None, Trigger]:
        """A response that the provider began by itself: after speech, a timeout, or a tool that it ran."""
        turn = self._conversation.latest_ready()
        if turn is None:
            return None, "provider"
        if not turn.response_ids:
            kinds = {user.kind for user in turn.users}
            return turn, "idle_timeout" if "timeout" in kinds else "vad" if "speech" in kinds else "provider"
        last = self.all[turn.response_ids[-1]]
        return turn, "tool" if last.tools else "provider"

    def _begin(self, response_id: str, turn: Turn | None, trigger: Trigger, event: Event) -> Response:
        if turn is None or turn.withdrawn:
            turn = self._conversation.open_turn()
        turn.answered = True
        self.touched.add(turn)
        response = Response(response_id, len(self.all), turn, trigger, last_event_ns=event.t_ns)
        if turn.response_ids:
            response.previous_done_ns = self.all[turn.response_ids[-1]].done_ns
        turn.response_ids.append(response_id)
        response.offered = self._session.config
        response.config_hash = self._session.config_hash
        response.context = self._conversation.context()
        response.context_length = len(self._conversation.order)
        self.all[response_id] = response
        return response

    def _response(self, event: Event, msg: Json) -> Response | None:
        """The response that a message is about, also one whose beginning is not in the log."""
        response_id = name_of(msg, "response_id")
        return None if response_id is None else self._named(event, response_id)

    def _named(self, event: Event, response_id: str) -> Response:
        response = self.all.get(response_id)
        if response is None:
            response = self._begin(response_id, *self._unasked(), event)
        self.touched.add(response.turn)
        if response.first_event_ns is None:
            response.first_event_ns = event.t_ns
        response.last_event_ns = event.t_ns
        return response

    # Output

    def on_output_item(self, event: Event, msg: Json) -> None:
        response, item = self._response(event, msg), obj(msg, "item")
        if response is None:
            return
        self._take_output(response, event, item, done=event.type.endswith("done"))

    def _take_output(self, response: Response, event: Event, item: Json, *, done: bool) -> None:
        item_id = name_of(item, "id")
        if item_id is not None:
            self._add_item(response, item_id)
        if string(item, "type") in ("function_call", "mcp_call", "mcp_approval_request"):
            self._take_call(response, event, item, done=done)
        elif item_id is not None and done:
            _take_words(response, item_id, item)

    def on_audio(self, event: Event, msg: Json) -> None:
        if (response := self._response(event, msg)) is not None:
            response.first_audio_ns = response.first_audio_ns or event.t_ns
            self._add_item(response, string(msg, "item_id") or "")

    def _add_item(self, response: Response, item_id: str) -> None:
        if item_id not in response.item_ids:
            response.item_ids.append(item_id)
            known = self.of_item.setdefault(item_id, response)
            self.ambiguous = self.ambiguous or known is not response

    def on_words(self, event: Event, msg: Json) -> None:
        """Deltas and `done` of transcripts and texts; `done` repeats the whole."""
        response, item_id = self._response(event, msg), string(msg, "item_id") or ""
        if response is None:
            return
        kind = event.type
        is_speech = "transcript" in kind
        words = response.transcripts if is_speech else response.texts
        self._add_item(response, item_id)
        if kind.endswith("delta"):
            response.first_text_ns = response.first_text_ns or event.t_ns
            words[item_id] = words.get(item_id, "") + (string(msg, "delta") or "")
        else:
            whole = string(msg, "transcript" if is_speech else "text")
            words[item_id] = whole if whole is not None else words.get(item_id, "")

    def on_text(self, event: Event, response_id: str, item_id: str, text: str) -> None:
        """A piece of a text, as a delta brings it."""
        response = self._named(event, response_id)
        self._add_item(response, item_id)
        response.first_text_ns = response.first_text_ns or event.t_ns
        response.texts[item_id] = response.texts.get(item_id, "") + text

    def on_other(self, event: Event, msg: Json) -> None:
        self._response(event, msg)

    def on_done(self, event: Event, msg: Json) -> None:
        shown = obj(msg, "response")
        response = self._response(event, {"response_id": shown.get("id")})
        if response is None:
            return
        details = obj(shown, "status_details")
        self.ended += 1
        response.done_ns = event.t_ns
        response.status = name_of(shown, "status") or "completed"
        response.reason = string(details, "reason")
        response.cache = obj(shown, "cache") or None
        response.usage = obj(shown, "usage") or obj(msg, "usage")  # xAI has it beside the response
        response.images = objects(shown, MADE_IMAGES)
        for item in objects(shown, "output"):
            self._take_output(response, event, item, done=True)
        if response.status in ("failed", "incomplete"):
            error = obj(details, "error") or {"type": response.status, "message": response.reason}
            response.error = self._session.error(event, "response", error, response_id=response.id)

    def on_cleared(self, event: Event, msg: Json) -> None:
        response = self.all.get(string(msg, "response_id") or "")
        if response is not None:
            response.cleared = True

    # Tools

    def _take_call(self, response: Response, event: Event, item: Json, *, done: bool) -> None:
        tool = self._tool(response, event, item)
        if tool is None:
            return
        tool.name = name_of(item, "name") or tool.name
        tool.call_id = name_of(item, "call_id") or tool.call_id
        tool.arguments = string(item, "arguments") or tool.arguments
        tool.server_label = name_of(item, "server_label") or tool.server_label
        if tool.call_id is not None:
            self.tools.setdefault(tool.call_id, tool)
        if string(item, "type") == "mcp_approval_request":
            tool.approval = tool.approval or "asked"
        if done:
            _complete(tool, response, event)
            self._finish_mcp(tool, event, item)

    def _tool(self, response: Response, event: Event, item: Json) -> ToolCall | None:
        key = name_of(item, "id") or name_of(item, "call_id")
        if key is None:
            return None
        tool = self.tools.get(key) or self.tools.get(string(item, "call_id") or "")
        if tool is None:
            ran_in: Literal["client", "mcp"] = "client" if string(item, "type") == "function_call" else "mcp"
            tool = ToolCall(key, response.id, event.t_ns, ran_in, item_id=name_of(item, "id"))
            response.tools.append(tool)
            self.tools[key] = tool
        self._touch(tool)
        return tool

    def _touch(self, tool: ToolCall) -> None:
        response = self.all.get(tool.response_id or "")
        if response is not None:
            self.touched.add(response.turn)

    def on_arguments_delta(self, event: Event, msg: Json) -> None:
        self._response(event, msg)
        tool = self.tools.get(string(msg, "item_id") or "")
        if tool is not None and tool.args_done_ns is None:
            self._touch(tool)
            tool.arguments += string(msg, "delta") or ""

    def on_arguments_done(self, event: Event, msg: Json) -> None:
        response = self._response(event, msg)
        if response is None:
            return
        kind = "mcp_call" if "mcp" in event.type else "function_call"
        names = {key: msg.get(key) for key in ("call_id", "name", "arguments")}
        tool = self._tool(response, event, {"type": kind, "id": msg.get("item_id"), **names})
        if tool is not None:
            tool.arguments = string(msg, "arguments") or tool.arguments
            tool.name = name_of(msg, "name") or tool.name
            tool.call_id = name_of(msg, "call_id") or tool.call_id
            _complete(tool, response, event)
            if tool.call_id is not None:
                self.tools.setdefault(tool.call_id, tool)

    def on_item_sent(self, event: Event, msg: Json) -> None:
        """The client's answers to calls: results and approvals."""
        item = obj(msg, "item")
        if string(item, "type") == "function_call_output":
            tool = self.tools.get(string(item, "call_id") or "")
            if tool is not None and tool.result_ns is None:
                self._touch(tool)
                tool.result, tool.result_ns = string(item, "output"), event.t_ns
                self._answered_tools.append(tool)
                if (event_id := name_of(msg, "event_id")) is not None:
                    self._results_sent[event_id] = tool
        elif string(item, "type") == "mcp_approval_response":
            tool = self.tools.get(string(item, "approval_request_id") or "")
            if tool is not None:
                self._touch(tool)
                tool.approval = "approved" if item.get("approve") is True else "refused"
                tool.result_ns = event.t_ns

    def on_mcp_call(self, event: Event, msg: Json) -> None:
        """`completed` or `failed`: the result itself comes with the item."""
        tool = self.tools.get(string(msg, "item_id") or "")
        if tool is None or event.type.endswith("in_progress"):
            return
        self._touch(tool)
        tool.result_ns = tool.result_ns or event.t_ns
        if event.type.endswith("failed") and tool.error is None:
            tool.error = {"type": "mcp_call_failed", "message": f"The MCP call {tool.name} failed."}

    def _finish_mcp(self, tool: ToolCall, event: Event, item: Json) -> None:
        output, error = string(item, "output"), item.get("error")
        if tool.ran_in != "mcp" or string(item, "type") != "mcp_call":
            return
        if output is not None:
            tool.result = output
            tool.result_ns = tool.result_ns or event.t_ns
        if error:
            tool.error = (
                error if isinstance(error, dict) else {"type": "mcp_call_failed", "message": str(error)}
            )
            tool.result_ns = tool.result_ns or event.t_ns

    # Refusals

    def on_error(self, event: Event, error: Json) -> None:
        """An error that answers a `response.create` or a tool's result of the client."""
        event_id = string(error, "event_id")
        refused = [one for one in self._asked if event_id and one.event_id == event_id]
        if not refused and string(error, "code") == "conversation_already_has_active_response":
            refused = self._asked[-1:]
        for asked in refused:
            self._asked.remove(asked)
        tool = self._results_sent.pop(event_id or "", None)
        if tool is not None:
            self._touch(tool)
            tool.error = error


def says_error(result: str | None) -> bool:
    """Whether a function's result is an object with an `error` in it."""
    if not result or '"error"' not in result:
        return False
    try:
        return bool(obj(json.loads(result)).get("error"))
    except (ValueError, RecursionError):
        return False


def _complete(tool: ToolCall, response: Response, event: Event) -> None:
    """The call is whole: now its arguments can be checked, once."""
    if tool.args_done_ns is not None:
        return
    tool.args_done_ns = event.t_ns
    if tool.ran_in != "client" or not objects(response.offered, "tools"):
        return
    schema = schema_of(response.offered, tool.name)
    try:
        unknown = "no tool of this name was offered"
        tool.misfit = misfit(tool.arguments, schema) if schema is not None else unknown
    except LookupError:
        return
    tool.fits = tool.misfit is None


def _take_words(response: Response, item_id: str, item: Json) -> None:
    """The words of a finished item, where no deltas brought them."""
    for part in objects(item, "content"):
        transcript, text = string(part, "transcript"), string(part, "text")
        if transcript and not response.transcripts.get(item_id):
            response.transcripts[item_id] = transcript
        if text and not response.texts.get(item_id):
            response.texts[item_id] = text
