"""The masks of WebSocket frames (RFC 6455 section 5.3), in the fastest way that there is: payload and mask
in, payload out, masked or unmasked.
"""

from __future__ import annotations

from voxgate.realtime import frames

try:
    from websockets.speedups import apply_mask
except ImportError:  # a build without its C part
    apply_mask = frames.apply_mask  # type: ignore[assignment]  # takes bytes only, which is what it gets

__all__ = ["apply_mask"]
