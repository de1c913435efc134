"""`voxgate replay SESSION`: a recorded call is run again; then and now are shown side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from voxgate.core.errors import InvalidRequest

EXAMPLES: Final = (
    "Examples:  voxgate replay sess_… --turn 3 --model gpt-realtime-2.1   ·   "
    "voxgate replay sess_… --instructions prompt.txt   ·   "
    "voxgate replay sess_… --mode session --perturb '{\"noise\": 10}'   ·   "
    'voxgate replay sess_… --mode timing --turn-detection \'{"type": "semantic_vad"}\'   ·   docs/replay.md'
)


def replay_(
    session_id: Annotated[str, typer.Argument(metavar="SESSION")],
    turn: Annotated[
        int | None, typer.Option(help="Only this turn, from 1; else all, one after the other.")
    ] = None,
    mode: Annotated[str, typer.Option(help="turn, session or timing.")] = "turn",
    model: Annotated[str | None, typer.Option(help="Another model than the recorded one.")] = None,
    instructions: Annotated[Path | None, typer.Option(help="A file with other instructions.")] = None,
    voice: Annotated[str | None, typer.Option(help="Another voice.")] = None,
    turn_detection: Annotated[str | None, typer.Option(help="recorded, off, or a JSON object.")] = None,
    session: Annotated[str | None, typer.Option(help="More fields of the session: JSON, or @FILE.")] = None,
    tools: Annotated[str, typer.Option(help="Who answers tool calls: recorded, mock or live.")] = "recorded",
    miss: Annotated[str, typer.Option(help="If they do not know a call: error, nearest or live.")] = "error",
    mocks: Annotated[Path | None, typer.Option(help="A JSON or YAML file with results of tools.")] = None,
    live_url: Annotated[str | None, typer.Option(help="An endpoint that runs tools.")] = None,
    perturb: Annotated[str | None, typer.Option(help="Makes the user's sound worse: a JSON object.")] = None,
    pace: Annotated[str, typer.Option(help="fast or real.")] = "fast",
    history: Annotated[str, typer.Option(help="What users said before: text or audio.")] = "text",
    timeout: Annotated[float, typer.Option(help="Seconds for one turn.")] = 120,
    project: Annotated[str | None, typer.Option(help="Where the replay is recorded.")] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn, such as noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the output as JSON.")] = False,
) -> None:
    """Run a recorded call again, and show what was said then and now."""
    settings: dict[str, Any] = {"mode": mode, "tools": tools, "miss": miss, "pace": pace, "history": history}
    settings |= {
        "model": model,
        "instructions": None if instructions is None else _read(instructions),
        "voice": voice,
        "turn_detection": _detection(turn_detection),
        "session": _json(session, "session"),
        "mocks": mocks,
        "live_url": live_url,
        "perturb": _json(perturb, "perturb") or (),
        "timeout": timeout,
        "project": project,
    }
    # Loads numpy and more, which no other command needs to start.
    from voxgate.cli.replaying import replay_and_show  # noqa: PLC0415

    replay_and_show(session_id, turn, settings, seed=seed, as_json=as_json)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}") from error


def _detection(text: str | None) -> Any:
    return _json(text, "turn-detection") if text is not None and text.lstrip().startswith("{") else text


def _json(text: str | None, name: str) -> Any:
    if text is None:
        return None
    written = _read(Path(text[1:])) if text.startswith("@") else text
    try:
        found = json.loads(written)
    except ValueError as error:
        raise InvalidRequest(f"--{name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"--{name} must be a JSON object.")
    return found
