"""The relays that are compared, each a context manager: given a `Setup`, it starts the relay in front of the
provider and answers with what is `Running`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.peers.litellm import litellm
from bench.peers.node import node_ws
from bench.peers.process import NotHere, Running, Setup
from bench.peers.proxies import direct, haproxy, nginx
from bench.peers.voxgate import voxgate

Peer = Callable[[Setup], AbstractContextManager[Running]]

PEERS: dict[str, Peer] = {
    "direct": direct,
    "nginx": nginx,
    "haproxy": haproxy,
    "node-ws": node_ws,
    "litellm": litellm,
    "voxgate": voxgate,
}

__all__ = ["PEERS", "NotHere", "Peer", "Running", "Setup"]
