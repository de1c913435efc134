"""Recorded calls, sounds, words and scenarios run again as sessions of their own. `task.replay` is the way
in, `plan` what can be asked for; each mode has a file: `turn`, `session`, `timing`, `simulation`.
"""

from voxgate.evals.replay.task import Replay, replay

__all__ = ["Replay", "replay"]
