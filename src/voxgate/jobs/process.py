"""The recorder as a process: opens store and blobs and records until it is told to stop."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import closing

from voxgate.core.errors import UpstreamRefused
from voxgate.core.prices import PriceTable
from voxgate.core.settings import Settings
from voxgate.export.outbox import Outbox
from voxgate.jobs.cache_sweep import CacheSweep
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.indexing import Indexing
from voxgate.jobs.machines import Machine, machine_id
from voxgate.jobs.memory import collect_rarely
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.jobs.recorder import Recorder
from voxgate.jobs.redaction import Redactions
from voxgate.jobs.retention import Retention
from voxgate.jobs.scoring_wishes import ScoringWishes
from voxgate.jobs.scribes import Scribes
from voxgate.jobs.shares import Share
from voxgate.jobs.sharing import Sharing
from voxgate.jobs.transcription_marks import Marks
from voxgate.jobs.transcriptions import Parts, Transcriptions
from voxgate.providers.dictation import Dictation
from voxgate.providers.routes import Router
from voxgate.store import Blobs, Kept, Store, open_blobs, open_cache, open_shared

logger = logging.getLogger(__name__)


def run_recorder(
    settings: Settings,
    *,
    share: Share,
    outbox: Outbox | None = None,
    stop: threading.Event,
    at_once: threading.Event,
    ready: Callable[[], None],
) -> None:
    """Records until `stop`, and then what is left of calls that have ended; with `at_once` not even that.
    `ready` is called once the store is open. The `outbox` gets what is to be exported. What is deleted when
    its time is over is the first share's."""
    collect_rarely()
    kept = Kept(settings.retention_days, settings.days_of_projects("retention_days"))
    sound_kept = Kept(settings.audio_retention_days, settings.days_of_projects("audio_retention_days"))
    with Store(settings.database_url) as store:
        blobs = open_blobs(settings)
        with closing(Compactor(store, blobs, settings.data_dir / "compact", share.has)) as compactor:
            scratch = settings.data_dir / "scratch"
            redactions = Redactions(
                settings.redaction_of_projects, scratch, settings.provider_keys(os.environ)
            )
            rebuilder = Rebuilder(store, blobs, share.has, redactions, compactor)
            scoring = ScoringWishes(store, Outbox(settings.scoring_dir), hears_runs=share.is_first)
            on_done = [scoring.add, *([_into(outbox)] if outbox is not None else [])]
            transcriptions = _transcriptions(settings, store, blobs, share, rebuilder, redactions, on_done)
            retention = Retention(store, blobs, kept, sound_kept, compactor=compactor, scratch=scratch)
            recorder = Recorder(
                wire_dir=settings.wire_dir,
                store=store,
                blobs=blobs,
                share=share,
                retention=retention if share.is_first else None,
                compactor=compactor,
                rebuilder=rebuilder,
                transcriptions=transcriptions,
                redactions=redactions,
                indexing=Indexing(store),
                scoring=scoring,
                on_finished=transcriptions.add,
                sharing=_sharing(settings, store, share),
            )
            sweep = CacheSweep(open_cache(settings), settings.cache.largest_bytes)
            if share.is_first:
                sweep.start()
            ready()
            recorder.run(stop, at_once)
            sweep.close()
            transcriptions.close()


def _transcriptions(
    settings: Settings,
    store: Store,
    blobs: Blobs,
    share: Share,
    rebuilder: Rebuilder,
    redactions: Redactions,
    on_done: Sequence[Callable[[Sequence[str]], None]],
) -> Transcriptions:
    """A session is exported, and scored, when it has all the words it will get."""
    dictation = Dictation(settings.provider_keys(os.environ))
    router = Router(settings, os.environ)
    for project, wanted in settings.transcription_of_projects.items():
        try:
            router.transcribers(wanted.model)
        except UpstreamRefused as error:  # a key may be missing; calls are recorded all the same
            logger.warning("the calls of project %s will have no words of ours: %s", project, error)
    parts = Parts(
        store=store,
        blobs=blobs,
        marks=Marks(settings.data_dir / "transcribe"),
        scribes=Scribes(blobs, dictation),
        rebuilder=rebuilder,
        router=router,
        prices=PriceTable(settings.prices),
        wanted=settings.transcription_of_projects,
        redactions=redactions,
        is_ours=share.has,
        on_done=_all_of(on_done),
        holder=machine_id(settings.data_dir) if settings.machines_share else None,
    )
    return Transcriptions(parts)


def _sharing(settings: Settings, store: Store, share: Share) -> Sharing | None:
    """With other machines, where they share database and blobs."""
    shared = open_shared(settings)
    if shared is None:
        return None
    machine = Machine(store, machine_id(settings.data_dir), settings.takeover_seconds, share)
    return Sharing(store, shared, settings.wire_dir, machine)


def _all_of(told: Sequence[Callable[[Sequence[str]], None]]) -> Callable[[Sequence[str]], None]:
    def tell(session_ids: Sequence[str]) -> None:
        for one in told:
            one(session_ids)

    return tell


def _into(outbox: Outbox) -> Callable[[Sequence[str]], None]:
    """What the disk does not take is not exported: nothing of that may hold up a recording."""

    def add(session_ids: Sequence[str]) -> None:
        for session_id in session_ids:
            try:
                outbox.add(session_id)
            except (OSError, ValueError) as error:
                logger.error("session %s will not be exported: %s", session_id, error)

    return add
