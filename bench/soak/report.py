"""From a run's outcome to docs/soak.md and its picture."""

from __future__ import annotations

import os
import platform
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from bench.soak.criteria import JUDGED_SECONDS, Criterion, Outcome
from bench.soak.judge import SURVIVED
from bench.soak.orders import Orders
from bench.soak.watch import MEASURED, Sample

_SHOWN_DETAILS: Final = 20
_COLOURS: Final = {"worker": "#e8833a", "writer": "#6b8cae", "recorder": "#7a9e5b", "supervisor": "#9a7fb0"}


def write_report(
    docs: Path, orders: Orders, outcome: Outcome, found: list[Criterion], struck: Counter[str], settings: str
) -> None:
    (docs / "images").mkdir(parents=True, exist_ok=True)
    (docs / "images" / "soak.svg").write_text(_chart(outcome.watch.samples))
    (docs / "soak.md").write_text(report(orders, outcome, found, struck, settings))


def write_kills_report(
    docs: Path, orders: Orders, outcome: Outcome, found: list[Criterion], processes: str
) -> None:
    held = "Every criterion held." if all(one.held for one in found) else "**It failed**: see the verdict."
    command = f'`make soak ARGS="--kills {outcome.kills_wanted}"`'
    introduction = (
        f"{command} on {datetime.now(UTC):%Y-%m-%d} on {machine()}, with {orders.calls} calls at a time "
        f"and the load on the same machine: {outcome.seconds / 60:.1f} minutes, seed {orders.seed}. {held}"
    )
    parts = [
        "# A thousand kills" if outcome.kills_wanted == 1000 else f"# {outcome.kills_wanted} kills",
        introduction,
        _verdict(found),
        _details(found),
        "## What was run",
        _KILLS.format(
            processes=processes, shortest=orders.shortest_call_seconds, longest=orders.longest_call_seconds
        ),
        "## How calls ended",
        _endings(outcome),
    ]  # fmt: skip
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "kills.md").write_text("\n\n".join(part for part in parts if part) + "\n")


_KILLS: Final = """\
- Voxgate with {processes}. At random moments SIGKILL ends a gateway worker, the writer of its wire logs or a
  recorder, whichever of them run just then; who was killed is started again.
- Calls of {shortest:g} to {longest:g} s, each with 20 messages of sound a second up and turns of 20 down.
  A call whose worker is killed ends there; its trace has to have all that had arrived at either end 100 ms
  before the kill.
- Every session is compared when its trace is finished: each message of its event log with what was sent, once
  and in order, and each sample of both tracks with the sound of those messages."""


