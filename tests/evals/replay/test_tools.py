"""Who answers tool calls in a replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.core.errors import InvalidRequest
from voxgate.evals.arguments import canonical
from voxgate.evals.mocks import Mock, read_mocks
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay.plan import Plan
from voxgate.evals.replay.tools import Known, ToolBox, likeness

pytestmark = pytest.mark.anyio
KNOWN = [
    Known("get_order", '{"id": "A1", "fast": true}', "first"),
    Known("get_order", '{"fast":true,"id":"A1"}', "second"),
    Known("get_order", '{"id": "B2"}', "other"),
]


async def test_a_recorded_result_is_found_however_the_arguments_are_written() -> None:
    box = ToolBox(Plan(), KNOWN, ())
    assert await box.answer("get_order", '{"fast": true, "id": " A1 "}') == "first"
    assert await box.answer("get_order", '{ "id":"A1","fast":true }') == "second"
    assert await box.answer("get_order", '{"id": "A1", "fast": true}') == "first"
    assert box.misses == []


async def test_a_miss_is_answered_as_the_plan_says() -> None:
    error = ToolBox(Plan(), KNOWN, ())
    assert "no result" in json.loads(await error.answer("get_order", '{"id": "C3"}'))["error"]
    nearest = ToolBox(Plan(miss="nearest"), KNOWN, ())
    assert await nearest.answer("get_order", '{"id": "b2", "fast": false}') == "other"
    assert "no result" in await nearest.answer("refund", "{}")
    live = ToolBox(Plan(miss="live", live={"get_order": lambda **given: given}), KNOWN, ())
    assert json.loads(await live.answer("get_order", '{"id": "C3"}')) == {"id": "C3"}
    assert [[miss["answered"] for miss in box.misses] for box in (error, nearest, live)] == [
        ["error"],
        ["nearest", "error"],
        ["live"],
    ]


async def test_mocks_answer_by_the_arguments_that_they_name() -> None:
    mocks = (Mock("get_order", {"status": "late"}, {"id": "A1"}), Mock("get_order", "any"))
    box = ToolBox(Plan(tools="mock"), KNOWN, mocks)
    assert json.loads(await box.answer("get_order", '{"id": "a1", "x": 1}')) == {"status": "late"}
    assert await box.answer("get_order", "{}") == "any"


async def test_a_live_function_that_raises_fails_the_call_and_not_the_replay() -> None:
    async def broken(**_: Any) -> None:
        raise RuntimeError("no stock")

    box = ToolBox(Plan(tools="live", live={"order": broken}), (), ())
    assert json.loads(await box.answer("order", "{}")) == {"error": "RuntimeError: no stock"}
    assert "no JSON object" in await box.answer("order", "[1]")
    assert "no live tool" in await box.answer("other", "{}")


async def test_live_tools_answer_over_http_and_are_a_task_error_when_they_do_not() -> None:
    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        if body["name"] == "down":
            return web.Response(status=503, text="away")
        status = 404 if body["name"] == "unknown" else 200
        return web.json_response({"got": body["arguments"]}, status=status)

    app = web.Application()
    app.router.add_post("/tools", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/tools"
    box = ToolBox(Plan(tools="live", live_url=url), (), ())
    assert json.loads(await box.answer("order", '{"id": 1}')) == {"got": {"id": 1}}
    assert "error" in json.loads(await box.answer("unknown", "{}"))
    with pytest.raises(TaskError, match="503"):
        await box.answer("down", "{}")
    await runner.cleanup()
    with pytest.raises(TaskError, match="do not answer") as gone:
        await box.answer("order", "{}")
    assert gone.value.retryable


def test_mocks_are_read_from_files_lists_and_names(tmp_path: Path) -> None:
    for name, text in (
        ("mocks.json", '[{"name": "a", "output": 1}]'),
        ("mocks.yaml", "- {name: a, output: 1}"),
    ):
        (tmp_path / name).write_text(text)
        assert read_mocks(tmp_path / name) == (Mock("a", 1),)
    assert read_mocks({"a": 1}) == (Mock("a", 1),)
    for wrong in (tmp_path / "none.json", [{"name": "a"}], 3, [{"name": "a", "output": 1, "arguments": 2}]):
        with pytest.raises(InvalidRequest, match="mock"):
            read_mocks(wrong)


values = st.none() | st.booleans() | st.integers() | st.text() | st.dictionaries(st.text(), st.floats(0, 9))


@settings(max_examples=50)
@given(st.dictionaries(st.text(), values, max_size=4))
def test_canonical_arguments_do_not_depend_on_order_or_spaces(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(json.dumps(value, indent=2)) == canonical(json.dumps(turned))
    assert likeness(value, turned) == 1.0


@settings(max_examples=50)
@given(st.text())
def test_arguments_that_are_no_json_never_raise(text: str) -> None:
    assert isinstance(canonical(text), str)
    assert 0.0 <= likeness(text, {"a": 1}) <= 1.0
