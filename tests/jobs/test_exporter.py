"""The exporter between a real store, its outbox on disk and a collector that has bad days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.export.calls import tool_call
from tests.export.collector import Answer, Collector, attributes, collecting, partial_success, spans_of

from voxgate.export.otlp import OtlpEncoder, conventions
from voxgate.export.outbox import Outbox
from voxgate.export.sender import OtlpSender
from voxgate.export.target import OtlpTarget
from voxgate.jobs.exporter import Exporter
from voxgate.store import Store


class Scene:
    """Time stands still until somebody moves it."""

    def __init__(self, folder: Path, collector: Collector) -> None:
        self.collector = collector
        self.outbox = Outbox(folder / "outbox")
        self.store = Store(f"sqlite:///{folder / 'voxgate.db'}")
        self.now = 1000.0
        self.exporter = self.new_exporter()

    def new_exporter(self, **more: Any) -> Exporter:
        encoder = OtlpEncoder(conventions(["gen_ai", "openinference"], content=True, kinds={}))
        parts: dict[str, Any] = {"outbox": self.outbox, "store": self.store, "encoder": encoder}
        parts["sender"] = OtlpSender(OtlpTarget(f"{self.collector.url}/v1/traces"))
        return Exporter(**parts, now=lambda: self.now, **more)

    def add(self, *ids: str, **more: Any) -> None:
        """Sessions that were recorded and have ended."""
        for session_id in ids:
            trace = tool_call(session_id=session_id).trace()
            spans = [span.to_json() for span in trace.spans]
            self.store.save_trace({**trace.row(), **more}, spans)
            self.outbox.add(session_id)

    def settle(self) -> None:
        while self.exporter.step():
            pass


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with collecting() as collector:
        made = Scene(tmp_path, collector)
        yield made
        made.store.close()


def test_what_waits_is_sent_in_one_request_and_is_out_of_the_outbox(scene: Scene) -> None:
    scene.add("sess_1", "sess_2", "sess_3")
    scene.settle()
    assert len(scene.collector.received) == 1
    assert scene.collector.sessions() == ["sess_1", "sess_2", "sess_3"]
    assert scene.outbox.waiting() == []
    assert scene.exporter.counts.sessions_sent == 3
    response = next(one for one in spans_of(scene.collector.taken[0]) if one.name.startswith("chat"))
    assert attributes(response)["gen_ai.usage.input_tokens"] == 100


def test_many_sessions_are_sent_in_requests_of_bounded_size(scene: Scene) -> None:
    scene.add(*(f"sess_{number:03}" for number in range(150)))
    scene.settle()
    assert len(scene.collector.sessions()) == 150
    assert max(len(got.request.resource_spans) for got in scene.collector.received) <= 64


def test_a_session_that_rules_are_to_score_is_sent_with_its_scores(scene: Scene, tmp_path: Path) -> None:
    scoring = Outbox(tmp_path / "scoring")
    scene.exporter = scene.new_exporter(scoring=scoring)
    scoring.add("sess_1")
    scene.add("sess_1", "sess_2")
    scene.settle()
    assert scene.collector.sessions() == ["sess_2"]
    scene.store.add_score("sess_1", {"name": "tone", "value": 0.5, "source": "judge", "author": "rule"})
    scoring.done("sess_1")
    scene.settle()
    assert scene.collector.sessions() == ["sess_2", "sess_1"]
    events = [event for span in spans_of(scene.collector.taken[1]) for event in span.events]
    [scored] = [event for event in events if event.name == "gen_ai.evaluation.result"]
    assert attributes(scored)["gen_ai.evaluation.score.value"] == 0.5


def test_a_session_whose_scores_take_long_is_sent_without_them(scene: Scene, tmp_path: Path) -> None:
    scoring = Outbox(tmp_path / "scoring")
    scene.exporter = scene.new_exporter(scoring=scoring)
    scoring.add("sess_1")
    scene.add("sess_1")
    scene.settle()
    scene.now += 59
    scene.settle()
    assert scene.collector.sessions() == []
    scene.now += 2
    scene.settle()
    assert scene.collector.sessions() == ["sess_1"]
    assert scene.outbox.waiting() == []


def test_a_busy_endpoint_is_left_alone_as_long_as_it_asks_for(scene: Scene) -> None:
    scene.collector.answers += [Answer(429, {"retry-after": "30"}), Answer(503, {"retry-after": "5"})]
    scene.add("sess_1")
    scene.settle()
    scene.now += 29
    scene.settle()
    assert len(scene.collector.received) == 1
    scene.now += 2
    scene.settle()
    assert len(scene.collector.received) == 2
    assert scene.outbox.waiting() == ["sess_1"]
    scene.now += 6
    scene.settle()
    assert scene.collector.sessions() == ["sess_1"]
    assert scene.outbox.waiting() == []
    assert (scene.exporter.counts.attempts_failed, scene.exporter.counts.sessions_sent) == (2, 1)


def test_pauses_grow_while_the_endpoint_says_nothing_of_its_own(scene: Scene) -> None:
    scene.collector.answers += [Answer(503)] * 12
    scene.add("sess_1")
    pauses = []
    for _ in range(12):
        before = scene.now
        known = len(scene.collector.received)
        while len(scene.collector.received) == known:
            scene.now += 0.5
            scene.exporter.step()
        pauses.append(scene.now - before)
    assert pauses[1] < pauses[4] < pauses[7]
    assert max(pauses) <= 361
    scene.now += 361
    scene.settle()
    assert scene.collector.sessions() == ["sess_1"]


def test_what_an_endpoint_that_was_away_missed_is_sent_when_it_is_back_even_by_another_process(
    scene: Scene,
) -> None:
    away = OtlpSender(OtlpTarget("http://127.0.0.1:9"))
    encoder = OtlpEncoder(conventions(["gen_ai"], content=True, kinds={}))
    first = Exporter(outbox=scene.outbox, store=scene.store, encoder=encoder, sender=away)
    scene.add("sess_1", "sess_2")
    assert first.step() is False
    assert first.counts.waiting == 2
    assert first.counts.attempts_failed == 1
    scene.settle()
    assert scene.collector.sessions() == ["sess_1", "sess_2"]


def test_one_session_that_is_refused_costs_no_other(scene: Scene) -> None:
    refusal = Answer(400, body=b"a span is too old")
    scene.collector.answers += [refusal, Answer(200), refusal, Answer(200)]
    scene.add("sess_1", "sess_2", "sess_3")
    scene.settle()
    assert scene.collector.sessions() == ["sess_1", "sess_3"]
    assert scene.outbox.waiting() == []
    assert scene.outbox.refused() == ["sess_2"]
    scene.exporter.step()
    assert scene.exporter.counts.refused == 1


def test_what_was_refused_is_tried_again_in_an_hour_and_by_the_next_process(scene: Scene) -> None:
    scene.collector.answers += [Answer(401), Answer(403)]
    scene.add("sess_1")
    scene.settle()
    assert scene.outbox.refused() == ["sess_1"]
    scene.now += 3601
    scene.settle()
    assert scene.outbox.refused() == ["sess_1"]
    scene.exporter = scene.new_exporter()
    scene.settle()
    assert scene.collector.sessions() == ["sess_1"]
    assert scene.outbox.refused() == []


def test_spans_that_the_endpoint_left_out_are_counted_and_not_sent_again(scene: Scene) -> None:
    scene.collector.answers.append(Answer(200, body=partial_success(2, "attribute too long")))
    scene.add("sess_1")
    scene.settle()
    assert scene.exporter.counts.spans_rejected == 2
    assert len(scene.collector.received) == 1


def test_sessions_that_were_deleted_or_run_again_are_not_sent(scene: Scene) -> None:
    scene.add("sess_1", "sess_2", "sess_3")
    scene.store.delete_session("sess_1")
    scene.store.save_session({"id": "sess_2", "status": "live"})
    scene.settle()
    assert scene.collector.sessions() == ["sess_3"]
    assert scene.outbox.waiting() == []


def test_only_the_projects_of_the_settings_are_sent(scene: Scene) -> None:
    scene.exporter = scene.new_exporter(projects=["shop"])
    scene.add("sess_1")
    scene.add("sess_2", project="shop")
    scene.settle()
    assert scene.collector.sessions() == ["sess_2"]
    assert scene.outbox.waiting() == []


def test_more_than_may_wait_is_given_up_and_counted_oldest_first(scene: Scene) -> None:
    scene.collector.answers.append(Answer(503, {"retry-after": "100"}))
    scene.exporter = scene.new_exporter(most_waiting=3)
    scene.add("sess_1", "sess_2", "sess_3", "sess_4", "sess_5")
    scene.settle()
    assert scene.outbox.waiting() == ["sess_3", "sess_4", "sess_5"]
    assert scene.exporter.counts.given_up == 2


def test_a_trace_that_cannot_be_mapped_is_put_aside_and_the_others_go_on(scene: Scene) -> None:
    scene.add("sess_1", "sess_2")
    scene.store.save_spans(
        "sess_1", [{"id": "span_odd", "type": "response", "start_ms": 1.0, "status": "completed"}]
    )
    with scene.store._database.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE spans SET attachments = '[{\"name\": \"assistant\"}]' WHERE id = 'span_odd'"
        )
    scene.settle()
    assert scene.collector.sessions() == ["sess_2"]
    assert scene.outbox.refused() == ["sess_1"]


def test_a_name_that_is_no_session_never_leaves_the_folder(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    for name in ("../evil", "refused", "", ".hidden", "a/b"):
        with pytest.raises(ValueError, match="no id of a session"):
            outbox.add(name)
    assert outbox.waiting() == []
