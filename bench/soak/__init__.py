"""The soak, `python -m bench.soak`: many paced calls and random faults for an hour, and then a verdict."""
