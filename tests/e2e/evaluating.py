"""A data set, two experiments over it and a rule, as their clients leave them: for the pages of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.running import Voxgate
from voxgate.audio.wav import wav_header

SCRIPT: Final = "<script>document.title='owned'</script>"
ASKED: Final = (
    "Where is my order A 1 2 3 4 5?",
    "I want a refund for the lamp.",
    "Can you change the address of my order?",
    "Do you deliver on Saturdays?",
    "My parcel came broken.",
    "Cancel my order, please.",
    f"What does {SCRIPT} cost?",
    "I did not get an invoice.",
)
MEANS: Final = {"wer": 0.12, "v2v_p95": 980.0, "resolved": 0.8}
UNITS: Final = {"wer": None, "v2v_p95": "ms", "resolved": None}


@dataclass(frozen=True)
class Evaluated:
    dataset: str
    before: str
    after: str
    cases: list[str]


def tone(seconds: float = 1.5, rate: int = 24_000) -> bytes:
    """A WAV file."""
    time = np.arange(int(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * 220 * time) * 9000 * np.minimum(1, time * 20)).astype("<i2").tobytes()
    return wav_header(rate, 1, len(samples)) + samples


async def evaluate(voxgate: Voxgate, before: dict[str, Any], after: dict[str, Any]) -> Evaluated:
    """The traces are the calls that the experiments made for their first case."""
    made = await voxgate.request("POST", "/api/datasets", json=_dataset(before["id"]))
    dataset = made["id"]
    headers = {"content-type": "audio/wav"}
    blob = await voxgate.request("POST", f"/api/datasets/{dataset}/blobs", data=tone(), headers=headers)
    cases = [_case(number, text, blob) for number, text in enumerate(ASKED)]
    saved = await voxgate.request("POST", f"/api/datasets/{dataset}/cases", json={"cases": cases})
    refund = {"transcript": "It is done.", "tool_calls": [{"name": "refund_order", "arguments": None}]}
    changed = {**cases[1], "expected": refund, "tags": ["refund"]}
    await voxgate.request("POST", f"/api/datasets/{dataset}/cases", json={"cases": [changed]})
    first = await _experiment(voxgate, dataset, "Refunds, as it is", before, None)
    second = await _experiment(voxgate, dataset, "Refunds, shorter prompt", after, first)
    return Evaluated(dataset, first, second, saved["ids"])


async def evaluate_long_names(voxgate: Voxgate) -> tuple[str, str]:
    """The ids of a data set and of an experiment that still runs. All names are long, without a place to
    break."""
    long = "n" * 80
    named = {"name": f"data_{long}", "project": f"project_{long}"[:64], "description": long}
    dataset = (await voxgate.request("POST", "/api/datasets", json=named))["id"]
    asked = {"input": {"kind": "text", "text": long}, "expected": {"transcript": long}}
    case = {"id": "case_0", "tags": [long], **asked}
    await voxgate.request("POST", f"/api/datasets/{dataset}/cases", json={"cases": [case]})
    body = {
        "name": f"experiment_{long}",
        "dataset": {"id": dataset},
        "task": {"name": long, "model": long},
        "scorers": [{"name": long}],
        "cases": 10_000,
        "git": {"branch": f"feature/{long}", "commit": "4f0c2d9a", "dirty": True},
    }
    experiment = (await voxgate.request("POST", "/api/experiments", json=body))["id"]
    scores = [{"name": f"{at}_{long}", "value": 1e15 / 3, "unit": long[:30]} for at in range(5)]
    output = {"text": long, "tool_calls": [{"name": long, "arguments": {long: long}, "result": long}]}
    result = {"case_id": "case_0", "trial": 0, "output": output, "scores": scores}
    failed = {"case_id": "case_0", "trial": 1, "output": None, "scores": [], "error": long}
    await voxgate.request(
        "POST", f"/api/experiments/{experiment}/results", json={"results": [result, failed]}
    )
    rule = {"name": f"rule_{long}", "filter": f"tag:{long}", "scorers": [{"name": f"scorer_{long}"}]}
    await voxgate.request("POST", "/api/rules", json=rule)
    return dataset, experiment


def _dataset(unique: str) -> dict[str, Any]:
    name = f"refunds {unique[-6:]}"
    return {"name": name, "project": "support", "description": "What people ask the help desk most."}


def _case(number: int, text: str, blob: dict[str, Any]) -> dict[str, Any]:
    clip = {name: blob[name] for name in ("blob", "content_type", "duration_ms")}
    spoken = {"kind": "audio", "text": text, "clips": [clip]}
    return {
        "id": f"case_{number}",
        "input": spoken if number % 2 == 0 else {"kind": "text", "text": text},
        "expected": {"transcript": "Let me look that up for you."} if number % 3 else {},
        "tags": ["order"] if "order" in text else [],
    }


async def _experiment(
    voxgate: Voxgate, dataset: str, name: str, trace: dict[str, Any], baseline: str | None
) -> str:
    body = {
        "name": name,
        "dataset": {"id": dataset},
        "task": {"name": "replay", "model": "gpt-realtime-2", "mode": "turn"},
        "scorers": [{"name": one} for one in MEANS],
        "trials": 2,
        "cases": len(ASKED),
        "baseline": baseline,
        "git": {"branch": "main" if baseline is None else "shorter", "commit": "4f0c2d9a", "dirty": False},
    }
    experiment = (await voxgate.request("POST", "/api/experiments", json=body))["id"]
    turn = next(span for span in trace["spans"] if span["type"] == "turn")
    results = [
        _result(number, trial, trace["id"] if number == 0 else None, turn, worse=baseline is not None)
        for number in range(len(ASKED))
        for trial in range(2)
    ]
    await voxgate.request("POST", f"/api/experiments/{experiment}/results", json={"results": results})
    await voxgate.request("PATCH", f"/api/experiments/{experiment}", json={"status": "complete"})
    return str(experiment)


def _result(
    number: int, trial: int, session: str | None, turn: dict[str, Any], *, worse: bool
) -> dict[str, Any]:
    """Worse are the words of all cases, and those of the first the most; the rest stays as it is."""
    noise = ((number * 7 + trial * 3) % 5 - 2) / 50
    values: dict[str, float | None] = {
        "wer": round(MEANS["wer"] + noise / 2 + (0.3 - 0.02 * number if worse else 0), 3),
        "v2v_p95": MEANS["v2v_p95"] + noise * 1000,
        "resolved": None if number == 6 else float(number != 3),
    }
    start = turn["start_ms"] + 400
    moment = {"span_id": turn["id"], "start_ms": start, "end_ms": start + 900}
    scores = [
        {
            "name": name,
            "value": value,
            "n": 4,
            "unit": UNITS[name],
            "direction": "max" if name == "resolved" else "min",
            "reason_missing": "the judge gave no answer" if value is None else None,
            "evidence": [moment] if session and name == "wer" else [],
            "explanation": f"2 of 9 words differ. {SCRIPT}" if name == "wer" else None,
        }
        for name, value in values.items()
    ]
    calls = [{"name": "get_order_status", "arguments": {"order_id": "A12345"}, "result": {"eta": "Friday"}}]
    output = {"text": f"Let me look up number {number}.", "tool_calls": calls, "session_id": session}
    output["turn_span_id"] = turn["id"] if session else None
    error = "The provider closed the call: 1011 overloaded" if (number, trial) == (7, 1) else None
    shown = {"output": None if error else output, "scores": [] if error else scores, "error": error}
    return {"case_id": f"case_{number}", "trial": trial, "duration_ms": 2400, "cost_usd": 0.003, **shown}
