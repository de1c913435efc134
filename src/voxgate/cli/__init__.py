"""Layer 9: the command line."""
