"""A model reads the call and says whether it meets a rubric, or which of several choices fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from voxgate.evals.asking import model_of
from voxgate.evals.judging import PASS_OR_FAIL, VERSION, Judge, Manners, Ruling, slug, values_for
from voxgate.evals.model import Score
from voxgate.evals.prompting import prompt_of, shipped_prompt
from voxgate.evals.protocols import Subject
from voxgate.evals.returned import Manner
from voxgate.evals.scoring import FunctionScorer, scorer
from voxgate.evals.sheets import sheet_of

TIMEOUT_SECONDS = 900.0
"""For all votes with all their attempts."""


def judge(
    rubric: str,
    *,
    name: str | None = None,
    choices: Mapping[str, float] | None = None,
    votes: int = 1,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    temperature: float | None = None,
    seed: int | None = 0,
    prompt: str | Path | None = None,
    tools: bool = True,
    instructions: bool = True,
    expected: bool = True,
    output: Manners = "auto",
    timeout_seconds: float | None = None,
    attempts: int | None = None,
) -> FunctionScorer:
    """`choices` have a value each, for example `{"resolved": 1, "partly": 0.5, "not": 0}`; by default `pass`
    is 1 and `fail` 0. The choice of most votes counts; of a tie the mean. With several votes there is a
    second score, `NAME.agreement`: the share of the votes that agree with it. One vote is asked for at the
    temperature 0, several at 0.7, unless `temperature` says otherwise.

    What is not said here is said by `[judge]` of the settings. `prompt` is a file of your own in place of
    `evals/prompts/judge.md`. `tools`, `instructions` and `expected` say what the judge sees beside the words.
    SettingsError where it is not known whom to ask."""
    asked = model_of(
        "judge",
        model=model,
        base_url=base_url,
        api_key_env=api_key_env,
        timeout_seconds=timeout_seconds,
        attempts=attempts,
    )
    seen = {"tools": tools, "instructions": instructions, "expected": expected}
    words = shipped_prompt("judge") if prompt is None else prompt_of(prompt)
    ruling = Ruling(rubric, choices or PASS_OR_FAIL, votes, temperature, seed, output, words, seen)
    manner = Manner(name or slug(rubric, "judge"), "max", None, VERSION, ruling.params(asked))
    one = Judge(asked, ruling, manner)

    async def judged(subject: Subject) -> list[Score]:
        sheet = sheet_of(subject, with_tools=tools, with_instructions=instructions)
        if not sheet.entries:
            return [manner.missing("nothing was said or done", source="judge")]
        values = values_for(ruling, subject, sheet, with_expected=expected)
        system, user = words.filled(values)
        return await one.scores(system, user, sheet)

    return scorer(name=manner.name, version=VERSION, params=manner.params, timeout_seconds=TIMEOUT_SECONDS)(
        judged
    )
