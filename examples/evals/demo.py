"""From calls to tests in two minutes, without a key: `make demo-eval`.

Starts a Voxgate with the embedded provider in a folder that is thrown away, records calls, makes a data set
of them, changes the instructions, replays the calls, compares, and writes a report to look at and to listen
to.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console

from voxgate import Eval, contains, dataset, replay, tool_called
from voxgate.client.datasets import Datasets
from voxgate.evals.conducting import House, running_house
from voxgate.evals.model import Case, Clip, Input
from voxgate.evals.outcome import Outcome
from voxgate.evals.protocols import Trial
from voxgate.evals.reports import html
from voxgate.evals.reports.report import Report
from voxgate.evals.reports.terminal import print_terminal
from voxgate.evals.sources import api_session
from voxgate.providers.local.voices import load_hibari
from voxgate.testing.server import running_voxgate

SAID = (
    "Can you check the status of my order?",
    "My order arrived damaged. I want a refund.",
    "Where is my order? It is late.",
    "I was charged twice. I need a refund.",
    "What is the delivery date of my order?",
    "Please refund my last order.",
    "Has my order been sent?",
    "I do not want it any more. Can I get a refund?",
    "How are you today?",
    "Thank you, goodbye.",
)
BEFORE = """You help the customers of a shop.
When the user asks about "refund", call refund_order.
When the user asks about "order", call get_order_status."""
AFTER = f'{BEFORE}\nNever call refund_order.\nWhen you hear "refund", say: Our refunds are handled by mail.'
ORDER = {"type": "object", "properties": {"order_id": {"type": "string"}}}
TOOLS = [
    {
        "type": "function",
        "name": "get_order_status",
        "description": "Look up the status of an order.",
        "parameters": ORDER,
    },
    {"type": "function", "name": "refund_order", "description": "Refund an order.", "parameters": ORDER},
]
TRIALS = 2
MOCKS = {"get_order_status": {"status": "on its way"}, "refund_order": {"refund": "five days"}}


def spoken(folder: Path) -> list[Path]:
    """The sentences, in the embedded provider's own voice."""
    speak = load_hibari(0)
    paths = []
    for number, sentence in enumerate(SAID, 1):
        path = folder / f"call-{number:02}.wav"
        samples = np.concatenate([speak(sentence, 1.0), np.zeros(12_000, np.float32)])
        soundfile.write(path, samples, 24_000, subtype="PCM_16")
        paths.append(path)
    return paths


async def recorded(sounds: list[Path]) -> list[str]:
    """Calls as customers would make them; the ids of their sessions."""
    call = replay(
        model="local",
        instructions=BEFORE,
        session={"tools": TOOLS, "audio": {"input": {"transcription": {"model": "local"}}}},
        tools="mock",
        mocks=MOCKS,
    )
    sessions = []
    for path in sounds:
        case = Case(path.stem, Input("audio", clips=(Clip("audio/wav", path=str(path)),)))
        output = await call.run(case, Trial("", 0, 0))
        assert output.session_id is not None
        sessions.append(output.session_id)
    return sessions


def evaluated(house: House, instructions: str, baseline: Any) -> Outcome:
    made = Eval(
        "demo",
        data=dataset("demo"),
        task=replay(instructions=instructions, tools="recorded"),
        scores=[tool_called(), contains("five days", name="says_how_long")],
        trials=TRIALS,
        gate={"tool_called": "no-regression"} if baseline else None,
        baseline=baseline,
    )
    return made.run(house=house)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--output", type=Path, default=Path(tempfile.gettempdir()) / "voxgate-demo-eval.html"
    )
    options.add_argument("--keep", action="store_true", help="let Voxgate run until Enter is pressed")
    chosen = options.parse_args(arguments)
    console, began = Console(highlight=False), time.monotonic()
    console.print("[bold]1[/bold] Starting Voxgate with the embedded provider …")
    with tempfile.TemporaryDirectory() as folder, running_voxgate() as server:
        os.environ.update(server.environ)
        house = running_house()
        console.print(f"[bold]2[/bold] Recording {len(SAID)} calls …")
        sessions = asyncio.run(recorded(spoken(Path(folder))))
        console.print("[bold]3[/bold] Making the data set [bold]demo[/bold] of them …")
        datasets = Datasets(house.client)
        row = datasets.create("demo")
        for session_id in sessions:
            asyncio.run(house.sessions.finished(session_id))
        datasets.add_sessions(row["id"], sessions=sessions, turns="each", expected="said")
        console.print("[bold]4[/bold] Replaying them with the instructions as they were …")
        before = evaluated(house, BEFORE, baseline=False)
        console.print("[bold]5[/bold] … and with a line that somebody added:")
        console.print(f"  [dim]{AFTER.splitlines()[3]}[/dim]")
        after = evaluated(house, AFTER, baseline=before.id)
        report = Report(after, house.experiments, lambda one: api_session(house.client, one), server.url)
        print_terminal(report, console)
        with chosen.output.open("w", encoding="utf-8") as file:
            file.writelines(html.lines(report))
        console.print(f"\n[bold]6[/bold] The report, with sound: {chosen.output}")
        console.print(f"  [dim]in {time.monotonic() - began:.0f} s; exit code in CI: {after.exit_code}[/dim]")
        if sys.stdout.isatty():
            webbrowser.open(chosen.output.resolve().as_uri())
        if chosen.keep:
            input(f"{server.url}  key {server.key}  Enter ends. ")
    return 0 if after.exit_code == 1 and before.exit_code == 0 else 3


if __name__ == "__main__":
    sys.exit(main())
