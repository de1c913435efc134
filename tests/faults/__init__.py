"""Faults for real: a full filesystem, processes that are stopped and killed, a database that is away."""
