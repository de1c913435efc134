"""Large JSON answers go packed to who takes them so; all others go as they are."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from tests.api.world import World
from voxgate.api.packing import SMALLEST_BYTES

WORDS = "Where is my order? " * (SMALLEST_BYTES // 10)
BR_ONLY, NO_GZIP = "br, deflate", "br, gzip;q=0"


@pytest.fixture
def asked(world: World) -> TestClient:
    world.add_session("sess_long", title=WORDS)
    world.add_session("sess_short", title="Hello")
    return world.client()


def test_a_large_answer_is_packed_and_says_the_same(asked: TestClient) -> None:
    plain = asked.get("/api/sessions/sess_long", headers={"accept-encoding": "identity"})
    packed = asked.get("/api/sessions/sess_long", headers={"accept-encoding": "br;q=1.0, GZIP;q=0.8"})
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 10
    assert packed.json()["title"] == WORDS


@pytest.mark.parametrize("taken", [BR_ONLY, NO_GZIP, "gzip2", ""])
def test_who_does_not_take_it_gets_it_as_it_is(asked: TestClient, taken: str) -> None:
    answer = asked.get("/api/sessions/sess_long", headers={"accept-encoding": taken})
    assert "content-encoding" not in answer.headers
    assert answer.json()["title"] == WORDS


def test_small_answers_failures_and_streams_go_as_they_are(world: World, asked: TestClient) -> None:
    log = b"".join(json.dumps({"msg": {"type": WORDS}}).encode() + b"\n" for _ in range(3))
    world.blobs.put("sessions/sess_long/events.jsonl", log)
    for path in ("/api/sessions/sess_short", "/api/sessions/sess_none", "/api/sessions/sess_long/events"):
        answer = asked.get(path, headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers, path
    assert answer.content == log
