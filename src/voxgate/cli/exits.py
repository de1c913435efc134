"""The exit codes of `voxgate eval`: 0 all is well, 1 a gate failed, 2 what was asked for is wrong, 3 a
provider, the network or Voxgate failed, or somebody stopped it. Nothing else ends with 1.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final

import click
import typer
from rich.console import Console
from rich.markup import escape

from voxgate.client.http import ApiError
from voxgate.core.errors import VoxgateError
from voxgate.evals.outcome import INFRASTRUCTURE, OK, WRONG
from voxgate.evals.protocols import InfrastructureError

_SEVERITY: Final = (OK, 1, WRONG, INFRASTRUCTURE)
_SERVER_ERROR: Final = 500


def exits(command: Callable[..., int | None]) -> Callable[..., None]:
    """Makes a command of a function that gives its exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        if code := code_after(command, *args, **kwargs):
            raise typer.Exit(code)

    return run


def code_after(command: Callable[..., int | None], *args: Any, **kwargs: Any) -> int:
    """The exit code, with what went wrong said."""
    try:
        return command(*args, **kwargs) or OK
    except KeyboardInterrupt:
        return _said("interrupted", INFRASTRUCTURE)
    except BrokenPipeError:
        # As Python's own documentation has it: what is left is not written when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _said("nobody reads the output any more", INFRASTRUCTURE)
    except VoxgateError as error:
        return _said(error.message, code_of(error))
    except (click.ClickException, click.exceptions.Exit, click.Abort, typer.Exit, typer.Abort):
        raise
    except Exception:  # noqa: BLE001 - a defect of Voxgate: shown whole, and never taken for a failed gate
        return _said(traceback.format_exc(), INFRASTRUCTURE)


def code_of(error: VoxgateError) -> int:
    if isinstance(error, ApiError):
        refused = error.http_status is not None and error.http_status < _SERVER_ERROR
        return WRONG if refused else INFRASTRUCTURE
    return INFRASTRUCTURE if isinstance(error, InfrastructureError) else WRONG


def worst(codes: Sequence[int]) -> int:
    """Of several evaluations: what was not measured hides what it would have said."""
    return max(codes, key=_SEVERITY.index, default=OK)


def _said(message: str, code: int) -> int:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[red]error:[/red] {escape(message)}")
    return code
