"""The registry of a worker's metrics: whoever counts something registers it by name, a snapshot is what the
worker tells of itself, `merge` adds those of all workers up, and `render` makes Prometheus' text of that.

Counters are summed over all workers, also over those that have ended, so that they never go down while
Voxgate runs; a gauge says how one living worker is now and carries that worker's number as its label. A
shared gauge is about what all workers share: it is shown once, the largest that any of them sees.
`server.build_worker` makes a worker's `Metrics` and gives it to all that count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Value = float | Mapping[str, float]
"""A number, or one for each value of the label."""
Snapshot = dict[str, dict[str, Any]]
"""By name: `kind`, `help`, `label` (or null) and `values` by the label's value (`""` without a label)."""

WORKER_LABEL: Final = "worker"
_SHARED: Final = "shared gauge"
_NAME: Final = re.compile(r"voxgate_[a-z_]+")


@dataclass(slots=True)
class Counter:
    """What a part of the gateway counts itself. `add("code")` where it has a label, else `add()`."""

    values: dict[str, float] = field(default_factory=dict)

    def add(self, value: str = "", by: float = 1) -> None:
        self.values[value] = self.values.get(value, 0) + by

    def read(self) -> Value:
        return self.values


class Metrics:
    """Names start with `voxgate_`, those of counters end with `_total`, and have the unit before it."""

    def __init__(self) -> None:
        self._metrics: dict[str, tuple[str, str, str | None, Callable[[], Value]]] = {}

    def counter(self, name: str, help_text: str, label: str | None = None) -> Counter:
        counter = Counter({} if label else {"": 0})
        self.counted(name, help_text, counter.read, label)
        return counter

    def counted(self, name: str, help_text: str, read: Callable[[], Value], label: str | None = None) -> None:
        """A counter that somebody else counts: `read` says how far."""
        if not name.endswith("_total"):
            raise ValueError(f"the name of a counter ends with _total: {name}")
        self._add(name, "counter", help_text, label, read)

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        self._add(name, "gauge", help_text, None, read)

    def shared_gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        self._add(name, _SHARED, help_text, None, read)

    def _add(
        self, name: str, kind: str, help_text: str, label: str | None, read: Callable[[], Value]
    ) -> None:
        if name in self._metrics or not _NAME.fullmatch(name):
            raise ValueError(f"registered already, or no name of a metric: {name}")
        self._metrics[name] = (kind, help_text, label, read)

    def snapshot(self) -> Snapshot:
        return {
            name: {"kind": kind, "help": help_text, "label": label, "values": _by_label(read())}
            for name, (kind, help_text, label, read) in self._metrics.items()
        }


def _by_label(value: Value) -> dict[str, float]:
    return dict(value) if isinstance(value, Mapping) else {"": value}


def merge(living: Mapping[str, Snapshot], ended: Iterable[Snapshot] = ()) -> Snapshot:
    """One snapshot of all. `living` by the worker's number. Of the `ended` only the counters count."""
    merged: Snapshot = {}
    for worker, snapshot in [*living.items(), *(("", each) for each in ended)]:
        for name, metric in snapshot.items():
            if metric["kind"] != "counter" and not worker:
                continue
            _merge_into(merged.setdefault(name, {**metric, "values": {}}), metric, worker)
    return merged


def _merge_into(into: dict[str, Any], metric: Mapping[str, Any], worker: str) -> None:
    values = into["values"]
    for value, number in metric["values"].items():
        if metric["kind"] == "gauge":
            into["label"] = WORKER_LABEL
            values[worker] = number
        elif metric["kind"] == _SHARED:
            values[value] = max(values.get(value, number), number)
        else:
            values[value] = values.get(value, 0) + number


def render(merged: Snapshot) -> str:
    """Prometheus' text format, version 0.0.4."""
    return "".join(line + "\n" for name in merged for line in _lines(name, merged[name]))


def _lines(name: str, metric: Mapping[str, Any]) -> Iterable[str]:
    yield f"# HELP {name} {metric['help']}"
    yield f"# TYPE {name} {metric['kind'].split()[-1]}"
    for value, number in sorted(metric["values"].items()):
        label = f'{{{metric["label"]}="{_escaped(value)}"}}' if metric["label"] else ""
        yield f"{name}{label} {number:.15g}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
