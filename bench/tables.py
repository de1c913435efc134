"""The tables of docs/performance.md. A load that was not measured has none."""

from __future__ import annotations

from typing import Final

from bench.figures import Figure, Load, Run, capacity, intact
from bench.machine import CORES
from bench.targets import TARGETS

_VOICE_HEAD: Final = [
    "relay",
    "calls",
    "µs a message",
    "of nginx's",
    "of its core",
    "beside (µs)",
    "p50 (ms)",
    "p99 (ms)",
    "p50 added",
    "p99 added",
]
_RULES_REMARK: Final = """
The credential locks fields of the session, allows some events only and has a budget of tokens: every message
is judged by each of the three, in both directions. Clients of the beta on a provider of today have their
messages translated, those with sound too.
"""
_WORKERS_REMARK: Final = """
Reckoned, not driven to the limit: calls carried are what a message costs one worker, divided by what it costs
two that have as many each, divided by the share of the calls that the busiest has, since that is full first.
"""
_ON_TWO_CORES: Final = """\
Each worker had a core of its own, but the second shared it with the load: there are only two.
"""


def targets_table(loads: dict[str, Load]) -> str:
    return _table(
        "Against the targets", ["", "measured", "target", "met"], [one.row(loads) for one in TARGETS]
    )


def sizes_table(loads: dict[str, Load], sizes: list[str]) -> str:
    if not sizes:
        return ""
    peers = list(dict.fromkeys(peer for size in sizes for peer in loads[size].peers))
    rows = [
        [peer, *(_cell(loads[size], peer, loads[size].figure(peer, "cpu_us")) for size in sizes)]
        for peer in peers
    ]
    return _table("CPU for each message, saturated (µs)", ["relay", *sizes], rows)


def voice_table(title: str, load: Load | None) -> str:
    if load is None:
        return ""
    rows = [_voice_row(load, peer) for peer in load.peers]
    return _table(title, _VOICE_HEAD, rows) + _load_remark(load)


def _voice_row(load: Load, peer: str) -> list[str]:
    latencies = [_cell(load, peer, load.figure(peer, f"latency_{p}_ms"), 2) for p in ("p50", "p99")]
    calls = f"{max(run['calls'] for run in load.peers[peer]):,}"
    if peer == "direct":
        return [peer, calls, "", "", "", "", *latencies, "", ""]
    return [
        peer,
        calls,
        _cell(load, peer, load.figure(peer, "cpu_us")),
        _cell(load, peer, load.ratio(peer, "nginx", "cpu_us"), 2),
        _cell(load, peer, load.figure(peer, "core_share"), 2),
        _beside(load.peers[peer]),
        *latencies,
        *(_cell(load, peer, load.added(peer, f"latency_{p}_ms"), 2) for p in ("p50", "p99")),
    ]


def _beside(runs: list[Run]) -> str:
    texts = []
    for role in runs[0]["beside_us"]:
        figure = Figure.of(run["beside_us"][role] for run in runs)
        texts.append(f"{role} {figure.middle:.1f}" if figure else "")
    missed = max(run["unrecorded_bytes"] or 0 for run in runs)
    if missed:
        texts.append(f"{missed / 1e6:,.0f} MB not recorded")
    return ", ".join(texts)


def _load_remark(load: Load) -> str:
    """How busy the load was: one at its own limit measures itself."""
    runs = [run for found in load.peers.values() for run in found]
    share = Figure.of(run["load_share"] for run in runs)
    late = Figure.of(run["late_p99_ms"] for run in runs)
    if share is None or late is None:
        return ""
    return (
        f"\nThe load took {share.text(2)} of its core, and sent 99 % of its messages\n"
        f"at most {late.text(1)} ms later than planned.\n"
    )


def workers_table(load: Load | None) -> str:
    if load is None:
        return ""
    rows = []
    for peer in load.peers:
        carried = "1" if peer == "voxgate" else _cell(load, peer, load.compare(peer, "voxgate", capacity), 2)
        cpu, share = load.figure(peer, "cpu_us"), load.figure(peer, "calls_share")
        calls = f"{load.peers[peer][0]['calls']:,}"
        rows.append([peer, calls, _cell(load, peer, cpu), _cell(load, peer, share, 2), carried])
    head = ["", "calls", "µs a message", "share of the busiest", "calls carried, of one's"]
    return _table("Two workers", head, rows) + _WORKERS_REMARK + (_ON_TWO_CORES if CORES < 3 else "")


def rules_table(load: Load | None) -> str:
    if load is None:
        return ""
    rows = [
        [
            peer,
            f"{load.peers[peer][0]['calls']:,}",
            _cell(load, peer, load.figure(peer, "cpu_us")),
            _cell(load, peer, load.ratio(peer, "voxgate", "cpu_us"), 2),
            *(_cell(load, peer, load.figure(peer, f"latency_{p}_ms"), 2) for p in ("p50", "p99")),
        ]
        for peer in load.peers
    ]
    head = ["", "calls", "µs a message", "of one without", "p50 (ms)", "p99 (ms)"]
    return _table("Calls that are mediated", head, rows) + _RULES_REMARK


def idle_table(load: Load | None) -> str:
    if load is None:
        return ""
    rows = [
        [
            peer,
            f"{max(run['calls'] for run in runs):,}",
            _cell(load, peer, load.figure(peer, "kb_per_call")),
            _megabytes(runs, "base_kb"),
            _megabytes(runs, "base_beside_kb"),
        ]
        for peer, runs in load.peers.items()
    ]
    head = ["relay", "calls", "KB a call", "without calls (MB)", "beside (MB)"]
    return _table("Memory for each idle call", head, rows)


def _megabytes(runs: list[Run], name: str) -> str:
    figure = Figure.of(run[name] / 1024 for run in runs)
    return figure.text(0) if figure and figure.most >= 0.5 else ""


def _cell(load: Load, peer: str, figure: Figure | None, digits: int = 1) -> str:
    if figure is not None:
        return figure.text(digits)
    return "" if intact(load.peers.get(peer, [])) else "lost messages"


def _table(title: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
