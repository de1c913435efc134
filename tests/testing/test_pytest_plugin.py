"""The plugin as a voice application uses it: in a run of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tests.running import Voxgate

from voxgate.evals.session import Session
from voxgate.testing.calls import Call

TESTS = """
TOOLS = [{"type": "function", "name": "get_order_status", "description": "Look up the status of an order.",
          "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}}}]

def test_a_good_call(voxgate_call, voxgate_session):
    call = voxgate_call("Please call me Ada.")
    call.assert_said("Hello, Ada").assert_not_called().assert_not_said("goodbye")
    again = voxgate_session(call.session.id)
    again.assert_said("Ada", by="user")

def test_a_tool(voxgate_call):
    call = voxgate_call("What is the status of my order A12345?", tools=TOOLS,
                        mocks={"get_order_status": {"status": "shipped"}})
    call.assert_called("get_order_status", order_id="A12345")

def test_a_bad_call(voxgate_call):
    voxgate_call("Please call me Ada.").assert_said("Hello, Bob")

def test_an_eval(voxgate_eval):
    from voxgate import Eval
    def exact(output, expected):
        return output == expected
    voxgate_eval(Eval("echo", data=[{"input": "a", "expected": "b"}], task=lambda said: said,
                      scores=[exact], gate={"exact": ">=1"}))
"""


@pytest.mark.timeout(300)
@pytest.mark.local
def test_calls_and_evaluations_are_asserted_in_tests(voxgate: Voxgate, tmp_path: Path) -> None:
    (tmp_path / "test_agent.py").write_text(TESTS)
    own = {name: value for name, value in os.environ.items() if not name.startswith("VOXGATE_")}
    installed = "voxgate" in entry_points(group="pytest11").names
    plugin = [] if installed else ["-p", "voxgate.testing.pytest_plugin"]  # installed before it had one
    flags = [*plugin, "-p", "no:cacheprovider", "--voxgate-url", voxgate.url]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *flags, str(tmp_path)],
        env={**own, "VOXGATE_API_KEY": voxgate.key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "AssertionError: The assistant did not say 'Hello, Bob'." in done.stdout
    assert "assistant: Hello, Ada!" in done.stdout
    assert "FAIL  exact >=1  (0)" in done.stdout


def call_of(*, tools: tuple[str, ...] = (), metrics: dict[str, float] | None = None) -> Call:
    spans = [
        {
            "id": f"t{number}",
            "parent_id": None,
            "type": "tool",
            "name": name,
            "status": "completed",
            "start_ms": 100.0,
            "end_ms": 200.0,
            "input": {"name": name, "arguments": {"order_id": "A1"}},
        }
        for number, name in enumerate(tools)
    ]
    trace = {"id": "sess_1", "duration_ms": 1000.0, "spans": spans, "metrics": metrics or {}}
    return Call(Session(trace))


def test_a_failed_assertion_says_what_happened_instead() -> None:
    with pytest.raises(
        AssertionError, match=r"'refund' was not called; called were: lookup\.\nThe call sess_1:"
    ):
        call_of(tools=("lookup",)).assert_called("refund")
    with pytest.raises(AssertionError, match=r'but not with .*A2.*: lookup\(\{"order_id": "A1"\}\)'):
        call_of(tools=("lookup",)).assert_called("lookup", order_id="A2")
    with pytest.raises(AssertionError, match="should not be: lookup"):
        call_of(tools=("lookup",)).assert_not_called()
    with pytest.raises(AssertionError, match="v2v_p95 is 1600, more than 1500"):
        call_of(metrics={"v2v_p95": 1600.0}).assert_metric("v2v_p95", at_most=1500)
    with pytest.raises(AssertionError, match="v2v_p95 is not known"):
        call_of().assert_metric("v2v_p95", at_most=1500)

    def short(session: Session) -> bool:
        return False

    with pytest.raises(AssertionError, match=r"short is 0, less than 1"):
        call_of().assert_score(short, at_least=1)


def test_what_holds_passes_and_can_go_on() -> None:
    call = call_of(tools=("lookup",), metrics={"v2v_p95": 900.0})
    call.assert_called("lookup", order_id="A1").assert_not_called("refund").assert_metric(
        "v2v_p95", at_least=1
    )
