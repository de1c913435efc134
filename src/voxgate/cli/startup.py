"""What `voxgate serve` does: checks the ground, binds the port, starts the processes and says where to go."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console

from voxgate.auth.keys import load_admin_key
from voxgate.auth.tokens import TOKEN_KEYS_NAME, load_token_keys
from voxgate.cli.processes import Child, Supervisor
from voxgate.core.errors import SettingsError
from voxgate.core.settings import Settings, explain
from voxgate.providers.local.settings import LocalSettings, installed, resolve_ear, resolve_voice
from voxgate.store import Store

_BACKLOG: Final = 2048


def start(settings: Settings, config: Path | None) -> None:
    """Runs everything until a signal. SettingsError, with what to do, when it cannot. `config` is the file
    that the settings came from, for the errors."""
    os.umask(0o077)  # what is recorded is nobody else's to read
    local_settings = check_local(settings, config)
    check_tls(settings)
    prepare_data_dir(settings)
    listener = bind(settings.host, settings.port)
    admin_key, is_new = _admin_key(settings)
    with listener, bind("127.0.0.1", 0) as local_listener:
        has_local = local_is_available(local_settings)
        groups = _children(settings, admin_key, listener, local_listener if has_local else None)
        # What takes calls stops first, then what it dials, then what writes down what they did.
        supervisor = Supervisor(groups, stop_seconds=settings.drain_seconds + 15)
        supervisor.run(on_ready=_announcement(settings, listener, admin_key if is_new else None, has_local))


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
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The certificate {certificate} with the key {key} cannot be used: {error}"
        ) from error


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
        for inner in (settings.wire_dir, settings.blobs_dir):
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


def _children(
    settings: Settings, admin_key: str, listener: socket.socket, local_listener: socket.socket | None
) -> list[list[Child]]:
    plain = settings.model_dump(mode="json", exclude={"api_key"})
    for name, provider in settings.providers.items():
        if provider.api_key is not None:
            plain["providers"][name]["api_key"] = provider.api_key.get_secret_value()
    upstream: dict[str, Any] | None = None
    locals_: list[Child] = []
    if local_listener is not None:
        key = secrets.token_urlsafe(24)
        address = f"http://127.0.0.1:{local_listener.getsockname()[1]}/v1"
        upstream = {"base_url": address, "api_key": key}
        orders = {"settings": plain, "key": key, "descriptor": local_listener.fileno()}
        locals_ = [Child("local", orders, [local_listener.fileno()])]
    orders = {
        "settings": plain,
        "admin_key": admin_key,
        "local": upstream,
        "descriptor": listener.fileno(),
    }
    workers = [
        Child(f"worker {number}", orders, [listener.fileno()]) for number in range(1, settings.workers + 1)
    ]
    return [workers, locals_, [Child("recorder", {"settings": plain})]]


def _announcement(
    settings: Settings, listener: socket.socket, new_key: str | None, has_local: bool
) -> Callable[[], None]:
    """`new_key` is the admin key if it was made just now: it is shown this once, and not in every log."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    scheme = "https" if settings.tls_cert else "http"
    url = f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"

    def announce() -> None:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"\n[bold]Voxgate[/bold] is running at [bold]{url}[/bold]\n")
        console.print(f"  Open       {url}/#key={new_key}" if new_key else f"  Open       {url}")
        if settings.api_key is None:
            console.print(f"  Admin key  {new_key or f'in {settings.admin_key_path.resolve()}'}")
        console.print(f"  Data       {settings.data_dir.resolve()}")
        if not has_local:
            console.print("  The model 'local' is off: pip install 'voxgate\\[local]' switches it on.")
        console.print("\n  Stop with Ctrl-C.\n")

    return announce
