"""Voxgate: a self-hosted gateway for realtime voice models."""

__version__ = "0.1.0"
