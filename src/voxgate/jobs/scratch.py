"""Files that are being made of a session, before they replace what is stored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(root: Path, session_id: str) -> Iterator[Path]:
    """Empty at the beginning, also where a killed process has left something, and gone afterwards: what lies
    here may be just what is to be deleted."""
    folder = root / session_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
