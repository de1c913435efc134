"""`voxgate eval run|score|watch`: evaluations of files, run and reported. Looking at what is stored is in
`eval_stored`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import typer
from rich.console import Console

from voxgate.cli.eval_reports import Targets, find, report_of, show
from voxgate.cli.exits import code_after, exits, worst
from voxgate.core.errors import InvalidRequest
from voxgate.evals.conducting import House, Options, conduct, running_house
from voxgate.evals.evaluation import Eval
from voxgate.evals.files import load_evals
from voxgate.evals.outcome import Outcome
from voxgate.evals.progress import shown_progress
from voxgate.evals.rescoring import rescored

app = typer.Typer(
    help="Evaluations: run them, compare what came out, keep it from getting worse. Exit codes: 0 all is "
    "well, 1 a gate failed, 2 what was asked for is wrong, 3 a provider, the network or Voxgate failed.",
    no_args_is_help=True,
)
_POLL_SECONDS: Final = 0.5

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Python with Eval(...), or YAML.")]
Experiment = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its id, or the name of the last one.")]
Only = Annotated[list[str] | None, typer.Option(help="Only the evaluation of this name; may be repeated.")]
Baseline = Annotated[
    str | None, typer.Option(help="Compare with this experiment: id, name, or git branch.", metavar="WHICH")
]
NoBaseline = Annotated[bool, typer.Option("--no-baseline", help="Compare with nothing.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write one HTML file with sound.")]
Junit = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.")]
MarkdownFile = Annotated[Path | None, typer.Option("--markdown", help="Write Markdown for a pull request.")]
Jsonl = Annotated[Path | None, typer.Option("--jsonl", help="Write JSON lines.")]


@app.command(
    epilog="Examples:  voxgate eval run evals/refunds.py   ·   "
    "voxgate eval run evals.yaml --only refunds --trials 5 --budget-usd 2   ·   "
    "voxgate eval run evals/refunds.py --baseline main --markdown comment.md --junit results.xml   ·   "
    "voxgate eval run evals/refunds.py --resume last"
)
@exits
def run(
    files: Files,
    only: Only = None,
    resume: Annotated[
        str | None, typer.Option(help="Take up this experiment again; `last`: the last unfinished one.")
    ] = None,
    baseline: Baseline = None,
    no_baseline: NoBaseline = False,
    trials: Annotated[int | None, typer.Option(min=1, help="How often each case runs.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="How many cases run at once.")] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Stop before it costs more.")] = None,
    max_sessions: Annotated[int | None, typer.Option(min=1, help="Stop after so many runs.")] = None,
    queue: Annotated[
        str | None, typer.Option(help="Have workers do it, through this PostgreSQL.", metavar="URL")
    ] = None,
    html: Html = None,
    junit: Junit = None,
    markdown: MarkdownFile = None,
    jsonl: Jsonl = None,
) -> int:
    """Run the evaluations of files, show what came out, and judge it by their gates."""
    evaluations = load_evals(files, only or ())
    given = {
        "trials": trials,
        "max_concurrency": concurrency,
        "budget_usd": budget_usd,
        "max_sessions": max_sessions,
    }
    for evaluation in evaluations:
        for name, value in given.items():
            if value is not None:
                setattr(evaluation, name, value)
    targets = Targets({"html": html, "junit": junit, "markdown": markdown, "jsonl": jsonl})
    options = Options(resume=resume, baseline=False if no_baseline else baseline)
    return _run_all(running_house(), evaluations, options, targets, queue)


def _run_all(
    house: House, evaluations: list[Eval], options: Options, targets: Targets, queue: str | None = None
) -> int:
    codes = []
    for evaluation in evaluations:
        outcome = asyncio.run(_conducted(evaluation, house, options, queue))
        report = report_of(house, outcome)
        show(report)
        targets.write(report, several=len(evaluations) > 1)
        _say_how_to_go_on(outcome)
        codes.append(outcome.exit_code)
        if outcome.stopped == "interrupted":
            break
    return worst(codes)


async def _conducted(evaluation: Eval, house: House, options: Options, queue: str | None) -> Outcome:
    progress = shown_progress()
    if queue is None:
        return await conduct(evaluation, house, progress, options)
    queues = _queues()
    async with queues.opened(queue) as app:
        typer.echo("Workers do it: voxgate eval worker --queue … FILE", err=True)
        through = partial(queues.through_queue, app, name=evaluation.name, reporter=progress)
        return await conduct(evaluation, house, progress, options, through)


def _queues() -> ModuleType:
    try:
        # An extra of its own: voxgate[queue].
        return import_module("voxgate.evals.queue")
    except ImportError as error:
        raise InvalidRequest(
            f"A queue needs procrastinate: pip install 'voxgate[queue]' ({error})."
        ) from error


def _say_how_to_go_on(outcome: Outcome) -> None:
    if outcome.experiment["status"] == "running":
        typer.echo(f"Go on with: --resume {outcome.id}", err=True)


@app.command(
    epilog="Examples:  voxgate eval score exp_… evals/refunds.py   ·   "
    "voxgate eval score refunds new_scores.py"
)
@exits
def score(
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="Its id, or the name of the last one.")
    ],
    files: Files,
    only: Only = None,
    baseline: Baseline = None,
    no_baseline: NoBaseline = False,
    html: Html = None,
    junit: Junit = None,
    markdown: MarkdownFile = None,
    jsonl: Jsonl = None,
) -> int:
    """Score an experiment again, with the scorers of a file and without running anything. Makes a new one."""
    house = running_house()
    before = find(house, experiment)
    evaluation = rescored(load_evals(files, only or ()), house.experiments, before)
    targets = Targets({"html": html, "junit": junit, "markdown": markdown, "jsonl": jsonl})
    options = Options(baseline=False if no_baseline else baseline, scored_from=before["id"])
    return _run_all(house, [evaluation], options, targets)


@app.command(epilog="Example:  voxgate eval worker evals/refunds.py --queue postgresql://voxgate@db/queue")
@exits
def worker(
    files: Files,
    queue: Annotated[str, typer.Option(help="The PostgreSQL that `run --queue` has.", metavar="URL")],
    only: Only = None,
    concurrency: Annotated[int, typer.Option(min=1, help="How many cases at once.")] = 4,
    dead_after: Annotated[
        float, typer.Option(min=1, help="Seconds until a worker that is not heard of is dead.")
    ] = 30.0,
    wait: Annotated[bool, typer.Option(help="Stay when there is nothing to do.")] = True,
) -> None:
    """Work on the cases that others have handed out with `run --queue`, by the same files. Ends with
    Ctrl-C."""
    queues = _queues()
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    works = queues.Worker(running_house(), load_evals(files, only or ()), concurrency, dead_after)

    async def work() -> None:
        async with queues.opened(queue) as app:
            await works.work(app, wait=wait)

    asyncio.run(work())
    typer.echo(f"{works.done} cases done", err=True)


@app.command(epilog="Example:  voxgate eval watch evals/refunds.py --only greeting")
@exits
def watch(
    files: Files,
    only: Only = None,
    baseline: Baseline = None,
    times: Annotated[int | None, typer.Option(hidden=True, help="End after so many runs.")] = None,
) -> int:
    """Run the evaluations of files again whenever one of them, or a file beside it, changes."""
    console = Console(stderr=True, highlight=False)
    done, seen = 0, _state(files)
    while True:
        code_after(_watched_run, files, only, baseline)
        done += 1
        if done == times:
            return 0
        console.print("Waiting for a change. Ctrl-C ends.", style="dim")
        while (now := _state(files)) == seen:
            time.sleep(_POLL_SECONDS)
        seen = now


def _watched_run(files: list[Path], only: list[str] | None, baseline: str | None) -> int:
    return _run_all(running_house(), load_evals(files, only or ()), Options(baseline=baseline), Targets({}))


def _state(files: list[Path]) -> dict[Path, int]:
    """When what counts was changed last."""
    endings = {".py", ".yaml", ".yml", ".csv", ".json", ".jsonl", ".txt", ".md"}
    beside = {path for file in files for path in file.resolve().parent.iterdir() if path.suffix in endings}
    return {path: path.stat().st_mtime_ns for path in beside if path.is_file()}
