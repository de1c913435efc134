"""Whether what was said matches a pattern."""

from __future__ import annotations

from typing import Final, Literal

import regex

from voxgate.evals.produced import evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer

_SECONDS: Final = 5.0
"""A pattern that takes longer on one line would take forever."""
Lines = Literal["any", "all", "none"]


def matches(
    pattern: str,
    of: Role = "assistant",
    lines: Lines = "any",
    heard: bool = False,
    ignore_case: bool = True,
    name: str = "matches",
) -> FunctionScorer:
    """`any`: 1 if the regular expression is found in a line of one side, else 0. `all`: the share of lines in
    which it is found. `none`: the share in which it is not. Evidence: the lines in which it is found, of
    `all` those in which it is not."""
    if lines not in ("any", "all", "none"):
        raise ValueError(f"lines is any, all or none, not {lines!r}")
    try:
        compiled = regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except regex.error as error:
        raise ValueError(f"the pattern {pattern!r} cannot be read: {error}") from error

    def measured(subject: Subject) -> Finding:
        said = lines_of(subject, of, heard=heard)
        if not said:
            return not_measured(nothing_said(of))
        try:
            found = [one for one in said if compiled.search(one.text, timeout=_SECONDS)]
        except TimeoutError:
            return not_measured(f"the pattern was given up after {_SECONDS:g} s")
        share = len(found) / len(said)
        value = {"any": float(bool(found)), "all": share, "none": 1 - share}[lines]
        shown = [one for one in said if one not in found] if lines == "all" else found
        return Finding(value, len(said), evidence_in(shown), f"found in {len(found)} of {len(said)} lines")

    params = {
        "pattern": pattern,
        "of": known_role(of),
        "lines": lines,
        "heard": heard,
        "ignore_case": ignore_case,
    }
    return scorer(name=name, unit="share", version="1", params=params)(measured)
