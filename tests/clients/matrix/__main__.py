"""`make clients`: every client of the roster calls through Voxgate; docs/clients.md gets the table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.clients.matrix.environments import NotInstalled, Unreachable
from tests.clients.matrix.results import Result, Results
from tests.clients.matrix.roster import CLIENTS, Client
from tests.clients.matrix.running import Outcome, Site, judge, site_in
from tests.clients.matrix.starting import Starter
from tests.clients.matrix.table import write_table
from tests.clients.speech import QUESTION, Speaker


async def run_all(clients: list[Client], starter: Starter) -> list[tuple[Client, Outcome]]:
    found = []
    with tempfile.TemporaryDirectory() as name:
        speech = Path(name) / "question.pcm"
        speech.write_bytes(Speaker().pcm(QUESTION))
        async with site_in(Path(name), speech) as site, starter:
            for client in clients:
                if starter.can_run(client):
                    found.append((client, await _run(client, site, starter)))
                else:
                    print(f"{client.id}: not run, there is no Chromium", flush=True)
    return found


async def _run(client: Client, site: Site, starter: Starter) -> Outcome:
    started = time.monotonic()
    outcome = await judge(client, site, starter.run)
    passed = sum(why is None for why in outcome.verdicts.values())
    seconds = time.monotonic() - started
    print(f"{client.id}: {passed} of {len(outcome.verdicts)}, {outcome.dialect}, {seconds:.1f} s", flush=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="make clients", description=__doc__)
    ids = [client.id for client in CLIENTS]
    parser.add_argument("--only", nargs="+", default=[], choices=ids, help="the table keeps the others")
    parser.add_argument("--table", action="store_true", help="run nothing: the table again, from the results")
    given = parser.parse_args()
    if given.table:
        write_table(Results.read())
        return 0
    return run_clients(given.only)


def run_clients(only: list[str]) -> int:
    clients = [client for client in CLIENTS if not only or client.id in only]
    starter = Starter()
    try:
        starter.install(clients)
    except Unreachable as error:
        print(f"clients: skipped, because no registry of packages can be reached:\n{error}")
        return 0
    except NotInstalled as error:
        print(f"clients: the packages could not be installed:\n{error}")
        return 1
    results = Results.read()
    outcomes = asyncio.run(run_all(clients, starter))
    for client, outcome in outcomes:
        results.add(Result.of(client, starter.version(client), outcome))
    results.write()
    write_table(results)
    surprises = [what for client, outcome in outcomes for what in surprising(client, outcome)]
    print(*surprises, sep="\n")
    return 1 if surprises else 0


def surprising(client: Client, outcome: Outcome) -> list[str]:
    """Steps that went otherwise than the roster says."""
    words = []
    for step, why in outcome.verdicts.items():
        if why is not None and step not in client.cannot:
            words.append(f"clients: {client.id} fails in {step}: {why}")
        if why is None and step in client.cannot:
            words.append(f"clients: {client.id} passes in {step}; the roster says that it cannot")
    return words


if __name__ == "__main__":
    sys.exit(main())
