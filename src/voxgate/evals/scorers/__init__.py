"""The scorers that come with Voxgate, one file each; none knows another. `docs/scorers.md` defines them."""
