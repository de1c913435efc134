"""The matrix of clients judges by what the provider saw: a client that surfaces anything else does not pass.

The table in the documents is the one of the last run.
"""

from __future__ import annotations

import base64
import copy
import re
import sys
from typing import Any

import orjson
import pytest

from tests.clients.matrix import checks
from tests.clients.matrix.__main__ import surprising
from tests.clients.matrix.environments import NotInstalled, Unreachable, run_installer
from tests.clients.matrix.python import talk
from tests.clients.matrix.results import Result, Results
from tests.clients.matrix.roster import CLIENTS, Client
from tests.clients.matrix.running import STEPS, Outcome, verdict
from tests.clients.matrix.table import BEGIN, END, PAGE, table
from tests.clients.matrix.witness import PROVIDER_KEY, Seen

SPEECH = bytes(range(256)) * 40
CLIENT = Client("one", "One", "", "", (), "")
CALL = {"name": "get_weather", "arguments": '{"city": "Paris"}', "call_id": "call_1"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": talk.FORECAST}


class Provider:
    """A provider's side of a call, as the witness would have seen it."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        session = {"id": "sess_1", "model": CLIENT.model, "type": "realtime", "output_modalities": ["audio"]}
        self.say("session.created", session=session)
        self.answer("resp_1", "1, 2, 3.", b"counting")
        self.say("conversation.item.input_audio_transcription.completed", transcript="The weather?")
        self.say("response.created")
        self.say("response.done", response={"output": [{"type": "function_call", **CALL}]})
        self.answer("resp_3", "It is sunny.", b"sunshine")

    def say(self, kind: str, **fields: Any) -> None:
        self.said.append({"type": kind, "event_id": f"event_{len(self.said)}", **fields})

    def answer(self, response_id: str, words: str, sound: bytes) -> None:
        self.say("response.created", response={"id": response_id})
        self.say(
            "response.output_audio.delta", response_id=response_id, delta=base64.b64encode(sound).decode()
        )
        self.say("response.output_audio_transcript.done", transcript=words)
        self.say("response.done", response={"output": []})

    def seen(self) -> Seen:
        asked = [
            {"type": "conversation.item.create", "item": talk.said(talk.COUNT)},
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(SPEECH).decode()},
            {"type": "conversation.item.create", "item": OUTPUT},
        ]
        return Seen(_Call([orjson.dumps(event) for event in asked]), self.said, 1000)  # type: ignore[arg-type]


class _Call:
    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages

    def header(self, name: str) -> str | None:
        return {"authorization": f"Bearer {PROVIDER_KEY}"}.get(name)


def judged(account: dict[str, Any], seen: Seen) -> set[str]:
    """The steps that do not pass."""
    truth = checks.told(seen)
    steps = checks.of_a_whole_call(account, SPEECH)
    return {step for step, check in steps.items() if verdict(check, CLIENT, account, seen, truth) is not None}


def test_a_client_that_surfaces_what_the_provider_said_passes_everything() -> None:
    seen = Provider().seen()
    assert judged(checks.told(seen), seen) == set()


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (lambda account: account["words"].__setitem__(0, "1, 2, 4."), {"text"}),
        (lambda account: account["sound"][0].__setitem__("sha256", "0" * 64), {"text"}),
        (lambda account: account["sound"].pop(), {"tool"}),
        (lambda account: account.__setitem__("heard", ["The wether?"]), {"audio"}),
        (lambda account: account["tools"].clear(), {"tool"}),
        (lambda account: account["tools"][0].__setitem__("call_id", "call_2"), {"tool"}),
        (lambda account: account["events"].pop(4), {"events"}),
        (lambda account: account["events"].reverse(), {"events"}),
        (lambda account: account["session"].__setitem__("model", "another"), {"credential"}),
        (lambda account: account["errors"].append({"code": "x"}), {"credential"}),
        (lambda account: account.__setitem__("failure", "it fell"), {"close"}),
    ],
)
def test_a_client_that_surfaces_anything_else_does_not_pass(change: Any, steps: set[str]) -> None:
    seen = Provider().seen()
    account = copy.deepcopy(checks.told(seen))
    change(account)
    assert judged(account, seen) == steps


@pytest.mark.parametrize(
    ("index", "message", "step"),
    [
        (0, {"type": "conversation.item.create", "item": talk.said("Hello.")}, "text"),
        (1, {"type": "input_audio_buffer.append", "audio": base64.b64encode(SPEECH[:-1]).decode()}, "audio"),
        (2, {"type": "conversation.item.create", "item": {**OUTPUT, "call_id": "call_2"}}, "tool"),
        (2, {"type": "conversation.item.create", "item": {**OUTPUT, "output": "{}"}}, "tool"),
    ],
)
def test_what_did_not_reach_the_provider_does_not_pass(index: int, message: Any, step: str) -> None:
    seen = Provider().seen()
    seen.call.messages[index] = orjson.dumps(message)
    assert judged(checks.told(seen), seen) == {step}


def test_a_provider_that_was_left_without_a_close_frame_does_not_pass() -> None:
    seen = Provider().seen()
    seen.close_code = 1006
    assert judged(checks.told(seen), seen) == {"close"}


def test_a_beta_client_has_to_surface_the_names_of_beta() -> None:
    provider = Provider()
    provider.say("conversation.item.added")
    provider.say("conversation.item.done")
    seen = provider.seen()
    account = checks.told(seen)
    kinds = [kind for kind, _ in account["events"]]
    renamed = {
        "response.output_audio.delta": "response.audio.delta",
        "response.output_audio_transcript.done": "response.audio_transcript.done",
        "conversation.item.added": "conversation.item.created",
    }
    names = [renamed.get(kind, kind) for kind in kinds]
    account["events"] = [[name, f"event_{index}"] for index, name in enumerate(names)][:-1]
    account["session"] = None
    assert judged(account, seen) == set()
    account["events"][names.index("response.audio.delta")][0] = "response.output_audio.delta"
    assert judged(account, seen) == {"events"}


def test_a_step_that_is_known_not_to_pass_may_not_pass_unnoticed() -> None:
    client = Client("one", "One", "", "", (), "", cannot={"plain": "insists on TLS"})
    assert surprising(client, Outcome("ga", {"text": None, "plain": "refused"})) == []
    assert "fails in text" in surprising(client, Outcome("ga", {"text": "no words", "plain": "refused"}))[0]
    assert "passes in plain" in surprising(client, Outcome("ga", {"text": None, "plain": None}))[0]


@pytest.mark.parametrize(
    ("words", "is_reached"),
    [
        ("Failed to establish a new connection: [Errno 111] Connection refused')': /simple/anyio/", False),
        ("npm error code ECONNREFUSED", False),
        ("npm error code EINTEGRITY", True),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", True),
    ],
)
def test_a_registry_that_is_not_reached_is_told_from_packages_that_are_wrong(
    words: str, is_reached: bool
) -> None:
    expected = NotInstalled if is_reached else Unreachable
    with pytest.raises(expected, match=re.escape(words)):
        run_installer(sys.executable, "-c", f"raise SystemExit({words!r})")


def test_the_table_of_the_documents_is_that_of_the_last_run() -> None:
    _, begin, rest = PAGE.read_text().partition(BEGIN)
    made, end, _ = rest.partition(END)
    assert begin
    assert end
    assert made == table(Results.read())


def test_the_table_says_what_failed_and_what_was_not_run() -> None:
    steps = dict.fromkeys(STEPS, True) | {"tool": False}
    client = CLIENTS[0]
    row, *others = table(
        Results({client.id: Result(client.id, "9.9", "ga", "2026-01-02", steps)})
    ).splitlines()[2:]
    assert "| 9.9 | ga |" in row
    assert row.count("✓") == len(STEPS) - 1
    assert row.count("✗ [") == 1
    assert others[0].count("not run") == len(STEPS)


def test_results_are_kept_as_they_were(tmp_path: Any) -> None:
    results = Results.read()
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results
    assert {result.id for result in results.by_id.values()} == {client.id for client in CLIENTS}
