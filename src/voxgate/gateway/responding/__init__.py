"""The WebSocket mode of `responses`: a socket on which the client asks for one response after the other
(`response.create`), and that is a call like those of the Realtime API from its first message on.

    key → grant → 101 → first message → model → upstreams → dialled → the two legs of a `Call`
"""
