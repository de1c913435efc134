"""The versions of the schema, one file for each step: `mNNNN_*.py` leads to version NNNN, 1 is the first.

How to add one: change the tables in `schema`, add a file with a MIGRATION, put it into the list. The tests
compare a migrated database with a fresh one, and let older Voxgates write to it. See decision 0013.
"""

from __future__ import annotations

from typing import Final

from voxgate.store.migrations import (
    m0002_retention,
    m0003_beside_each_other,
    m0004_search,
    m0005_audio_retention,
    m0006_web_app,
    m0007_scores,
    m0008_changes,
    m0009_evaluations,
    m0010_rule_runs,
    m0011_requests,
    m0012_parents,
    m0013_rates,
)
from voxgate.store.migrations.step import Migration

MIGRATIONS: Final[list[Migration]] = [
    m0002_retention.MIGRATION,
    m0003_beside_each_other.MIGRATION,
    m0004_search.MIGRATION,
    m0005_audio_retention.MIGRATION,
    m0006_web_app.MIGRATION,
    m0007_scores.MIGRATION,
    m0008_changes.MIGRATION,
    m0009_evaluations.MIGRATION,
    m0010_rule_runs.MIGRATION,
    m0011_requests.MIGRATION,
    m0012_parents.MIGRATION,
    m0013_rates.MIGRATION,
]
"""In their order; the first one leads to version 2."""


def newest_schema() -> int:
    """The version of a fresh database."""
    return len(MIGRATIONS) + 1


def oldest_beside(version: int) -> int:
    """The oldest version whose Voxgate works on this one's schema too."""
    return max((step.needs for step in MIGRATIONS[: version - 1]), default=1)
