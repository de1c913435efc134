"""Event logs that others wrote become calls of ours: a file in, wire logs for the recorder out, so that
trace, tracks and metrics are made as of a recorded call. Start in `importing`.
"""
