"""One run of a client's program: a key for it, its call, and the verdicts on what came of it."""

from __future__ import annotations

import contextlib
import functools
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.clients.matrix import checks
from tests.clients.matrix.python import talk
from tests.clients.matrix.roster import Client
from tests.clients.matrix.witness import PROVIDER_KEY, Seen, Witness
from tests.clients.programs import environment, session_of
from tests.running import Voxgate, start_voxgate

Verdicts = dict[str, str | None]
"""Of each step: None if it passed, else what was wrong."""
STEPS: Final = ("credential", "text", "audio", "tool", "events", "close", "key", "plain")
_CONFIG: Final = """\
[providers.house]
base_url = "{base_url}"
api_key_env = "HOUSE_KEY"

[[routes]]
model = "gpt-realtime*"
providers = ["house"]
"""


@dataclass(frozen=True)
class Site:
    """What a program is pointed at: Voxgate with TLS and without, one provider behind both."""

    secure: Voxgate
    plain: Voxgate
    witness: Witness
    authority: Path
    """What the programs are told to trust."""
    speech: Path

    @functools.cached_property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    def environment(self, client: Client, url: str, key: str, *, whole: bool) -> dict[str, str]:
        """Of a program: the only place where it learns the address and the key."""
        return environment(
            CLIENT_URL=f"{url}/v1",
            CLIENT_KEY=key,
            CLIENT_MODEL=client.model,
            CLIENT_SPEECH=str(self.speech),
            CLIENT_SAYS="all" if whole else "one sentence",
            SSL_CERT_FILE=str(self.authority),
            NODE_EXTRA_CA_CERTS=str(self.authority),
        )


Run = Callable[[Client, dict[str, str]], Awaitable[str]]
"""Runs a client's program with this environment; gives what it wrote."""


@dataclass
class Outcome:
    dialect: str
    verdicts: Verdicts = field(default_factory=dict)


async def judge(client: Client, site: Site, run: Run) -> Outcome:
    """The whole call with a temporary credential, then a sentence with an API key, and one without TLS."""
    project = f"matrix-{client.id}"
    secret = await site.secure.request(
        "POST",
        "/v1/credentials",
        json={"model": client.model, "logging": {"project_name": project}},
        ssl=site.trust,
    )
    env = site.environment(client, site.secure.url, secret["key"], whole=True)
    account, seen, truth = await _call(client, site, run, env)
    outcome = Outcome(dialect="unknown")
    for step, check in checks.of_a_whole_call(account, site.speech.read_bytes()).items():
        outcome.verdicts[step] = verdict(check, client, account, seen, truth)
    if seen is not None:
        await _look_at_the_trace(outcome, account, site, project)
    outcome.verdicts["key"] = await _sentence(client, site, run, site.secure)
    outcome.verdicts["plain"] = await _sentence(client, site, run, site.plain)
    return outcome


async def _look_at_the_trace(outcome: Outcome, account: dict[str, Any], site: Site, project: str) -> None:
    try:
        trace = await session_of(site.secure, f"project:{project}", ssl=site.trust)
    except AssertionError as error:
        outcome.verdicts["close"] = str(error)
        return
    outcome.dialect = checks.dialect_of(account) or trace["dialect"]
    if outcome.verdicts["close"] is None and trace["status"] != "complete":
        outcome.verdicts["close"] = f"the trace is {trace['status']}"


async def _sentence(client: Client, site: Site, run: Run, voxgate: Voxgate) -> str | None:
    env = site.environment(client, voxgate.url, voxgate.key, whole=False)
    account, seen, truth = await _call(client, site, run, env)
    for check in (checks.closed, checks.connected, checks.wrote):
        why = verdict(check, client, account, seen, truth)
        if why is not None:
            return why
    return None


async def _call(
    client: Client, site: Site, run: Run, env: dict[str, str]
) -> tuple[dict[str, Any], Seen | None, dict[str, Any]]:
    since = len(site.witness.seen)
    output = await run(client, env)
    account = _account_in(output)
    calls = await site.witness.ended(since)
    if not calls:
        account["failure"] = account["failure"] or "no call came to the provider"
        return account, None, account
    if len(calls) > 1:
        account["failure"] = f"{len(calls)} calls came to the provider instead of one"
    return account, calls[0], checks.told(calls[0])


def _account_in(output: str) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        if line.startswith(talk.MARK):
            account: dict[str, Any] = json.loads(line.removeprefix(talk.MARK))
            return account
    return talk.Account(failure=output[-1500:] or "the program said nothing").to_json()


def verdict(check: checks.Check, client: Client, account: Any, seen: Seen | None, truth: Any) -> str | None:
    """None if the step passed, else what was wrong."""
    if seen is None:
        return str(account["failure"]).strip().splitlines()[-1]
    try:
        check(client, account, seen, truth)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        # Whatever an account lacks is a step that did not pass; why the program stopped says more.
        last = str(account["failure"] or "").strip().splitlines()[-1:]
        return "; ".join([str(error) or type(error).__name__, *last])
    return None


@contextlib.asynccontextmanager
async def site_in(folder: Path, speech: Path) -> AsyncIterator[Site]:
    """Starts the provider, the witness before it, and two Voxgates; ends them all."""
    tls = folder / "tls"
    _voxgate("dev-cert", "--to", str(tls))
    with _local(folder / "local.log") as local_url:
        witness = Witness(local_url)
        async with witness.listening() as provider:
            flags = ("--config", str(folder / "voxgate.toml"))
            (folder / "voxgate.toml").write_text(_CONFIG.format(base_url=provider.base_url))
            started = []
            try:
                shown = ("--tls-cert", str(tls / "cert.pem"), "--tls-key", str(tls / "key.pem"))
                for name, more in (("secure", shown), ("plain", ())):
                    (folder / name).mkdir()
                    environ = {"HOUSE_KEY": PROVIDER_KEY}
                    started.append(start_voxgate(folder / name, *flags, *more, environ=environ))
                yield Site(*started, witness, tls / "ca.pem", speech)
            finally:
                for voxgate in started:
                    voxgate.stop()


def _voxgate(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voxgate", *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _local(log: Path) -> Iterator[str]:
    """The embedded provider alone; its address."""
    command = [sys.executable, "-m", "voxgate", "local", "--port", "0"]
    env = environment(VOXGATE_LOCAL_KEY=PROVIDER_KEY, PYTHONUNBUFFERED="1")
    with log.open("w") as said_besides:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said_besides, env=env, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith("Listening at "), log.read_text()
        yield said.removeprefix("Listening at ").split("?")[0]
    finally:
        process.terminate()
        process.wait(20)
