"""From measurements to docs/performance.md and its picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

Results = dict[str, dict[str, list[dict[str, Any]]]]
_COLOURS = {"voxgate": "#e8833a", "direct": "#c9ced6"}


def middle(runs: list[dict[str, Any]], name: str) -> float | None:
    values = [run[name] for run in runs if run[name] is not None]
    return median(values) if values else None


def write_report(docs: Path, results: Results, machine: str) -> None:
    sizes = [load for load in results if load.endswith("KB")]
    parts = [
        "# Performance\n",
        _INTRODUCTION.format(date=datetime.now(UTC), machine=machine),
        _cpu_table(results, sizes),
        _voice_table(results),
        _idle_table(results),
    ]
    if sizes:
        (docs / "images" / "performance.svg").write_text(_chart(results, sizes))
        parts.insert(2, "![CPU for each relayed message, by size and relay](images/performance.svg)\n")
    page = docs / "performance.md"
    _, standing, written = (page.read_text() if page.exists() else "").partition(_STANDING)
    page.write_text("\n".join(part for part in parts if part) + _CAVEATS + standing + written)


_INTRODUCTION = """\
Measured {date:%Y-%m-%d} by `make bench` on {machine}: the relay pinned to one core, the load
and everything else on the other; medians of interleaved rounds. CPU is user and system time of the relay's
processes for each relayed message. Every message is compared at the far end with what was sent; a relay that
loses or alters one has no figure.
"""
_STANDING = "\n## Where it stands\n"
"""From here on the page is written by people and kept."""
_CAVEATS = """
## What the figures are, and are not
- Plain TCP on loopback, no TLS. `voxgate` runs with recording on: its wire log is written by the relay's
  process, which is in its figure; events, traces and tracks are made by the recorder on the other core
  ("beside").
- `direct` is the load without any relay: the latency that the load generator itself has.
- `node-ws` parses and writes every message again, as relays that look into messages do.
- Messages are text, 3.2 KB up every 50 ms and five of 16 KB down every second, for the voice load.
- On two cores the recorder shares the load's core: latencies of `voxgate` include the load's waiting for it.
- Memory is the relay's proportional set size after the calls were opened, less that before; where few calls
  are opened it is noise, so only the idle load's is shown.
"""


def _intact(runs: list[dict[str, Any]]) -> bool:
    return not any(run["lost"] or run["wrong"] or run["calls_lost"] for run in runs)


def _cell(runs: list[dict[str, Any]] | None, name: str, digits: int = 1) -> str:
    if not runs:
        return ""
    if not _intact(runs):
        return "lost messages"
    value = middle(runs, name)
    return "" if value is None else f"{value:,.{digits}f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cpu_table(results: Results, sizes: list[str]) -> str:
    if not sizes:
        return ""
    peers = [peer for peer in results[sizes[0]] if peer != "direct"]
    rows = [[peer, *(_cell(results[size].get(peer), "cpu_us") for size in sizes)] for peer in peers]
    return "## CPU for each message, saturated (µs)\n\n" + _table(["relay", *sizes], rows)


def _voice_table(results: Results) -> str:
    voice = results.get("voice")
    if not voice:
        return ""
    base = middle(voice["nginx"], "cpu_us") if "nginx" in voice else None
    rows = []
    for peer, runs in voice.items():
        cpu = middle(runs, "cpu_us")
        ratio = f"{cpu / base:.2f}" if base and cpu and peer != "direct" else ""
        rows.append(
            [
                peer, _cell(runs, "cpu_us"), ratio, _cell(runs, "beside_us"),
                _cell(runs, "latency_p50_ms", 2), _cell(runs, "latency_p99_ms", 2),
            ]
        )  # fmt: skip
    head = ["relay", "µs a message", "of nginx's", "beside (µs)", "p50 (ms)", "p99 (ms)"]
    return "## Voice load\n\n" + _table(head, rows)


def _idle_table(results: Results) -> str:
    idle = results.get("idle")
    if not idle:
        return ""
    rows = [[peer, _cell(runs, "kb_per_call")] for peer, runs in idle.items() if peer != "direct"]
    return "## Memory for each idle call (KB beyond the base)\n\n" + _table(["relay", "KB a call"], rows)


def _chart(results: Results, sizes: list[str]) -> str:
    peers = [peer for peer in results[sizes[0]] if peer != "direct"]
    values = {
        (size, peer): middle(results[size][peer], "cpu_us") or 0
        for size in sizes
        for peer in peers
        if results[size].get(peer)
    }
    top = max(values.values(), default=1) or 1
    width, row, left = 720, 20, 90
    bars, y = [], 10
    for size in sizes:
        bars.append(f'<text x="0" y="{y + row}" font-weight="600">{size}</text>')
        for peer in peers:
            value = values.get((size, peer), 0)
            length = (width - left - 160) * (value / top) ** 0.5  # square root: small and large are both seen
            colour = _COLOURS.get(peer, "#6b8cae")
            bars.append(
                f'<rect x="{left}" y="{y + 5}" width="{length:.1f}" height="{row - 6}" rx="2" '
                f'fill="{colour}"/>'
                f'<text x="{left + length + 6:.1f}" y="{y + row - 5}">{peer} {value:.1f} µs</text>'
            )
            y += row
        y += 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="sans-serif" '
        f'font-size="12" fill="#808890" role="img" aria-label="CPU for each message; square-root scale">'
        + "".join(bars)
        + "</svg>\n"
    )
