"""Cases of a data set out of recorded calls. A case keeps its own copy of the event log and of what the user
says, as they are stored: redacted where they are. So it outlives the call's own recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

from fastapi import APIRouter

from voxgate.api.access import Admin, Control, Controlled, own_project
from voxgate.api.answers import Conflict
from voxgate.api.case_making import CaseMaker
from voxgate.api.dataset_blobs import EVENT_LOG, incoming
from voxgate.api.dataset_shapes import MOST_SESSIONS, CasesFromSessions, FromSessions
from voxgate.api.datasets import saved_answer
from voxgate.api.found import find_dataset
from voxgate.api.ranges import CHUNK_BYTES
from voxgate.api.sessions import find_events, find_session
from voxgate.api.sound import MEDIA_TYPES, find_attachment, find_track
from voxgate.api.steady import Row, read_steadily
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.evals.model import Clip, Json

router = APIRouter(prefix="/api/datasets/{dataset_id}", tags=["datasets"])

_PAGE: Final = 100


@router.post("/from-sessions", response_model=CasesFromSessions)
def add_from_sessions(dataset_id: str, body: FromSessions, key: Admin, control: Controlled) -> dict[str, Any]:
    """Make cases of recorded calls: all or none, one new version. A case that was made before stays as it
    is."""
    dataset = find_dataset(control, key, dataset_id)
    ids, skipped = _asked(control, key, body, dataset["project"])
    copier = _Copier(control, key, dataset_id)
    made = [case for session_id in ids for case in copier.cases(session_id, body)]
    _check_turns(body, made)
    known = control.store.known_cases(dataset_id, [case["id"] for case in made])
    saved = control.store.save_cases(dataset_id, [case for case in made if case["id"] not in known], key.name)
    answer = saved_answer(saved, dataset_id)
    return answer | {"ids": [case["id"] for case in made], "known": sorted(known), "skipped": skipped}


def _asked(control: Control, key: ApiKey, body: FromSessions, project: str) -> tuple[list[str], list[str]]:
    """The ids of the calls that are over, and of those that a filter finds and that still run."""
    if (body.sessions is None) == (body.q is None):
        raise InvalidRequest("Give either 'sessions' or a filter as 'q'.", param="sessions")
    if body.sessions is not None:
        return list(dict.fromkeys(body.sessions)), []
    rows = list(_found(control, own_project(key, body.project or project), body.q))
    if len(rows) > MOST_SESSIONS:
        raise InvalidRequest(
            f"The filter finds more than {MOST_SESSIONS} sessions; narrow it, for example with last:24h.",
            param="q",
        )
    live = [row["id"] for row in rows if row["status"] == "live"]
    return [row["id"] for row in rows if row["status"] != "live"], live


def _found(control: Control, project: str | None, q: str | None) -> Iterator[Row]:
    cursor: str | None = None
    for _ in range(MOST_SESSIONS // _PAGE + 1):
        rows, cursor = control.store.list_sessions(project=project, q=q, limit=_PAGE, cursor=cursor)
        yield from rows
        if cursor is None:
            return


def _check_turns(body: FromSessions, made: list[Json]) -> None:
    if isinstance(body.turns, list):
        missing = set(body.turns) - {case["span_id"] for case in made}
        if missing:
            raise InvalidRequest(
                f"These sessions have no turn {min(missing)!r} in which the user says something.",
                param="turns",
            )


class _Copier:
    def __init__(self, control: Control, key: ApiKey, dataset_id: str) -> None:
        self._control = control
        self._key = key
        self._dataset_id = dataset_id

    def cases(self, session_id: str, body: FromSessions) -> list[Json]:
        """Of one session, whose log and sound are copied as they were at one moment."""
        find = partial(find_session, self._control, self._key, session_id, with_spans=True)
        return read_steadily(self._control, find, partial(self._cases, body=body))

    def _cases(self, row: Row, body: FromSessions) -> list[Json]:
        if row["status"] == "live":
            raise Conflict(f"The session {row['id']} is live: its cases can be made when it is over.")
        lines, _ = find_events(self._control, row, start=0, sound=True)
        recording = self._keep(lines, EVENT_LOG)["id"]
        expected = body.expected == "said"
        maker = CaseMaker(row, recording, partial(self._clips, row), expected=expected, tags=body.tags)
        return [case.to_json() for case in maker.cases(body.turns)]

    def _clips(self, row: Row, span: Json) -> list[Clip]:
        """What the user says in a span, as far as its sound is kept."""
        found = [one for one in span["attachments"] if {"track", "start_byte", "end_byte"} <= one.keys()]
        try:
            return [self._clip(row, find_attachment(row, one["id"])) for one in found]
        except NotFound:
            return []

    def _clip(self, row: Row, attachment: Json) -> Clip:
        track = find_track(self._control, row, attachment["track"], is_read=True)
        wav = track.wav(self._control, attachment["start_byte"], attachment["end_byte"])
        pieces = (
            wav.read(start, min(start + CHUNK_BYTES, wav.size)) for start in range(0, wav.size, CHUNK_BYTES)
        )
        blob = self._keep(pieces, MEDIA_TYPES["wav"])
        return Clip(blob["content_type"], blob["id"], duration_ms=blob["duration_ms"])

    def _keep(self, pieces: Iterable[bytes], content_type: str) -> Json:
        with incoming(content_type) as blob:
            for piece in pieces:
                blob.write(piece)
            return blob.store(self._control, self._dataset_id)
