"""Layer 7: the recorder process. It follows the wire logs and writes event logs, traces and sound."""
