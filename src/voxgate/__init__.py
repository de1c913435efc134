"""Voxgate: a self-hosted gateway for realtime voice models. What evaluations are written with is here by
name and loaded when it is asked for, because gateway workers import this package too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from voxgate.evals.evaluation import Eval as Eval
    from voxgate.evals.replay.task import replay as replay
    from voxgate.evals.scorers.audio_judge import audio_judge as audio_judge
    from voxgate.evals.scorers.clipping import clipping as clipping
    from voxgate.evals.scorers.dropouts import dropouts as dropouts
    from voxgate.evals.scorers.echo import echo as echo
    from voxgate.evals.scorers.judge import judge as judge
    from voxgate.evals.scorers.level_difference import level_difference as level_difference
    from voxgate.evals.scorers.loudness import loudness as loudness
    from voxgate.evals.scorers.noise import noise as noise
    from voxgate.evals.scorers.snr import snr as snr
    from voxgate.evals.scoring import scorer as scorer
    from voxgate.evals.session import Session as Session

__version__ = "0.1.0"

_PUBLIC: Final = {
    "Eval": "voxgate.evals.evaluation",
    "Session": "voxgate.evals.session",
    "replay": "voxgate.evals.replay.task",
    "audio_judge": "voxgate.evals.scorers.audio_judge",
    "clipping": "voxgate.evals.scorers.clipping",
    "dropouts": "voxgate.evals.scorers.dropouts",
    "echo": "voxgate.evals.scorers.echo",
    "judge": "voxgate.evals.scorers.judge",
    "level_difference": "voxgate.evals.scorers.level_difference",
    "loudness": "voxgate.evals.scorers.loudness",
    "noise": "voxgate.evals.scorers.noise",
    "snr": "voxgate.evals.scorers.snr",
    "scorer": "voxgate.evals.scoring",
}
"""Where each name is. The imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
