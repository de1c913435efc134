"""What a judge answered: the bytes of a chat completion in, a vote out, whatever the model made of the shape
it was asked for.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from voxgate.evals.model import Json
from voxgate.traces.events import number, obj, objects, string

CANNOT_TELL: Final = "cannot_tell"
_LONGEST_REASONS: Final = 4000
_MOST_READ: Final = 200_000
_SAID: Final = re.compile(r"^\W*verdict\W+([\w -]+?)\W*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Vote:
    """`label` None: there is none, and `reasons` says why. `is_bad`: the answer cannot be read, and another
    one may be."""

    label: str | None
    reasons: str = ""
    cited: tuple[str, ...] = ()
    usage: Json = field(default_factory=dict)
    cost_usd: float | None = None
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Majority:
    """`label` is None for a tie; `value` is that of the label, of a tie the mean."""

    label: str | None
    value: float
    agreement: float
    votes: int


def verdict_schema(labels: Sequence[str]) -> Json:
    """Reasons come first: what is written before the verdict can still change it."""
    fields: Json = {
        "reasons": {"type": "string", "description": "Why, in at most five sentences."},
        "evidence": {"type": "array", "items": {"type": "string"}, "description": "Ids of lines."},
        "verdict": {"type": "string", "enum": [*labels, CANNOT_TELL]},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def vote_of(data: bytes, labels: Sequence[str]) -> Vote:
    try:
        answer = json.loads(data)
    except ValueError:
        return _bad("the judge's answer is no JSON")
    usage = usage_of(obj(answer, "usage"))
    choices = objects(answer, "choices")
    if not choices:
        return _bad("the judge's answer is no chat completion in OpenAI's shape", usage)
    message = obj(choices[0], "message")
    if refused := string(message, "refusal"):
        return Vote(None, f"the judge refused: {refused[:_LONGEST_REASONS]}", usage=usage)
    found = next(_verdicts(message), None)
    if found is None:
        return _bad(_why_unread(string(choices[0], "finish_reason")), usage)
    return _vote(found, labels, usage)


def majority_of(labels: Sequence[str], values: Mapping[str, float]) -> Majority:
    """Of at least one vote."""
    counted = Counter(labels)
    most = max(counted.values())
    first = [label for label in values if counted[label] == most]
    value = sum(values[label] for label in first) / len(first)
    return Majority(first[0] if len(first) == 1 else None, value, most / len(labels), len(labels))


def usage_of(usage: Json) -> Json:
    """Chat completions count by other names than the Realtime API: in those of the latter."""
    if not usage or "prompt_tokens" not in usage:
        return usage
    came, given = obj(usage, "prompt_tokens_details"), obj(usage, "completion_tokens_details")
    tokens_in, tokens_out = number(usage, "prompt_tokens") or 0, number(usage, "completion_tokens") or 0
    audio_in, audio_out = number(came, "audio_tokens") or 0, number(given, "audio_tokens") or 0
    cached = number(came, "cached_tokens") or 0
    details: Json = {"text_tokens": tokens_in - audio_in, "audio_tokens": audio_in, "cached_tokens": cached}
    if cached and not audio_in:
        details["cached_tokens_details"] = {"text_tokens": cached}
    return {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "input_token_details": details,
        "output_token_details": {"text_tokens": tokens_out - audio_out, "audio_tokens": audio_out},
    }


def _verdicts(message: Json) -> Iterator[Json]:
    """All that could be one: the arguments of a tool, the content, an object in it, a line of it."""
    for call in objects(message, "tool_calls"):
        yield from _objects_in(string(obj(call, "function"), "arguments") or "")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(string(part, "text") or "" for part in content)
    if isinstance(content, str):
        yield from _objects_in(content)
        if said := _SAID.findall(content):
            yield {"verdict": said[-1], "reasons": content}


def _objects_in(text: str) -> Iterator[Json]:
    """JSON objects with a verdict, alone or somewhere in a text; the last one first, which is the one that
    was arrived at."""
    text = text[-_MOST_READ:]
    decoder, found, at = json.JSONDecoder(), list[Json](), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value, end = None, at + 1
        if isinstance(value, dict) and "verdict" in value:
            found.append(value)
        at = text.find("{", end)
    yield from reversed(found)


def _vote(found: Json, labels: Sequence[str], usage: Json) -> Vote:
    reasons = (string(found, "reasons") or "").strip()[:_LONGEST_REASONS]
    said = str(found.get("verdict")).strip().casefold().replace(" ", "_")
    if said == CANNOT_TELL:
        return Vote(None, f"the judge cannot tell: {reasons}", usage=usage)
    known = {label.casefold().replace(" ", "_"): label for label in labels}
    if said not in known:
        return _bad(f"the judge answered {str(found.get('verdict'))[:100]!r}, which is no choice", usage)
    cited = found.get("evidence")
    ids = tuple(str(one) for one in cited) if isinstance(cited, list) else ()
    return Vote(known[said], reasons, ids, usage)


def _why_unread(finish_reason: str | None) -> str:
    if finish_reason == "content_filter":
        return "the judge's answer was filtered"
    if finish_reason == "length":
        return "the judge's answer was cut before its verdict"
    return "the judge's answer has no verdict"


def _bad(reason: str, usage: Json | None = None) -> Vote:
    return Vote(None, reason, usage=usage or {}, is_bad=True)
