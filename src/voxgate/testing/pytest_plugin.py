"""Fixtures of pytest for voice applications, there in every test run where Voxgate is installed:

    def test_refunds_are_looked_up(voxgate_call):
        call = voxgate_call("I want my money back for order A1.", tools=TOOLS, instructions=PROMPT)
        call.assert_called("refund_order", order_id="A1").assert_said("five days")

They speak to the Voxgate of `--voxgate-url` or VOXGATE_URL, else to one of their own with the embedded
provider. What they need is loaded when a test asks for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voxgate.evals.evaluation import Eval
    from voxgate.evals.outcome import Outcome
    from voxgate.testing.calls import Call

_UNKNOWN_SECONDS = 60.0
"""Until an id that Voxgate does not know is taken for a wrong one; a call of just now is known by then."""

# ruff: noqa: PLC0415 - this module is loaded in every run of pytest, whether it needs it or not


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("voxgate")
    group.addoption(
        "--voxgate-url", help="The Voxgate that the fixtures speak to; by default one of their own."
    )


@pytest.fixture(scope="session")
def voxgate_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where Voxgate is. Its key is in VOXGATE_API_KEY for the time of the tests."""
    given = request.config.getoption("--voxgate-url") or os.environ.get("VOXGATE_URL")
    if given:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VOXGATE_URL", given)
            yield given
        return
    from voxgate.testing.server import running_voxgate

    with running_voxgate() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environ.items():
            patch.setenv(name, value)
        yield server.url


@pytest.fixture
def voxgate_session(voxgate_url: str) -> Callable[[str], Call]:
    """The recorded call of this id, once it is over: `voxgate_session("sess_…").assert_said("goodbye")`."""

    def find(session_id: str) -> Call:
        __tracebackhide__ = True
        return _finished(session_id, _UNKNOWN_SECONDS)

    return find


def _finished(session_id: str, unknown_seconds: float) -> Call:
    import asyncio

    from voxgate.client.http import Client
    from voxgate.evals.protocols import TaskError
    from voxgate.evals.sessions import ApiSessions
    from voxgate.testing.calls import Call

    __tracebackhide__ = True
    try:
        sessions = ApiSessions(Client(), unknown_seconds=unknown_seconds)
        return Call(asyncio.run(sessions.finished(session_id)))
    except TaskError as error:
        raise AssertionError(error.message) from None


@pytest.fixture
def voxgate_call(voxgate_url: str) -> Callable[..., Call]:
    """Makes a call of one turn: words, or the Path of a WAV file. Takes what `replay` takes (`model`,
    `instructions`, `voice` …), `tools` of the session, and `mocks` that answer them."""
    import asyncio
    from pathlib import Path

    from voxgate.evals.model import Case, Clip, Input
    from voxgate.evals.protocols import Trial
    from voxgate.evals.replay import replay
    from voxgate.evals.sessions import LONGEST_SECONDS

    def make(said: Any, *, model: str = "local", tools: Any = (), mocks: Any = None, **options: Any) -> Call:
        session = {"tools": list(tools), **options.pop("session", {})}
        task = replay(
            model=model, session=session, tools="mock" if mocks else "recorded", mocks=mocks, **options
        )
        words = Input("text", text=str(said))
        if isinstance(said, Path):
            words = Input("audio", clips=(Clip("audio/wav", path=str(said)),))
        case = Case("call", words)
        output = asyncio.run(task.run(case, Trial("", 0, 0)))
        assert output.session_id is not None, "the call was not recorded"
        return _finished(output.session_id, LONGEST_SECONDS)

    return make


@pytest.fixture
def voxgate_eval(voxgate_url: str) -> Callable[[Eval], Outcome]:
    """Runs an evaluation; the test fails where its gate does, and shows what the scores were."""
    from io import StringIO

    from rich.console import Console

    from voxgate.evals.conducting import running_house
    from voxgate.evals.reports.report import Report
    from voxgate.evals.reports.terminal import print_terminal

    def run(evaluation: Eval) -> Outcome:
        __tracebackhide__ = True
        house = running_house()
        outcome = evaluation.run(house=house)
        if not outcome.passed:
            shown = StringIO()
            report = Report(outcome, house.experiments, lambda _: None, house.client.url)
            print_terminal(report, Console(file=shown, width=120, highlight=False))
            pytest.fail(f"The evaluation did not pass.\n{shown.getvalue()}", pytrace=False)
        return outcome

    return run
