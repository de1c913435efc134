"""A recorder that has words written down, and calls that have none: for the tests of transcription."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.jobs.recorded import Bench, begin, end, say, wait_for
from tests.traces.calls import b64
from tests.transcription import KEY, Transcribing, transcribing_server

from voxgate.core.prices import PriceSettings, PriceTable
from voxgate.core.projects import TranscriptionSettings
from voxgate.core.settings import Settings
from voxgate.jobs import transcriptions as transcriptions_module
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.jobs.redaction import Redactions
from voxgate.jobs.scribes import Scribes
from voxgate.jobs.transcription_marks import Marks
from voxgate.jobs.transcriptions import Parts, Transcriptions
from voxgate.providers.dictation import Dictation
from voxgate.providers.routes import Router
from voxgate.recording.spool import WireLog
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.store import REBUILD

PREFIX = "sessions/sess_1"
WANTED = TranscriptionSettings(model="scribe", language="en", prompt="Voxgate")


class Wordless(Bench):
    """A bench whose recorder has the project `default` transcribed."""

    def __init__(self, folder: Path, server: Transcribing, more: dict[str, Any] | None = None) -> None:
        self.folder = folder
        providers = {"house": {"base_url": server.base_url, "api_key": KEY}, **(more or {})}
        routes = [{"model": "scribe", "providers": [*(more or {}), "house"]}]
        self.settings = Settings.model_validate({"providers": providers, "routes": routes})
        self.prices = {"scribe": PriceSettings(minute=0.6)}
        self.patterns: dict[str, str] = {}
        self.finished: list[str] = []
        self.wanted = {"default": WANTED}
        super().__init__(folder)

    def new_recorder(self, **parts: Any) -> Any:
        redactions = Redactions({"default": self.patterns}, self.folder / "scratch")
        rebuilder, self.transcriptions = self.machine(None, redactions, parts.get("compactor"))
        return super().new_recorder(
            transcriptions=self.transcriptions,
            rebuilder=rebuilder,
            redactions=redactions,
            on_finished=self.transcriptions.add,
            **parts,
        )

    def machine(
        self,
        holder: str | None,
        redactions: Redactions | None = None,
        compactor: Compactor | None = None,
    ) -> tuple[Rebuilder, Transcriptions]:
        rebuilder = Rebuilder(self.store, self.blobs, redactions=redactions, compactor=compactor)
        transcriptions = Transcriptions(
            Parts(
                store=self.store,
                blobs=self.blobs,
                marks=Marks(self.folder / (holder or ".") / "transcribe"),
                scribes=Scribes(self.blobs, Dictation([KEY])),
                rebuilder=rebuilder,
                router=Router(self.settings, {}),
                prices=PriceTable(self.prices),
                wanted=self.wanted,
                redactions=redactions,
                on_done=self.finished.extend,
                holder=holder,
            )
        )
        return rebuilder, transcriptions

    def again(self, **parts: Any) -> None:
        """As after a kill: the next recorder finds what the former one left."""
        self.transcriptions.close()
        self.recorder = self.new_recorder(**parts)

    def words(self) -> dict[str, Any]:
        """The session, when it has all the words it will get."""
        wait_for(lambda: self.finished, self.recorder.step)
        row = self.session("sess_1")
        assert row is not None
        return row

    @property
    def marks(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "transcribe").iterdir())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcriptions_module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(transcriptions_module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr("voxgate.jobs.rebuilding._LOOK_SECONDS", 0.01)


@pytest.fixture(name="server")
def scribe_server() -> Iterator[Transcribing]:
    with transcribing_server() as made:
        yield made


@pytest.fixture(name="bench")
def wordless_bench(tmp_path: Path, server: Transcribing) -> Iterator[Wordless]:
    made = Wordless(tmp_path, server)
    yield made
    made.transcriptions.close()
    for writer in made.writers:
        writer.stop()
    made.store.close()


def voice(seconds: float) -> bytes:
    return np.random.default_rng(7).integers(-9000, 9000, round(seconds * 24_000), np.int16).tobytes()


def speak(log: WireLog, item_id: str, start_ms: float, sound: bytes, text: str | None = None) -> float:
    """An item of the user's as server VAD makes it; where its sound ends. With `text` it is transcribed."""
    say(log, SERVER, type="input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=start_ms)
    for at in range(0, len(sound), 48_000):
        say(log, CLIENT, type="input_audio_buffer.append", audio=b64(sound[at : at + 48_000]))
    end_ms = start_ms + len(sound) / 48
    say(log, SERVER, type="input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=end_ms)
    say(log, SERVER, type="input_audio_buffer.committed", item_id=item_id)
    if text is not None:
        kind = "conversation.item.input_audio_transcription.completed"
        say(log, SERVER, type=kind, item_id=item_id, content_index=0, transcript=text)
    return end_ms


def call(bench: Wordless, sounds: tuple[bytes, ...] = (voice(0.5), voice(0.25))) -> list[bytes]:
    """Recorded until its trace is complete, not yet transcribed."""
    log = begin(bench.writer(), "sess_1")
    at = 0.0
    for number, sound in enumerate(sounds):
        at = speak(log, f"u{number}", at, sound)
        say(log, SERVER, type="response.created", response={"id": f"r{number}"})
        say(log, SERVER, type="response.done", response={"id": f"r{number}", "status": "cancelled"})
    end(log)
    bench.record_until("sess_1", "complete")
    return list(sounds)


def users(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for span in row["spans"] if span["type"] == "user"]


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "revision"}


def rebuild(bench: Wordless) -> dict[str, Any]:
    before = bench.store.last_signal_id()
    bench.store.add_signal(REBUILD, "sess_1")
    wait_for(lambda: len(bench.store.signals_after(before)) == 2, bench.recorder.step)
    row = bench.session("sess_1")
    assert row is not None
    return shown(row)
