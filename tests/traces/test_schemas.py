"""Tool arguments against the schemas they were asked for with; both may be anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.traces.calls import Call, spans

from voxgate.traces.schemas import misfit, schema_of

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('{"city": "Oslo", "days": 2}', None),
        ('{"days": 2}', "$: 'city' is a required property"),
        ('{"city": 7}', "$.city: 7 is not of type 'string'"),
        ('{"city": "Oslo", "days": 0}', "$.days: 0 is less than the minimum of 1"),
        ("[]", "$: [] is not of type 'object'"),
        ('{"city": "Os', "no JSON"),
        ("", "$: 'city' is a required property"),
    ],
)
def test_arguments_fit_their_schema_or_it_is_said_how_not(arguments: str, problem: str | None) -> None:
    assert misfit(arguments, CITY) == problem


def test_definitions_within_the_schema_are_followed() -> None:
    schema = {"$defs": {"name": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/name"}}}
    assert misfit('{"a": 1}', schema) == "$.a: 1 is not of type 'string'"
    assert misfit('{"a": "b"}', schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#"},
        {"type": "nonsense"},
        {"properties": 3},
        {"multipleOf": 0},
    ],
)
def test_schemas_that_cannot_be_followed_say_nothing(schema: dict[str, Any]) -> None:
    with pytest.raises(LookupError):
        misfit('{"a": 5}' if "properties" in schema else "5", schema)


def test_schemas_that_would_take_forever_do_not() -> None:
    doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    with pytest.raises(LookupError):
        misfit("{}", {"$defs": {**doubling, "d40": {}}, "$ref": "#/$defs/d0"})
    assert misfit('"' + "a" * 40 + '!"', {"type": "string", "pattern": "^(a+)+$"}) is None
    with pytest.raises(LookupError):
        misfit('"' + "a" * 200_000 + '"', {})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = [
    "type",
    "properties",
    "required",
    "items",
    "anyOf",
    "$ref",
    "enum",
    "minimum",
    "$defs",
    "not",
    "if",
    "$id",
]


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYWORDS), ANYTHING), st.text(max_size=10) | st.just('{"a": [1]}'))
def test_any_schema_gives_an_answer_or_a_lookup_error(schema: dict[str, Any], arguments: str) -> None:
    try:
        assert misfit(arguments, schema) is None or isinstance(misfit(arguments, schema), str)
    except LookupError:
        pass


def test_only_functions_of_that_name_are_meant() -> None:
    tools = [
        {"type": "mcp", "name": "look"},
        None,
        {"type": "function", "name": "look", "parameters": {"a": 1}},
    ]
    assert schema_of({"tools": tools}, "look") == {"a": 1}
    assert schema_of({"tools": [{"type": "function", "name": "look"}]}, "look") == {}
    assert schema_of({"tools": tools}, "other") is schema_of({}, "look") is None


# In a trace


def asked(tools: Any = None) -> Call:
    call = Call().session(
        tools=tools if tools is not None else [{"type": "function", "name": "look", "parameters": CITY}]
    )
    return call.user_text(50, "?", id="u").client(60, "response.create").created(100, "r1")


def test_the_share_of_calls_that_fit_is_the_sessions_validity() -> None:
    call = (
        asked().call_tool(110, "r1", "c1", "look", '{"city":"Oslo"}').call_tool(120, "r1", "c2", "look", "{}")
    )
    call.call_tool(130, "r1", "c3", "fly", "{}").call_tool(140, "r1", "c4", "look", '{"city":"Rome"}')
    trace = call.done(150, "r1").close(300).trace()
    assert [span.metrics["schema_valid"] for span in spans(trace, "tool")] == [True, False, False, True]
    assert [span.input["misfit"] for span in spans(trace, "tool")] == [
        None,
        "$: 'city' is a required property",
        "no tool of this name was offered",
        None,
    ]
    assert trace.metrics["tool_schema_validity"] == 0.5


def test_tools_of_one_response_are_those_that_count_for_it() -> None:
    call = Call().session(tools=[{"type": "function", "name": "look", "parameters": CITY}])
    own = [{"type": "function", "name": "look", "parameters": {"type": "object", "required": ["where"]}}]
    call.client(60, "response.create", response={"tools": own}).created(100, "r1")
    trace = call.call_tool(110, "r1", "c1", "look", '{"where":1}').done(150, "r1").close(300).trace()
    assert spans(trace, "tool")[0].metrics["schema_valid"] is True


def test_without_known_tools_validity_is_unknown() -> None:
    trace = asked([]).call_tool(110, "r1", "c1", "look", "{}").done(150, "r1").close(300).trace()
    assert spans(trace, "tool")[0].metrics["schema_valid"] is None
    assert trace.metrics["tool_schema_validity"] is None
    assert trace.data["metric_reasons"]["tool_schema_validity"] == "no tool call with a known schema"


def test_tools_that_fail_or_answer_with_an_error_are_the_error_rate() -> None:
    call = asked()
    for n, result in enumerate(('{"error": "no such city"}', '{"error": null}', "the error", '{"ok": 1}')):
        call.call_tool(110 + n, "r1", f"c{n}", "look", '{"city":"Oslo"}').tool_result(
            200 + n, f"c{n}", result
        )
    call.call_tool(120, "r1", "c9", "look", '{"city":"Oslo"}')  # never answered
    assert call.done(300, "r1").close(400).trace().metrics["tool_error_rate"] == 0.25
    assert asked().done(300, "r1").close(400).trace().metrics["tool_error_rate"] is None
