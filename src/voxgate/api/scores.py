"""Scores of a session: what a person, code or a judge says of it, listed, added and deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from voxgate.api.access import Admin, Controlled, Reader
from voxgate.api.sessions import find_session
from voxgate.api.shapes import Deleted, NewScore, Score, ScorePage
from voxgate.core.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/api/sessions/{session_id}/scores", tags=["scores"])


@router.get("", response_model=ScorePage)
def list_scores(session_id: str, key: Reader, control: Controlled) -> dict[str, Any]:
    """Oldest first."""
    row = find_session(control, key, session_id)
    return {"items": control.store.scores_of(row["id"])}


@router.post("", status_code=201, response_model=Score)
def add_score(session_id: str, body: NewScore, key: Admin, control: Controlled) -> dict[str, Any]:
    """Add a score, or with `replace` say again what the same author has said of the same."""
    row = find_session(control, key, session_id, with_spans=body.span_id is not None)
    if body.span_id is not None and all(span["id"] != body.span_id for span in row["spans"]):
        raise InvalidRequest(f"The session has no span {body.span_id!r}.", param="span_id")
    values = body.model_dump(exclude={"replace"})
    author = body.author or key.name
    saved = control.store.add_score(row["id"], values | {"author": author}, replace=body.replace)
    if saved is None:  # deleted just now
        raise NotFound(f"There is no session {session_id!r}.", param="session_id")
    return saved


@router.delete("/{score_id}", response_model=Deleted)
def delete_score(session_id: str, score_id: str, key: Admin, control: Controlled) -> dict[str, Any]:
    row = find_session(control, key, session_id)
    if not control.store.delete_score(row["id"], score_id):
        raise NotFound(f"The session {session_id} has no score {score_id!r}.", param="score_id")
    return {"id": score_id}
