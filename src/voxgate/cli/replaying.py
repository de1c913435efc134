"""What `voxgate replay` does: runs the case, and prints its turns then and now side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from voxgate.cli.table import plain
from voxgate.client.http import Client
from voxgate.evals.model import Case, Input, Output, ToolCall
from voxgate.evals.protocols import Trial
from voxgate.evals.replay import Replay, replay
from voxgate.evals.session import Session
from voxgate.evals.sources import api_session


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn then and now; None where there is none."""

    number: int
    then: Session | None
    now: Session | None


def replay_and_show(
    session_id: str, turn: int | None, settings: Mapping[str, Any], *, seed: int, as_json: bool
) -> None:
    """`settings` are the arguments of `replay`; `turn` counts from 1."""
    task = replay(**settings)
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
    return [Pair(number + 1, _at(then, number), _at(now, number)) for number in range(length)]


def _at(turns: Sequence[Session], number: int) -> Session | None:
    return turns[number] if number < len(turns) else None


def _table(pair: Pair) -> Table:
    user = next(
        (one.said("user") for one in (pair.then, pair.now) if one is not None and one.said("user")), ""
    )
    columns = (Column(no_wrap=True), Column("then", ratio=1), Column("now", ratio=1))
    title = f"turn {pair.number}  {_shown(user)}"
    table = Table(*columns, title=title, title_justify="left", expand=True)
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
    lines: list[str] = []
    for one in metadata.get("diverged") or ():
        then, now = _compact(one["then"]), _compact(one["now"])
        lines.append(f"diverged in turn {one['turn'] + 1}: {one['what']}, then {then}, now {now}")
    lines += [
        f"not known: {one['name']}({_compact(one['arguments'])})" for one in metadata.get("misses") or ()
    ]
    lines += list(metadata.get("notes") or ())
    return "\n".join(_shown(line) for line in lines)
