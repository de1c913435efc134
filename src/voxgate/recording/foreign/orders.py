"""What an import is told to do, and how a worker of the gateway runs it: in a process of its own, since
reading a large file would take the interpreter from the worker's calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.core.prices import PriceSettings

Unit = Literal["s", "ms", "us", "ns"]


class Options(BaseModel):
    """What whoever imports may say. `project` overrides the log's own; None: that, else `default`."""

    name: str = "the file"
    project: str | None = None
    model: str | None = None
    provider: str | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    started_at: AwareDatetime | None = None
    """Of a log that does not say when it was."""
    time_unit: Unit | None = None
    """Of times that are bare numbers."""
    skip_bad_lines: bool = False
    dry_run: bool = False


class Orders(BaseModel):
    path: Path
    wire_dir: Path
    database_url: str
    retention_days: int | None = None
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    options: Options


def run_import(orders: Orders) -> list[dict[str, Any]]:
    """What became of each call of the file. InvalidRequest says what is wrong with it."""
    command = [sys.executable, "-m", "voxgate.recording.foreign"]
    text = orders.model_dump_json(exclude_unset=True)
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise VoxgateError(f"The import failed: {reason[0] if reason else done.returncode}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise InvalidRequest(answer["error"], param=answer["param"])
    items: list[dict[str, Any]] = answer["items"]
    return items
