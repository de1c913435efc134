"""`/metrics` in Prometheus' text format: what this worker carries and refused."""

from __future__ import annotations

from voxgate.gateway.calls import Calls


def render_metrics(calls: Calls) -> str:
    lines = [
        "# HELP voxgate_calls_running Calls that this worker relays now.",
        "# TYPE voxgate_calls_running gauge",
        f"voxgate_calls_running {calls.running}",
        "# HELP voxgate_calls_started_total Calls that were opened.",
        "# TYPE voxgate_calls_started_total counter",
        f"voxgate_calls_started_total {calls.started}",
        "# HELP voxgate_calls_refused_total Calls that were refused, by error code.",
        "# TYPE voxgate_calls_refused_total counter",
    ]
    lines += [
        f'voxgate_calls_refused_total{{code="{code}"}} {count}'
        for code, count in sorted(calls.refused.items())
    ]
    return "\n".join([*lines, ""])
