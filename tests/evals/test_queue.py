"""One experiment on several machines: a real PostgreSQL, worker processes, one of them killed in the
middle."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.running import Voxgate, start_voxgate
from voxgate.evals.queue import QueueUnavailable, opened

pytestmark = pytest.mark.timeout(400)  # several processes start one after the other
CASES = 24
EVALS = """
import os, time
from voxgate import Eval, scorer

@scorer
def exact(output, expected):
    return output == expected

def task(name):
    with open(os.environ["RAN"], "a") as file:
        file.write(f"{os.getpid()} {name}\\n")
    if os.environ.get("HANG") and name == "n5":
        time.sleep(3600)
    return name

Eval("shared", data=[{"id": f"c{n:02}", "input": f"n{n}", "expected": f"n{n}"} for n in range(CASES)],
     task=task, scores=[exact], gate={"exact": ">=1"}, baseline=False)
"""


@pytest.fixture
def voxgate(tmp_path: Path) -> Iterator[Voxgate]:
    started = start_voxgate(tmp_path, local=False)
    yield started
    assert started.stop() == 0, "".join(started.output)


def start(voxgate: Voxgate, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("VOXGATE_")}
    reach = {"VOXGATE_URL": voxgate.url, "VOXGATE_API_KEY": voxgate.key, "RAN": str(voxgate.data_dir / "ran")}
    return subprocess.Popen(
        [sys.executable, "-m", "voxgate", "eval", *arguments],
        env={**own, **reach, **environ},
        cwd=voxgate.data_dir,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ran(voxgate: Voxgate) -> list[list[str]]:
    log = voxgate.data_dir / "ran"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def test_the_cases_of_a_killed_worker_are_taken_up_again_and_none_is_scored_twice(
    voxgate: Voxgate, new_postgres_url: str
) -> None:
    file = voxgate.data_dir / "evals.py"
    file.write_text(EVALS.replace("CASES", str(CASES)))
    queue = ("--queue", new_postgres_url)
    doomed = start(voxgate, "worker", str(file), *queue, "--concurrency", "2", "--dead-after", "3", HANG="1")
    conductor = start(voxgate, "run", str(file), *queue)
    others: list[subprocess.Popen[str]] = []
    try:
        deadline = time.monotonic() + 120
        while not any(name == "n5" for _, name in ran(voxgate)):
            assert doomed.poll() is None, doomed.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        doomed.send_signal(signal.SIGKILL)  # in the middle of n5
        others = [
            start(voxgate, "worker", str(file), *queue, "--concurrency", "2", "--dead-after", "3")
            for _ in range(2)
        ]
        output, _ = conductor.communicate(timeout=180)
        assert conductor.returncode == 0, output
    finally:
        for process in (doomed, conductor, *others):
            process.kill()
            process.communicate()
    times = Counter(name for _, name in ran(voxgate))
    assert times["n5"] == 2
    assert len(times) == CASES
    assert sum(times.values()) <= CASES + 2  # what the dead worker had in its hands
    listed = Command(voxgate, here=True)("eval", "export", "shared", "--format", "jsonl")
    assert listed.output.count('"type":"result"') == CASES


def test_a_queue_that_does_not_answer_is_infrastructure(tmp_path: Path) -> None:
    async def use() -> None:
        async with opened("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"):
            raise AssertionError

    with pytest.raises(QueueUnavailable):
        asyncio.run(use())
