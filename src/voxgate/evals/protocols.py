"""What the parts of an evaluation ask of one another: a task makes an output of a case, a scorer makes scores
of it. Whatever has these methods is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from voxgate.client.http import Client
from voxgate.core.errors import VoxgateError
from voxgate.evals.model import Case, Json, Output, Score

if TYPE_CHECKING:  # numpy comes with it, and every command knows the protocols
    from voxgate.evals.session import Session


class InfrastructureError(VoxgateError):
    """Something that an evaluation needs is away; whether what it looks at is good or bad is not known."""


class TaskError(InfrastructureError):
    """The provider, the network or Voxgate failed a case, not the case itself. `retryable`: another try may
    go well; a refused key, say, will be refused again."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of one case. `seed` is of the experiment, the case and the trial: the same in every run."""

    experiment_id: str
    number: int
    seed: int


class Task(Protocol):
    """`describe` goes into the experiment's record: all that decides what comes out."""

    @property
    def name(self) -> str: ...

    def describe(self) -> Json: ...

    async def run(self, case: Case, trial: Trial) -> Output:
        """TaskError where the provider or the network failed: the case can be tried again."""
        ...

    def estimate_usd(self, case: Case) -> float | None:
        """What the case is likely to cost; None where it cannot be said."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What a scorer looks at. `session` is the recorded call that the output was made in, or the recorded
    call itself where logs are scored as they are; None for tasks that made none."""

    case: Case
    output: Output
    session: Session | None


class Data(Protocol):
    """Where the cases of an experiment come from: a data set, recorded calls, a list, a file."""

    def describe(self) -> Json: ...

    def pinned(self, client: Client) -> Json | None:
        """`{"id", "name", "version", "cases"}` of a data set, whose cases the server has; None for anything
        else, whose cases are stored with the experiment."""
        ...

    def cases(self, client: Client) -> Iterator[Case]:
        """One after the other, never all at once. InvalidRequest where they cannot be read."""
        ...


class Scorer(Protocol):
    @property
    def name(self) -> str: ...

    def describe(self) -> Json:
        """Name, version, unit, direction and parameters."""
        ...

    async def score(self, subject: Subject) -> list[Score]:
        """What cannot be measured comes back as a score without a value, with the reason."""
        ...
