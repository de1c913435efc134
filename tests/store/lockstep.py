"""Two processes that share only a database and take each step together, whatever else the machine does."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, cast


@contextlib.contextmanager
def _running(program: str, arguments: tuple[str, ...]) -> Iterator[tuple[IO[str], IO[str]]]:
    """Its input and its output, once it says that it is ready."""
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        told, said = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        assert said.readline() == "ready\n"
        yield told, said
        told.close()
        assert process.wait() == 0


def in_lockstep(
    program: str, first: tuple[str, ...], second: tuple[str, ...], steps: int
) -> Iterator[tuple[int, int]]:
    """Both answers to every step: the program, run with either arguments, says `ready`, then reads lines that
    number the steps and answers each with a number. Neither hears of a step before both are through the last.
    """
    with _running(program, first) as one, _running(program, second) as other:
        for step in range(steps):
            # The one that hears of it first has an advantage, so they take turns at that.
            for told, _ in (one, other) if step % 2 else (other, one):
                told.write(f"{step}\n")
                told.flush()
            yield int(one[1].readline()), int(other[1].readline())
