"""Whether a request may be answered from the cache, by what is in it, and whether an answer may be kept.
Everything here is pure.

    endpoint, fields, headers → wish_of → refusal (why not, if not) → parts_of (what the answer depends on)
    answer                    → is_whole
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import orjson

from voxgate.core.errors import InvalidRequest
from voxgate.gateway.requests.bodies import Wanted
from voxgate.gateway.requests.endpoints import Endpoint
from voxgate.gateway.requests.logging import EventReader
from voxgate.providers.targets import Target

CACHE_HEADER: Final = "x-voxgate-cache"
TTL_HEADER: Final = "x-voxgate-cache-ttl"
Wish = Literal["auto", "always", "refresh", "never"]
"""`auto`: if the answer is the same each time. `always`: even if not. `refresh`: the same, with an answer of
now."""

_SAMPLED: Final = frozenset(("chat/completions", "completions", "responses", "messages"))
"""Whose answers are the same each time with a temperature of 0 or a seed."""
_CALCULATED: Final = frozenset({"embeddings"})
_OWN_TOOLS: Final = frozenset((None, "function", "custom"))
"""Those that the client runs; providers run the others, in a world that changes."""
_WORLDLY: Final = ("web_search_options", "mcp_servers", "prompt")
"""Fields of chat, messages and responses that let an answer depend on what changes meanwhile. (`prompt` is
plain text in completions.)"""
_STATEFUL: Final = ("previous_response_id", "conversation", "background", "container")
_ANSWER_HEADERS: Final = ("accept", "openai-beta", "anthropic-version", "anthropic-beta")
"""Of the client's headers, what an answer may depend on."""
_BOUNDARY: Final = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_LARGEST_PARSED_BYTES: Final = 2 << 20
_DONE: Final = b"data: [DONE]"
_ENDS: Final = {"responses": frozenset({"response.completed"}), "messages": frozenset({"message_stop"})}
_OTHER_ENDS: Final = frozenset((
    "transcript.text.done", "speech.audio.done", "image_generation.completed", "image_edit.completed",
))  # fmt: skip
"""Types of the last event of a stream that is whole; of chat and completions it is `_DONE`."""


def wish_of(headers: Mapping[str, str]) -> Wish | None:
    """None where the request does not say. InvalidRequest for what is not known: a typing error must not look
    like a cache that never hits."""
    given = headers.get(CACHE_HEADER)
    if given is None:
        return None
    for wish in get_args(Wish):
        if given.strip().lower() == wish:
            return wish  # type: ignore[no-any-return]
    raise InvalidRequest(
        f"The header {CACHE_HEADER} must be one of {', '.join(get_args(Wish))}, not {given[:50]!a}.",
        param=CACHE_HEADER,
    )


def ttl_of(headers: Mapping[str, str], default_seconds: int, longest_seconds: int) -> int:
    given = headers.get(TTL_HEADER, "").strip()
    if not given:
        return default_seconds
    if not (given.isascii() and given.isdigit()) or len(given) > 12 or int(given) < 1:
        raise InvalidRequest(
            f"The header {TTL_HEADER} must be a whole number of seconds, 1 or more, not {given[:50]!a}.",
            param=TTL_HEADER,
        )
    return min(int(given), longest_seconds)


def refusal(endpoint: Endpoint, wanted: Wanted | None, wish: Wish) -> str | None:
    """Why such a request is not cached; None if it is."""
    if wanted is None:
        return "what passes through is not read"
    fields = wanted.fields
    if endpoint.body == "json" and (state := _state(fields)) is not None:
        return f"its answer is stored or continued at the provider ({state})"
    if wish != "auto":
        return None
    return _variation(endpoint, fields)


def _state(fields: Mapping[str, Any]) -> str | None:
    if fields.get("store") is True:
        return "store"
    if (found := next((name for name in _STATEFUL if fields.get(name)), None)) is not None:
        return found
    given = fields.get("input")
    items = given if isinstance(given, list) else ()
    return "item_reference" if any(_type(item) == "item_reference" for item in items) else None


