"""The order in which files of tests begin: what took longest first, so that at the end no worker is left over
with a long one, and those with sound all along, since they wait for it while others work, and disturb each
other. How long each took is kept in `weights.json`; `make test ARGS=--weigh` measures anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Set
from itertools import accumulate
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent
_WEIGHTS = _TESTS / "weights.json"
_LEAST_SECONDS = 2.0
_NEW_SECONDS = 10.0
"""Of a file that nobody weighed: early enough, should it be long."""
_SOUND = ("e2e", "clients")
"""Calls that take as long as their sound."""
_took: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--weigh", action="store_true", help="keep how long each file took in tests/weights.json"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--no-loadscope-reorder` workers take files in this order."""
    kept: dict[str, float] = json.loads(_WEIGHTS.read_text())
    names = {_file_of(item.nodeid) for item in items}
    weights = {name: kept.get(name, _NEW_SECONDS) for name in names}
    sound = {name for name in weights if name.startswith(_SOUND)}
    places = _spread(weights, sound) | _spread(weights, weights.keys() - sound)
    items.sort(key=lambda item: places[_file_of(item.nodeid)])


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0].removeprefix("tests/")


def _spread(weights: dict[str, float], names: Set[str]) -> dict[str, tuple[float, str]]:
    """Which part of their time is over when each begins."""
    longest_first = sorted(names, key=lambda name: (-weights[name], name))
    total = sum(weights[name] for name in names)
    begins = accumulate((weights[name] for name in longest_first), initial=0.0)
    return {name: (begin / total, name) for name, begin in zip(longest_first, begins, strict=False)}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _took[_file_of(report.nodeid)] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("weigh") and not hasattr(session.config, "workerinput"):
        _WEIGHTS.write_text(json.dumps(_rounded(), indent=0) + "\n")


def _rounded() -> dict[str, int]:
    """The longest first. What is short is all the same."""
    return {name: round(max(took, _LEAST_SECONDS)) for name, took in _took.most_common()}
