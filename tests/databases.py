"""A new database for tests of what is done with one: a copy of one that was made once for the process, since
to make the tables takes ten times as long as to open them.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from voxgate.store import Store


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voxgate.db"
        Store(f"sqlite:///{path}").close()
        return path.read_bytes()


def new_database(folder: Path) -> str:
    """In a data folder, which is made if need be; its URL."""
    path = folder / "voxgate.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty())
    return f"sqlite:///{path}"
