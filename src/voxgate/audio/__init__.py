"""Layer 2, pure: PCM, G.711, resampling, peaks, mixing. Bytes and numpy arrays in, the same out; no I/O."""
