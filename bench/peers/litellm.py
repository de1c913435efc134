"""LiteLLM's realtime proxy, from its package: an environment of its own is made at the first run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import RELAY_CORE, descendants, free_port, pin_to, wait_for_port
from bench.peers.process import NotHere, Running, Setup, last_words, started

_PACKAGE: Final = "litellm[proxy]==1.105.0"
_FOLDER: Final = Path(__file__).parent.parent / ".peers" / "litellm"
_INSTALLED: Final = _FOLDER / "installed"
_KEY: Final = "sk-bench"
_START_SECONDS: Final = 120.0
_CONFIG: Final = """\
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{provider}
      api_key: x
general_settings:
  master_key: {key}
"""


@contextmanager
def litellm(setup: Setup) -> Iterator[Running]:
    if setup.certificate or setup.workers != 1:
        raise NotHere("is measured without TLS and with one process only")
    _install()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config, log = Path(folder) / "config.yaml", Path(folder) / "log"
        config.write_text(_CONFIG.format(provider=setup.provider, key=_KEY))
        command = [str(_FOLDER / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1"]
        # Its list of prices is in the package too: it shall not ask the network for a newer one.
        environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        with started([*command, "--port", str(port)], log, cwd=folder, env=environ) as process:
            try:
                wait_for_port(port, _START_SECONDS)
            except OSError as error:
                raise NotHere(f"did not start: {last_words(log)}") from error
            relay = [process.pid, *descendants(process.pid)]
            pin_to(RELAY_CORE, relay)
            yield Running(port, _KEY, relay, log=log)


def _install() -> None:
    if _INSTALLED.is_file() and _INSTALLED.read_text() == _PACKAGE:
        return
    print(f"installing {_PACKAGE} into {_FOLDER} (about 750 MB, once)", file=sys.stderr, flush=True)
    pip = [str(_FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(_FOLDER)], check=True)
        subprocess.run([*pip, _PACKAGE], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHere(f"{_PACKAGE} could not be installed into {_FOLDER}: {error}") from error
    _INSTALLED.write_text(_PACKAGE)
