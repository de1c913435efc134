"""Cached answers in a folder and in a bucket: what is put is found, listed with its time, and deleted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.s3 import S3Server
from voxgate.core.errors import BlobsUnavailable
from voxgate.core.settings import Settings
from voxgate.jobs.cache_sweep import CacheSweep
from voxgate.store.cached import Cache, CacheBucket, CacheFolder, open_cache
from voxgate.store.s3 import S3Blobs


@pytest.fixture(params=["folder", "bucket"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    if request.param == "folder":
        return CacheFolder(tmp_path)
    blobs: S3Blobs = request.getfixturevalue("bucket")
    return CacheBucket(blobs)


def test_an_answer_is_found_by_its_name_and_time_to_live(cache: Cache) -> None:
    cache.put("aab", 60, b"first")
    cache.put("aab", 60, b"sealed")
    cache.put("aab", 3600, b"other")
    assert [cache.get("aab", ttl, 6) for ttl in (60, 3600, 61)] == [b"sealed", b"other", None]
    assert [cache.get(name, 60, 6) for name in ("aa", "aabc", "bbb")] == [None, None, None]
    assert cache.get("aab", 60, 5) is None


def test_all_are_listed_and_can_be_deleted(cache: Cache) -> None:
    before = time.time() - 5  # a bucket's clock has whole seconds
    for number in range(7):
        cache.put(f"{number}a", 60 + number % 2, bytes(number))
    found = {(one.key.rpartition("/")[2], one.size_bytes, one.ttl_seconds) for one in cache.all()}
    assert found == {(f"{number}a", number, 60.0 + number % 2) for number in range(7)}
    assert all(before < one.since < time.time() + 5 for one in cache.all())
    cache.delete([one.key for one in cache.all() if one.ttl_seconds == 60])
    assert {one.ttl_seconds for one in cache.all()} == {61}
    CacheSweep(cache, 1 << 30, now=lambda: time.time() + 120).sweep()
    assert list(cache.all()) == []


def test_other_blobs_are_no_answers(cache: Cache, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if isinstance(cache, CacheBucket):
        request.getfixturevalue("bucket").put("sessions/a/events.jsonl", b"x")
    else:
        (tmp_path / "sessions").mkdir()
        (tmp_path / "sessions" / "events.jsonl").write_bytes(b"x")
    assert list(cache.all()) == []


def test_it_is_where_the_blobs_are(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    assert isinstance(open_cache(Settings(data_dir=tmp_path, blobs_url="s3://bucket/prefix")), CacheBucket)
    open_cache(Settings(blobs_url=f"file://{tmp_path}/shared")).put("aab", 60, b"sealed")
    open_cache(Settings(data_dir=tmp_path)).put("bbc", 60, b"sealed")
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"shared/cache/60/aa/aab", "blobs/cache/60/bb/bbc"}


def test_a_bucket_that_is_away_says_so(bucket: S3Blobs, s3: S3Server) -> None:
    cache = CacheBucket(bucket)
    with s3.failing(403), pytest.raises(BlobsUnavailable):
        cache.get("aab", 60, 5)
