"""What came of each client at its last run, as it is kept between runs: `results.json` beside this file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import orjson

from tests.clients.matrix.roster import Client
from tests.clients.matrix.running import Outcome

FILE: Final = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Result:
    id: str
    version: str
    dialect: str
    date: str
    steps: dict[str, bool]
    """Whether it passed, for each step that this client has."""

    @classmethod
    def of(cls, client: Client, version: str, outcome: Outcome) -> Self:
        return cls(
            client.id,
            version,
            outcome.dialect,
            f"{datetime.now(UTC):%Y-%m-%d}",
            {step: why is None for step, why in outcome.verdicts.items()},
        )


@dataclass
class Results:
    by_id: dict[str, Result] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        kept = orjson.loads(file.read_bytes()) if file.exists() else []
        return cls({one["id"]: Result(**one) for one in kept})

    def write(self, file: Path = FILE) -> None:
        rows = [asdict(self.by_id[name]) for name in sorted(self.by_id)]
        file.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def add(self, result: Result) -> None:
        self.by_id[result.id] = result
