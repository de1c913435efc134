"""What workers tell each other through shared memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import orjson
import pytest

from voxgate.gateway.metrics import Counter, Metrics
from voxgate.gateway.scoreboard import Place, Scoreboard


def take_place(board: Scoreboard, number: int, running: int = 0) -> tuple[Place, Counter]:
    metrics = Metrics()
    metrics.gauge("voxgate_calls_running", "Calls now.", lambda: running)
    started = metrics.counter("voxgate_calls_started_total", "Started.")
    return Place(board, number, metrics), started


def series(place: Place) -> list[str]:
    return [line for line in place.text().splitlines() if not line.startswith("#")]


def test_every_worker_tells_of_all() -> None:
    board = Scoreboard()
    (one, count_one), (two, count_two) = take_place(board, 1, running=3), take_place(board, 2, running=4)
    count_one.add(by=10)
    count_two.add(by=20)
    two.publish()
    expected = [
        'voxgate_calls_running{worker="1"} 3',
        'voxgate_calls_running{worker="2"} 4',
        "voxgate_calls_started_total 30",
    ]
    assert series(one) == expected
    assert series(two) == expected


def test_what_was_shown_once_is_never_less_in_a_later_scrape_of_another_worker() -> None:
    board = Scoreboard()
    (one, count), (two, _) = take_place(board, 1), take_place(board, 2)
    count.add(by=7)
    assert series(one)[-1] == "voxgate_calls_started_total 7"
    assert series(two)[-1] == "voxgate_calls_started_total 7"


def test_the_counters_of_a_worker_that_ended_stay_and_its_gauges_go() -> None:
    board = Scoreboard()
    (one, count), (two, _) = take_place(board, 1, running=3), take_place(board, 2, running=4)
    count.add(by=10)
    one.publish()
    board.set_living(1, False)
    assert series(two) == ['voxgate_calls_running{worker="2"} 4', "voxgate_calls_started_total 10"]


def test_the_next_worker_in_a_place_goes_on_from_what_was_counted_there() -> None:
    board = Scoreboard()
    watcher, _ = take_place(board, 9)
    for _ in range(3):
        place, count = take_place(board, 1, running=1)
        assert series(watcher)[-1].startswith("voxgate_calls_started_total")
        count.add(by=10)
        place.publish()
        board.set_living(1, False)
    assert series(watcher)[-1] == "voxgate_calls_started_total 30"


def test_a_reader_never_sees_half_a_snapshot() -> None:
    board = Scoreboard()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            board.write(1, orjson.dumps([number] * (100 + number % 1000)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3000):
            values = orjson.loads(board.read(1) or b"[]")
            assert len(set(values)) <= 1
    finally:
        stop.set()
        writer.join()


def test_a_worker_that_dies_while_it_writes_leaves_the_snapshot_before() -> None:
    board = Scoreboard()
    board.write(1, b"whole")
    head = 2 * (64 << 10) + 1
    before = board._memory[head]
    board.write(1, b"torn")
    board._memory[head] = before  # the last thing that a write does
    assert board.read(1) == b"whole"
    board.write(1, b"whole again")
    assert board.read(1) == b"whole again"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Scoreboard().write(1, b"x" * (64 << 10))


def test_a_child_process_reads_what_its_parent_wrote() -> None:
    board = Scoreboard.create()
    board.write(3, b"hello")
    program = (
        "from voxgate.gateway.scoreboard import Scoreboard\n"
        f"board = Scoreboard({board.descriptor})\n"
        "board.write(4, board.read(3) + b' yourself')\n"
    )
    subprocess.run([sys.executable, "-c", program], pass_fds=[board.descriptor], check=True, timeout=60)
    assert board.read(4) == b"hello yourself"
    os.close(board.descriptor)
