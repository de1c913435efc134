"""`python -m bench.evals`: what evaluations cost. A whole Voxgate is started, and experiments run against it.

turn      a recorded turn replayed again and again in the mode `turn` against the embedded provider without
pacing (written words in, words out): cases per minute, by how many at once overhead  the harness's own work
for a case: a task that does nothing, a scorer that gives 1, results stored memory    how much the program
grows over 10,000 such cases

Writes docs/performance-evals.md with `--write`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.machine import description
from voxgate import Eval, dataset, replay, tool_called
from voxgate.client.datasets import Datasets
from voxgate.evals.conducting import House, conduct, running_house
from voxgate.evals.model import Case, Input, Output, Result
from voxgate.evals.protocols import Trial
from voxgate.testing.server import running_voxgate

_TEXT: Final = {"output_modalities": ["text"]}
PAGE: Final = Path(__file__).parent.parent / "docs/performance-evals.md"


@dataclass(frozen=True)
class Figures:
    name: str
    cases: int
    at_once: int
    seconds: float
    cpu_seconds: float
    """Of this program alone: the server has its own."""
    grown_mb: float
    """Between a tenth of the cases and the end."""

    @property
    def per_minute(self) -> float:
        return self.cases / self.seconds * 60

    @property
    def cpu_ms(self) -> float:
        return self.cpu_seconds / self.cases * 1000


class Memory:
    """A reporter that looks at this program's memory."""

    def __init__(self, cases: int) -> None:
        self._early, self._done = cases // 10, 0
        self.before_mb = self.after_mb = 0.0

    def planned(self, plan: Any) -> None: ...

    def began(self, case: Case, trial: int) -> None: ...

    def retried(self, case: Case, attempt: int, error: Exception) -> None: ...

    def ended(self, result: Result, spent_usd: float) -> None:
        self._done += 1
        if self._done in (self._early, self._early * 10):
            self.before_mb, self.after_mb = self.after_mb, resident_mb()

    def counted(self, done: int, errors: int, spent_usd: float) -> None: ...

    def closed(self) -> None: ...


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def one(output: Any) -> float:
    return 1.0


async def nothing(said: str) -> str:
    return said


def generated(cases: int) -> Iterator[dict[str, str]]:
    for number in range(cases):
        yield {"id": f"c{number:06}", "input": f"n{number}"}


def measured(house: House, evaluation: Eval, cases: int) -> Figures:
    memory = Memory(cases)
    began, cpu = time.perf_counter(), time.process_time()
    outcome = asyncio.run(conduct(evaluation, house, memory))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    assert outcome.exit_code == 0, outcome.tally.error_kinds
    assert outcome.tally.results == cases
    grown = memory.after_mb - memory.before_mb
    return Figures(evaluation.name, cases, evaluation.max_concurrency, seconds, cpu_seconds, grown)


def overhead(house: House, cases: int) -> Figures:
    data = lambda: generated(cases)  # noqa: E731
    made = Eval("overhead", data=data, task=nothing, scores=[one], max_concurrency=16, baseline=False)
    return measured(house, made, cases)


def turns(house: House, cases: int, at_once: int) -> Figures:
    session_id = asyncio.run(_recorded())
    asyncio.run(house.sessions.finished(session_id))
    datasets = Datasets(house.client)
    name = f"turns-{at_once}"
    row = datasets.create(name)
    datasets.add_sessions(row["id"], sessions=[session_id], turns="each", expected="said")
    first = next(iter(datasets.cases(row["id"])))
    datasets.save(row["id"], ({**first, "id": f"c{number:05}"} for number in range(cases - 1)))
    made = Eval(
        name,
        data=dataset(name),
        task=replay(session=_TEXT, timeout=300),
        scores=[tool_called()],
        max_concurrency=at_once,
        baseline=False,
    )
    return measured(house, made, cases)


async def _recorded() -> str:
    call = replay(model="local", instructions='When you hear "order", say: It is on its way.', session=_TEXT)
    output: Output = await call.run(Case("first", Input("text", text="Where is my order?")), Trial("", 0, 0))
    assert output.session_id is not None
    return output.session_id


def table(found: list[Figures]) -> str:
    lines = ["| What | cases | at once | cases a minute | CPU of the program, ms a case | grown by, MB |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    lines += [
        f"| {one.name} | {one.cases:,} | {one.at_once} | {one.per_minute:,.0f} | {one.cpu_ms:.2f} "
        f"| {one.grown_mb:.1f} |"
        for one in found
    ]
    return "\n".join(lines)


def page(found: list[Figures]) -> str:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return f"""# What evaluations cost

Measured by `python -m bench.evals` on {description()}, with the server, the embedded provider, the
recorder and the evaluation on the same machine.

{table(found)}

- `overhead`: a task that does nothing and a scorer that gives 1. What is left is the harness: reading
  the cases, storing the results (each once, in the database), and the tally at the end.
- `turns-N`: one recorded turn of written words, replayed in the mode `turn` against the embedded
  provider, N at once. Each is a call of its own: a credential, a connection, the context, the answer, a
  recording, its trace, a score. The embedded provider answers at once, so this is what Voxgate needs; a
  real provider takes as long as it takes.
- "Grown by": resident memory of the evaluating program between a tenth of the cases and the last one.
  Its peak over all of these runs: {peak_mb:.0f} MB.
- Load of the machine at the end (average of a minute): {os.getloadavg()[0]:.0f}. More than its cores
  means that others worked too.
"""


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    options = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    options.add_argument("--cases", type=int, default=10_000, help="of the overhead")
    options.add_argument("--turns", type=int, default=200, help="of each run of turns")
    options.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    chosen = options.parse_args()
    with running_voxgate() as server:
        os.environ.update(server.environ)
        house = running_house()
        found = [overhead(house, chosen.cases)]
        found += [turns(house, chosen.turns, at_once) for at_once in (1, 4, 16)]
    print(table(found))
    if chosen.write:
        PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
