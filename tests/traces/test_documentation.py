"""Every field of a trace stands in docs/traces.md or, if it is a metric, in docs/metrics.md."""

from __future__ import annotations

from tests.conftest import REPOSITORY
from tests.traces.calls import Call, pcm


def test_every_field_of_a_trace_is_documented() -> None:
    text = "".join((REPOSITORY / "docs" / name).read_text() for name in ("traces.md", "metrics.md"))
    call = Call().session().append(0, pcm(1000)).speech("u", 200, 600).transcript(650, "u", "hi")
    call.created(700, "r").audio(750, "r", "a", pcm(100)).call_tool(760, "r", "c", "look", "{}")
    trace = call.done(800, "r", usage={"input_tokens": 1}).tool_result(900, "c", "{}").close(1000).trace()
    names = {*trace.data, *trace.metrics, *trace.data["usage"]}
    for span in trace.spans[1:]:
        names |= {*span.metrics, *(span.input or {}), *(span.output or {}), *(span.usage or {})}
    assert {span.type for span in trace.spans} == {"session", "turn", "user", "response", "tool"}
    missing = sorted(name for name in names if f"`{name}`" not in text and f'"{name}"' not in text)
    assert missing == []
