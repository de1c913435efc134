"""Voxgate: a self-hosted gateway for realtime voice models. What evaluations are written with is here by
name and loaded when it is asked for, because gateway workers import this package too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from voxgate.evals.evaluation import Eval as Eval
    from voxgate.evals.replay.task import replay as replay
    from voxgate.evals.scoring import scorer as scorer
    from voxgate.evals.session import Session as Session

__version__ = "0.1.0"

_PUBLIC: Final = {
    "Eval": "voxgate.evals.evaluation",
    "Session": "voxgate.evals.session",
    "replay": "voxgate.evals.replay.task",
    "scorer": "voxgate.evals.scoring",
}
"""Where each name is. The imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
