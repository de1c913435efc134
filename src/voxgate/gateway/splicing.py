"""The compiled part of the relay, `_splice.c`. It does what `Leg.splice` and `Leg.receive_judged` do, and
those do it where it was not built: without a C compiler, and elsewhere than on Linux."""

from __future__ import annotations

import importlib
import ssl
from typing import Any

from voxgate.gateway.glance import Glance
from voxgate.gateway.sockets import SocketTransport
from voxgate.gateway.tls import LARGEST_RECORD, WAITS, TlsSocket
from voxgate.realtime.frames import FrameDecoder, FrameFollower
from voxgate.realtime.peek import SOUND
from voxgate.recording.layout import ENTRY
from voxgate.recording.spool import CHUNK, Spool, WireLog
from voxgate.recording.wirelog import RECORD


def compiled_splice(leg: type) -> Any:
    """The module, with `reader(leg)` and `judging_reader(leg)`; None where it was not built."""
    try:
        module = importlib.import_module("voxgate.gateway._splice")
    except ImportError:
        return None
    classes = leg, FrameFollower, SocketTransport, WireLog, Spool, Glance, FrameDecoder, TlsSocket
    tls = WAITS, ssl.SSLEOFError, LARGEST_RECORD
    module.configure(classes, ENTRY.size, RECORD.size, CHUNK, tuple(SOUND.items()), tls)
    return module
