"""Where the sound and the events of a session come from: the same out of the store and over the API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.api.world import ADMIN_KEY, World
from tests.jobs.recorded import Bench, begin, end, say, talk
from tests.traces.calls import pcm
from voxgate.auth.keys import KeyRing
from voxgate.auth.tokens import TokenBox
from voxgate.client.http import ApiError, Client
from voxgate.core.errors import NotFound
from voxgate.evals.session import Session
from voxgate.evals.sources import api_session
from voxgate.evals.stored import stored_session
from voxgate.recording.wirelog import SERVER

TRACKS = ("user", "assistant", "heard", "mix")


class ClientOfWorld(Client):
    """Asks the control plane without a network."""

    def __init__(self, world: World) -> None:
        self._asked = world.client()

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        answer = self._asked.request(method, path, json=body, params=query)
        if not answer.is_success:
            raise ApiError(answer.text, answer.status_code)
        return answer.json()

    def stream(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        with self._asked.stream("GET", path, params=query) as answer:
            if not answer.is_success:
                raise ApiError("refused", answer.status_code)
            yield from answer.iter_bytes(1000)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Session, Session, Bench]]:
    bench = Bench(tmp_path)
    log = begin(bench.writer(), "sess_1")
    talk(log, pcm(500), pcm(300))
    say(log, SERVER, type="error", error={"type": "invalid_request_error", "message": "No."})
    end(log)
    bench.record_until("sess_1", "complete")
    keys = KeyRing(bench.store, ADMIN_KEY)
    world = World(bench.store, bench.blobs, keys, TokenBox({"k": os.urandom(32)}))
    yield (
        stored_session(bench.store, bench.blobs, "sess_1"),
        api_session(ClientOfWorld(world), "sess_1"),
        bench,
    )
    world.app.state.control.archive.close()
    for writer in bench.writers:
        writer.stop()
    bench.store.close()


def test_the_store_and_the_api_show_the_same_call(both: tuple[Session, Session, Bench]) -> None:
    stored, asked, _ = both
    assert stored.metrics == asked.metrics
    assert stored.responses == asked.responses
    assert (stored.errors, stored.duration_ms, stored.status) == (
        asked.errors,
        asked.duration_ms,
        asked.status,
    )
    assert stored.status == "complete"
    assert [one["message"] for one in asked.errors] == ["No."]
    assert list(stored.events()) == list(asked.events())
    assert next(iter(asked.events()))["msg"]["type"] == "gateway.opened"
    for track in TRACKS:
        one, other = stored.audio(track), asked.audio(track)
        assert one.rate == other.rate == 24_000
        assert np.array_equal(one.samples, other.samples)
    assert asked.audio("user").duration_ms == 500
    assert np.array_equal(asked.audio("user").samples[:3] * 32768, [1, 2, 3])
    assert asked.audio("mix").samples.shape[1] == 2
    response = asked.responses[0]
    assert asked.clip(response.span_id, "assistant").duration_ms == 300


def test_what_is_no_longer_kept_is_silence_and_a_session_that_is_not_there_is_none(
    both: tuple[Session, Session, Bench],
) -> None:
    stored, asked, bench = both
    for name in ("user", "assistant"):
        bench.blobs.delete_prefix(f"sessions/sess_1/{name}.pcm")
    assert stored.audio("user").samples.size == asked.audio("user").samples.size == 0
    with pytest.raises(NotFound, match="sess_2"):
        stored_session(bench.store, bench.blobs, "sess_2")
