"""Layer 5: the wire log and the event log: append (never waits), read, follow, recover."""
