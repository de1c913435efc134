"""What is asked and what is answered, known to the load and to the provider, and how each tells whether it is
what was sent: byte by byte, or written anew by a relay that says the same.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

EVENTS: Final = 100
PATH: Final = "/v1/chat/completions"
_USAGE: Final = {"prompt_tokens": 150, "completion_tokens": 100, "total_tokens": 250}
_MESSAGES: Final = [{"role": "user", "content": "Tell me about the order that I made. " * 20}]

Found = Literal["unchanged", "anew", "wrong"]


def question(*, streams: bool) -> bytes:
    return json.dumps(
        {"model": "bench", "messages": _MESSAGES, **({"stream": True} if streams else {})}
    ).encode()


def events() -> list[bytes]:
    told = [b"data: " + _body(index, f"word{index} ") + b"\n\n" for index in range(EVENTS)]
    return [*told, b"data: [DONE]\n\n"]


def _body(index: int | None, text: str) -> bytes:
    whole = index is None
    part = {"message": {"role": "assistant", "content": text}} if whole else {"delta": {"content": text}}
    kind = "chat.completion" if whole else "chat.completion.chunk"
    choices = [{"index": 0, **part, "finish_reason": "stop" if index in (None, EVENTS - 1) else None}]
    named = {"id": "chatcmpl-bench", "object": kind, "created": 1_700_000_000, "model": "bench"}
    return json.dumps({**named, "choices": choices, "usage": _USAGE if whole else None}).encode()


PLAIN: Final = _body(None, "word " * 150)
STREAM: Final = b"".join(events())


def of_question(body: bytes, *, streams: bool) -> Found:
    """At the provider."""
    if body == question(streams=streams):
        return "unchanged"
    asked = _read(body)
    wanted = {"model": "bench", "messages": _MESSAGES, "stream": streams}
    same = all(asked.get(name, False) == value for name, value in wanted.items())
    return "anew" if same else "wrong"


def of_answer(body: bytes, *, streams: bool) -> Found:
    """At the client."""
    if body == (STREAM if streams else PLAIN):
        return "unchanged"
    says = _stream_says if streams else _says
    return "anew" if says(body) == says(STREAM if streams else PLAIN) else "wrong"


def _says(body: bytes) -> Any:
    answer = _read(body)
    usage = answer.get("usage") or {}
    return _choice(answer, "message"), {name: usage.get(name) for name in _USAGE}


def _stream_says(body: bytes) -> Any:
    """The words of each event, why it ended, and its end."""
    told = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")]
    choices = [_choice(_read(one), "delta") for one in told if one != b"[DONE]"]
    words = [words for words, _ in choices if words]
    return words, [reason for _, reason in choices if reason], told[-1:] == [b"[DONE]"]


def _choice(answer: dict[str, Any], part: str) -> tuple[str | None, str | None]:
    choices = answer.get("choices") or [{}]
    return (choices[0].get(part) or {}).get("content"), choices[0].get("finish_reason")


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
