"""Judges with a rubric that fits every call, under the names that such scores have elsewhere. What they take
beside it, and whom they ask, is the judges' matter.
"""

from __future__ import annotations

from typing import Any, Final

from voxgate.evals.scorers.audio_judge import audio_judge
from voxgate.evals.scorers.judge import judge
from voxgate.evals.scoring import FunctionScorer

_TASK_COMPLETION: Final = (
    "By the end of the call the user had what they called for: the assistant or its tools did it, as "
    "the lines show, or the user was told truthfully why it cannot be done and what to do instead. What "
    "was only promised does not count."
)
_FAITHFULNESS: Final = (
    "All that the assistant states about the user's matter stands in the results of its tools, in its "
    "instructions, or in what the user said. One number, name, date or promise that is not there, or "
    "differs, fails. Common knowledge and small talk do not count."
)
_CONCISENESS: Final = (
    "The assistant's answers are as short as speech should be: each says what was asked for and little "
    "else, without filler, long lists, or repeating itself or the user. Leaving out what was asked for "
    "fails too."
)
_INSTRUCTION_FOLLOWING: Final = (
    "Throughout the call the assistant does what its instructions tell it to do, and nothing that they "
    "forbid. Where no instructions are shown, it cannot be told."
)
_TONE: Final = (
    "The assistant sounds calm, friendly and natural, and its tone fits what the user says: no wrong "
    "emotion, no odd emphasis, no passages that are distorted or mechanical."
)


def task_completion(*, name: str = "task_completion", **asked: Any) -> FunctionScorer:
    """Whether the user got what they called for. `asked` is what `judge` takes beside the rubric."""
    return judge(_TASK_COMPLETION, name=name, **asked)


def faithfulness(*, name: str = "faithfulness", **asked: Any) -> FunctionScorer:
    """Whether what the assistant states stands in its tools' results, instructions, or the user's words."""
    return judge(_FAITHFULNESS, name=name, **asked)


def conciseness(*, name: str = "conciseness", **asked: Any) -> FunctionScorer:
    """Whether the answers are as short as speech should be."""
    return judge(_CONCISENESS, name=name, **asked)


def instruction_following(*, name: str = "instruction_following", **asked: Any) -> FunctionScorer:
    """Whether the assistant keeps to its instructions."""
    return judge(_INSTRUCTION_FOLLOWING, name=name, **asked)


def tone_audio_judge(*, name: str = "tone_audio_judge", **asked: Any) -> FunctionScorer:
    """Whether the assistant sounds as it should. `asked` is what `audio_judge` takes beside the rubric."""
    return audio_judge(_TONE, name=name, **asked)
