"""From measurements to docs/performance-requests.md and its picture. What people wrote there is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.chart import chart
from bench.figures import Figure, Load, Results, Run, intact
from bench.report import NOISY, STANDING

_INTRODUCTION: Final = """\
# Performance of requests

Measured {date:%Y-%m-%d} by `python -m bench.requests` on {machine}: the relay pinned to one core, load,
provider and whatever records beside the relay on another. Figures are medians of {rounds} interleaved rounds,
with the smallest and the largest in brackets; ratios are between runs of the same round. Every request is
compared at the provider and every answer at the client with what was sent, byte by byte. A relay may write
them anew (`bodies`: how many it did) if they say the same; one that loses or alters any has no figure.
Voxgate records every request.
"""
_CAVEATS: Final = """
## What the figures are, and are not
- Loopback, HTTP/1.1, no TLS. A request is a chat completion of 1 KB each way, or one that is answered in
  {events} events, each a piece of its own. At full speed 8 are under way at a time; at a pace each begins at
  a moment of its own, whether others are answered or not. LiteLLM gets a fifth of that pace, since it could
  not carry more.
- `direct` is the load without a relay; "added" is the latency beyond that in the same round.
- nginx has open connections to the provider and buffers nothing.
- CPU is user and system time of the relay's processes; "recorder" and "writer" are Voxgate's beside it, until
  they have caught up.
- Portkey's gateway is its open one for Node, with the version of its HTTP server that streams need: with the
  newest that its package allows (`@hono/node-server` 1.19) it answers each of them with 500.
