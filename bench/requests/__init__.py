"""Requests that are no calls, through Voxgate and its peers: `python -m bench.requests`.

A provider that answers at once (`provider`), a load that compares every answer (`load`), one peer under all
loads (`measure`), the page (`report`).
"""
