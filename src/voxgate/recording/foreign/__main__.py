"""The process that `orders.run_import` starts: orders as JSON on standard input, what was done, or what is
wrong with the file, as JSON on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from voxgate.core.clock import now_utc
from voxgate.core.errors import InvalidRequest
from voxgate.core.prices import PriceTable
from voxgate.recording.foreign.importing import (
    FOLDER,
    ImportedCall,
    check_retention,
    read_calls,
    write_wire_logs,
)
from voxgate.recording.foreign.orders import Orders
from voxgate.recording.wirelog import SUFFIX
from voxgate.store import Store
from voxgate.traces.events import Json


def main() -> None:
    os.nice(10)  # running calls go first
    orders = Orders.model_validate_json(sys.stdin.buffer.read())
    try:
        answer: dict[str, Any] = {"items": import_file(orders)}
    except InvalidRequest as error:
        answer = {"error": error.message, "param": error.param}
    json.dump(answer, sys.stdout)


def import_file(orders: Orders) -> list[Json]:
    """Calls that are there already stay as they are."""
    now, options = now_utc(), orders.options
    calls = read_calls(orders.path, options, now)
    with Store(orders.database_url) as store:
        there = {call.id for call in calls if _is_there(call, store, orders.wire_dir)}
    wanted = {call.id: call for call in calls if call.id not in there}
    for call in wanted.values():
        check_retention(call, orders.retention_days, now)
    if wanted and not options.dry_run:
        prices = PriceTable(orders.prices)
        write_wire_logs(orders.path, options, list(wanted.values()), orders.wire_dir, prices=prices, now=now)
    new = "checked" if options.dry_run else "imported"
    return [call.shown(options, "exists" if call.id in there else new) for call in calls]


def _is_there(call: ImportedCall, store: Store, wire_dir: Path) -> bool:
    log = wire_dir / FOLDER / f"{call.id}{SUFFIX}"
    return log.exists() or store.get_session(call.id, with_spans=False) is not None


if __name__ == "__main__":
    main()
