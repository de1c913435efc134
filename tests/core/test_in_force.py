"""Which settings are in force in a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voxgate.cli import children
from voxgate.core.in_force import hold_settings, settings_in_force
from voxgate.core.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def nothing_held() -> Iterator[None]:
    yield
    hold_settings(None)


def test_without_a_parent_they_are_those_of_the_folder_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voxgate.toml").write_text('[judge]\nmodel = "here"\n')
    monkeypatch.chdir(tmp_path)
    assert settings_in_force().judge.model == "here"
    monkeypatch.setenv("VOXGATE_JUDGE_MODEL", "there")
    assert settings_in_force().judge.model == "there"


def test_a_child_has_those_that_its_parent_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "other.toml"
    config.write_text('[judge]\nmodel = "elsewhere"\n')
    plain = load_settings({}, {}, config).model_dump(mode="json", exclude={"api_key"})
    seen: list[Settings] = []

    def look(orders: dict[str, Any]) -> None:
        seen.append(settings_in_force())

    monkeypatch.setattr(children.logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(sys, "argv", ["children", "exporter"])
    monkeypatch.setattr(children, "receive_orders", lambda: {"settings": plain})
    monkeypatch.setattr(children, "_run_exporter", look)
    children.main()
    assert [one.judge.model for one in seen] == ["elsewhere"]
