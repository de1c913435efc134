"""`make demo-eval` in a small form: two calls instead of ten, with a Voxgate that runs already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.running import Voxgate
from voxgate.testing.server import Server

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]


@pytest.fixture
def demo(voxgate: Voxgate, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = spec_from_file_location("demo", REPOSITORY / "examples/evals/demo.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)

    @contextmanager
    def running() -> Iterator[Server]:
        yield Server(voxgate.url, voxgate.key, voxgate.data_dir)

    for name in Server(voxgate.url, voxgate.key, voxgate.data_dir).environ:
        monkeypatch.setenv(name, "put back at the end")
    monkeypatch.setattr(module, "running_voxgate", running)
    # So few that all of them have to be worse, three times each.
    monkeypatch.setattr(module, "SAID", [one for one in module.SAID if "refund" in one][:2])
    monkeypatch.setattr(module, "TRIALS", 3)
    return module


def test_the_demonstration_finds_its_worse_instructions_and_writes_a_report_with_sound(
    demo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.html"
    assert demo.main(["--output", str(report)]) == 0
    printed = capsys.readouterr().out
    assert [line[0] for line in printed.splitlines() if line[:1].isdigit()] == list("123456")
    assert "FAIL  tool_called no-regression" in printed
    assert "exit code in CI: 1" in printed
    page = report.read_text()
    assert "data:audio/ogg;base64," in page
    assert "not called: refund_order" in page
