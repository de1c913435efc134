"""Where blobs are, as the settings say it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voxgate.core.errors import BlobsUnavailable, SettingsError
from voxgate.core.settings import Settings
from voxgate.store.blobs import FolderBlobs

if TYPE_CHECKING:
    from voxgate.store.s3 import S3Blobs
    from voxgate.store.staged import StagedBlobs

logger = logging.getLogger(__name__)


def open_blobs(settings: Settings) -> FolderBlobs | StagedBlobs:
    """Reads and writes nothing yet."""
    folder = FolderBlobs(settings.blobs_dir)
    if settings.blobs_url is None or not settings.blobs_url.startswith("s3://"):
        return folder
    try:
        # Only here: nobody else should have the client of a store that he does not use.
        from voxgate.store.s3 import S3Blobs  # noqa: PLC0415
        from voxgate.store.staged import StagedBlobs  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"There is no client for {settings.blobs_url}: {error}. Install it with:"
            " pip install 'voxgate[s3]'"
        ) from error
    return StagedBlobs(folder, S3Blobs(*_place(settings)))


def open_shared(settings: Settings) -> FolderBlobs | S3Blobs | None:
    """What other machines see at once; None where a machine is alone."""
    if not settings.machines_share:
        return None
    blobs = open_blobs(settings)
    return blobs if isinstance(blobs, FolderBlobs) else blobs.remote


def check_blobs(settings: Settings) -> None:
    """SettingsError when they cannot be where the settings say. A store that does not answer now is told in
    the log: calls can do without it."""
    if settings.blobs_url is not None and settings.blobs_url.startswith("file://"):
        if not settings.blobs_dir.is_dir():  # perhaps it is not mounted
            raise SettingsError(f"blobs_url: there is no folder {settings.blobs_dir}. Make it, or mount it.")
        return
    blobs = open_blobs(settings)
    try:
        if not isinstance(blobs, FolderBlobs):
            blobs.check()
    except BlobsUnavailable as error:
        logger.warning("%s Recordings wait on this machine.", error.message)


def _place(settings: Settings) -> tuple[str, str, str | None, str | None]:
    url = urlsplit(settings.blobs_url or "")
    return url.netloc, url.path.strip("/"), settings.blobs_endpoint, settings.blobs_region
