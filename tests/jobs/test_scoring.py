"""Online scoring: which sessions, by which rules, once; what goes wrong with a rule stays with it; runs over
the past; alerts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import REPOSITORY
from tests.databases import new_database
from tests.jobs.recorded import wait_for
from tests.traces.calls import Call

from voxgate.core.errors import InvalidRequest
from voxgate.evals.protocols import Scorer
from voxgate.evals.scoring import scorer
from voxgate.evals.session import Session
from voxgate.export.outbox import Outbox
from voxgate.jobs.alerts import Alerts
from voxgate.jobs.closing import row_of
from voxgate.jobs.rule_scores import RuleScores, is_sampled
from voxgate.jobs.scoring import Attempt, Scoring
from voxgate.jobs.scoring_wishes import ScoringWishes
from voxgate.jobs.webhooks import PrivateAddress, Webhooks, check_literal, load_secret, secret_bytes
from voxgate.store import RUN_RULE, FolderBlobs, Store
from voxgate.traces.changes import span_json

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


def turns(session: Session) -> float:
    return float(session.trace["turns"])


def raises(session: Session) -> float:
    raise RuntimeError("no way")


def hangs(session: Session) -> float:
    threading.Event().wait(60)
    return 0.0


def make(name: str, params: Mapping[str, Any] | None = None) -> Scorer:
    known = {one.__name__: one for one in (turns, raises, hangs)}
    if name not in known:
        raise InvalidRequest(f"There is no scorer {name!r}.")
    # Only this one is short of time, whatever else the machine does.
    seconds = 0.05 if name == "hangs" else None
    return scorer(name=name, version="1", params=dict(params or {}), timeout_seconds=seconds)(known[name])


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = new_database(folder)
        self.store = Store(self.url)
        self.box = Outbox(folder / "scoring")
        self.wishes = ScoringWishes(self.store, self.box)
        self.webhooks = Webhooks(folder / "scoring" / "webhooks", SECRET, private_addresses=True)

    def scoring(self, **options: Any) -> Scoring:
        scores = RuleScores(self.store, FolderBlobs(self.folder / "blobs"), make)
        alerts = Alerts(self.store, self.webhooks)
        return Scoring(self.store, self.box, scores, self.attempt, on_scored=alerts.check, **options)

    @property
    def attempt(self) -> Attempt:
        return Attempt(self.folder / "scoring" / "work" / "attempt")

    def rule(self, *scorers: str, **fields: Any) -> str:
        row = {
            "name": "a rule",
            "project": None,
            "enabled": True,
            "filter": "",
            "sampling_rate": 1.0,
            "scorers": [{"name": name, "params": {}} for name in scorers],
            "alert": None,
        }
        return str(self.store.add_rule(row | fields)["id"])

    def call(self, number: int, turns: int = 1, project: str = "shop") -> str:
        """A session that is over, and that the recorder has told of."""
        session_id = f"sess_{number:04d}"
        started = f"2026-11-22T10:{number // 60:02d}:{number % 60:02d}.000Z"
        call = Call(session_id=session_id, project=project, started_at=started).session()
        for turn in range(turns):
            at = 100 + 100 * turn
            call.user_text(at, "hi").client(at + 10, "response.create").created(at + 20, f"resp_{turn}")
            call.done(at + 50, f"resp_{turn}")
        trace = call.close(100 + 100 * turns).trace()
        self.store.save_trace(row_of(trace), [span_json(span) for span in trace.spans])
        self.wishes.add([session_id])
        return session_id

    def scores(self, session_id: str) -> dict[str, Any]:
        return {one["name"]: one["value"] for one in self.store.scores_of(session_id)}

    def activity(self, rule_id: str) -> dict[str, Any]:
        rule = self.store.get_rule(rule_id)
        assert rule is not None
        return dict(rule["state"] or {})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def work_off(scoring: Scoring) -> None:
    wait_for(lambda: not scoring.step())


def test_a_session_is_scored_by_the_rules_that_want_it_and_only_once(world: World) -> None:
    wanting = world.rule("turns", project="shop", filter="turns>1")
    world.rule("turns", project="other")
    world.rule("turns", filter="turns>5")
    off = world.rule("raises", enabled=False)
    session_id, short = world.call(1, turns=3), world.call(2, turns=1)
    work_off(world.scoring())
    (score,) = world.store.scores_of(session_id)
    assert (score["name"], score["value"], score["author"]) == ("turns", 3.0, f"rule:{wanting}")
    assert score["details"]["scorer_version"] == "1"
    assert (world.scores(short), world.activity(off)) == ({}, {})
    world.wishes.add([session_id])  # the recorder has recorded it again
    work_off(world.scoring())
    assert world.store.scores_of(session_id) == [score]
    assert world.activity(wanting)["scored"] == 1


def test_other_scorers_take_the_place_of_what_the_rule_has_said(world: World) -> None:
    rule_id = world.rule("turns")
    session_id = world.call(1)
    work_off(world.scoring())
    world.store.edit_rule(rule_id, {"scorers": [{"name": "turns", "params": {"more": 1}}]})
    world.wishes.add([session_id])
    work_off(world.scoring())
    (score,) = world.store.scores_of(session_id)
    assert score["details"]["params"] == {"more": 1}


def test_without_rules_nothing_waits_to_be_scored(world: World) -> None:
    world.call(1)
    assert world.box.waiting() == []


def test_a_sample_is_always_the_same_and_smaller_ones_are_part_of_larger_ones() -> None:
    ids = [f"sess_{number}" for number in range(2000)]
    few, more = ({one for one in ids if is_sampled(one, rate)} for rate in (0.1, 0.5))
    assert few < more
    assert 120 < len(few) < 280
    assert (all(is_sampled(one, 1.0) for one in ids), any(is_sampled(one, 0.0) for one in ids)) == (
        True,
        False,
    )


def test_what_goes_wrong_with_a_rule_is_told_and_stops_no_other(world: World) -> None:
    broken, unknown = world.rule("raises", "turns"), world.rule("no_such")
    good = world.rule("turns")
    session_id = world.call(1)
    work_off(world.scoring())
    said = {(one["author"], one["name"]): one for one in world.store.scores_of(session_id)}
    assert said[f"rule:{broken}", "raises"]["value"] is None
    assert said[f"rule:{broken}", "raises"]["details"]["reason_missing"] == "RuntimeError: no way"
    assert said[f"rule:{broken}", "turns"]["value"] == said[f"rule:{good}", "turns"]["value"] == 1.0
    assert world.activity(broken)["last_missing"]["message"] == "RuntimeError: no way"
    assert world.activity(unknown)["last_missing"]["message"] == "There is no scorer 'no_such'."
    assert "last_missing" not in world.activity(good)


def test_a_scorer_that_hangs_is_left_with_its_process_and_its_rule_rests_after_three(world: World) -> None:
    hanging, good = world.rule("hangs"), world.rule("turns")
    for number in range(5):
        session_id = world.call(number)
        scoring = world.scoring()
        scoring.run(threading.Event()) if number < 3 else work_off(scoring)
        assert scoring.overran == (number < 3)  # this process had to end; the next one goes on
        work_off(world.scoring())
        assert world.scores(session_id) == {"hangs": None, "turns": 1.0}
    assert "rests" in world.activity(hanging)["last_missing"]["message"]
    assert (world.activity(hanging)["missing"], world.activity(good)["scored"]) == (5, 5)


def test_a_scorer_that_ends_its_process_is_given_up_after_two_tries(world: World) -> None:
    rule_id, other = world.rule("turns"), world.rule("turns")
    session_id = world.call(1)
    for _ in range(2):  # as it stands on the disk after a kill in the middle of the first rule
        assert world.attempt.begin(session_id, rule_id) in (1, 2)
    work_off(world.scoring())
    values = {one["author"]: one["value"] for one in world.store.scores_of(session_id)}
    assert values == {f"rule:{rule_id}": None, f"rule:{other}": 1.0}
    assert "ended the process" in world.activity(rule_id)["last_missing"]["message"]
    assert world.attempt.left() is None


STUCK = """
import re, sys
from pathlib import Path
from tests.jobs import test_scoring as here
from voxgate.jobs import rule_scores
rule_scores._GRACE_SECONDS = 0.2
def stuck(session):
    return float(bool(re.match("(a+)+$", "a" * 40 + "b")))  # for hours, and nobody else gets a word in
