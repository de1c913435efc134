"""Whether a side speaks the language that it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import Any, Final, NamedTuple

from voxgate.evals.model import Json
from voxgate.evals.produced import Said, evidence_in, lines_of, nothing_said
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role, known_role
from voxgate.evals.returned import Finding, not_measured
from voxgate.evals.scoring import FunctionScorer, scorer

CANDIDATES: Final = (
    *("af", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "fa"),
    *("fi", "fr", "gl", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "kn", "ko"),
    *("lt", "lv", "mk", "ml", "mr", "ms", "ne", "nl", "no", "pa", "pl", "pt", "ro", "ru", "sk", "sl", "sq"),
    *("sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh"),
)
"""What speech models speak; of the rest of the 140 that py3langid knows, short lines look like some."""
_SHORTEST: Final = 10
_SURE: Final = 0.5


class Judged(NamedTuple):
    line: Said
    language: str


def language(
    expected: str | Sequence[str] | None = None,
    of: Role = "assistant",
    candidates: Sequence[str] = CANDIDATES,
    name: str = "language",
) -> FunctionScorer:
    """The share of one side's lines that are in one of the `expected` languages (ISO 639-1: `en`); without
    them, in the language that most of the user's lines are in. py3langid says which language a line is in;
    lines with less than 10 bytes of letters, and those of which it is not at least half sure, are not judged
    (n is how many were). It chooses from `candidates` and what is expected. Evidence: the lines in another
    language."""
    wanted = _checked([expected] if isinstance(expected, str) else expected)
    choice = tuple(_checked([*candidates, *(wanted or ())]) or ())
    if wanted is None and of == "user":
        raise ValueError("of the user say which languages are expected")

    def measured(subject: Subject) -> Finding:
        lines = lines_of(subject, of)
        if not lines:
            return not_measured(nothing_said(of))
        spoken = wanted or _of_the_user(subject, choice)
        if not spoken:
            return not_measured("the user said too little to tell the language")
        judged = _judged(lines, choice)
        if not judged:
            return not_measured(f"what the {of} said is too short to tell its language")
        return _finding(judged, spoken)

    params: Json = {"expected": wanted, "of": known_role(of)}
    if tuple(candidates) != CANDIDATES:
        params["candidates"] = list(candidates)
    return scorer(name=name, unit="share", version="1", params=params)(measured)


def _checked(codes: Sequence[str] | None) -> list[str] | None:
    if codes is None:
        return None
    known = set(_whole_identifier().labels)
    unknown = [code for code in codes if code not in known]
    if unknown or not codes:
        raise ValueError(
            f"languages are written as in ISO 639-1: {', '.join(unknown) or 'none'} is not known"
        )
    return list(codes)


def _of_the_user(subject: Subject, candidates: tuple[str, ...]) -> list[str]:
    found = Counter(one.language for one in _judged(lines_of(subject, "user"), candidates))
    return [found.most_common(1)[0][0]] if found else []


def _judged(lines: Sequence[Said], candidates: tuple[str, ...]) -> list[Judged]:
    identifier = _identifier(candidates)
    found = []
    for line in lines:
        letters = "".join(letter for letter in line.text if letter.isalpha())
        if len(letters.encode()) >= _SHORTEST:
            code, sure = identifier.classify(line.text)
            if sure >= _SURE:
                found.append(Judged(line, code))
    return found


def _finding(judged: Sequence[Judged], wanted: Sequence[str]) -> Finding:
    wrong = [one for one in judged if one.language not in wanted]
    spoken = Counter(one.language for one in judged)
    told = ", ".join(f"{code} {times}" for code, times in spoken.most_common())
    value = 1 - len(wrong) / len(judged)
    return Finding(
        value, len(judged), evidence_in(one.line for one in wrong), f"expected {wanted[0]}: {told}"
    )


def _identifier(candidates: tuple[str, ...]) -> Any:
    """That chooses from these; from all that it knows where there are none."""
    chosen = copy(_whole_identifier())
    if candidates:
        chosen.set_languages(candidates)
    return chosen


@cache
def _whole_identifier() -> Any:
    from py3langid import langid  # noqa: PLC0415 - its model takes a second to load

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