def report(
    orders: Orders, outcome: Outcome, found: list[Criterion], struck: Counter[str], settings: str
) -> str:
    parts = [
        "# Soak",
        _introduction(orders, outcome, found),
        "## Verdict",
        _verdict(found),
        _details(found),
        "## What was run",
        _run(orders, settings),
        "## How calls ended",
        _endings(outcome),
        "## Faults of processes",
        _struck(struck),
        "## Memory, load and the recorder's lag",
        "![Memory of Voxgate's processes over the run](images/soak.svg)",
        _load(outcome.watch.samples),
        _CAVEATS,
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _introduction(orders: Orders, outcome: Outcome, found: list[Criterion]) -> str:
    held = "Every criterion held." if all(one.held for one in found) else "**It failed**: see the verdict."
    short = " It was too short to judge growth." if outcome.seconds < JUDGED_SECONDS else ""
    return (
        f"{orders.calls} calls at a time for {outcome.seconds / 60:g} minutes, with random faults, run by "
        f"`make soak` on {datetime.now(UTC):%Y-%m-%d} on {machine()}; everything, also the load, on that "
        f"machine. {held}{short}"
    )


def _verdict(found: list[Criterion]) -> str:
    rows = [[one.name, "yes" if one.held else "**no**", one.found] for one in found]
    return _table(["criterion", "held", "found"], rows)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def _details(found: list[Criterion]) -> str:
    parts = []
    for one in found:
        if one.details:
            shown = "\n".join(f"- {detail}" for detail in one.details[:_SHOWN_DETAILS])
            more = len(one.details) - _SHOWN_DETAILS
            parts.append(f"{one.name}:\n\n{shown}" + (f"\n- and {more} more" if more > 0 else ""))
    return "\n\n".join(parts)


def _run(orders: Orders, settings: str) -> str:
    return _RUN.format(
        seed=orders.seed,
        shortest=orders.shortest_call_seconds,
        longest=orders.longest_call_seconds,
        pcm=orders.pcm_share,
        faults=orders.fault_share,
        stall=orders.longest_stall_seconds,
        shaky=orders.shaky_share,
        settings=settings,
    )


_RUN: Final = """\
- Seed {seed}. Each call lives {shortest:g} to {longest:g} s and hangs up with 1000; a new one follows.
- Up: 20 `input_audio_buffer.append` a second. Down: every 6 s a turn of four bursts, a second apart, of five
  `response.output_audio.delta` each, with the events around them.
- {pcm:.0%} of the calls carry 24 kHz PCM (messages of 3.2 KB up, 16 KB down), the others G.711 at 8 kHz
  (0.6 KB up, 2.7 KB down).
- {faults:.0%} of the calls are planned to meet a fault of their own: the client or the provider breaks off in
  the middle of a message, with a reset or without a word, or does not read for 5 to {stall:g} s,
  while the other side speaks four times as fast.
- {shaky:.0%} of the calls prefer a provider that is killed again and again; while it is away its route fails
  over to the other one.
- Settings of Voxgate beside the providers and routes: {settings}."""


def _endings(outcome: Outcome) -> str:
    rows = []
    for name, count in outcome.tally.outcomes.most_common():
        closes = ", ".join(f"{close} ({times})" for close, times in outcome.tally.closes[name].most_common(4))
        statuses = outcome.findings.statuses.get(name, Counter())
        traces = ", ".join(f"{status} ({times})" for status, times in statuses.most_common())
        label = "survived" if name == SURVIVED else name
        rows.append([label, f"{count:,}", closes, traces])
    return _table(["end", "calls", "what the client saw", "trace"], rows)


def _struck(struck: Counter[str]) -> str:
    if not struck:
        return "None."
    return _table(["fault", "times"], [[name, str(count)] for name, count in struck.most_common()])


def _load(samples: list[Sample]) -> str:
    if not samples:
        return ""
    rows = [
        ["calls at a time", _middle([one.calls for one in samples]), f"{max(one.calls for one in samples)}"],
        [
            "machine busy, %",
            _middle([one.busy * 100 for one in samples]),
            f"{max(one.busy for one in samples) * 100:.0f}",
        ],
        [
            "ended calls whose trace was not finished",
            _middle([one.waiting for one in samples]),
            f"{max(one.waiting for one in samples)}",
        ],
        [
            "the one that waited longest, s",
            _middle([one.oldest_seconds for one in samples]),
            f"{max(one.oldest_seconds for one in samples):.0f}",
        ],
        [
            "wire logs on disk, MB",
            _middle([one.wire_bytes / 2**20 for one in samples]),
            f"{max(one.wire_bytes for one in samples) >> 20}",
        ],
    ]  # fmt: skip
    for role in MEASURED:
        values = [one.memory_kb[role] / 1024 for one in samples if role in one.memory_kb]
        if values:
            rows.append([f"memory of {role}, MB", _middle(values), f"{max(values):,.0f}"])
    for role in (*MEASURED, "load"):
        shares = [one.cores[role] for one in samples if role in one.cores]
        if shares:
            rows.append([f"cores of {role}", f"{median(shares):.2f}", f"{max(shares):.2f}"])
    return _table(["every 10 s", "median", "most"], rows)


def _middle(values: list[float] | list[int]) -> str:
    return f"{median(values):,.0f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


_CAVEATS: Final = """\
## What it is, and is not
- Plain TCP on loopback; a fault of the network in between was not tried.
- Sessions are checked through the HTTP API and then deleted, or the disk would be full.
- Memory is the proportional set size, at full load; after each kill the recorder begins anew with every call
  that runs, so its curve has steps. The recorder and the writer are killed in the first 40 % of the run; what
  is judged is what each process held in its last life.
- The machine's share is that of everything that ran on it at the time.
- A surviving call is one that hung up by itself and was answered with 1000, also if it was stalled before."""


def _chart(samples: list[Sample]) -> str:
    width, height, left, bottom = 720, 260, 50, 30
    roles = [role for role in MEASURED if any(role in one.memory_kb for one in samples)]
    most = max((size for one in samples for size in one.memory_kb.values()), default=1) / 1024 * 1.1
    last = max((one.seconds for one in samples), default=1.0)
    parts = []
    for step in range(5):
        value = most * step / 4
        y = height - bottom - (height - bottom - 10) * step / 4
        parts.append(
            f'<line x1="{left}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#c9ced6" stroke-width="0.5"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>'
        )
    for number, role in enumerate(roles):
        points = " ".join(
            f"{left + (width - left) * one.seconds / last:.1f},"
            f"{height - bottom - (height - bottom - 10) * one.memory_kb[role] / 1024 / most:.1f}"
            for one in samples
            if role in one.memory_kb
        )
        colour = _COLOURS[role]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{left + 10 + number * 110}" y="{height - 4}" fill="{colour}">{role}</text>'
        )
    parts.append(f'<text x="{width}" y="{height - 4}" text-anchor="end">{last / 60:.0f} min; MB</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12" fill="#808890" role="img" aria-label="Memory of each process in MB over the run">'
        + "".join(parts)
        + "</svg>\n"
    )