here.make = lambda name, params: here.scorer(name=name, timeout_seconds=0.1)(stuck)
folder = Path(sys.argv[1])
store = here.Store(sys.argv[2])
scores = rule_scores.RuleScores(store, here.FolderBlobs(folder / "blobs"), here.make, 0.1)
attempt = here.Attempt(folder / "scoring" / "work" / "attempt")
here.Scoring(store, here.Outbox(folder / "scoring"), scores, attempt).step()
"""


def test_a_scorer_that_never_lets_go_of_the_interpreter_is_ended_with_its_process(
    world: World, tmp_path: Path
) -> None:
    rule_id = world.rule("turns")
    session_id = world.call(1)
    command = [sys.executable, "-c", STUCK, str(tmp_path), world.url]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, "Timeout" in done.stderr) == (1, True), done.stderr
    assert world.attempt.left() == (session_id, rule_id, 1)


def test_a_stop_is_not_held_against_the_scorer(world: World) -> None:
    attempt = world.attempt
    for _ in range(5):
        attempt.begin("sess_1", "rule_1")
        attempt.close()
        attempt = world.attempt
    assert attempt.left() is None


def test_a_run_scores_what_was_recorded_before_and_goes_on_where_it_was_cut_off(world: World) -> None:
    ids = [world.call(number, turns=1 + number % 2) for number in range(12)]
    rule_id = world.rule("turns", filter="turns>1", sampling_rate=0.99)
    sampled = [one for one in ids[1::2] if is_sampled(one, 0.99)]
    run = world.store.add_rule_run(rule_id, "id:sess_*", "admin")
    world.wishes.step()
    assert world.box.waiting() == [run["id"]]  # the recorder was away when it was asked for
    first = world.scoring()
    for _ in range(3):
        assert first.step()
    begun = world.store.get_rule_run(run["id"])
    assert begun is not None
    assert (begun["status"], begun["total"]) == ("running", 6)
    work_off(world.scoring())
    done = world.store.get_rule_run(run["id"])
    assert done is not None
    assert (done["status"], done["scored"], done["failed"]) == ("complete", len(sampled), 0)
    assert done["done"] == 6
    assert [one for one in ids if world.scores(one)] == sampled
    assert world.box.waiting() == []


def test_a_run_that_is_cancelled_stops_and_new_sessions_come_before_it(world: World) -> None:
    ids = [world.call(number) for number in range(5)]
    rule_id = world.rule("turns")
    world.wishes.step()
    run = world.store.add_rule_run(rule_id, "", "admin")
    world.store.add_signal(RUN_RULE, run["id"])
    wait_for(lambda: world.box.waiting() == [run["id"]], world.wishes.step)
    scoring = world.scoring()
    assert scoring.step()
    fresh = world.call(99)
    assert scoring.step()
    assert world.scores(fresh) == {"turns": 1.0}
    world.store.edit_rule_run(run["id"], {"status": "cancelled"})
    work_off(scoring)
    assert [bool(world.scores(one)) for one in ids].count(True) < 5


# Alerts


class Receiver:
    """Takes webhooks; `statuses` are its first answers, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.received]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_an_alert_is_sent_once_for_each_crossing_and_once_when_it_is_over(
    world: World, receiver: Receiver
) -> None:
    alert = {"score": "turns", "window": 3, "threshold": 2.0, "direction": "max", "webhook": receiver.url}
    rule_id = world.rule("turns", alert=alert)
    sent = []
    for number, count in enumerate([1, 1, 1, 1, 3, 3, 3, 1, 1]):
        world.call(number, turns=count)
        work_off(world.scoring())
        world.webhooks.send_due()
        sent.append(len(receiver.received))
    # Means of three: 1, 1, 1.67, 2.33, 3, 2.33, 1.67
    assert sent == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert [name.rpartition(".")[2] for name in receiver.types] == ["firing", "recovered", "firing"]
    headers, body = receiver.received[0]
    told = json.loads(body)["data"]
    assert (told["rule"]["id"], told["score"], told["value"], told["session_id"]) == (
        rule_id,
        "turns",
        1.0,
        "sess_0002",
    )
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"0123456789abcdef", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert world.activity(rule_id)["alert"]["firing"] is True


