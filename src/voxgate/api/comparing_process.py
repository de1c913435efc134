"""The process that compares two experiments: `[side, result]` lines on its standard input, a comparison as
JSON on its standard output. The arguments are the experiments' ids.
"""

from __future__ import annotations

import os
import sys

import orjson

from voxgate.evals.comparing import compare
from voxgate.evals.model import Result
from voxgate.evals.tally import Tally


def main(before_id: str, after_id: str) -> None:
    os.nice(10)  # running calls go before comparisons
    sides = (Tally(), Tally())
    for line in sys.stdin.buffer:
        side, result = orjson.loads(line)
        sides[side].add(Result.from_json(result))
    found = compare(*sides, ids=(before_id, after_id))
    sys.stdout.buffer.write(orjson.dumps(found.to_json()))


if __name__ == "__main__":
    main(*sys.argv[1:])
