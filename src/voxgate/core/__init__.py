"""Layer 1: errors, ids, clock, settings. No I/O beyond reading the settings file."""
