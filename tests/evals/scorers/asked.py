"""A place to work in whose settings name the stand-ins as the models that are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judges import KEY, Judging
from voxgate.evals import asking

TOML = """\
[judge]
base_url = "{url}"
model = "wise"
api_key_env = "JUDGE_KEY"

[prices.wise]
text_input = 1.0
text_output = 10.0
"""


def settle(server: Judging, folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    (folder / "voxgate.toml").write_text(TOML.format(url=server.base_url) + more)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setattr(asking, "_FIRST_PAUSE", 0.01)
    server.asked.clear()
