"""Threads that read utterances from stored tracks and ask for their words: questions in, answers out, in any
order. They wait for providers, so that nobody else has to.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from voxgate.core.errors import NotFound, StoreUnavailable
from voxgate.core.projects import TranscriptionSettings
from voxgate.providers.dictation import Dictation
from voxgate.providers.routes import Transcriber
from voxgate.recording.clips import clips_of
from voxgate.recording.tracks import DamagedRecording
from voxgate.recording.unwritten import Utterance
from voxgate.store import Blobs
from voxgate.traces.usage import added

THREADS: Final = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """`origin` is for whoever asks, to know it again."""

    session_id: str
    utterance: Utterance
    whom: Transcriber
    wanted: TranscriptionSettings
    origin: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """As `dictation.Outcome`, of a whole utterance. `skipped`: why nobody was asked."""

    question: Question
    what: Literal["said", "later", "refused"]
    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: str | None = None
    message: str = ""
    wait_seconds: float | None = None
    ms: float = 0.0


class Scribes:
    def __init__(self, blobs: Blobs, dictation: Dictation, threads: int = THREADS) -> None:
        self._blobs = blobs
        self._dictation = dictation
        self._threads = threads
        self._started = 0
        self._open = 0
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    @property
    def has_room(self) -> bool:
        """No more is asked than is answered at once, so that what waits can still be given up."""
        return self._open < self._threads

    def ask(self, question: Question) -> None:
        self._open += 1
        if self._started < min(self._open, self._threads):
            self._started += 1
            # A stop does not wait for providers: what is not answered is asked again after the next start.
            threading.Thread(target=self._write, name=f"scribe {self._started}", daemon=True).start()
        self._questions.put(question)

    def answers(self) -> list[Answer]:
        """Those that have come."""
        found: list[Answer] = []
        while not self._answers.empty():
            found.append(self._answers.get())
        self._open -= len(found)
        return found

    def close(self) -> None:
        for _ in range(self._started):
            self._questions.put(None)

    def _write(self) -> None:
        while (question := self._questions.get()) is not None:
            self._answers.put(self._answer(question))

    def _answer(self, question: Question) -> Answer:
        try:
            return self._words(question)
        except (NotFound, DamagedRecording) as error:
            return Answer(question, "refused", message=f"the sound cannot be read: {error}")
        except (OSError, StoreUnavailable) as error:
            return Answer(question, "later", message=f"the sound cannot be read: {error}")
        except Exception as error:  # whatever it is, the utterance stays without words and the others go on
            logger.exception("an utterance of session %s cannot be transcribed", question.session_id)
            return Answer(question, "refused", message=f"{type(error).__name__}: {error}")

    def _words(self, question: Question) -> Answer:
        texts, usage, seconds, asked = list[str](), dict[str, Any](), 0.0, 0
        started = time.monotonic()
        for clip in clips_of(self._blobs, f"sessions/{question.session_id}", question.utterance):
            if not clip.may_have_words:
                continue
            outcome = self._dictation.ask(question.whom, clip.wav, question.wanted)
            if outcome.what != "said":
                return Answer(
                    question, outcome.what, message=outcome.message, wait_seconds=outcome.wait_seconds
                )
            texts.append(outcome.text)
            usage, seconds, asked = added(usage, outcome.usage), seconds + clip.seconds, asked + 1
        return Answer(
            question,
            "said",
            " ".join(filter(None, texts)),
            usage,
            round(seconds, 3),
            skipped=None if asked else "silence",
            ms=round((time.monotonic() - started) * 1000, 3),
        )
