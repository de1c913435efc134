"""A Python program's way to a running Voxgate: what the commands and the evaluations call it with."""
