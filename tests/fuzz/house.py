"""A whole Voxgate with two workers for the fuzz test, its lenient provider, and whether it still stands."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

from tests.fuzz.campaign import SCOPES, TOKEN_MODEL, Broken, Campaign
from tests.fuzz.provider import LenientProvider
from tests.fuzz.tokens import PREFIX, TokenMutator
from tests.running import Voxgate, start_voxgate, workers_of
from voxgate.auth.tokens import TokenBox, load_token_keys
from voxgate.core import clock

_LIFE_SECONDS = 86_400
_BAD_WORDS = ("Traceback", " ERROR ", "could not be opened")


class House:
    def __init__(self, voxgate: Voxgate, campaign: Campaign) -> None:
        self.campaign = campaign
        self._voxgate = voxgate
        self._workers = workers_of(voxgate)

    def check(self) -> None:
        """Broken when a process died or the log tells of a failure."""
        bad = [line for line in self._voxgate.output if any(word in line for word in _BAD_WORDS)]
        if bad:
            raise Broken("the log tells of a failure:\n" + "".join(self._voxgate.output[-200:]))
        if self._voxgate.process.poll() is not None or workers_of(self._voxgate) != self._workers:
            raise Broken("a process died:\n" + "".join(self._voxgate.output[-50:]))


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[House]:
    async with LenientProvider() as provider:
        (folder / "voxgate.toml").write_text(
            f'[providers.fake]\nbase_url = "{provider.base_url}"\n'
            '[[routes]]\nmodel = "fake*"\nproviders = ["fake"]\n'
        )
        voxgate = start_voxgate(folder, "--workers", "2")
        try:
            yield House(voxgate, await _campaign(voxgate, provider))
        finally:
            code = voxgate.stop()
        if code:
            raise Broken(f"voxgate ended with {code}:\n" + "".join(voxgate.output[-50:]))


async def _campaign(voxgate: Voxgate, provider: LenientProvider) -> Campaign:
    life = {"ttl_seconds": _LIFE_SECONDS}
    logged = {"logging": {"project_name": "fuzz"}}
    keys = {name: (await voxgate.mint(**life, **logged | scopes))["key"] for name, scopes in SCOPES.items()}
    genuine = [
        (await voxgate.mint(model=TOKEN_MODEL, **life, **more))["key"]
        for more in ({}, logged, {"session": {"instructions": "x" * 500}, "metadata": {"user_id": "é"}})
    ]
    return Campaign(voxgate.url, keys, provider, _mutator(voxgate.data_dir, genuine))


def _mutator(data_dir: Path, genuine: list[str]) -> TokenMutator:
    own_keys = load_token_keys(data_dir / "token-keys.json")
    own, foreign = TokenBox(own_keys), TokenBox({name: os.urandom(32) for name in own_keys})
    now = clock.unix_seconds()
    late = [
        PREFIX + own.seal({"id": f"cred_{ago}", "exp": now - ago}, purpose="call") for ago in (0, 1, 10**9)
    ]
    others = [own.seal({"id": "k", "exp": now + _LIFE_SECONDS}, purpose=name) for name in ("web", "", "Call")]
    return TokenMutator(genuine, foreign, late, others)


def summary(house: House) -> str:
    return json.dumps(dict(house.campaign.done))