"""
_TARGETS: Final = (
    ("plain", "litellm", 4.0), ("stream", "litellm", 4.0), ("plain", "portkey", 1.0),
    ("stream", "portkey", 1.0),
)  # fmt: skip
"""That many times as much as ours, at least."""


def write_page(docs: Path, results: Results, machine: str) -> None:
    page = docs / "performance-requests.md"
    _, standing, written = (page.read_text() if page.exists() else "").partition(STANDING)
    page.write_text(text_of(results, machine) + standing + written)
    picture = docs / "images" / "performance-requests.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(_picture(results))


def text_of(results: Results, machine: str) -> str:
    runs = [run for peers in results.values() for found in peers.values() for run in found]
    rounds = 1 + max((run["round"] for run in runs), default=0)
    loads = {name: Load(peers) for name, peers in results.items()}
    return "\n".join([
        _INTRODUCTION.format(date=datetime.now(UTC), machine=machine, rounds=rounds) + _disturbed(runs),
        _targets(loads),
        "![CPU for each request, by load and relay](images/performance-requests.svg)\n",
        *(_cpu_table(name, load) for name, load in loads.items() if "paced" not in name),
        *(_latency_table(name, load) for name, load in loads.items() if "paced" in name),
        _following(loads),
    ]) + _CAVEATS.format(events=100)  # fmt: skip


def _disturbed(runs: list[Run]) -> str:
    found = sum(run["others_share"] > NOISY for run in runs)
    said = f"\nIn {found} of {len(runs)} measurements other programs took more than a tenth of a core.\n"
    return said if found else ""


def _targets(loads: dict[str, Load]) -> str:
    rows = []
    for name, peer, wanted in _TARGETS:
        ratio = loads[name].ratio(peer, "voxgate", "cpu_us") if name in loads else None
        if ratio is not None:
            met = "yes" if ratio.middle >= wanted else "**no**"
            rows.append([f"CPU, {name}: {peer}'s of ours", ratio.text(2), f"≥ {wanted:g}", met])
    return _table("Against the targets", ["", "measured", "target", "met"], rows) if rows else ""


def _cpu_table(name: str, load: Load) -> str:
    head = ["relay", "µs a request", "of nginx's", "of voxgate's", "requests/s", "beside (µs)", "bodies"]
    rows = []
    for peer, runs in load.peers.items():
        figures = [
            _cell(load, peer, load.figure(peer, "cpu_us"), 0) if peer != "direct" else "",
            _cell(load, peer, load.ratio(peer, "nginx", "cpu_us"), 2) if peer != "direct" else "",
            _cell(load, peer, load.ratio(peer, "voxgate", "cpu_us"), 2) if peer != "direct" else "",
            _cell(load, peer, load.figure(peer, "per_second"), 0),
        ]
        rows.append([peer, *figures, _beside(runs), _bodies(runs)])
    return _table(f"CPU at full speed: {name}", head, rows)


def _latency_table(name: str, load: Load) -> str:
    head = [
        "relay",
        "requests/s",
        "p50 (ms)",
        "p99 (ms)",
        "p50 added",
        "p99 added",
        "first byte p50",
        "bodies",
    ]
    rows = []
    for peer, runs in load.peers.items():
        added = [
            _cell(load, peer, load.added(peer, f"{p}_ms"), 2) if peer != "direct" else ""
            for p in ("p50", "p99")
        ]
        times = [_cell(load, peer, load.figure(peer, f"{p}_ms"), 2) for p in ("p50", "p99", "first_p50")]
        pace = f"{runs[0]['requests'] / runs[0]['seconds']:.0f}"
        rows.append([peer, pace, *times[:2], *added, times[2], _bodies(runs)])
    late = Figure.of(run["late_p99_ms"] for found in load.peers.values() for run in found)
    said = f"\n99 % of the requests began at most {late.text(1)} ms later than planned.\n" if late else ""
    return _table(f"Latency: {name}", head, rows) + said


def _following(loads: dict[str, Load]) -> str:
    """What the recorder makes of more than it can follow."""
    rows = []
    for name, load in loads.items():
        runs = [run for run in load.peers.get("voxgate", []) if run["recorded"] is not None]
        if not runs or "paced" in name:
            continue
        figures = [
            Figure.of(run["per_second"] for run in runs),
            Figure.of(1e6 / run["beside_us"]["recorder"] for run in runs if run["beside_us"]["recorder"]),
            Figure.of(run["left"] for run in runs),
            Figure.of(run["caught_up_seconds"] for run in runs),
        ]
        missing = sum(run["requests"] - run["lost"] - run["recorded"] for run in runs)
        shown = [
            figure.text(digits) if figure else ""
            for figure, digits in zip(figures, (0, 0, 0, 1), strict=True)
        ]
        rows.append([name, *shown, str(missing), str(max(run["unrecorded_bytes"] or 0 for run in runs))])
    if not rows:
        return ""
    head = ["load", "asked, requests/s", "of a core: requests/s", "behind at its end", "caught up after (s)",
            "not recorded", "bytes lost"]  # fmt: skip
    remark = (
        "\nWhat the recorder cannot follow stays on the disk, in wire logs, and is worked off afterwards.\n"
        "It shares its core with load and provider here.\n"
    )
    return _table("What one recorder follows", head, rows) + remark


def _beside(runs: list[Run]) -> str:
    roles = runs[0]["beside_us"]
    figures = {role: Figure.of(run["beside_us"][role] for run in runs) for role in roles}
    return ", ".join(f"{role} {figure.middle:,.0f}" for role, figure in figures.items() if figure)


def _bodies(runs: list[Run]) -> str:
    if any(run["wrong"] or run["lost"] for run in runs):
        wrong, lost = (sum(run[name] for run in runs) for name in ("wrong", "lost"))
        return f"{wrong} altered, {lost} lost"
    anew, count = sum(run["anew"] for run in runs), sum(2 * run["requests"] for run in runs)
    return f"{anew / count:.0%} written anew" if anew else "unchanged"


def _picture(results: Results) -> str:
    pictured = {}
    for name, peers in results.items():
        load = Load(peers)
        figures = {peer: load.figure(peer, "cpu_us") for peer in peers if peer != "direct"}
        if "paced" not in name:
            pictured[name] = {peer: figure for peer, figure in figures.items() if figure is not None}
    return chart(pictured, "CPU for each request")


def _cell(load: Load, peer: str, figure: Figure | None, digits: int) -> str:
    if figure is not None:
        return figure.text(digits)
    return "" if intact(load.peers.get(peer, [])) else "none"


def _table(title: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
