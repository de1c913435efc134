"""What the tests of the dialects share: shapes, schemas and recordings of both dialects."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.realtime.dialects.shapes import Shape, read_shapes
from tests.recordings import Event, read_recording

Recording = Callable[[str], list[tuple[str, Event]]]


@pytest.fixture(scope="session")
def event_shapes(shared: Path) -> Path:
    return shared / "fixtures/realtime/event-shapes"


@pytest.fixture(scope="session")
def beta_client_shapes(event_shapes: Path) -> dict[str, Shape]:
    return read_shapes(event_shapes / "beta-client-events.txt")


@pytest.fixture(scope="session")
def beta_server_shapes(event_shapes: Path) -> dict[str, Shape]:
    return read_shapes(event_shapes / "beta-server-events.txt")


@pytest.fixture(scope="session")
def ga_problems(event_shapes: Path) -> Callable[[Event], list[str]]:
    """What the schemas of the official SDK say against an event."""
    validators = {}
    for side in ("client", "server"):
        schema = json.loads((event_shapes / f"ga-{side}-events.schema.json").read_text())
        for name, body in schema["$defs"].items():
            kind = body.get("properties", {}).get("type", {}).get("const")
            if kind and "event_id" in body["properties"]:
                part = {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}
                validators[kind] = Draft202012Validator(part)

    def problems(event: Event) -> list[str]:
        if event["type"] not in validators:
            return [f"there is no event {event['type']}"]
        found = validators[event["type"]].iter_errors(event)
        return [f"{event['type']}: {error.json_path}: {error.message}" for error in found]

    return problems


@pytest.fixture(scope="session")
def recording(shared: Path) -> Recording:
    """The messages of a recorded session: `sent` or `received` by the client, and the event."""
    return functools.partial(read_recording, shared)
