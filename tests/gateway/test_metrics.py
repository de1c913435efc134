"""The registry of metrics and Prometheus' text of them."""

from __future__ import annotations

import pytest

from voxgate.gateway.metrics import Metrics, merge, render


def make_worker(calls: float, *refusals: str) -> Metrics:
    metrics = Metrics()
    metrics.gauge("voxgate_calls_running", "Calls now.", lambda: calls)
    refused = metrics.counter("voxgate_calls_refused_total", "Refused.", "code")
    for code in refusals:
        refused.add(code)
    metrics.counter("voxgate_calls_started_total", "Started.").add(by=calls)
    return metrics


def test_a_metric_is_shown_with_its_help_and_type() -> None:
    assert render(merge({"1": make_worker(3, "draining", "draining").snapshot()})).splitlines() == [
        "# HELP voxgate_calls_running Calls now.",
        "# TYPE voxgate_calls_running gauge",
        'voxgate_calls_running{worker="1"} 3',
        "# HELP voxgate_calls_refused_total Refused.",
        "# TYPE voxgate_calls_refused_total counter",
        'voxgate_calls_refused_total{code="draining"} 2',
        "# HELP voxgate_calls_started_total Started.",
        "# TYPE voxgate_calls_started_total counter",
        "voxgate_calls_started_total 3",
    ]


def test_counters_are_summed_and_gauges_stand_beside_each_other() -> None:
    living = {"1": make_worker(3, "draining").snapshot(), "2": make_worker(4, "draining", "x").snapshot()}
    lines = render(merge(living, ended=[make_worker(50, "x").snapshot()])).splitlines()
    assert 'voxgate_calls_running{worker="1"} 3' in lines
    assert 'voxgate_calls_running{worker="2"} 4' in lines
    assert sum("voxgate_calls_running{" in line for line in lines) == 2
    assert 'voxgate_calls_refused_total{code="draining"} 2' in lines
    assert 'voxgate_calls_refused_total{code="x"} 2' in lines
    assert "voxgate_calls_started_total 57" in lines


def test_large_counters_keep_every_digit_and_labels_are_escaped() -> None:
    metrics = Metrics()
    sent = metrics.counter("voxgate_sent_bytes_total", "Sent.", "to")
    sent.add('a "quoted"\nname\\', 123_456_789_012_345)
    assert (
        'voxgate_sent_bytes_total{to="a \\"quoted\\"\\nname\\\\"} 123456789012345'
        in render(merge({"1": metrics.snapshot()})).splitlines()
    )


def test_a_name_is_registered_once_and_has_the_form_of_its_kind() -> None:
    metrics = make_worker(1)
    with pytest.raises(ValueError, match="registered already"):
        metrics.gauge("voxgate_calls_running", "Again.", lambda: 0)
    with pytest.raises(ValueError, match="_total"):
        metrics.counter("voxgate_things", "No counter's name.")
    with pytest.raises(ValueError, match="no name"):
        metrics.gauge("other", "Not ours.", lambda: 0)


def test_a_shared_gauge_is_shown_once_as_the_largest_that_a_living_worker_sees() -> None:
    snapshots = []
    for seen in (3, 9, 4):
        metrics = Metrics()
        metrics.shared_gauge("voxgate_logs", "Logs on disk.", lambda seen=seen: seen)
        snapshots.append(metrics.snapshot())
    ended = snapshots.pop(1)
    lines = render(merge({"1": snapshots[0], "2": snapshots[1]}, ended=[ended])).splitlines()
    assert lines == ["# HELP voxgate_logs Logs on disk.", "# TYPE voxgate_logs gauge", "voxgate_logs 4"]
