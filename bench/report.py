"""From measurements to docs/performance.md and its picture. What people wrote on the page is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.chart import chart
from bench.figures import Figure, Load, Results, Run
from bench.scenarios import CROWD, IDLE, RULES, TLS, VOICE, WORKERS
from bench.tables import idle_table, rules_table, sizes_table, targets_table, voice_table, workers_table

STANDING: Final = "\n## Where it stands\n"
"""From here on the page is written by people."""
NOISY: Final = 0.10
"""Share of a core that other programs may take before a measurement is called disturbed."""
_INTRODUCTION: Final = """\
Measured {date:%Y-%m-%d} by `make bench` on {machine}: the relay pinned to one core, the load and
everything else on another. Figures are medians of {rounds} interleaved rounds, with the smallest and the
largest in brackets; ratios are between runs of the same round. CPU is user and system time of the relay's
processes for each relayed message. Every byte and the order are compared at the far end with what was
sent (a relay that writes the JSON anew may, if it says the same); a relay that loses or alters a message
has no figure.
"""
_CAVEATS: Final = """
## What the figures are, and are not
- Loopback. Voice is 20 messages/s up of 3.2 KB and once a second five of 16 KB down for every call, each
  call at moments of its own. Saturated means 8 calls that each send, wait for the answer and send again.
- `direct` is the load without a relay; "added" is the latency beyond that, in the same round.
- `voxgate` runs with recording on. "Beside" are its processes on the other core: the wire log's writer,
  and the recorder that makes events, traces and tracks, with 500 calls until it has caught up. What could
  not be recorded is said.
- `node-ws` and `litellm` parse messages and write them again. Who cannot carry all calls is measured with
  fewer: the tables say with how many.
- A message's latency ends when the kernel has its last byte for the one it was sent to: what the load itself
  then waits for its core is not the relay's, and clients are on machines of their own. It is not woken for
  each message but looks a thousand times a second, and sends in ticks of a quarter of a millisecond. The
  load in Python (TLS, beta, `litellm`) has no such stamps, and counts what it waits. The first eighth of a
  load, in which all calls begin to speak at once, has no latencies; its bytes are checked and its CPU is
  counted.
- On two cores writer and recorder share the load's core. The load has real-time priority there, so that it
  sends in time; it leaves them what it does not need.
- Before each load so much memory is used once as it will take: the host of a virtual machine may back a page
  only when it is touched, which takes longer than relaying a message.
- Memory is the relay's proportional set size after the calls were opened, less that before.
"""


def write_report(docs: Path, results: Results, machine: str) -> None:
    loads = {name: Load(peers) for name, peers in results.items()}
    sizes = [name for name in loads if name.endswith("KB")]
    runs = [run for peers in results.values() for found in peers.values() for run in found]
    rounds = 1 + max((run["round"] for run in runs), default=0)
    introduction = _INTRODUCTION.format(date=datetime.now(UTC), machine=machine, rounds=rounds)
    parts = [
        "# Performance\n",
        introduction + _disturbed(runs),
        targets_table(loads),
        "![CPU for each relayed message, by load and relay](images/performance.svg)\n",
        sizes_table(loads, sizes),
        voice_table("Voice, 500 calls", loads.get(VOICE)),
        voice_table("Voice, 1,500 calls", loads.get(CROWD)),
        voice_table("Voice with TLS 1.3 to the caller and to the provider", loads.get(TLS)),
        rules_table(loads.get(RULES)),
        workers_table(loads.get(WORKERS)),
        idle_table(loads.get(IDLE)),
    ]
    pictured = {name: _bars(loads[name]) for name in [*sizes, VOICE] if name in loads}
    (docs / "images" / "performance.svg").write_text(chart(pictured))
    page = docs / "performance.md"
    _, standing, written = (page.read_text() if page.exists() else "").partition(STANDING)
    page.write_text("\n".join(part for part in parts if part) + _CAVEATS + standing + written)


def _disturbed(runs: list[Run]) -> str:
    found = sum(run["others_share"] > NOISY for run in runs)
    said = f"\nIn {found} of {len(runs)} measurements other programs took more than a tenth of a core.\n"
    return said if found else ""


def _bars(load: Load) -> dict[str, Figure]:
    figures = {peer: load.figure(peer, "cpu_us") for peer in load.peers if peer != "direct"}
    return {peer: figure for peer, figure in figures.items() if figure is not None}
