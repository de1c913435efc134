"""An evaluation of a plain function: `voxgate eval run examples/evals/greetings.py`."""

from __future__ import annotations

from voxgate import Eval, scorer


@scorer(version="1")
def exact(output: str, expected: str) -> bool:
    return output == expected


def greet(name: str) -> str:
    return f"Hello, {name}!"


Eval(
    "greetings",
    data=[
        {"id": name.lower(), "input": name, "expected": f"Hello, {name}!"}
        for name in ("Ada", "Alan", "Grace")
    ],
    task=greet,
    scores=[exact],
    gate={"exact": ">=1"},
)
