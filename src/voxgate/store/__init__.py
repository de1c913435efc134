"""Layer 3: the only SQL and the only object store. Rows are plain dicts; transactions stay inside. Names are
loaded when they are asked for: what reads a recording needs no SQL.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from voxgate.store.blobs import Blobs as Blobs
    from voxgate.store.blobs import FolderBlobs as FolderBlobs
    from voxgate.store.blobs import InvalidBlobKey as InvalidBlobKey
    from voxgate.store.cached import Cache as Cache
    from voxgate.store.cached import Cached as Cached
    from voxgate.store.cached import open_cache as open_cache
    from voxgate.store.changes import WATCHED as WATCHED
    from voxgate.store.changes import Change as Change
    from voxgate.store.dataset_cases import Saved as Saved
    from voxgate.store.kept import Kept as Kept
    from voxgate.store.leases import Lease as Lease
    from voxgate.store.migrating import Migrated as Migrated
    from voxgate.store.migrating import migrate as migrate
    from voxgate.store.migrating import schema_version as schema_version
    from voxgate.store.migrations import newest_schema as newest_schema
    from voxgate.store.opening import check_blobs as check_blobs
    from voxgate.store.opening import open_blobs as open_blobs
    from voxgate.store.opening import open_shared as open_shared
    from voxgate.store.places import filter_fields as filter_fields
    from voxgate.store.rates import Draw as Draw
    from voxgate.store.rates import Level as Level
    from voxgate.store.sessions import BEGUN_AGAIN as BEGUN_AGAIN
    from voxgate.store.signals import NOT_TRANSCRIBED as NOT_TRANSCRIBED
    from voxgate.store.signals import REBUILD as REBUILD
    from voxgate.store.signals import REBUILD_FAILED as REBUILD_FAILED
    from voxgate.store.signals import REBUILT as REBUILT
    from voxgate.store.signals import RUN_RULE as RUN_RULE
    from voxgate.store.signals import TRANSCRIBE as TRANSCRIBE
    from voxgate.store.signals import TRANSCRIBED as TRANSCRIBED
    from voxgate.store.spending import Hold as Hold
    from voxgate.store.spending import Spent as Spent
    from voxgate.store.stats import MOST_BUCKETS as MOST_BUCKETS
    from voxgate.store.stats import Asked as Asked
    from voxgate.store.whole import Store as Store

_PUBLIC: Final = {
    "BEGUN_AGAIN": "sessions",
    "MOST_BUCKETS": "stats",
    "NOT_TRANSCRIBED": "signals",
    "REBUILD": "signals",
    "REBUILD_FAILED": "signals",
    "REBUILT": "signals",
    "RUN_RULE": "signals",
    "TRANSCRIBE": "signals",
    "TRANSCRIBED": "signals",
    "WATCHED": "changes",
    "Asked": "stats",
    "Blobs": "blobs",
    "Cache": "cached",
    "Cached": "cached",
    "Change": "changes",
    "Draw": "rates",
    "FolderBlobs": "blobs",
    "Hold": "spending",
    "InvalidBlobKey": "blobs",
    "Kept": "kept",
    "Lease": "leases",
    "Level": "rates",
    "Migrated": "migrating",
    "Saved": "dataset_cases",
    "Spent": "spending",
    "Store": "whole",
    "check_blobs": "opening",
    "filter_fields": "places",
    "migrate": "migrating",
    "newest_schema": "migrations",
    "open_blobs": "opening",
    "open_cache": "cached",
    "open_shared": "opening",
    "schema_version": "migrating",
}
"""In which file each name is. The imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    return found
