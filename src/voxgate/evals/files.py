"""Files that evaluations are written in: Python, where each `Eval(...)` counts, and YAML, which says the same
without code.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from voxgate.core.errors import InvalidRequest
from voxgate.evals.evaluation import Eval, collecting
from voxgate.evals.modules import load_module
from voxgate.evals.yaml_files import evals_of_yaml


def load_evals(paths: Iterable[Path], only: Iterable[str] = ()) -> list[Eval]:
    """In their order; `only` those names. InvalidRequest says which file is wrong, and where."""
    found = [evaluation for path in paths for evaluation in load_file(path)]
    wanted = set(only)
    names = [evaluation.name for evaluation in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f"Two evaluations are called {twice!r}: experiments are found by their names.")
    if missing := sorted(wanted - set(names)):
        raise InvalidRequest(
            f"There is no evaluation {missing[0]!r}; there are: {', '.join(names) or 'none'}."
        )
    return [evaluation for evaluation in found if not wanted or evaluation.name in wanted]


def load_file(path: Path) -> list[Eval]:
    if not path.is_file():
        raise InvalidRequest(f"There is no file {path}.")
    if path.suffix in {".yaml", ".yml"}:
        return evals_of_yaml(path)
    if path.suffix != ".py":
        raise InvalidRequest(f"{path} is neither Python (.py) nor YAML (.yaml).")
    with collecting() as made:
        load_module(path)
    if not made:
        raise InvalidRequest(f"{path} makes no Eval(...).")
    return made
