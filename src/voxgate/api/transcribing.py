"""Words for a call that is over and has none: asked of the recorder, which has them made."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from fastapi import APIRouter
from pydantic import ValidationError

from voxgate.api.access import Admin, Control, Controlled
from voxgate.api.answers import Conflict
from voxgate.api.sessions import find_session
from voxgate.api.shapes import Transcribed, TranscribeRequest
from voxgate.api.steady import check_readable
from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.core.projects import TranscriptionSettings
from voxgate.recording.unwritten import unwritten
from voxgate.store import NOT_TRANSCRIBED, TRANSCRIBE, TRANSCRIBED

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

WAIT_SECONDS: Final = 50.0
"""Less than clients wait for an answer."""


@router.post("/{session_id}/transcribe", response_model=Transcribed)
def transcribe_session(
    session_id: str, key: Admin, control: Controlled, asked: TranscribeRequest | None = None
) -> dict[str, Any]:
    """Have what the user said written down where the provider gave no words, and wait for that."""
    row = find_session(control, key, session_id, with_spans=True)
    _check(row)
    wanted = _wanted(control, row["project"], asked or TranscribeRequest())
    if not unwritten(row):
        return _answer(row, "nothing")
    before = control.store.last_signal_id()
    order = {"session_id": row["id"], "wanted": wanted.model_dump()}
    control.store.add_signal(TRANSCRIBE, json.dumps(order))
    return _answer(*_wait(control, row, before))


def _wait(control: Control, row: dict[str, Any], before: int) -> tuple[dict[str, Any], str]:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answers = {kind for _, kind, target in control.store.signals_after(before) if target == row["id"]}
        if NOT_TRANSCRIBED in answers:
            raise VoxgateError(f"The words of {row['id']} could not be kept; the recorder's log says why.")
        if TRANSCRIBED in answers:
            return control.store.get_session(row["id"], with_spans=False) or row, "transcribed"
        time.sleep(0.1)
    return row, "transcribing"


def _check(row: dict[str, Any]) -> None:
    """Conflict for a session that cannot or must not have words."""
    if row["status"] == "live":
        raise Conflict(f"The session {row['id']} is live: it can be transcribed when it is over.")
    recorded = row["data"].get("recorded") or {}
    if recorded.get("text") is False:
        raise Conflict(f"The words of session {row['id']} are not to be recorded.")
    if recorded.get("audio") is False:
        raise Conflict(f"The session {row['id']} has no sound: it was not recorded, or is deleted.")
    check_readable(row)


def _wanted(control: Control, project: str, asked: TranscribeRequest) -> TranscriptionSettings:
    """What the project's settings say, and what was asked for instead."""
    own = control.transcribing.wanted.get(project)
    if own is None and asked.model is None:
        raise InvalidRequest(
            f"No model is named, and the settings of the project {project!r} have no `transcribe`.",
            param="model",
        )
    said = {**(own.model_dump() if own is not None else {}), **asked.model_dump(exclude_none=True)}
    try:
        wanted = TranscriptionSettings.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"Invalid field {name!r}: {first['msg']}.", param=name) from error
    control.transcribing.check(wanted.model)
    return wanted


def _answer(row: dict[str, Any], status: str) -> dict[str, Any]:
    return {"id": row["id"], "status": status, "transcription": row["data"].get("transcription")}
