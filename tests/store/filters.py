"""Random filters and sessions, and what the filters mean in plain Python: what their SQL is compared with.

Made from a seed and not by Hypothesis's strategies, which are slow at trees: there are thousands in a test.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

from voxgate.core.clock import unix_ms
from voxgate.store.excerpts import SPEAKERS, lines_of
from voxgate.store.fields import FIELDS, METRICS, STATUSES, WITHOUT_VALUE, Kind
from voxgate.store.filter import (
    COMPARISONS,
    Ago,
    And,
    Compare,
    Filter,
    Has,
    Moment,
    Not,
    Or,
    Pattern,
    Words,
    read_moment,
)
from voxgate.store.words import words

NAMES: Final = [
    *("a", "b", "ab", "A", "gpt-a", "a b", "a\nb", "or", "ü"),
    *('q"\\', "*", "a*b", "[a]", "a?", "%", "_", "a_b"),
]
SAID: Final = [
    *("refund", "refunds", "Refund", "the", "or", "_"),
    *("café", "cafe", "CAFÉ", "10:30", "don't", "東京", "東"),
]
PREFIXES: Final = ["ref", "refund", "the refu", "東"]
NUMBERS: Final = [0.0, 0.05, 0.1, 0.5, 1.0, 2.0, 3.0, 500.0, 1000.0, 1500.0, 90_000.0, -3.0]
MOMENTS: Final = [
    *("2026-01", "2026-01-01", "2026-01-02T00:00", "2026-01-01T00:00:02Z"),
    *("2026-01-01T00:00:02.5", "2026-01-01T02:00:00.5+02:00", "2025-12"),
]
FEW_METRICS: Final = METRICS[:3]
"""Sessions have these more often than others."""

# Filters


def random_filter(random: Random, depth: int = 3) -> Filter:
    shape = random.random() if depth else 0.0
    if shape < 0.5:
        return random_condition(random)
    if shape < 0.7:
        return Not(random_filter(random, depth - 1))
    parts = tuple(random_filter(random, depth - 1) for _ in range(random.randint(2, 4)))
    return And(parts) if shape < 0.85 else Or(parts)


def random_condition(random: Random) -> Filter:
    own = [name for name, field in FIELDS.items() if field.kind is not Kind.WORDS and name not in METRICS]
    match random.randrange(8):
        case 0 | 1:
            return _random_words(random)
        case 2:
            names = sorted(WITHOUT_VALUE - set(METRICS))
            return Has(random.choice([*names, *FEW_METRICS]))
        case 3:
            return _random_comparison(random, random.choice([*FEW_METRICS, random.choice(METRICS)]))
        case 4:
            return _random_comparison(random, random.choice(["started", "duration", "cost", "turns"]))
        case _:
            return _random_comparison(random, random.choice(own))


def _random_words(random: Random) -> Words:
    field = random.choice([name for name, field in FIELDS.items() if field.kind is Kind.WORDS])
    if random.random() < 0.3:
        return Words(random.choice(PREFIXES), prefix=True, field=field)
    said = [text for text in SAID if words(text)]
    return Words(" ".join(random.choices(said, k=random.choice([1, 1, 2]))), field=field)


def _random_comparison(random: Random, field: str) -> Compare:
    kind = FIELDS[field].kind
    op = random.choice(COMPARISONS) if kind.is_measured or kind is Kind.TIME else "="
    match kind:
        case Kind.CHOICE:
            return Compare(field, op, random.choice(STATUSES))
        case Kind.TIME:
            moment = read_moment(random.choice(MOMENTS))
            assert moment is not None
            return Compare(field, op, Ago(60_000.0) if op != "=" and random.random() < 0.2 else moment)
        case Kind.TEXT | Kind.LIST:
            return Compare(field, op, _random_pattern(random, kind))
        case _:
            number = random.choice(NUMBERS)
            return Compare(field, op, abs(number) if kind is Kind.DURATION else number)


def _random_pattern(random: Random, kind: Kind) -> Pattern:
    # A line break in one of a list's texts is kept as a space.
    name = random.choice([name for name in NAMES if kind is not Kind.LIST or "\n" not in name])
    shapes = [(name,), (name,), (name, ""), ("", name), ("", name, "")]
    if kind is not Kind.LIST:
        shapes.append((name, random.choice(NAMES)))
    return Pattern(random.choice(shapes))


# Sessions


def random_session(random: Random, session_id: str) -> Saved:
    def name() -> str:
        return random.choice(NAMES)

    def said() -> str:
        return " ".join(random.choices(SAID, k=random.randint(0, 4)))

    def maybe(value: Any) -> Any:
        return value if random.random() < 0.6 else None

    def errors() -> list[dict[str, Any]]:
        return [{"code": maybe(name()), "type": maybe(name())} for _ in range(random.choice([0, 0, 1, 2]))]

    spans: list[dict[str, Any]] = []
    for _ in range(random.randint(0, 3)):
        spans.append(_span("user", input={"transcript": said(), "text": maybe(said())}))
        spans.append(_span("response", output={"transcript": said()}, error=(errors() or [None])[0]))
    spans += [_span("tool", name=name()) for _ in range(random.choice([0, 1, 2]))]
    for number, span in enumerate(spans):
        span["id"] = f"{session_id}_{number}"
    measured = [*FEW_METRICS, *random.choices(METRICS, k=3)]
    row = {
        "id": session_id,
        **{field: name() for field in ("project", "model", "provider")},
        "status": random.choice(STATUSES),
        "started_at": f"2026-01-0{random.randint(1, 3)}T00:00:0{random.randint(0, 3)}.500Z",
        "ended_at": None,
        "duration_ms": maybe(random.choice(NUMBERS)),
        "cost_usd": maybe(random.choice(NUMBERS)),
        "turns": maybe(random.randint(0, 4)),
        "interruptions": maybe(random.randint(0, 4)),
        "tags": [name() for _ in range(random.choice([0, 1, 2]))],
        "metadata": maybe({"user_id": name()}) or {},
        "credential_id": maybe(name()),
        "title": maybe(said()),
        "delete_after": None,
        "data": {
            "metrics": {one: maybe(random.choice(NUMBERS)) for one in measured},
            "errors": errors(),
            **(maybe({"transport": "http", "request": {"path": f"/v1/{name()}"}}) or {}),
            "parent": maybe({"session_id": name(), "ref": maybe(name())}),
        },
    }
    return Saved(row, spans)


def _span(kind: str, **fields: Any) -> dict[str, Any]:
    unknown = {"error": None, "input": None, "output": None}
    return {"type": kind, "name": kind, "start_ms": 0.0, **unknown, **fields}


# What they mean


@dataclass(frozen=True)
class Saved:
    """A session with its spans, as they were given to the store."""

    row: dict[str, Any]
    spans: list[dict[str, Any]]

    def passes(self, node: Filter, now: datetime) -> bool:
        match node:
            case And(parts):
                return all(self.passes(part, now) for part in parts)
            case Or(parts):
                return any(self.passes(part, now) for part in parts)
            case Not(part):
                return not self.passes(part, now)
            case Words():
                return self._says(node)
            case Has(field):
                return any(value is not None for value in self.values(field))
            case Compare():
                return any(_holds(value, node, now) for value in self.values(node.field) if value is not None)

    def values(self, field: str) -> list[Any]:
        """None for what is not known."""
        row, metrics = self.row, self.row["data"]["metrics"]
        match field:
            case "started":
                return [unix_ms(datetime.fromisoformat(row["started_at"]))]
            case "tag":
                return [tag.replace("\n", " ") for tag in row["tags"]]
            case "tool":
                return [span["name"].replace("\n", " ") for span in self.spans if span["type"] == "tool"]
            case "error":
                return list(self._codes())
            case "user":
                return [row["metadata"].get("user_id")]
            case "endpoint":
                request = row["data"].get("request")
                return [request["path"].removeprefix("/v1/") if request else "realtime"]
            case "parent":
                return [(row["data"]["parent"] or {}).get("session_id")]
            case "errors":
                return [len(row["data"]["errors"])]
            case _ if field in METRICS:
                return [metrics.get(field)]
        columns = {"credential": "credential_id", "duration": "duration_ms", "cost": "cost_usd"}
        return [row[columns.get(field, field)]]

    def _codes(self) -> Iterator[str]:
        for error in [*self.row["data"]["errors"], *(span.get("error") for span in self.spans)]:
            for key in ("code", "type"):
                if error and error.get(key) is not None:
                    yield str(error[key]).replace("\n", " ")

    def _says(self, node: Words) -> bool:
        wanted = words(node.text)
        for line in lines_of(self.row["title"], self.spans):
            said = words(line.text) if node.field in ("text", SPEAKERS[line.speaker]) else []
            for at in range(len(said) - len(wanted) + 1):
                piece = said[at : at + len(wanted)]
                if piece[:-1] == wanted[:-1] and (
                    piece[-1].startswith(wanted[-1]) if node.prefix else piece[-1] == wanted[-1]
                ):
                    return True
        return False


_OPERATORS: Final = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _holds(value: Any, node: Compare, now: datetime) -> bool:
    if isinstance(node.value, Pattern):
        return node.value.matches(value)
    if isinstance(node.value, Ago | Moment):
        start, end = node.value.bounds_ms(now)
        bounds = {"<": value < start, "<=": value < end, ">": value >= end, ">=": value >= start}
        return bounds.get(node.op, start <= value < end)
    return bool(_OPERATORS[node.op](value, node.value))
