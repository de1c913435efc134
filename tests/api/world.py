"""The control plane over a real store, real blobs and real keys, asked through a test client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from voxgate.api.app import build_api
from voxgate.auth.keys import KeyRing, Role
from voxgate.auth.tokens import TokenBox
from voxgate.auth.web import WebSignIn
from voxgate.store import FolderBlobs, Store

ADMIN_KEY = "vg_the-admin-key-of-the-tests"
MODELS = [{"id": "local", "object": "model", "created": 0, "owned_by": "local", "provider": "local"}]
TRACKS = {name: {"rate": 24_000, "channels": 1, "bytes": 4800} for name in ("user", "assistant", "heard")}
TRACKS["mix"] = {"rate": 24_000, "channels": 2, "bytes": 9600}


@dataclass
class World:
    """Everything that a test of the control plane needs."""

    store: Store
    blobs: FolderBlobs
    keys: KeyRing
    cookies: TokenBox
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = build_api(
            store=self.store,
            blobs=self.blobs,
            keys=self.keys,
            sign_in=WebSignIn(self.keys, self.cookies),
            models=lambda: MODELS,
        )

    def client(self, key: str | None = ADMIN_KEY, base_url: str = "http://voxgate.test") -> TestClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return TestClient(self.app, base_url=base_url, headers=headers, raise_server_exceptions=False)

    def key(self, role: Role, project: str | None = None, expires_at: str | None = None) -> str:
        return self.keys.create(f"{role} of {project}", role, project, expires_at)[1]

    def add_session(self, session_id: str = "sess_1", **more: Any) -> None:
        row = {"id": session_id, "project": "shop", "status": "complete", "data": {"tracks": TRACKS}}
        self.store.save_session(row | more)

    def add_pcm(self, track: str, pcm: bytes, session_id: str = "sess_1") -> None:
        self.blobs.put(f"sessions/{session_id}/{track}.pcm", pcm)
