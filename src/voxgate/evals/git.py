"""Which branch and commit the evaluated files are of, as far as git or the CI system says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from voxgate.evals.model import Json

_BRANCH_VARIABLES: Final = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME")
"""Of GitHub's and GitLab's CI, which check out a commit without its branch. The first is of pull requests."""
_SECONDS: Final = 10


def git_state(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Json | None:
    """`branch` (None where nobody knows), `commit` and whether files differ from it; None without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    branch = _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    branch = branch or next((environ[name] for name in _BRANCH_VARIABLES if environ.get(name)), None)
    return {"branch": branch, "commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def main_branch(folder: Path | None = None) -> str:
    """As the remote says it; else `main`, or `master` where there is only that."""
    head = _git(folder, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    if head:
        return head.removeprefix("origin/")
    has = [name for name in ("main", "master") if _git(folder, "rev-parse", "--verify", "--quiet", name)]
    return has[0] if has else "main"


def _git(folder: Path | None, *arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):  # without git an evaluation runs as well
        return None
    return done.stdout.strip() if done.returncode == 0 else None