def _variation(endpoint: Endpoint, fields: Mapping[str, Any]) -> str | None:
    """Why the answer may be another one each time."""
    name = endpoint.name
    if name in _CALCULATED:
        return None
    if name not in _SAMPLED:
        return f"answers of {name} are cached only if asked for with 'always'"
    if not (_is_zero(fields.get("temperature")) or _is_number(fields.get("seed"))):
        return "neither is its temperature 0 nor has it a seed"
    if name == "responses" and fields.get("store") is not False:
        return "its answer is stored at the provider unless store is false"
    modalities = fields.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        return "its answer has sound, which the provider remembers for a while"
    return _world(name, fields)


def _world(name: str, fields: Mapping[str, Any]) -> str | None:
    worldly = (each for each in _WORLDLY if fields.get(each) and (name, each) != ("completions", "prompt"))
    if (found := next(worldly, None)) is not None:
        return f"its answer depends on more than the request ({found})"
    tools = fields.get("tools")
    hosted = (_type(tool) for tool in (tools if isinstance(tools, list) else ()))
    if (kind := next((kind for kind in hosted if kind not in _OWN_TOOLS), None)) is not None:
        return f"the provider runs a tool for it ({kind})"
    return None


def _type(item: Any) -> Any:
    return item.get("type") if isinstance(item, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_zero(value: Any) -> bool:
    return _is_number(value) and value == 0


def parts_of(
    endpoint: Endpoint, model: str, targets: Sequence[Target], headers: Mapping[str, str], body: bytes
) -> Iterator[bytes]:
    """All that an answer depends on. The body counts byte by byte; of a form the boundary does not, which
    clients draw anew each time."""
    yield endpoint.name.encode()
    yield model.encode()
    served = sorted({(target.provider, target.url, target.model) for target in targets})
    yield orjson.dumps(served)
    yield orjson.dumps({name: headers.get(name) for name in _ANSWER_HEADERS})
    content_type = headers.get("content-type", "")
    boundary = _BOUNDARY.search(content_type) if endpoint.body == "form" else None
    if boundary is None:
        yield content_type.encode()
        yield body
        return
    start, end = boundary.span(1)
    yield (content_type[:start] + content_type[end:]).encode()
    yield from body.split(b"--" + boundary[1].encode())


# Answers


def is_whole(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this is a complete and successful answer, of which the provider has said so itself: nobody
    else can tell the end of an answer from that of a connection."""
    if not body or "content-encoding" in headers:
        return False
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return _is_whole_stream(endpoint, body)
    is_framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
    if kind == "application/json" or kind.endswith("+json"):
        return _is_whole_json(endpoint, body, is_framed=is_framed)
    return is_framed


def _is_whole_stream(endpoint: Endpoint, body: bytes) -> bool:
    reader, last = EventReader(), None
    for message in (*reader.feed(body), *reader.rest()):
        event = _read(message)
        if event is None or event.get("error") or event.get("type") == "error":
            return False
        last = event.get("type")
    if endpoint.name in _ENDS:
        return last in _ENDS[endpoint.name]
    return last in _OTHER_ENDS or body.rstrip().endswith(_DONE)


def _is_whole_json(endpoint: Endpoint, body: bytes, *, is_framed: bool) -> bool:
    """Numbers by the megabyte are not parsed, which would stop the event loop for as long."""
    if is_framed and endpoint.name != "responses" and b'"error"' not in body:
        return body.lstrip().startswith(b"{") and body.rstrip().endswith(b"}")
    answer = _read(body) if len(body) <= _LARGEST_PARSED_BYTES else None
    if answer is None or answer.get("error"):
        return False
    return endpoint.name != "responses" or answer.get("status") == "completed"


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
