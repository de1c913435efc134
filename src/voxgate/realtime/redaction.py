"""Secrets inside messages: the credentials of MCP servers in a session's or a response's tools, what tools
are called with under names such as `password`, and keys that errors repeat. Messages in, the same or
redacted copies out.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

REDACTED: Final = "[redacted]"
_SECRETS: Final = ("authorization", "headers")
_HOLDERS: Final = ("session", "response")
REDACTED_MEMBERS: Final = frozenset((*_HOLDERS, "error", "reason", "item", "arguments"))
"""A message without any of these is never redacted by `redact`."""

_NAMES: Final = (
    r"[\w-]*(?:token(?!s)|passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|authori[sz]ation|credential|cookie|cvv|cvc)[\w-]*"
)
_SECRET_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
_NAMED: Final = re.compile(rf'"{_NAMES}\\*"\s*:', re.IGNORECASE)
"""Such a name in JSON text, also in JSON text inside JSON text."""
_TEXTS: Final = ("arguments", "output")
"""Members of items and messages that hold JSON text of tools."""
_ARGUMENT_DELTAS: Final = frozenset(
    ("response.function_call_arguments.delta", "response.mcp_call_arguments.delta")
)
_TAIL: Final = 128
_MOST_STREAMS: Final = 256
_DEEPEST: Final = 40
_KEY: Final = re.compile(r"\b((?:sk|ek|vg|xai)[-_]|Bearer\s+)[\w.*-]{6,}")
"""What looks like a provider's key, or one of ours. Providers like to quote the key that they refuse."""


def redact(message: dict[str, Any]) -> dict[str, Any] | None:
    """A copy without secrets; None if the message has none."""
    if REDACTED_MEMBERS.isdisjoint(message):
        return None
    changed: dict[str, Any] = {}
    for name in _HOLDERS:
        if (holder := _without_secrets(message.get(name))) is not None:
            changed[name] = holder
    if (error := message.get("error")) is not None and (clean := _without_keys(error, 0)) is not error:
        changed["error"] = clean
    reason = message.get("reason")
    if isinstance(reason, str) and (shown := without_keys(reason)) != reason:
        changed["reason"] = shown
    if (item := message.get("item")) is not None and (cleaned := _without_values(item)) is not None:
        changed["item"] = cleaned
    if "arguments" in message and (own := _without_values(message)) is not None:
        changed["arguments"] = own["arguments"]
    if "response" in message:
        response = _without_outputs(changed.get("response", message["response"]))
        changed.update({"response": response} if response is not None else {})
    return {**message, **changed} if changed else None


def without_keys(text: str) -> str:
    """A text in which of what looks like a key only the first letters are left."""
    return _KEY.sub(r"\1…", text)


def without_key(text: str, secret: str) -> str:
    """The same, and without this key: some have no look by which to find them; those are known whole."""
    return without_keys(text.replace(secret, "…") if secret else text)


class ArgumentDeltas:
    """Arguments of tools while they come in pieces: from the name of a secret on, the pieces are empty. The
    whole comes once more at the end, and is redacted as a whole."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], str | None] = {}
        """The end of each text so far; None once it has named a secret."""

    def redact(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """None for a message that may stay as it is."""
        delta = message.get("delta")
        if message.get("type") not in _ARGUMENT_DELTAS or not isinstance(delta, str):
            return None
        key = str(message.get("response_id")), str(message.get("item_id"))
        if key not in self._streams and len(self._streams) >= _MOST_STREAMS:
            del self._streams[next(iter(self._streams))]
        so_far = self._streams.get(key, "")
        if so_far is not None:
            so_far += delta
            if _NAMED.search(so_far) is None and "\\u" not in so_far:
                self._streams[key] = so_far[-_TAIL:]
                return None
        self._streams[key] = None
        return {**message, "delta": ""}


# Tools of MCP servers


def _without_secrets(holder: Any) -> dict[str, Any] | None:
    tools = holder.get("tools") if isinstance(holder, dict) else None
    if not isinstance(tools, list) or not any(map(_has_secret, tools)):
        return None
    return {**holder, "tools": [_redacted(tool) if _has_secret(tool) else tool for tool in tools]}


def _has_secret(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "mcp" and any(tool.get(key) for key in _SECRETS)


def _redacted(tool: dict[str, Any]) -> dict[str, Any]:
    return {key: REDACTED if key in _SECRETS and value else value for key, value in tool.items()}


# What tools are called with, and answer


def _without_outputs(response: Any) -> dict[str, Any] | None:
    output = response.get("output") if isinstance(response, dict) else None
    if not isinstance(output, list):
        return None
    cleaned = [_without_values(item) or item for item in output]
    changed = any(new is not old for new, old in zip(cleaned, output, strict=True))
    return {**response, "output": cleaned} if changed else None


def _without_values(item: Any) -> dict[str, Any] | None:
    """An item, or a message, whose arguments or output name a secret."""
    if not isinstance(item, dict):
        return None
    found = {
        name: _without_named(text)
        for name in _TEXTS
        if isinstance(text := item.get(name), str) and _NAMED.search(text) is not None
    }
    return {**item, **found} if found else None


def _without_named(text: str) -> str:
    """JSON text without the values of secrets' names. Of what is no JSON nothing stays."""
    try:
        parsed = json.loads(text)
        cleaned = _values(parsed, 0)
        return text if cleaned == parsed else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return REDACTED


def _values(value: Any, depth: int) -> Any:
    if depth >= _DEEPEST:
        return REDACTED
    if isinstance(value, dict):
        return {
            name: REDACTED if _is_secret(name, one) else _values(one, depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_values(one, depth + 1) for one in value]
    if isinstance(value, str) and _NAMED.search(value):
        return _without_named(value)
    return value


def _is_secret(name: str, value: Any) -> bool:
    return value not in (None, "", True, False) and _SECRET_NAME.fullmatch(name) is not None


# Errors


def _without_keys(value: Any, depth: int) -> Any:
    """The value itself if there is none."""
    if isinstance(value, str):
        cleaned = without_keys(value)
        return value if cleaned == value else cleaned
    if not isinstance(value, dict) or depth >= _DEEPEST:
        return value
    made = {name: _without_keys(one, depth + 1) for name, one in value.items()}
    return value if all(made[name] is value[name] for name in value) else made