def test_a_webhook_that_is_not_taken_is_sent_again_with_the_same_id(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.webhooks._FIRST_PAUSE", 0.0)
    receiver.statuses = [500, 429]
    world.webhooks.add(receiver.url, {"type": "x"})
    for _ in range(4):
        world.webhooks.send_due()
    assert [headers["webhook-id"] for headers, _ in receiver.received] == [
        receiver.received[0][0]["webhook-id"]
    ] * 3


@pytest.mark.parametrize("status", [302, 410])
def test_a_webhook_that_is_refused_or_sent_elsewhere_is_given_up(
    world: World, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    world.webhooks.add(receiver.url, {"type": "x"})
    for _ in range(2):
        world.webhooks.send_due()
    assert len(receiver.received) == 1
    assert len(list((world.folder / "scoring" / "webhooks").glob("*.failed"))) == 1


def test_webhooks_do_not_reach_what_only_this_machine_reaches(world: World, receiver: Receiver) -> None:
    guarded = Webhooks(world.folder / "guarded", SECRET)
    port = receiver.server.server_port
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
        guarded.add(f"http://{host}:{port}/hook", {"type": "x"})
    guarded.send_due()
    assert receiver.received == []
    assert len(list((world.folder / "guarded").glob("*.failed"))) == 4
    for address in ("10.1.2.3", "169.254.169.254", "192.168.0.1", "fd00::1", "0.0.0.0", "100.64.0.1"):
        with pytest.raises(PrivateAddress, match="webhook_private_addresses"):
            check_literal(address)
    check_literal("93.184.215.14")


def test_a_secret_is_made_once_and_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "webhook.key"
    made = load_secret(path, None)
    assert (load_secret(path, None), path.stat().st_mode & 0o777) == (made, 0o600)
    assert len(secret_bytes(made)) == 24
    assert load_secret(path, SECRET) == SECRET
