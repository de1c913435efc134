"""Recorded calls of the live services, from the folder of shared fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Event = dict[str, Any]
Steps = list[tuple[str, Event]]
"""`sent` or `received` by the client, and the event."""


def read_recording(shared: Path, name: str) -> Steps:
    text = (shared / f"fixtures/realtime/recordings/{name}.yaml").read_text()
    entries = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["interactions"]
    return [(one["direction"], one["data"]) for one in entries if one["kind"] == "message"]
