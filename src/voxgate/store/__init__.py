"""Layer 3: the only SQL and the only object store. Rows are plain dicts; transactions stay inside."""

from __future__ import annotations

from typing import Self

from voxgate.store.blobs import Blobs, FolderBlobs, InvalidBlobKey
from voxgate.store.cached import Cache, Cached, open_cache
from voxgate.store.changes import WATCHED, Change, ChangeRows
from voxgate.store.credentials import CredentialRows
from voxgate.store.database import Database
from voxgate.store.dataset_cases import DatasetCaseRows, Saved
from voxgate.store.datasets import DatasetRows
from voxgate.store.erasing import Erasing
from voxgate.store.experiments import ExperimentRows
from voxgate.store.kept import Kept
from voxgate.store.keys import KeyRows
from voxgate.store.leases import Lease, LeaseRows
from voxgate.store.migrating import Migrated, migrate, schema_version
from voxgate.store.migrations import newest as newest_schema
from voxgate.store.opening import check_blobs, open_blobs, open_shared
from voxgate.store.places import filter_fields
from voxgate.store.results import ResultRows
from voxgate.store.rule_runs import RuleRunRows
from voxgate.store.rules import RuleRows
from voxgate.store.scores import ScoreRows
from voxgate.store.sessions import BEGUN_AGAIN, SessionRows
from voxgate.store.signals import (
    NOT_TRANSCRIBED,
    REBUILD,
    REBUILD_FAILED,
    REBUILT,
    RUN_RULE,
    TRANSCRIBE,
    TRANSCRIBED,
    SignalRows,
)
from voxgate.store.spending import SpendingRows, Spent
from voxgate.store.stats import MOST_BUCKETS, Asked, SessionStats
from voxgate.store.views import ViewRows

__all__ = [
    "BEGUN_AGAIN",
    "MOST_BUCKETS",
    "NOT_TRANSCRIBED",
    "REBUILD",
    "REBUILD_FAILED",
    "REBUILT",
    "RUN_RULE",
    "TRANSCRIBE",
    "TRANSCRIBED",
    "WATCHED",
    "Asked",
    "Blobs",
    "Cache",
    "Cached",
    "Change",
    "FolderBlobs",
    "InvalidBlobKey",
    "Kept",
    "Lease",
    "Migrated",
    "Saved",
    "Spent",
    "Store",
    "check_blobs",
    "filter_fields",
    "migrate",
    "newest_schema",
    "open_blobs",
    "open_cache",
    "open_shared",
    "schema_version",
]


class Store(
    SessionRows,
    ChangeRows,
    SessionStats,
    ScoreRows,
    ViewRows,
    DatasetRows,
    DatasetCaseRows,
    ExperimentRows,
    ResultRows,
    RuleRows,
    RuleRunRows,
    KeyRows,
    CredentialRows,
    SignalRows,
    LeaseRows,
    SpendingRows,
    Erasing,
):
    """The SQL database, on a schema that fits. Every method is one transaction; threads may share it."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
