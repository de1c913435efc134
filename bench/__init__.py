"""The relay's benchmark: Voxgate beside its peers, in one run, on the same load. `make bench` runs it."""
