"""What `voxgate serve` does: checks the ground, binds the port, starts the processes and says where to go."""

from __future__ import annotations

import errno
import functools
import logging
import os
import secrets
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console

from voxgate.auth.keys import load_admin_key
from voxgate.auth.tokens import TOKEN_KEYS_NAME, load_token_keys
from voxgate.cli.processes import Child
from voxgate.cli.supervisor import EXPORTER_PLACE, Supervisor
from voxgate.core.errors import SettingsError
from voxgate.core.settings import ASKED, Settings, explain
from voxgate.export.outbox import Outbox
from voxgate.export.target import OtlpTarget, resolve_target
from voxgate.gateway.certificates import tls_context
from voxgate.gateway.scoreboard import Scoreboard
from voxgate.providers.local.settings import LocalSettings, installed, resolve_ear, resolve_voice
from voxgate.providers.replays import replay_provider
from voxgate.store import Store, check_blobs

_BACKLOG: Final = 2048
_LOCAL_START_SECONDS: Final = 60.0
_WORKER_STOP_SECONDS: Final = 20.0
"""Beyond the drain: to say why calls are closed, and to write what is still in memory."""
_RECORDER_STOP_SECONDS: Final = 15.0
_EXPORTER_STOP_SECONDS: Final = 15.0
_SCORER_STOP_SECONDS: Final = 5.0
"""What it is in the middle of is begun again."""
_BLOBS: Final = ("blobs_url", "blobs_endpoint", "blobs_region")
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}
"""For the recorder: numpy's own threads would wait, turning, on the core that relays."""
_LOCAL: Final = ("local", "local_enabled")
_FIXED: Final = ("host", "port", "data_dir", "database_url", *_BLOBS, "recorders", "export", *_LOCAL)
"""What a rolling restart cannot change: the port is open, and the other processes go on."""

logger = logging.getLogger(__name__)


def start(load: Callable[[], Settings], config: Path | None, sources: Callable[[], dict[str, str]]) -> None:
    """Runs everything until a signal. SettingsError, with what to do, when it cannot. `config` is the file
    that the settings came from, for the errors; `load` reads them, now and at every rolling restart, and
    `sources` says where each comes from."""
    os.umask(0o077)  # what is recorded is nobody else's to read
    settings = load()
    local_settings = check_local(settings, config)
    check_tls(settings)
    target = resolve_target(settings.export.otlp, os.environ)
    prepare_data_dir(settings)
    listener = bind(settings.host, settings.port)
    admin_key, is_new = _admin_key(settings)
    with listener, bind("127.0.0.1", 0) as local_listener, bind("127.0.0.1", 0) as replay_listener:
        has_local = settings.local_enabled and local_is_available(local_settings)
        local = _local_child(settings, local_listener) if has_local else None
        playback = _playback_child(settings, replay_listener)
        embedded = {
            "local": local.orders["upstream"] if local else None,
            "replays": playback.orders["upstream"],
        }
        board = Scoreboard.create()

        def reload() -> list[Child]:
            fresh = _reloaded(load(), settings, config)
            return _workers(fresh, _admin_key(fresh)[0], listener, board, embedded, sources())

        supervisor = Supervisor(
            _workers(settings, admin_key, listener, board, embedded, sources()),
            [
                *([local] if local else []),
                playback,
                *([_exporter_child(settings, listener, board)] if target else []),
                _scorer_child(settings),
                *_recorder_children(settings, exports=target is not None),
            ],
            board=board,
            reload=reload,
            close_port=listener.close,
        )
        shown_key = admin_key if is_new else None
        supervisor.run(on_ready=_announcement(settings, listener, shown_key, has_local, target))


def check_local(settings: Settings, config: Path | None) -> LocalSettings:
    """SettingsError, naming the key and its line, when `[providers.local]` is wrong."""
    try:
        return LocalSettings.model_validate(settings.local)
    except ValidationError as error:
        raise SettingsError(explain(error, config, ("providers", "local"))) from error


def check_tls(settings: Settings) -> None:
    """SettingsError when the certificate and its key cannot be used."""
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None or key is None:
        if certificate or key:
            raise SettingsError("--tls-cert and --tls-key belong together: give both or none.")
        return
    tls_context(certificate, key)


def local_is_available(settings: LocalSettings) -> bool:
    """Whether the parts of the embedded provider are installed. SettingsError when they are but its settings
    ask for one that is not."""
    if not installed("_webrtcvad"):
        return False
    resolve_voice(settings)
    resolve_ear(settings)
    return True


