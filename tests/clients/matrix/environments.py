"""The environments of the clients: the packages of each, as its lock file says, in a folder of its own under
`.clients/`, made at the first run and again when the lock file changes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.clients.programs import Toolchain
from tests.conftest import REPOSITORY

HERE: Final = Path(__file__).parent
FOLDER: Final = REPOSITORY / ".clients"
PROGRAMS: Final = HERE / "python"
JAVASCRIPT: Final = FOLDER / "javascript"
_INSTALL_SECONDS: Final = 600
_UNREACHABLE: Final = re.compile(
    r"Failed to establish a new connection|ConnectTimeout|ReadTimeout|NameResolution|Max retries exceeded"
    r"|ProxyError|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ECONNRESET"
)


class Unreachable(Exception):
    """No registry of packages answers."""


class NotInstalled(Exception):
    """A registry answered, and the packages could not be installed."""


def version_of(environment: str, package: str) -> str:
    """The one that the lock file pins."""
    locked = HERE / "requirements" / f"{environment}.txt"
    if locked.exists():
        found = re.search(rf"^{re.escape(package)}(?:\[.*\])?==(\S+)", locked.read_text(), re.MULTILINE)
        assert found is not None, (environment, package)
        return found[1]
    lock = json.loads((HERE / "javascript" / environment / "package-lock.json").read_text())
    version: str = lock["packages"][f"node_modules/{package}"]["version"]
    return version


def python_of(environment: str) -> Path:
    """Its interpreter, once everything is installed. Raises Unreachable and NotInstalled."""
    folder, locked = FOLDER / environment, HERE / "requirements" / f"{environment}.txt"
    python = folder / "bin" / "python"
    if not _is_installed(folder, locked):
        shutil.rmtree(folder, ignore_errors=True)
        run_installer(sys.executable, "-m", "venv", str(folder))
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # Of the large packages little is used: what is, compiles itself.
        pip.append("--no-compile")
        run_installer(*pip, "--retries", "2", "--timeout", "20", "--require-hashes", "-r", str(locked))
        _note_installed(folder, locked)
    return python


def copy_javascript() -> None:
    """Brings the programs beside the packages, which are looked for from there."""
    shutil.copytree(
        HERE / "javascript", JAVASCRIPT, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
    )


def install_javascript(environment: str, toolchain: Toolchain) -> None:
    """Raises Unreachable and NotInstalled."""
    folder = JAVASCRIPT / environment
    locked = folder / "package-lock.json"
    if not locked.exists() or _is_installed(folder, locked):
        return
    npm = [*toolchain.npm, "ci", "--ignore-scripts", "--no-progress", "--fetch-retries", "1"]
    run_installer(*npm, cwd=folder, env=toolchain.environment)
    _note_installed(folder, locked)


def run_installer(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Raises Unreachable and NotInstalled, with what it said."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{command[0]} took more than {_INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        words = (done.stdout + done.stderr)[-1500:]
        raise (Unreachable if _UNREACHABLE.search(words) else NotInstalled)(words)


def _fingerprint(locked: Path) -> str:
    return f"{hashlib.sha256(locked.read_bytes()).hexdigest()} {sys.version_info[:2]}"


def _is_installed(folder: Path, locked: Path) -> bool:
    stamp = folder / "installed"
    return stamp.exists() and stamp.read_text() == _fingerprint(locked)


def _note_installed(folder: Path, locked: Path) -> None:
    (folder / "installed").write_text(_fingerprint(locked))
