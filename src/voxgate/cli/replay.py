"""`voxgate replay SESSION`: a recorded call is run again, and what was said then and now is shown side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voxgate.cli.table import plain
from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest
from voxgate.evals.model import Case, Input, Output, ToolCall
from voxgate.evals.protocols import Trial
from voxgate.evals.replay import Replay, replay
from voxgate.evals.session import Session
from voxgate.evals.sources import api_session

EXAMPLES: Final = (
    "Examples:  voxgate replay sess_… --turn 3 --model gpt-realtime-2.1   ·   "
    "voxgate replay sess_… --instructions prompt.txt   ·   "
    "voxgate replay sess_… --mode session --perturb '{\"noise\": 10}'   ·   "
    "voxgate replay sess_… --mode timing --turn-detection '{\"type\": \"semantic_vad\"}'   ·   docs/replay.md"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn then and now; None where there is none."""

    number: int
    then: Session | None
    now: Session | None


def replay_(
    session_id: Annotated[str, typer.Argument(metavar="SESSION")],
    turn: Annotated[int | None, typer.Option(help="Only this turn, from 1 [all, one after the other].")] = None,
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
    task = replay(
        model=model,
        instructions=None if instructions is None else _read(instructions),
        voice=voice,
        turn_detection=_detection(turn_detection),
        session=_json(session, "session"),
        mocks=mocks,
        live_url=live_url,
        perturb=_json(perturb, "perturb") or (),
        timeout=timeout,
        project=project,
        **settings,
    )
    client = Client()
    recorded = api_session(client, session_id)
    output = asyncio.run(_run(task, session_id, turn, seed))
    if as_json:
        typer.echo(json.dumps(output.to_json(), indent=2))
        return
    _show(recorded, output, turn, client)


async def _run(task: Replay, session_id: str, turn: int | None, seed: int) -> Output:
    given = Input("session") if turn is None else Input("turn", turn=turn - 1)
    with Console(stderr=True).status("replaying"):
        return await task.run(Case(session_id, given, session_id=session_id), Trial("", 0, seed))


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


def _show(recorded: Session, output: Output, turn: int | None, client: Client) -> None:
    console = Console()
    again = api_session(client, output.session_id) if output.session_id else None
    for pair in pairs(recorded, again, output, turn):
        console.print(_table(pair))
    console.print(_summary(output.metadata), highlight=False)
    for name, one in (("then", recorded), ("now ", again)):
        if one is not None:
            cost = "" if one.cost_usd is None else f"  ${one.cost_usd:.4f}"
            console.print(f"{name}  {client.url}/sessions/{one.id}{cost}", highlight=False, soft_wrap=True)


def pairs(recorded: Session, again: Session | None, output: Output, turn: int | None) -> list[Pair]:
    """Of one turn, or of all that were said again, in their order."""
    then, now = recorded.turns, again.turns if again else ()
    if turn is not None:
        answer = again.turn(output.turn_span_id) if again and output.turn_span_id else None
        return [Pair(turn, then[turn - 1], answer)]
    length = max(len(then), len(now))
    return [
        Pair(number + 1, _at(then, number), _at(now, number))
        for number in range(length)
    ]


def _at(turns: Sequence[Session], number: int) -> Session | None:
    return turns[number] if number < len(turns) else None


def _table(pair: Pair) -> Table:
    user = next((one.said("user") for one in (pair.then, pair.now) if one is not None and one.said("user")), "")
    table = Table("", "then", "now", title=f"turn {pair.number}  {_shown(user)}", title_justify="left", expand=True)
    sides = (pair.then, pair.now)
    table.add_row("said", *(_shown(one.said("assistant")) if one else "" for one in sides))
    calls = [_calls(one.tool_calls) if one else "" for one in sides]
    if any(calls):
        table.add_row("tools", *calls)
    for name, metric in (("voice to voice", "v2v_p50"), ("first sound", "model_ttfa_p50")):
        values = [_ms(one.metrics.get(metric)) if one else "" for one in sides]
        if any(values):
            table.add_row(name, *values)
    return table


def _shown(text: str) -> str:
    return escape(plain(text))


def _calls(calls: Sequence[ToolCall]) -> str:
    return "\n".join(_shown(f"{one.name}({_compact(one.arguments)})") for one in calls)


def _compact(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def _summary(metadata: Mapping[str, Any]) -> str:
    """What is worth a line: where it diverged, what tools were not known, what else was noted."""
    lines = [
        f"diverged in turn {one['turn'] + 1}: {one['what']}, then {_compact(one['then'])}, now {_compact(one['now'])}"
        for one in metadata.get("diverged") or ()
    ]
    lines += [f"not known: {one['name']}({_compact(one['arguments'])})" for one in metadata.get("misses") or ()]
    lines += list(metadata.get("notes") or ())
    return "\n".join(_shown(line) for line in lines)
