"""Layer 2, pure: the protocol: frames, events, session configuration, redaction. No I/O."""
