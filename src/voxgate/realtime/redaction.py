"""Secrets inside messages: the credentials of MCP servers in a session's or a response's tools. Messages in,
the same or redacted copies out.
"""

from __future__ import annotations

from typing import Any, Final

REDACTED: Final = "[redacted]"
_SECRETS: Final = ("authorization", "headers")
_HOLDERS: Final = ("session", "response")


def redact(message: dict[str, Any]) -> dict[str, Any] | None:
    """A copy without the secrets of MCP tools; None if the message has none."""
    if "session" not in message and "response" not in message:
        return None
    changed = {
        name: holder for name in _HOLDERS if (holder := _without_secrets(message.get(name))) is not None
    }
    return {**message, **changed} if changed else None


def _without_secrets(holder: Any) -> dict[str, Any] | None:
    tools = holder.get("tools") if isinstance(holder, dict) else None
    if not isinstance(tools, list) or not any(map(_has_secret, tools)):
        return None
    return {**holder, "tools": [_redacted(tool) if _has_secret(tool) else tool for tool in tools]}


def _has_secret(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "mcp" and any(tool.get(key) for key in _SECRETS)


def _redacted(tool: dict[str, Any]) -> dict[str, Any]:
    return {key: REDACTED if key in _SECRETS and value else value for key, value in tool.items()}
