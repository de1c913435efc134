"""After an upgrade the recorder makes searchable what was saved before."""

from __future__ import annotations

from pathlib import Path

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.indexing import Indexing
from voxgate.jobs.recorder import Recorder
from voxgate.store import FolderBlobs, Store


def unsearchable(store: Store, count: int) -> None:
    for n in range(count):
        store.save_session({"id": f"sess_{n:03}"})
    with store._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM session_search")


def test_the_recorder_makes_sessions_searchable_that_were_saved_before(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/voxgate.db") as store:
        unsearchable(store, 120)
        assert store.list_sessions()[0] == []
        recorder = Recorder(
            wire_dir=tmp_path / "wire",
            store=store,
            blobs=FolderBlobs(tmp_path / "blobs"),
            indexing=Indexing(store),
        )
        while recorder.step():
            pass
        assert len(store.list_sessions(limit=500)[0]) == 120


def test_a_pass_is_repeated_after_an_hour_and_a_database_that_is_away_is_tried_again(tmp_path: Path) -> None:
    now = 0.0
    with Store(f"sqlite:///{tmp_path}/voxgate.db") as store:
        indexing = Indexing(store, lambda: now)
        assert not indexing.step()
        unsearchable(store, 1)
        now = 3599.0
        assert not indexing.step()
        assert store.list_sessions()[0] == []
        now = 3601.0

        def away(after: str | None = None, limit: int = 50) -> str | None:
            raise StoreUnavailable("away")

        store.make_searchable = away  # type: ignore[method-assign]
        assert not indexing.step()
        del store.make_searchable
        assert not indexing.step()
        assert store.list_sessions()[0] == []
        now = 3632.0
        indexing.step()
        assert len(store.list_sessions()[0]) == 1
