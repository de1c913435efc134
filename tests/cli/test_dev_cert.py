"""`voxgate dev-cert`: what it makes, and that clients which trust it, and nothing else, can call by wss."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from websockets.asyncio.client import connect

from tests.cli.commands import Command
from tests.running import Voxgate, start_voxgate
from voxgate.cli.main import app
from voxgate.core.errors import InvalidRequest, SettingsError

PYTHON_SDK = """\
import asyncio, sys
from openai import AsyncOpenAI

async def main(url, key):
    async with AsyncOpenAI(base_url=url + "/v1", api_key=key) as client:
        models = await client.models.list()
        assert "local" in [model.id for model in models.data]
        async with client.realtime.connect(model="local") as call:
            print((await call.recv()).type)

asyncio.run(main(*sys.argv[1:]))
"""
NODE = """\
const https = require("https");
const [url, key] = process.argv.slice(1);
const headers = {authorization: `Bearer ${key}`, connection: "Upgrade", upgrade: "websocket",
                 "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="};
fetch(url + "/healthz").then(async (answer) => {
  console.log((await answer.json()).status);
  https.get(url + "/v1/realtime?model=local", {headers})
       .on("upgrade", (answer) => { console.log(answer.statusCode); process.exit(0); });
}).catch((error) => { console.log(error.cause.code); process.exit(1); });
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def dev_cert(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["dev-cert", *arguments], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def handshake(server: Path, client: ssl.SSLContext, name: str) -> None:
    """In memory, between the files of that folder and a client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server / "cert.pem", server / "key.pem")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(there, back, server_side=True)
    theirs = client.wrap_bio(back, there, server_hostname=name)
    for each in (theirs, ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            each.do_handshake()


def strict(authority: Path) -> ssl.SSLContext:
    """As Python's own is from 3.13 on."""
    context = ssl.create_default_context(cafile=str(authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def test_the_files_are_in_the_data_folder_and_the_key_is_nobody_elses(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        said = dev_cert().output
    folder = tmp_path / "voxgate-data" / "tls"
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    assert [mode(folder / "key.pem"), mode(folder), mode(folder.parent)] == [0o600, 0o700, 0o700]
    assert f"voxgate serve --tls-cert {folder}/cert.pem --tls-key {folder}/key.pem" in said
    assert f"SSL_CERT_FILE={folder}/ca.pem" in said
    assert f"NODE_EXTRA_CA_CERTS={folder}/ca.pem" in said
    assert "PRIVATE KEY" not in (folder / "ca.pem").read_text()


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "::1", "voice.test", "a.shop.test", "192.0.2.7", "2001:db8::1"]
)
def test_it_is_good_for_this_machine_and_for_the_names_that_were_given(tmp_path: Path, name: str) -> None:
    dev_cert("Voice.test", "*.shop.test", "192.0.2.7", "2001:db8::1", "--to", str(tmp_path))
    handshake(tmp_path, strict(tmp_path / "ca.pem"), name)
    for other in ("example.test", "shop.test", "192.0.2.8"):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(tmp_path, strict(tmp_path / "ca.pem"), other)


@pytest.mark.parametrize(
    "name", ["", "two words", "https://voice.test", "voice.test:8600", "a..b", "-a", "ä.test"]
)
def test_what_is_no_name_is_refused_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is neither a host nor an address"):
        CliRunner().invoke(
            app, ["dev-cert", "--to", str(tmp_path / "new"), "--", name], catch_exceptions=False
        )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("there", ["ca.pem", "cert.pem", "key.pem"])
def test_no_file_is_overwritten_without_a_word(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(SettingsError, match=rf"{there} is there already. --force replaces it"):
        dev_cert("--to", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"
    dev_cert("--to", str(tmp_path), "--force")
    handshake(tmp_path, strict(tmp_path / "ca.pem"), "localhost")


def test_a_folder_that_cannot_be_written_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file.* cannot be written"):
        dev_cert("--to", str(tmp_path / "file" / "tls"))


def test_the_help_shows_examples() -> None:
    assert "voxgate dev-cert voice.test" in dev_cert("--help").output


@dataclass(frozen=True)
class Serving:
    running: Voxgate
    authority: Path

    @property
    def url(self) -> str:
        return self.running.url.replace("127.0.0.1", "localhost")

    async def run(self, *command: str, **environ: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command, self.url, self.running.key,
            env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, output.decode()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("dev-cert")
    dev_cert("--to", str(folder / "tls"))
    files = ["--tls-cert", str(folder / "tls/cert.pem"), "--tls-key", str(folder / "tls/key.pem")]
    running = start_voxgate(folder, *files)
    yield Serving(running, folder / "tls/ca.pem")
    assert running.stop() == 0


@pytest.mark.anyio
@pytest.mark.local
async def test_a_client_that_trusts_the_new_authority_only_calls_by_wss(serving: Serving) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(serving.authority)
    url = serving.url.replace("https", "wss") + "/v1/realtime?model=local"
    async with connect(url, additional_headers=serving.running.auth, ssl=context) as call:
        assert "session.created" in str(await call.recv())
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(url, additional_headers=serving.running.auth)


@pytest.mark.anyio
@pytest.mark.local
async def test_the_python_sdk_calls_with_ssl_cert_file(serving: Serving) -> None:
    command = (sys.executable, "-c", PYTHON_SDK)
    assert await serving.run(*command, SSL_CERT_FILE=str(serving.authority)) == (0, "session.created\n")


@pytest.mark.anyio
@pytest.mark.local
@pytest.mark.skipif(not shutil.which("node"), reason="needs Node")
async def test_node_calls_with_node_extra_ca_certs(serving: Serving) -> None:
    command = ("node", "-e", NODE)
    assert await serving.run(*command, NODE_EXTRA_CA_CERTS=str(serving.authority)) == (0, "ok\n101\n")
    status, said = await serving.run(*command)
    assert status == 1
    assert "UNABLE_TO_VERIFY" in said


@pytest.mark.anyio
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
async def test_curl_answers_with_cacert(serving: Serving) -> None:
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "--cacert", str(serving.authority), f"{serving.url}/healthz", stdout=subprocess.PIPE
    )
    assert (await process.communicate())[0] == b'{"status":"ok"}'


def test_the_commands_trust_it_with_ssl_cert_file_and_say_so_without(serving: Serving) -> None:
    trusting = Command(serving.running, {"SSL_CERT_FILE": str(serving.authority)})
    assert trusting("keys", "list").status == 0
    refused = Command(serving.running)("keys", "list")
    assert refused.status == 2
    assert "is not trusted" in refused.errors
    assert "SSL_CERT_FILE" in refused.errors
