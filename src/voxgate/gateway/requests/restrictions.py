"""What a temporary credential says of calls, at a request: a restriction that a body can be held to is held
there; with one that it cannot be, the credential is good for no request, so that nobody gets around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxgate.auth.credentials import Grant
from voxgate.core.errors import FieldLocked, InvalidEvent, InvalidRequest, NotForRequests
from voxgate.gateway.policies.allowed import ToolRule, tool_refused
from voxgate.gateway.policies.judging import Body, a_list, an_object, read_object
from voxgate.gateway.requests.estimate import SILENT

_TOKENS: Final = "max_output_tokens"
_TOOLS: Final = "tools"
_MOST_TOKENS: Final = {
    "chat/completions": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
"""How many tokens an answer may have, as each API calls it."""
_TIMES: Final = ("n", "best_of")
_BROUGHT: Final = {
    "functions": "functions",
    "web_search_options": "web_search",
    "search_parameters": "web_search",
    "plugins": "plugins",
    "mcp_servers": "mcp",
}
"""Fields that bring tools beside `tools`, and what these are called in a credential."""
_WITH_TOOLS: Final = ("chat/completions", "responses", "messages")
_DEEPEST: Final = 8


def check_endpoint(grant: Grant, endpoint: str, *, is_socket: bool = False) -> None:
    """NotForRequests where nothing that is asked for could be held to what this credential restricts."""
    given = grant.session.get(_TOKENS)
    unkept = [path for path in grant.locked if path not in (_TOKENS, _TOOLS)]
    if _TOOLS in grant.locked and grant.session.get(_TOOLS):
        unkept.append(_TOOLS)
    if _TOKENS in grant.locked and isinstance(given, int) and not _is_bound(endpoint):
        unkept.append(_TOKENS)
    if unkept:
        raise NotForRequests(
            f"This temporary credential locks {_listed(unkept)} of a session, which cannot be kept at "
            f"{endpoint}. Use it for a Realtime call, or make one without that lock for requests.",
            param="session.lock",
        )
    if grant.allowed_events is not None and not is_socket:
        raise NotForRequests(
            "This temporary credential allows certain events of a call only, and a request has none. Use it "
            "for a Realtime call, or make one without 'allowed_events' for requests.",
            param="allowed_events",
        )
    if grant.max_audio_seconds is not None and endpoint.startswith("audio/"):
        raise _sound_uncounted()


class Restrictions:
    """What is to be checked in the bodies that come with one credential."""

    def __init__(self, grant: Grant) -> None:
        tools = () if _TOOLS in grant.locked else grant.allowed_tools
        self._patterns = tools
        self._tools = None if tools is None else ToolRule(tools)
        most = grant.session.get(_TOKENS) if _TOKENS in grant.locked else None
        self._most_tokens = most if isinstance(most, int) else None
        self._is_locked = bool(grant.locked)
        self._counts_sound = grant.max_audio_seconds is not None

    @property
    def any(self) -> bool:
        return self._tools is not None or self._is_locked or self._counts_sound

    def check_text(self, endpoint: str, text: bytes) -> None:
        """Of a JSON body, read so that any other reader finds the same in it."""
        try:
            self.check(endpoint, read_object(text, "body"))
        except InvalidEvent as error:
            said = error.message.replace("Invalid event", "Invalid body")
            raise InvalidRequest(said, param=error.param) from error

    def check(self, endpoint: str, body: Body) -> None:
        if self._tools is not None:
            self._check_tools(self._tools, endpoint, body)
        if self._most_tokens is not None:
            _check_most(self._most_tokens, endpoint, body)
        if self._is_locked and endpoint == "responses" and body.get("prompt") is not None:
            raise FieldLocked("This credential does not allow a stored prompt.", param="prompt")
        if self._counts_sound and _has_sound(body):
            raise _sound_uncounted()

    def _check_tools(self, rule: ToolRule, endpoint: str, body: Body) -> None:
        if not endpoint.startswith(_WITH_TOOLS):
            return
        for name, called in _BROUGHT.items():
            if body.get(name) and called not in (self._patterns or ()):
                raise tool_refused(f"'{name}', which brings tools", name)
        if endpoint.startswith("responses"):
            rule.check_body(body)
            items = body.get("input")
            for index, item in enumerate(items if isinstance(items, list) else ()):
                rule.check_item(item, f"input.{index}")
            return
        for index, tool in enumerate(a_list(body.get("tools"), "tools")):
            at = f"tools.{index}"
            rule.check_tool(_flat(an_object(tool, at), at, is_chat=endpoint.startswith("chat")), at)


def _is_bound(endpoint: str) -> bool:
    """Whether a body can say how long its answer may be, or the answer has no such length."""
    return endpoint in _MOST_TOKENS or endpoint in SILENT


def _flat(tool: Body, at: str, *, is_chat: bool) -> Body:
    """A tool of chat completions or of Anthropic's messages, as responses and calls have it."""
    kind = tool.get("type") if is_chat else tool.get("type", "custom")
    if kind not in ("function", "custom"):
        return {"type": kind}
    named = an_object(tool.get(kind), f"{at}.{kind}") if is_chat else tool
    return {"type": "function", "name": named.get("name")}


def _check_most(most: int, endpoint: str, body: Body) -> None:
    names = _MOST_TOKENS.get(endpoint)
    if names is None:
        return
    times = max([_whole(body[name], name) for name in _TIMES if body.get(name) is not None], default=1)
    said = {name: _whole(body[name], name) for name in names if body.get(name) is not None}
    if not said or max(said.values()) * times > most:
        name = next(iter(said), names[0])
        raise FieldLocked(
            f"With this credential an answer has {most:,} tokens at most: say so with '{name}'.", param=name
        )


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRequest(f"'{name}' must be a whole number.", param=name)
    return value


def _has_sound(body: Body) -> bool:
    spoken = [body.get(name) for name in ("modalities", "output_modalities")]
    if body.get("audio") is not None or any(isinstance(each, list) and "audio" in each for each in spoken):
        return True
    return any(kind in ("input_audio", "audio") for kind in _kinds(body))


def _kinds(value: Any, depth: int = 0) -> Iterator[Any]:
    """The `type` of everything in it."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield value.get("type")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _kinds(each, depth + 1)


def _sound_uncounted() -> NotForRequests:
    return NotForRequests(
        "The seconds of sound that this temporary credential has are counted in calls only. Make one with "
        "'max_tokens' or 'max_cost_usd' for requests that hear or speak.",
        param="max_audio_seconds",
    )


def _listed(names: list[str]) -> str:
    *others, last = [f"'{name}'" for name in sorted(names)]
    return f"{', '.join(others)} and {last}" if others else last
