"""What a credential lets its client send: types of events, tools, and names of models. Each rule looks at a
decoded event; what breaks one goes back as an `error` event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from voxgate.auth.credentials import Grant
from voxgate.core.errors import EventNotAllowed, InvalidEvent, ToolNotAllowed, VoxgateError
from voxgate.gateway.policies.judging import Body, a_list, an_object, lacks, read_event, refusal, shown
from voxgate.gateway.policies.ruling import NOTHING, Foreseen, Ruling
from voxgate.realtime.peek import SOUND_KINDS, kind_of

Rule = Callable[[Body], None]
"""Raises a VoxgateError when the event breaks it."""

_GENERAL_CHOICES: Final = ("none", "auto", "required")
_TRANSCRIPTIONS: Final = (("audio", "input", "transcription"), ("input_audio_transcription",))
"""Where a session says how it transcribes: in GA and in beta."""
_LONGEST_NAME: Final = 256


class Allowed:
    """The stage that holds a client's messages against rules. One that carries sound has nothing that a rule
    looks at but its type."""

    sound_to_client = foresee_to_client = None

    def __init__(self, rules: Sequence[Rule], events: EventRule | None = None, word: bytes = b"") -> None:
        """A message that `word` surely does not stand in breaks no rule, whatever else it is."""
        self._rules: list[Rule] = [events, *rules] if events else [*rules]
        self._sound = frozenset(
            kind for kind in SOUND_KINDS if events is None or events.allows(kind.decode())
        )
        """The types of sound that are allowed."""
        self._word = word

    def opening(self) -> Ruling:
        return NOTHING

    def to_provider(self, text: bytes) -> Ruling:
        if kind_of(text) in self._sound:
            return Ruling((text,))
        if self._word and lacks(text, self._word):
            return Ruling((text,))
        try:
            event = read_event(text)
        except VoxgateError as error:
            return refusal(error)
        try:
            for rule in self._rules:
                rule(event)
        except VoxgateError as error:
            return refusal(error, event)
        return Ruling((text,))

    def sound_to_provider(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        return text if kind in self._sound else None

    def foresee_to_provider(self) -> Foreseen:
        """Which types are allowed never changes."""
        return Foreseen({kind: kind for kind in self._sound})

    def to_client(self, text: bytes) -> Ruling:
        return Ruling((text,))


class EventRule:
    """`allowed_events`: types or patterns."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)

    def allows(self, kind: str) -> bool:
        return _fits(kind, self._patterns)

    def __call__(self, event: Body) -> None:
        if not self.allows(event["type"]):
            raise EventNotAllowed(
                f"This session's credential does not allow the event {shown(event['type'])}.", param="type"
            )


class ToolRule:
    """`allowed_tools`: names of functions or patterns, and `mcp` for MCP servers. Tools of the credential's
    own session may be chosen, but are not the client's to bring."""

    def __init__(self, patterns: Iterable[str], own_tools: Iterable[Body] = ()) -> None:
        self._patterns = tuple(patterns)
        own = list(own_tools)
        self._own = {tool.get("name") for tool in own if tool.get("type") == "function"}
        self._own_servers = {tool.get("server_label") for tool in own if tool.get("type") == "mcp"}

    def __call__(self, event: Body) -> None:
        for name in ("session", "response"):
            if (body := event.get(name)) is not None:
                self.check_body(an_object(body, name), f"{name}.")
        for item, at in _items(event):
            self.check_item(item, at)

    def check_body(self, body: Body, before: str = "") -> None:
        """Of a session or a response, whose fields are called so with this before their names."""
        for index, tool in enumerate(a_list(body.get("tools"), f"{before}tools")):
            self.check_tool(tool, f"{before}tools.{index}")
        self._check_choice(body.get("tool_choice"), f"{before}tool_choice")
        if body.get("prompt") is not None:
            raise tool_refused("a stored prompt, which can bring tools", f"{before}prompt")

    def check_tool(self, tool: Any, at: str) -> None:
        kind, name = _identity(tool, at)
        allowed = _fits(name, self._patterns) if kind == "function" else kind in self._patterns
        if not allowed:
            raise tool_refused(f"the tool {shown(name)}", at)

    def _check_choice(self, choice: Any, at: str) -> None:
        """`none`, `auto` and `required` choose among the tools that are there."""
        if choice is None or choice in _GENERAL_CHOICES:
            return
        if isinstance(choice, str):
            choice = {"type": "function", "name": choice}
        if an_object(choice, at).get("type") == "allowed_tools":
            for index, each in enumerate(a_list(choice.get("tools"), f"{at}.tools")):
                self._check_chosen(each, f"{at}.tools.{index}")
        else:
            self._check_chosen(choice, at)

    def _check_chosen(self, tool: Any, at: str) -> None:
        kind, name = _identity(tool, at)
        own = {"function": self._own, "mcp": self._own_servers}.get(kind, ())
        if name not in own:
            self.check_tool(tool, at)

    def check_item(self, item: Any, at: str) -> None:
        """An item that lists an MCP server's tools brings them."""
        if "tools" in an_object(item, at) and "mcp" not in self._patterns:
            raise tool_refused(f"the tools of {shown(item.get('server_label'))}", f"{at}.tools")


class ModelRule:
    """The credential's models: a message that names another one is refused. In a session that transcribes,
    the model is the one that transcribes; in one that answers, what transcribes beside is not restricted."""

    def __init__(self, grant: Grant, *, transcribes: bool = False) -> None:
        self._grant = grant
        self._transcribes = transcribes
        """Whether the session only transcribes, whatever an update says of itself."""

    def __call__(self, event: Body) -> None:
        self._check(event, "model")
        for name in ("session", "response"):
            if (body := event.get(name)) is not None:
                self._check(an_object(body, name), f"{name}.model")
        session = event.get("session") or {}
        says_so = event["type"].startswith("transcription_") or session.get("type") == "transcription"
        if says_so or self._transcribes:
            for path in _TRANSCRIPTIONS:
                self._check_transcription(session, path)

    def _check_transcription(self, session: Body, path: Sequence[str]) -> None:
        holder, at = session, "session"
        for name in path:
            at = f"{at}.{name}"
            if holder.get(name) is None:
                return
            holder = an_object(holder[name], at)
        self._check(holder, f"{at}.model")

    def _check(self, body: Body, at: str) -> None:
        name = body.get("model")
        if isinstance(name, str) and len(name) <= _LONGEST_NAME:
            self._grant.check_model(name, at)
        elif name is not None:
            raise InvalidEvent(f"Invalid event: {at} is no name of a model.", param=at)


def _items(event: Body) -> Iterator[tuple[Any, str]]:
    if "item" in event:
        yield event["item"], "item"
    response = event.get("response") or {}
    for index, item in enumerate(a_list(response.get("input"), "response.input")):
        yield item, f"response.input.{index}"


def _identity(tool: Any, at: str) -> tuple[str, str]:
    """The type and the name of a tool; of one that is no function its label."""
    kind = an_object(tool, at).get("type")
    name = tool.get("name") if kind == "function" else tool.get("server_label") or kind
    if not isinstance(kind, str) or not isinstance(name, str) or "function" in tool:
        raise InvalidEvent(f"Invalid event: {at} has no type or no name.", param=at)
    return kind, name


def tool_refused(what: str, at: str) -> ToolNotAllowed:
    return ToolNotAllowed(f"This session's credential does not allow {what}.", param=at)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return len(name) <= _LONGEST_NAME and any(fnmatchcase(name, pattern) for pattern in patterns)
