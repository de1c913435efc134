"""How far people and scorers agree, scorer by scorer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from voxgate.api.access import Controlled, Reader, own_project
from voxgate.api.agreement_shapes import AgreementPage
from voxgate.evals.agreement import Pair, Said, agreement

router = APIRouter(prefix="/api", tags=["scores"])


@router.get("/agreement", response_model=AgreementPage)
def get_agreement(
    key: Reader, control: Controlled, project: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """Of each scorer whose scores people have given too: under the same name, to the same session or span."""
    rows = control.store.judged_pairs(project=own_project(key, project or None), name=name or None)
    scorers: dict[tuple[str, str, str], list[Pair]] = {}
    for row in rows:
        scorers.setdefault((row["name"], row["source"], row["author"]), []).append(_pair(row))
    return {
        "items": [
            {"name": name, "source": source, "author": author, **agreement(pairs)}
            for (name, source, author), pairs in sorted(scorers.items())
        ]
    }


def _pair(row: dict[str, Any]) -> Pair:
    human, scorer = (Said(row[f"{side}_value"], row[f"{side}_label"]) for side in ("human", "other"))
    if (human.label is None) != (scorer.label is None) and None not in (human.value, scorer.value):
        human, scorer = Said(human.value), Said(scorer.value)  # one of them says it in numbers only
    return Pair(row["session_id"], row["span_id"], human, scorer)
