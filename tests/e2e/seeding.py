"""Many sessions in a store, as the recorder leaves them: what lists and charts are tried with, since hundreds
of real calls would take hours. Always the same ones."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from voxgate.core.clock import iso_utc, now_utc
from voxgate.store import Store

SCRIPT: Final = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
"""In a title, a tag, a transcript and a tool's name: shown as it is, and never run."""
_MODELS: Final = ("gpt-realtime", "gpt-realtime", "gpt-realtime-mini", "local")
_PROJECTS: Final = ("support", "support", "shop", "lab")
_TAGS: Final = ("vip", "german", "release-41", "front desk")
_TOOLS: Final = ("get_order_status", "refund_order", "book_table", "get_weather")
_ASKED: Final = (
    "Hi, can you check the status of my order A12345?",
    "I would like a refund for the broken lamp",
    "Can I change my booking to Friday evening?",
    "What is the weather like in Oslo tomorrow?",
    "My invoice shows the wrong address",
    "Do you deliver to the islands?",
    "I forgot my password and the link does not work",
    "Is there a table for four at eight?",
)
_ANSWERED: Final = (
    "Of course. Let me look that up for you.",
    "Your refund is on its way, it takes three days.",
    "I am sorry about that. I have changed it.",
)


def seed(data_dir: Path, count: int = 240, days: float = 7, now: datetime | None = None) -> list[str]:
    """Ids of the sessions, newest first. The database is that of a Voxgate with this data folder."""
    rng, end = random.Random(11), now or now_utc()
    ids = []
    with Store(f"sqlite:///{data_dir}/voxgate.db") as store:
        for number in range(count):
            # More calls by day than by night, and more of late than long ago.
            age = days * (number / count) ** 1.3 + rng.uniform(0, 0.02) + 0.002
            start = end - timedelta(days=age)
            row, spans = _session(rng, number, start)
            store.save_trace(row, spans)
            ids.append(row["id"])
    return ids


def seed_long(data_dir: Path, turns: int) -> str:
    """One call of so many turns, all of whose words were made after the call; its id."""
    spans: list[dict[str, Any]] = [
        {"id": "span_session", "type": "session", "name": "session", "start_ms": 0.0}
    ]
    for number in range(turns):
        start = number * 4000.0
        words = {
            "transcript": f"This is {number}",
            "transcribed_by": "voxgate",
            "transcription_model": "tiny",
        }
        timed = {"start_ms": start, "end_ms": start + 1500}
        turn = {"parent_id": f"span_turn_{number}"}
        spans += [
            {
                "id": f"span_turn_{number}",
                "parent_id": "span_session",
                "type": "turn",
                "name": "turn",
                **timed,
            },
            {"id": f"span_user_{number}", "type": "user", "name": "user", "input": words, **turn, **timed},
            {
                "id": f"span_response_{number}",
                "type": "response",
                "name": "response",
                "output": {"transcript": f"Heard {number}"},
                **turn,
                "start_ms": start + 2000,
                "end_ms": start + 3500,
            },
        ]
    row = _session(random.Random(2), 10**8, now_utc() - timedelta(days=20))[0]
    row.update(project="archive", duration_ms=turns * 4000.0, turns=turns, title="A long one")
    with Store(f"sqlite:///{data_dir}/voxgate.db") as store:
        store.save_trace(row, spans)
    return str(row["id"])


def _session(rng: random.Random, number: int, start: datetime) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    failed = rng.random() < 0.06
    status = "failed" if failed else rng.choice(["complete"] * 14 + ["interrupted"])
    duration_ms = rng.lognormvariate(math.log(70_000), 0.8)
    turns = max(1, int(duration_ms / 15_000))
    tools = rng.sample(_TOOLS, rng.choice([0, 0, 1, 1, 2]))
    asked = SCRIPT if number == 5 else rng.choice(_ASKED)
    model = rng.choice(_MODELS)
    slow = 1.6 if model == "gpt-realtime-mini" else 1.0
    p50 = rng.lognormvariate(math.log(780 * slow), 0.25)
    metrics = {
        "v2v_p50": round(p50, 1),
        "v2v_p95": round(p50 * rng.uniform(1.1, 2.4), 1),
        "model_ttfa_p50": round(p50 * 0.45, 1),
        "tool_error_rate": rng.choice([0.0, 0.0, 0.0, 0.5]) if tools else None,
    }
    tags = [tag for tag in _TAGS if rng.random() < 0.16] + (["<b>bold</b>"] if number == 5 else [])
    row = {
        "id": f"sess_{10**9 - number:026}",
        "project": rng.choice(_PROJECTS),
        "model": model,
        "provider": "local" if model == "local" else "openai",
        "status": status,
        "started_at": iso_utc(start),
        "ended_at": iso_utc(start + timedelta(milliseconds=duration_ms)),
        "duration_ms": duration_ms,
        "turns": turns,
        "interruptions": rng.choice([0, 0, 0, 1, 2]),
        "cost_usd": None if model == "local" else round(duration_ms / 60_000 * rng.uniform(0.04, 0.09), 4),
        "tags": tags,
        "metadata": {"user_id": f"u_{rng.randrange(60):04}"},
        "title": asked,
        "data": {
            "metrics": metrics,
            "errors": [{"code": "rate_limit_exceeded", "message": "Slow down."}] if failed else [],
            "wave": _wave(rng, turns),
        },
    }
    return row, _spans(rng, asked, tools)


def _spans(rng: random.Random, asked: str, tools: list[str]) -> list[dict[str, Any]]:
    spoken = [
        {
            "id": "span_user",
            "type": "user",
            "name": "user",
            "start_ms": 900.0,
            "input": {"transcript": asked},
        },
        {
            "id": "span_response",
            "type": "response",
            "name": "response",
            "start_ms": 4000.0,
            "output": {"transcript": rng.choice(_ANSWERED)},
        },
    ]
    called = [
        {"id": f"span_{name}", "type": "tool", "name": name, "start_ms": 5000.0 + at}
        for at, name in enumerate(tools)
    ]
    return [*spoken, *called]


def _wave(rng: random.Random, turns: int) -> dict[str, str]:
    """Turns after one another, sometimes one into the other."""
    lanes = {"user": ["0"] * 60, "assistant": ["0"] * 60}
    at, speaker = 1, "user"
    while at < 59:
        length = rng.randint(2, max(3, 30 // turns))
        for place in range(at, min(59, at + length)):
            lanes[speaker][place] = f"{rng.randint(4, 15):x}"
        at += length + rng.choice([-1, 1, 1, 2])
        speaker = "assistant" if speaker == "user" else "user"
    return {name: "".join(digits) for name, digits in lanes.items()}
