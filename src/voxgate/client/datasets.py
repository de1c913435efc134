"""Data sets of a running Voxgate: found by name and version, their cases page by page, their blobs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from voxgate.client.http import Client
from voxgate.client.paging import items
from voxgate.core.errors import InvalidRequest, NotFound

Json = dict[str, Any]
_COPYING_SECONDS: Final = 1800.0
"""For an answer that comes when the calls of many sessions are copied."""


class Datasets:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, project: str | None = None, name: str | None = None) -> Iterator[Json]:
        """Newest first."""
        return items(self._client, "/api/datasets", {"project": project, "name": name})

    def get(self, dataset_id: str) -> Json:
        found: Json = self._client.call("GET", _path(dataset_id))
        return found

    def find(self, name: str, project: str | None = None) -> Json:
        """By its name or its id. NotFound says what there is; InvalidRequest if several projects have one."""
        found = list(self.list(project, name))
        if not found and name.startswith("dataset_"):
            return self.get(name)
        if len(found) > 1:
            projects = ", ".join(sorted(row["project"] for row in found))
            raise InvalidRequest(
                f"Several projects have a data set {name!r}: {projects}. Say which project.", param="project"
            )
        if not found:
            names = sorted({row["name"] for row in self.list(project)})
            raise NotFound(f"There is no data set {name!r}. There are: {', '.join(names) or 'none'}.")
        return found[0]

    def create(self, name: str, **values: Any) -> Json:
        """`project`, `description`, `metadata`."""
        made: Json = self._client.call("POST", "/api/datasets", {"name": name, **values})
        return made

    def edit(self, dataset_id: str, **values: Any) -> Json:
        found: Json = self._client.call("PATCH", _path(dataset_id), values)
        return found

    def delete(self, dataset_id: str) -> None:
        self._client.call("DELETE", _path(dataset_id))

    def versions(self, dataset_id: str) -> Iterator[Json]:
        """Newest first."""
        return items(self._client, f"{_path(dataset_id)}/versions")

    def cases(self, dataset_id: str, version: int | None = None) -> Iterator[Json]:
        """In the order in which they were added; by default of the newest version."""
        return items(self._client, f"{_path(dataset_id)}/cases", {"version": version})

    def save(self, dataset_id: str, cases: Iterable[Mapping[str, Any]]) -> Json:
        """Adds or replaces any number of cases: all or none, one new version. `{"version", "cases"}`."""
        with tempfile.TemporaryFile(prefix="voxgate-") as file:
            file.writelines(json.dumps(case).encode() + b"\n" for case in cases)
            file.seek(0)
            answer: Json = self._client.upload(f"{_path(dataset_id)}/import", file)
        return answer

    def delete_case(self, dataset_id: str, case_id: str) -> Json:
        answer: Json = self._client.call("DELETE", f"{_path(dataset_id)}/cases/{quote(case_id, safe='')}")
        return answer

    def add_blob(self, dataset_id: str, path: Path, content_type: str) -> Json:
        """`{"blob", "content_type", "duration_ms"}`."""
        with path.open("rb") as file:
            made: Json = self._client.upload(f"{_path(dataset_id)}/blobs", file, content_type=content_type)
        return made

    def blob(self, dataset_id: str, blob: str) -> Iterator[bytes]:
        """In pieces."""
        return self._client.stream(f"{_path(dataset_id)}/blobs/{quote(blob, safe='')}")

    def add_sessions(self, dataset_id: str, **asked: Any) -> Json:
        """Cases of recorded calls: `sessions` or `q`, `turns`, `expected`, `tags` (docs/api.md)."""
        path = f"{_path(dataset_id)}/from-sessions"
        answer: Json = self._client.call("POST", path, asked, seconds=_COPYING_SECONDS)
        return answer


def split_reference(reference: str) -> tuple[str, int | None]:
    """`refunds@3` is version 3 of `refunds`; without a version it is the newest. InvalidRequest."""
    name, at, version = reference.rpartition("@")
    if not at:
        return reference, None
    if not version.isdecimal() or not name:
        raise InvalidRequest(
            f"{reference!r} is no data set: write its name, and a version after @, as in refunds@3.",
            param="dataset",
        )
    return name, int(version)


def _path(dataset_id: str) -> str:
    return f"/api/datasets/{quote(dataset_id, safe='')}"
