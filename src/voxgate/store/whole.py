"""The store: all that is kept in the SQL database, table by table."""

from __future__ import annotations

from typing import Self

from voxgate.store.changes import ChangeRows
from voxgate.store.credentials import CredentialRows
from voxgate.store.database import Database
from voxgate.store.dataset_cases import DatasetCaseRows
from voxgate.store.datasets import DatasetRows
from voxgate.store.erasing import Erasing
from voxgate.store.experiments import ExperimentRows
from voxgate.store.keys import KeyRows
from voxgate.store.leases import LeaseRows
from voxgate.store.rates import RateRows
from voxgate.store.results import ResultRows
from voxgate.store.rule_runs import RuleRunRows
from voxgate.store.rules import RuleRows
from voxgate.store.scores import ScoreRows
from voxgate.store.sessions import SessionRows
from voxgate.store.signals import SignalRows
from voxgate.store.spending import SpendingRows
from voxgate.store.stats import SessionStats
from voxgate.store.views import ViewRows


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
    RateRows,
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
