"""Voxgate: a self-hosted gateway for realtime voice models. What evaluations are written with is here by
name and loaded when it is asked for, because gateway workers import this package too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from voxgate.evals.datasets import dataset as dataset
    from voxgate.evals.datasets import logs as logs
    from voxgate.evals.evaluation import Eval as Eval
    from voxgate.evals.grading import scenario_graders as scenario_graders
    from voxgate.evals.loading.opening import open_cases as open_cases
    from voxgate.evals.replay.task import replay as replay
    from voxgate.evals.rubrics import conciseness as conciseness
    from voxgate.evals.rubrics import faithfulness as faithfulness
    from voxgate.evals.rubrics import instruction_following as instruction_following
    from voxgate.evals.rubrics import task_completion as task_completion
    from voxgate.evals.rubrics import tone_audio_judge as tone_audio_judge
    from voxgate.evals.scorers.audio_judge import audio_judge as audio_judge
    from voxgate.evals.scorers.cer import cer as cer
    from voxgate.evals.scorers.clipping import clipping as clipping
    from voxgate.evals.scorers.contains import contains as contains
    from voxgate.evals.scorers.cost import cost as cost
    from voxgate.evals.scorers.dropouts import dropouts as dropouts
    from voxgate.evals.scorers.echo import echo as echo
    from voxgate.evals.scorers.entity_accuracy import entity_accuracy as entity_accuracy
    from voxgate.evals.scorers.forbidden_tools import forbidden_tools as forbidden_tools
    from voxgate.evals.scorers.input_transcript import input_transcript as input_transcript
    from voxgate.evals.scorers.judge import judge as judge
    from voxgate.evals.scorers.language import language as language
    from voxgate.evals.scorers.length import length as length
    from voxgate.evals.scorers.level_difference import level_difference as level_difference
    from voxgate.evals.scorers.loudness import loudness as loudness
    from voxgate.evals.scorers.matches import matches as matches
    from voxgate.evals.scorers.metric import metric as metric
    from voxgate.evals.scorers.noise import noise as noise
    from voxgate.evals.scorers.response_status import response_status as response_status
    from voxgate.evals.scorers.said_expected import said_expected as said_expected
    from voxgate.evals.scorers.said_versus_transcript import said_versus_transcript as said_versus_transcript
    from voxgate.evals.scorers.snr import snr as snr
    from voxgate.evals.scorers.tool_arguments import tool_arguments as tool_arguments
    from voxgate.evals.scorers.tool_called import tool_called as tool_called
    from voxgate.evals.scorers.tool_order import tool_order as tool_order
    from voxgate.evals.scorers.turn_taking import turn_taking as turn_taking
    from voxgate.evals.scorers.wer import wer as wer
    from voxgate.evals.scoring import scorer as scorer
    from voxgate.evals.session import Session as Session

__version__ = "0.1.0"

_SCORERS: Final = (
    "audio_judge",
    "cer",
    "clipping",
    "contains",
    "cost",
    "dropouts",
    "echo",
    "entity_accuracy",
    "forbidden_tools",
    "input_transcript",
    "judge",
    "language",
    "length",
    "level_difference",
    "loudness",
    "matches",
    "metric",
    "noise",
    "response_status",
    "said_expected",
    "said_versus_transcript",
    "snr",
    "tool_arguments",
    "tool_called",
    "tool_order",
    "turn_taking",
    "wer",
)
"""Each is in a file of its name."""
_RUBRICS: Final = (
    "conciseness",
    "faithfulness",
    "instruction_following",
    "task_completion",
    "tone_audio_judge",
)
_PUBLIC: Final = {
    "Eval": "voxgate.evals.evaluation",
    "Session": "voxgate.evals.session",
    "dataset": "voxgate.evals.datasets",
    "logs": "voxgate.evals.datasets",
    "open_cases": "voxgate.evals.loading.opening",
    "replay": "voxgate.evals.replay.task",
    "scenario_graders": "voxgate.evals.grading",
    "scorer": "voxgate.evals.scoring",
    **{name: f"voxgate.evals.scorers.{name}" for name in _SCORERS},
    **dict.fromkeys(_RUBRICS, "voxgate.evals.rubrics"),
}
"""Where each name is. The imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
