"""What a client surfaced, held against what the provider said and got: one verdict for each step."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable
from typing import Any, Final

from tests.clients.matrix.python import talk
from tests.clients.matrix.roster import Client
from tests.clients.matrix.witness import PROVIDER_KEY, Seen

Account = dict[str, Any]
Check = Callable[[Client, Account, Seen, Account], None]
"""The last is what the provider said, told in the same way. AssertionError says what is not so."""

# Written down here once more, so that the translation is not held against itself.
BETA_NAMES: Final = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
BETA_SESSION: Final = {
    "temperature": 0.8,
    "max_response_output_tokens": 4096,
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "instructions": talk.INSTRUCTIONS,
}


def of_a_whole_call(account: Account, speech: bytes) -> dict[str, Check]:
    """By step. A client that surfaces no events is not asked for them."""
    steps = {
        "credential": connected,
        "text": wrote,
        "audio": functools.partial(spoke, speech=speech),
        "tool": called_a_tool,
        "events": has_every_event,
        "close": closed,
    }
    return {step: check for step, check in steps.items() if step != "events" or account["events"] is not None}


def told(seen: Seen) -> Account:
    """What the provider said, as an account of it."""
    account = talk.Account(events=[])
    for event in seen.said:
        account.take(event)
    return account.to_json()


def connected(client: Client, account: Account, seen: Seen, truth: Account) -> None:
    _same("the provider's key", seen.call.header("authorization"), f"Bearer {PROVIDER_KEY}")
    _same("the dialect at the provider", seen.call.header("openai-beta"), None)
    _same("errors from the provider", truth["errors"], [])
    _same("errors", account["errors"], [])
    session = account["session"]
    if session is None:
        return
    _same("the session's id", session["id"], truth["session"]["id"])
    _same("the session's model", session["model"], client.model)
    if dialect_of(account) == "beta":
        expected = BETA_SESSION
        _same("modalities", sorted(session["modalities"]), ["audio", "text"])
        _same("the session", {name: session.get(name) for name in expected}, expected)
        heard_by = truth["session"]["audio"]["input"]["transcription"]
        _same("the transcription", session["input_audio_transcription"], heard_by)
    else:
        _same("the session", session, truth["session"] | {"model": client.model})


def wrote(_: Client, account: Account, seen: Seen, truth: Account) -> None:
    texts = [part.get("text") for event in _items(seen, "message") for part in event["content"]]
    _same("the text at the provider", texts[:1], [talk.COUNT])
    _same_answer(account, truth, 0)
    _same("the words", truth["words"][0], "1, 2, 3.")


def spoke(_: Client, account: Account, seen: Seen, truth: Account, speech: bytes) -> None:
    appended = [base64.b64decode(event["audio"]) for event in seen.asked_for("input_audio_buffer.append")]
    assert speech in b"".join(appended), "the provider did not get the sound that was spoken"
    assert truth["heard"], "the provider heard nothing"
    if account["heard"] is not None:
        _same("what was heard", account["heard"], truth["heard"])
    assert "weather" in truth["heard"][0].lower()


def called_a_tool(_: Client, account: Account, seen: Seen, truth: Account) -> None:
    (asked,) = truth["tools"]
    (got,) = account["tools"] or [None]
    assert got is not None, "no call of the tool came to the client"
    _same("the call", _read(got), _read({name: asked[name] for name in got}))
    (output,) = _items(seen, "function_call_output")
    _same("the call of the tool's result", output["call_id"], asked["call_id"])
    _same("the tool's result at the provider", json.loads(output["output"]), json.loads(talk.FORECAST))
    _same_answer(account, truth, 1)
    assert "sunny" in truth["words"][1].lower()


def has_every_event(_: Client, account: Account, __: Seen, truth: Account) -> None:
    expected = truth["events"]
    if dialect_of(account) == "beta":
        expected = [
            [BETA_NAMES.get(kind, kind), event_id]
            for kind, event_id in expected
            if kind != "conversation.item.done"
        ]
    for got, wanted in zip(account["events"], expected, strict=False):
        _same("an event", got, wanted)
    _same("the number of events", len(account["events"]), len(expected))


def closed(_: Client, account: Account, seen: Seen, __: Account) -> None:
    assert account["failure"] is None, "the program did not come to its end"
    assert seen.close_code in (1000, 1001, 1005), f"the provider's side was closed with {seen.close_code}"


def dialect_of(account: Account) -> str | None:
    """As the events' names show it; None if the client does not surface them."""
    if account["events"] is None:
        return None
    kinds = {kind for kind, _ in account["events"]}
    return "beta" if kinds & set(BETA_NAMES.values()) else "ga"


def _items(seen: Seen, kind: str) -> list[dict[str, Any]]:
    items = [event["item"] for event in seen.asked_for("conversation.item.create")]
    return [item for item in items if item["type"] == kind]


def _read(call: dict[str, Any]) -> dict[str, Any]:
    """Some clients surface the arguments as they have read them."""
    return {**call, "arguments": json.loads(call["arguments"])}


def _same_answer(account: Account, truth: Account, number: int) -> None:
    for what in ("words", "sound"):
        assert len(truth[what]) > number, f"the provider has not said an answer's {what}"
        _same(f"the answer's {what}", account[what][number : number + 1], [truth[what][number]])


def _same(what: str, got: Any, expected: Any) -> None:
    assert got == expected, f"{what}: {_short(got)} instead of {_short(expected)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 400 else f"{text[:200]} … {text[-200:]}"