def prepare_data_dir(settings: Settings) -> None:
    """Makes the data folder and what every process expects in it. SettingsError when it cannot be written."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for inner in (settings.wire_dir, folder / "blobs"):
            inner.mkdir(exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"The data folder {folder} cannot be written: {error.strerror} ({error.filename}). "
            "Choose another with --data-dir."
        ) from error
    load_token_keys(folder / TOKEN_KEYS_NAME)
    check_blobs(settings)
    Store(settings.database_url).close()  # the schema is there before the processes race for it


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. SettingsError, with what to do, when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {port} on {host} is already taken by another program. "
                f"Stop it, or choose another port: voxgate serve --port {port + 1}"
            ) from error
        raise SettingsError(f"Cannot listen on {host}:{port}: {error}.") from error
    return listener


def _admin_key(settings: Settings) -> tuple[str, bool]:
    configured = settings.api_key.get_secret_value() if settings.api_key else None
    return load_admin_key(settings.admin_key_path, configured)


def _reloaded(fresh: Settings, first: Settings, config: Path | None) -> Settings:
    """New settings for new workers; SettingsError when they are wrong. What cannot change stays."""
    check_tls(fresh)
    check_local(fresh, config)
    for key in _FIXED:
        if getattr(fresh, key) != getattr(first, key):
            name = "providers.local" if key == "local" else key
            logger.warning("%s has changed: that needs a stop and a start, and stays as it was", name)
    return fresh.model_copy(update={key: getattr(first, key) for key in _FIXED})


def _workers(
    settings: Settings,
    admin_key: str,
    listener: socket.socket,
    board: Scoreboard,
    embedded: dict[str, Any],
    sources: dict[str, str],
) -> list[Child]:
    orders = {
        "settings": _plain(settings),
        "admin_key": admin_key,
        "sources": sources,
        **embedded,
        "descriptor": listener.fileno(),
        "board": board.descriptor,
    }
    shared = [listener.fileno(), board.descriptor]
    seconds = settings.drain_seconds + _WORKER_STOP_SECONDS
    return [Child("worker", dict(orders), shared, seconds) for _ in range(settings.workers)]


def _local_child(settings: Settings, listener: socket.socket) -> Child:
    key = secrets.token_urlsafe(24)
    orders = {
        "settings": _plain(settings),
        "key": key,
        "descriptor": listener.fileno(),
        "upstream": {
            "base_url": f"http://127.0.0.1:{listener.getsockname()[1]}/v1",
            "api_key": key,
            # Its socket is there before it is, and while it is started again: a call waits for it.
            "connect_timeout_seconds": _LOCAL_START_SECONDS,
        },
    }
    return Child("local", orders, [listener.fileno()])


def _playback_child(settings: Settings, listener: socket.socket) -> Child:
    """It is started by the first call to a model `replay:…`: most never have one."""
    key = secrets.token_urlsafe(24)
    orders = {
        "settings": _plain(settings),
        "key": key,
        "descriptor": listener.fileno(),
        "upstream": replay_provider(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", key),
    }
    has_call = functools.partial(select.select, [listener], [], [], 0)
    return Child("playback", orders, [listener.fileno()], on_call=lambda: bool(has_call()[0]))


def _scorer_child(settings: Settings) -> Child:
    """It is started by the first session that a rule may want."""
    box, webhooks = Outbox(settings.scoring_dir), settings.scoring_dir / "webhooks"
    return Child(
        "scorer",
        {"settings": _plain(settings)},
        stop_seconds=_SCORER_STOP_SECONDS,
        environ=_ONE_THREAD,
        on_call=lambda: bool(box.waiting()) or any(webhooks.glob("msg_*.json")),
    )


def _recorder_children(settings: Settings, *, exports: bool) -> list[Child]:
    count = settings.recorders
    orders = {"settings": _plain(settings), "exports": exports}
    return [
        Child(
            f"recorder {number + 1}" if count > 1 else "recorder",
            {**orders, "share": [number, count]},
            stop_seconds=_RECORDER_STOP_SECONDS,
            environ=_ONE_THREAD,
        )
        for number in range(count)
    ]


def _exporter_child(settings: Settings, listener: socket.socket, board: Scoreboard) -> Child:
    orders = {
        "settings": _plain(settings),
        "board": board.descriptor,
        "number": EXPORTER_PLACE,
        "public_url": settings.export.public_url or _url(listener, settings),
    }
    return Child("exporter", orders, [board.descriptor], _EXPORTER_STOP_SECONDS)


def _plain(settings: Settings) -> dict[str, Any]:
    """As JSON, for a child, with the keys of others that stand in the file."""
    plain = settings.model_dump(mode="json", exclude={"api_key"})
    for name, provider in settings.providers.items():
        if provider.api_key is not None:
            plain["providers"][name]["api_key"] = provider.api_key.get_secret_value()
    for name in ASKED:
        if (key := getattr(settings, name).api_key) is not None:
            plain[name]["api_key"] = key.get_secret_value()
    return plain


def _announcement(
    settings: Settings,
    listener: socket.socket,
    new_key: str | None,
    has_local: bool,
    target: OtlpTarget | None,
) -> Callable[[], None]:
    """`new_key` is the admin key if it was made just now: it is shown this once, and not in every log."""
    url = _url(listener, settings)

    def announce() -> None:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"\n[bold]Voxgate[/bold] is running at [bold]{url}[/bold]\n")
        console.print(f"  Open       {url}/#key={new_key}" if new_key else f"  Open       {url}")
        if settings.api_key is None:
            console.print(f"  Admin key  {new_key or f'in {settings.admin_key_path.resolve()}'}")
        console.print(f"  Data       {settings.data_dir.resolve()}")
        if target is not None:
            console.print(f"  Traces     to {target.url}")
        if settings.local_enabled and not has_local:
            console.print("  The model 'local' is off: pip install 'voxgate\\[local]' switches it on.")
        console.print("\n  Stop with Ctrl-C.\n")

    return announce


def _url(listener: socket.socket, settings: Settings) -> str:
    """Where this Voxgate is, as far as it knows itself."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"
