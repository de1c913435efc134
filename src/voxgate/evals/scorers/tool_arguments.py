"""Whether tools were called with the arguments that are expected, or that their schemas take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from voxgate.evals.arguments import by_argument, is_same, is_within, parsed, similarity
from voxgate.evals.model import ExpectedCall, Json, ToolCall
from voxgate.evals.produced import NO_CALLS_EXPECTED, calls_of, evidence_of, expected_calls
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.traces.schemas import misfit, schema_of

Match = Literal["exact", "subset", "similar", "schema"]
MATCHES: Final[tuple[Match, ...]] = ("exact", "subset", "similar", "schema")


class Pair(NamedTuple):
    wanted: ExpectedCall
    made: ToolCall | None
    similarity: float


def tool_arguments(
    match: Match = "exact", schemas: Mapping[str, Json] | None = None, name: str = "tool_arguments"
) -> FunctionScorer:
    """Each call of the case's `expected.tool_calls` that says its arguments is paired with the call of that
    tool whose arguments are most like them; no call serves twice. `exact`: the share of pairs whose arguments
    say the same (key order and 1 or 1.0 do not matter). `subset`: whose made arguments have all the expected
    ones. `similar`: the mean similarity, over the arguments of both (text by its characters). `schema`:
    without an expectation, the share of calls whose arguments fit the JSON Schema of their tool: of `schemas`
    by the tool's name, else of the session's settings; patterns and formats are not checked. An expected call
    that was not made is 0. The explanation has the similarity of each argument that differs; evidence: the
    calls that do not match (`similar`: all that were paired)."""
    if match not in MATCHES:
        raise ValueError(f"match is one of {', '.join(MATCHES)}, not {match!r}")

    def measured(subject: Subject) -> Finding:
        return _fits(subject, schemas) if match == "schema" else _matches(subject, match)

    params: Json = {"match": match} if schemas is None else {"match": match, "schemas": dict(schemas)}
    return scorer(name=name, unit="share", version="1", params=params)(measured)


# Against what is expected


def _matches(subject: Subject, match: Match) -> Finding:
    expected = expected_calls(subject)
    if expected is None:
        return not_measured(NO_CALLS_EXPECTED)
    wanted = [one for one in expected if one.arguments is not None]
    if not wanted:
        return not_measured("no arguments are expected of any tool")
    pairs = _paired(wanted, calls_of(subject))
    values = [_value(pair, match) for pair in pairs]
    shown = [
        pair.made
        for pair, value in zip(pairs, values, strict=True)
        if pair.made and (match == "similar" or value < 1)
    ]
    told = [_told(pair) for pair, value in zip(pairs, values, strict=True) if value < 1]
    return Finding(
        sum(values) / len(values), len(values), evidence_of(shown), "; ".join(told) or "as expected"
    )


def _paired(wanted: Sequence[ExpectedCall], calls: Sequence[ToolCall]) -> list[Pair]:
    """The most similar first."""
    likely = sorted(
        (
            (-similarity(one.arguments, parsed(call.arguments)), i, j)
            for i, one in enumerate(wanted)
            for j, call in enumerate(calls)
            if call.name == one.name
        ),
    )
    found: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for negative, i, j in likely:
        if i not in found and j not in taken:
            found[i] = (j, -negative)
            taken.add(j)
    return [
        Pair(one, calls[found[i][0]], found[i][1]) if i in found else Pair(one, None, 0.0)
        for i, one in enumerate(wanted)
    ]


def _value(pair: Pair, match: Match) -> float:
    if pair.made is None:
        return 0.0
    if match == "similar":
        return pair.similarity
    given = parsed(pair.made.arguments)
    same = is_within if match == "subset" else is_same
    return float(same(pair.wanted.arguments, given))


def _told(pair: Pair) -> str:
    if pair.made is None:
        return f"{pair.wanted.name} was not called"
    wanted, given = pair.wanted.arguments or {}, parsed(pair.made.arguments)
    if not isinstance(given, Mapping):
        return f"{pair.wanted.name}: its arguments are no object"
    differing = [
        f"{argument} {_short(given, argument)} for {_short(wanted, argument)} ({like:.2f})"
        for argument, like in by_argument(wanted, given).items()
        if like < 1 or not is_same(wanted.get(argument), given.get(argument))
    ]
    return f"{pair.wanted.name}: {', '.join(differing)}"


def _short(arguments: Mapping[str, Any], name: str) -> str:
    if name not in arguments:
        return "nothing"
    text = json.dumps(arguments[name], ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


# Against schemas


def _fits(subject: Subject, schemas: Mapping[str, Json] | None) -> Finding:
    calls = calls_of(subject)
    if not calls:
        return not_measured("no tool was called")
    config = subject.session.config if subject.session is not None else {}
    checked = [(one, _problem(one, config, schemas)) for one in calls]
    known = [(one, problem) for one, problem in checked if problem is not None]
    if not known:
        return not_measured("the schemas of the called tools are not known")
    bad = [(one, problem) for one, problem in known if problem]
    told = "; ".join(f"{one.name}: {problem}" for one, problem in bad) or "all fit"
    return Finding(1 - len(bad) / len(known), len(known), evidence_of(one for one, _ in bad), told)


def _problem(call: ToolCall, config: Json, schemas: Mapping[str, Json] | None) -> str | None:
    """Empty where they fit, None where that cannot be said."""
    schema = schema_of(config, call.name) if schemas is None else schemas.get(call.name)
    if schema is None:
        offered = schemas is None and config.get("tools")
        return "the tool was not offered" if offered else None
    given = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    try:
        return misfit(given, schema) or ""
    except LookupError:
        return None
