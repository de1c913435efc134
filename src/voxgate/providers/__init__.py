"""Layer 4: one file per provider: URL, headers, dialect, quirks; `local/` is the embedded one."""
