"""What can be asked for words, and what cannot. That they come is tested where they are made."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from tests.api.world import TRACKS, World
from voxgate.core.errors import InvalidModel
from voxgate.core.projects import TranscriptionSettings
from voxgate.store import NOT_TRANSCRIBED, TRANSCRIBE, TRANSCRIBED

ATTACHMENT = {"id": "att_1", "track": "user", "start_byte": 0, "end_byte": 4800}
SPEECH = {"kind": "speech", "item_id": "u1", "transcript": None, "transcribed_by": None}
USER = {"id": "span_1", "type": "user", "input": SPEECH, "attachments": [ATTACHMENT], "start_ms": 0}
OURS = {"by": "voxgate", "model": "scribe", "items": 1, "failed": []}


def add(
    world: World, spans: list[dict[str, Any]] | None = None, status: str = "complete", **data: Any
) -> None:
    row = {"id": "sess_1", "project": "shop", "status": status, "data": {"tracks": TRACKS, **data}}
    world.store.save_trace(row, [USER] if spans is None else spans)


def ask(world: World, key: str | None = None, **body: Any) -> tuple[int, Any]:
    client = world.client(key) if key is not None else world.client()
    answer = client.post("/api/sessions/sess_1/transcribe", json=body)
    found = answer.json()
    return answer.status_code, found["error"]["message"] if "error" in found else found


def fulfil(world: World, kind: str, orders: list[dict[str, Any]]) -> threading.Thread:
    """As a recorder does it."""

    def work() -> None:
        while not orders:
            found = [target for _, name, target in world.store.signals_after(0) if name == TRANSCRIBE]
            orders.extend(map(json.loads, found))
            time.sleep(0.01)
        add(world, transcription=OURS)
        world.store.add_signal(kind, "sess_1")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture(autouse=True)
def _shop(world: World) -> None:
    def check(model: str) -> None:
        if model == "nobody":
            raise InvalidModel("Nothing can be transcribed.")

    transcribing = world.app.state.control.transcribing
    object.__setattr__(transcribing, "wanted", {"shop": TranscriptionSettings(model="scribe", language="en")})
    object.__setattr__(transcribing, "check", check)


def test_the_answer_comes_when_the_recorder_has_the_words(world: World) -> None:
    add(world)
    orders: list[dict[str, Any]] = []
    thread = fulfil(world, TRANSCRIBED, orders)
    status, found = ask(world, prompt="Voxgate")
    thread.join(60)
    assert (status, found) == (200, {"id": "sess_1", "status": "transcribed", "transcription": OURS})
    wanted = {"model": "scribe", "language": "en", "prompt": "Voxgate"}
    assert orders == [{"session_id": "sess_1", "wanted": wanted}]


def test_words_that_could_not_be_kept_are_an_error(world: World) -> None:
    add(world)
    thread = fulfil(world, NOT_TRANSCRIBED, [])
    assert ask(world)[0] == 500
    thread.join(60)


def test_an_answer_does_not_wait_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.api.transcribing.WAIT_SECONDS", 0.0)
    add(world)
    assert ask(world)[1]["status"] == "transcribing"


@pytest.mark.parametrize(
    ("changed", "status", "message"),
    [
        ({"status": "live"}, 409, "is live"),
        ({"recorded": {"audio": True, "text": False}}, 409, "words of session sess_1 are not to be recorded"),
        ({"recorded": {"audio": False, "text": True}}, 409, "has no sound"),
        ({"redaction": {"state": "pending"}}, 409, "not shown before"),
    ],
)
def test_a_session_that_cannot_have_words_is_refused(
    world: World, changed: dict[str, Any], status: int, message: str
) -> None:
    add(world, **changed)
    found = ask(world)
    assert found[0] == status
    assert message in found[1]
    assert world.store.last_signal_id() == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "nobody"}, "Nothing can be transcribed"),
        ({"language": "?!"}, "Invalid field 'language'"),
        ({"prompt": ""}, "Invalid field 'prompt'"),
        ({"again": True}, "Unknown field: 'again'"),
    ],
)
def test_a_wrong_wish_is_refused(world: World, body: dict[str, Any], message: str) -> None:
    add(world)
    status, found = ask(world, **body)
    assert status == 400
    assert message in found


def test_without_a_model_anywhere_one_has_to_be_named(world: World) -> None:
    add(world)
    object.__setattr__(world.app.state.control.transcribing, "wanted", {})
    status, found = ask(world)
    assert status == 400
    assert "settings of the project 'shop' have no `transcribe`" in found


@pytest.mark.parametrize(
    "said",
    [
        {**SPEECH, "transcript": "words"},
        {**SPEECH, "transcribed_by": "voxgate"},
        {**SPEECH, "kind": "text"},
        {**SPEECH, "item_id": None},
    ],
)
def test_what_has_words_or_cannot_have_any_is_not_asked_for(world: World, said: dict[str, Any]) -> None:
    add(world, [{**USER, "input": said}])
    assert ask(world)[1]["status"] == "nothing"
    assert world.store.last_signal_id() == 0


def test_words_cost_money_so_readers_and_other_projects_cannot_ask_for_them(world: World) -> None:
    add(world)
    assert ask(world, world.key("read"))[0] == 403
    assert ask(world, world.key("admin", "other"))[0] == 404
