"""Every recorded session with a live service has its whole trace as a snapshot, and gives the same one live,
at close and again. After a change that is meant: `VOXGATE_WRITE_SNAPSHOTS=1 pytest` of this file, and look at
the difference.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.traces.calls import recording

from voxgate.traces import Trace, TraceBuilder

SNAPSHOTS = Path(__file__).parent / "snapshots"
RECORDINGS = [
    "azure_voice_live_ws__test_audio_in_server_vad_turn",
    "azure_ws__test_text_in_audio_out_turn",
    "google_ws__test_text_in_audio_out_turn",
    "google_ws__test_tool_call_round",
    "openai_ws__test_audio_in_server_vad_turn",
    "openai_ws__test_text_in_audio_out_turn",
    "openai_ws__test_tool_call_round",
    "openai_ws_sideband__test_webrtc_sideband_text_turn",
    "xai_ws__test_audio_in_server_vad_turn",
]
_ID = re.compile(r"(?:span|att|item|resp|event|sess|call|conv|msg)_[A-Za-z0-9_-]+")
_LEFT_OUT = ("config", "metric_versions", "metric_reasons")
"""The service's own words, and what is the same for all; and whatever is null."""


def normalised(trace: Trace) -> Any:
    """With ids in the order in which they appear, so that a snapshot reads well."""
    shown = {
        key: value for key, value in trace.to_json().items() if key not in _LEFT_OUT and value is not None
    }
    shown["spans"][0]["input"] = None
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        kind = found[0].split("_")[0]
        number = sum(known.startswith(kind) for known in names.values()) + 1
        return names.setdefault(found[0], f"{kind}_{number}")

    return json.loads(_ID.sub(name, json.dumps(shown)))


def text_of(trace: Any) -> str:
    return json.dumps(trace, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_trace_of_a_recording_is_its_snapshot(shared: Path, name: str) -> None:
    found = text_of(normalised(recording(shared, f"test_{name}").trace()))
    path = SNAPSHOTS / f"{name}.json"
    if os.environ.get("VOXGATE_WRITE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    expected = path.read_text()
    difference = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), "snapshot", "now", lineterm=""
    )
    assert found == expected, "\n".join(difference)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_gives_the_same_trace_live_at_close_and_again(shared: Path, name: str) -> None:
    call = recording(shared, f"test_{name}")
    builder = TraceBuilder()
    for event in call.events:
        builder.feed(event)
        builder.snapshot()
    again = recording(shared, f"test_{name}").trace()
    assert builder.snapshot().to_json() == builder.snapshot(live=False).to_json() == again.to_json()


def test_every_recording_of_messages_has_a_snapshot(shared: Path) -> None:
    folder = shared / "fixtures/realtime/recordings"
    there = {path.stem for path in folder.glob("*.yaml") if "kind: message" in path.read_text()}
    assert there == {f"test_{name}" for name in RECORDINGS}
