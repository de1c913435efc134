"""Cached answers go when their time is over, and the oldest where they are too many."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from voxgate.jobs.cache_sweep import CacheSweep
from voxgate.store.cached import CacheFolder


def put(root: Path, name: str, ttl_seconds: int, age_seconds: float, size: int = 10) -> Path:
    CacheFolder(root).put(name, ttl_seconds, b"x" * size)
    path = root / "cache" / str(ttl_seconds) / name[:2] / name
    since = time.time() - age_seconds
    os.utime(path, (since, since))
    return path


def files(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*") if path.is_file()}


def test_nothing_is_left_of_answers_whose_time_is_over(tmp_path: Path) -> None:
    for number in range(450):
        put(tmp_path, f"{number:03d}gone", 60, 61)
    put(tmp_path, "aalive", 60, 30)
    put(tmp_path, "bblive", 600, 61)
    assert CacheSweep(CacheFolder(tmp_path), 1 << 30).sweep() == 450
    assert files(tmp_path) == {"aalive", "bblive"}
    later = CacheSweep(CacheFolder(tmp_path), 1 << 30, now=lambda: time.time() + 700)
    later.sweep()
    assert files(tmp_path) == set()
    later.sweep()
    later.sweep()
    assert list((tmp_path / "cache").iterdir()) == []  # nor of their folders


def test_the_oldest_go_where_they_are_too_many(tmp_path: Path) -> None:
    for number in range(10):
        put(tmp_path, f"{number}aa", 86_400, 3600 - 300 * number, size=100)
    assert CacheSweep(CacheFolder(tmp_path), 400).sweep() == 6
    assert files(tmp_path) == {"6aa", "7aa", "8aa", "9aa"}
    assert CacheSweep(CacheFolder(tmp_path), 400).sweep() == 0


def test_what_a_writer_that_died_has_left_goes_too(tmp_path: Path) -> None:
    path = put(tmp_path, "aalive", 86_400, 1)
    left, fresh = path.with_name(".left"), path.with_name(".fresh")
    for each, age in ((left, 700), (fresh, 1)):
        each.write_bytes(b"half")
        os.utime(each, (time.time() - age, time.time() - age))
    CacheSweep(CacheFolder(tmp_path), 1 << 30).sweep()
    assert files(tmp_path) == {"aalive", ".fresh"}


def test_other_blobs_stay(tmp_path: Path) -> None:
    for name in ("sessions/a/events.jsonl", "cache/readme", "cache/other/aa/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("stays")
    later = CacheSweep(CacheFolder(tmp_path), 0, now=lambda: time.time() + 1e9)
    assert later.sweep() == 0
    assert files(tmp_path) == {"events.jsonl", "readme", "x"}


@pytest.mark.parametrize("size", [0, 10, 11])
def test_only_answers_of_a_size_that_somebody_wants_are_read(tmp_path: Path, size: int) -> None:
    put(tmp_path, "aaname", 60, 0, size=size)
    found = CacheFolder(tmp_path).get("aaname", 60, 10)
    assert found == (b"x" * size if size <= 10 else None)
    assert CacheFolder(tmp_path).get("aaname", 61, 10) is None
