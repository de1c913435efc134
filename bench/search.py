"""`python -m bench.search`: how long lists of 100,000 sessions take in SQLite, into
docs/performance-search.md.

The rows are written by the store itself, but for the spans, which no list reads. Every list is asked of the
store as the API asks it, from the text of the filter to the whole items of the page.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.machine import description
from voxgate.core.clock import iso_utc
from voxgate.store import Store
from voxgate.store.fields import METRICS
from voxgate.store.schema import scores as scores_table
from voxgate.store.schema import sessions as sessions_table
from voxgate.store.search import save_search

_DOCS: Final = Path(__file__).parent.parent / "docs"
_LIMIT_MS: Final = 100
_MODELS: Final = ("gpt-realtime", "gpt-realtime-mini", "gpt-4o-realtime-preview", "local")
_WORDS: Final = 20_000
Row = tuple[str, str, list[tuple[float, float]], int]
"""Name, filter, ms elapsed and ms of processor time of each round, what was found."""
_SPOKEN: Final = 300
"""Words of a call: two to three minutes of talk."""

FILTERS: Final = {
    "all": "",
    "by status": "status:failed",
    "of one user": "user:u_77",
    "of one credential": "credential:cred_0000000500",
    "of the last week": "last:7d",
    "of a day, long ones": "started:2026-03-10 duration>5m",
    "a tag that half have": "tag:vip",
    "a tag that nobody has": "tag:nothing",
    "a tool, dear, slow": "tool:get_weather cost>$0.9 v2v_p95>2s",
    "an error code": "error:rate_limit_exceeded",
    "a pattern of models": "model:gpt-*-mini",
    "nothing, by a measure": "duration>9h",
    "nothing, by the last column": "missed_last_turn>5",
    "nothing, by eight measures": " or ".join(f"{name}>1w" for name in METRICS[:8]),
    "nothing, by ten alternatives": " or ".join(f'tag:"no {n}" or tool:"no {n}"' for n in range(5)),
    "a word of every call": "w0",
    "a rare word": "w15000",
    "a phrase of common words": '"w0 w1"',
    "a phrase that nobody said": '"w0 w0 w0 w0 w0 w0"',
    "three words of most calls": "w0 w1 w2",
    "what begins with three letters": "w12*",
    "what begins with four letters": "w123*",
    "without a word of every call": "not w0",
    "a word of every call, and nothing else fits": "w0 duration>9h",
    "words or a measure": "(w0 or w15000) (duration>9h or tag:nothing)",
    "words of the user": "user_said:w1 -assistant_said:w1",
    "a score that most have": "score.tone>0.8",
    "a score that nobody has": "score.other<1",
    "without a score": "not has:score.tone",
}


def main() -> None:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "voxgate.db"
        with Store(f"sqlite:///{path}") as store:
            started = time.monotonic()
            _fill(store, options.sessions)
            print(f"{options.sessions:,} sessions in {time.monotonic() - started:.0f} s", flush=True)
            rows = list(_measured(store, options.rounds))
        size_mb = path.stat().st_size / 1e6
    report = _report(rows, options.sessions, size_mb, options.rounds)
    if options.no_report:
        print(report)
    else:
        (_DOCS / "performance-search.md").write_text(report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000, help="how many [100000]")
    parser.add_argument("--rounds", type=int, default=7, help="how often each list is asked for [7]")
    parser.add_argument("--folder", type=Path, help="where the database is made")
    parser.add_argument(
        "--no-report", action="store_true", help="print instead of writing docs/performance-search.md"
    )
    return parser


# Sessions


def _fill(store: Store, count: int) -> None:
    rng = random.Random(1)
    words = [f"w{n}" for n in range(_WORDS)]
    weights = [1 / (n + 1) for n in range(_WORDS)]  # as in any language: few words are most of what is said
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, count, 1000):
        with store._database.writing() as connection:  # noqa: SLF001 - a thousand in one transaction
            for number in range(first, min(first + 1000, count)):
                start += timedelta(seconds=rng.uniform(0, 260))
                row = _session(rng, number, start)
                said = [rng.choices(words, weights, k=_SPOKEN // 4) for _ in range(4)]
                connection.execute(sessions_table.insert().values(row))
                if rng.random() < 0.8:
                    connection.execute(scores_table.insert().values(_score(rng, row)))
                save_search(connection, {**row, "errors": len(row["data"]["errors"])}, _spans(rng, said))


def _session(rng: random.Random, number: int, start: datetime) -> dict[str, Any]:
    measured = {name: rng.uniform(0, 3000) if rng.random() < 0.8 else None for name in METRICS}
    failed = rng.random() < 0.05
    return {
        "id": f"sess_{number:026}",
        "project": rng.choice(["shop", "support", "support", "lab"]),
        "model": rng.choice(_MODELS),
        "provider": "openai",
        "status": "failed" if failed else rng.choice(["complete"] * 9 + ["interrupted"]),
        "started_at": iso_utc(start),
        "duration_ms": rng.uniform(0, 600_000),
        "turns": rng.randint(0, 40),
        "interruptions": rng.randint(0, 5),
        "cost_usd": rng.uniform(0, 1) if rng.random() < 0.9 else None,
        "tags": ["vip", f"shop {number % 50}"] if rng.random() < 0.5 else [],
        "metadata": {"user_id": f"u_{rng.randint(0, 5000)}"},
        "credential_id": f"cred_{number:010}",
        "title": "I would like to change my booking for tomorrow morning, please",
        "metrics": measured,
        "data": {"metrics": measured, "errors": [{"code": "rate_limit_exceeded"}] if failed else []},
    }


def _score(rng: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"score_{row['id']}",
        "session_id": row["id"],
        "name": "tone",
        "value": rng.random(),
        "source": "judge",
    }


def _spans(rng: random.Random, said: list[list[str]]) -> list[dict[str, Any]]:
    shown = [{"transcript": " ".join(words)} for words in said]
    speakers = (("user", "input"), ("response", "output")) * 2
    spans = [{"type": kind, side: text} for (kind, side), text in zip(speakers, shown, strict=True)]
    return [*spans, {"type": "tool", "name": rng.choice(["get_weather", "book_table", "find_order"])}]


# Lists


def _measured(store: Store, rounds: int) -> Iterator[Row]:
    def pages(q: str, **how: Any) -> Callable[[], int]:
        return lambda: len(store.list_sessions(q=q, **how)[0])

    lists = {name: (q, pages(q)) for name, q in FILTERS.items()}
    for sort in ("duration", "v2v_p95", "score.tone"):
        lists[f"all, by {sort}"] = (f"sort={sort}", pages("", sort=sort))
    lists["a word of every call, by cost"] = ("w0 sort=cost", pages("w0", sort="cost"))
    lists["500 at once, with excerpts"] = ("w0 limit=500", pages("w0", limit=500))
    for sort in ("started", "duration", "score.tone"):
        cursor = _deep(store, sort)
        lists[f"the page after 10,000, by {sort}"] = (f"sort={sort}", pages("", sort=sort, cursor=cursor))
    lists["facets of all"] = ("", lambda: store.session_facets()["sessions"])
    lists["facets of a word of every call"] = ("w0", lambda: store.session_facets(q="w0")["sessions"])
    lists["projects"] = ("", lambda: len(store.list_projects()))
    for name, (q, ask) in lists.items():
        found = ask()  # the first time its statement is built
        yield name, q, [_timed_ms(ask) for _ in range(rounds)], found


def _deep(store: Store, sort: str) -> str | None:
    cursor = None
    for _ in range(20):
        _, cursor = store.list_sessions(limit=500, cursor=cursor, sort=sort)
    return cursor


def _timed_ms(ask: Callable[[], int]) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    ask()
    return (time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000


def _report(rows: list[Row], count: int, size_mb: float, rounds: int) -> str:
    medians = {
        name: [statistics.median(each) for each in zip(*times, strict=True)] for name, _, times, _ in rows
    }
    slowest = max(medians, key=lambda name: medians[name][1])
    load = os.getloadavg()[1]
    lines = [
        "# Performance of lists\n",
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `python -m bench.search` on {description()}:",
        f"{count:,} sessions with {_SPOKEN} spoken words each in SQLite ({size_mb:,.0f} MB). Medians of",
        f"{rounds}; a page of 50 where nothing else is said, from the text of the filter to the items; the",
        "file is in the page cache. Without others on the machine the time that passes is the processor",
        f"time. Here the load of two cores was {load:.1f}: lists are judged by their processor time.\n",
        f"The slowest is **{slowest}**: {medians[slowest][1]:.0f} ms, of {_LIMIT_MS} allowed.\n",
        "| List | Filter | found | processor ms | elapsed ms | met |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for name, q, _, found in rows:
        elapsed, cpu = medians[name]
        met = "yes" if cpu < _LIMIT_MS else "**no**"
        shown = f"`{q[:60]}{'…' if len(q) > 60 else ''}`" if q else ""
        lines.append(f"| {name} | {shown} | {found:,} | {cpu:.1f} | {elapsed:.1f} | {met} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
