"""The scorers that come along, by name: for YAML files, rules and gates. A scorer's module is loaded when it
is asked for, so that nobody pays for those that are not.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal

from voxgate.core.errors import InvalidRequest, SettingsError
from voxgate.evals.measures import find_measure
from voxgate.evals.protocols import Scorer

Needs = Literal["log", "sound", "network"]
"""What a scorer looks at: the trace alone; the sound as well; a model over the network."""
_SCORERS: Final = "voxgate.evals.scorers"


@dataclass(frozen=True, slots=True)
class Entry:
    """`module` has a function of the scorer's name, which makes it."""

    name: str
    module: str
    summary: str
    needs: Needs = "log"
    function: str | None = None

    def load(self) -> Callable[..., Scorer]:
        made: Callable[..., Scorer] = getattr(import_module(self.module), self.function or self.name)
        return made


def _ready(name: str, summary: str) -> Entry:
    return Entry(name, "voxgate.evals.rubrics", summary, "network")


def _own(name: str, summary: str, needs: Needs = "log") -> Entry:
    return Entry(name, f"{_SCORERS}.{name}", summary, needs)


ENTRIES: Final[dict[str, Entry]] = {
    entry.name: entry
    for entry in (
        _own("tool_called", "whether the expected tools were called"),
        _own("tool_arguments", "whether they were called with the expected arguments"),
        _own("forbidden_tools", "whether tools that must not be called were not"),
        _own("tool_order", "whether tools were called in the expected order"),
        _own("metric", "a metric of the call, or how much of it keeps to a limit"),
        _own("turn_taking", "who speaks when: rates of answers, of yielding, silence, overlap"),
        _own("contains", "whether words were said"),
        _own("matches", "whether what was said matches a pattern"),
        _own("said_expected", "how much what was said is like the expected transcript"),
        _own("response_status", "the share of responses that completed"),
        _own("cost", "what the call cost"),
        _own("length", "how long the answers are"),
        _own("language", "whether both sides speak the language that they should"),
        _own("wer", "word error rate"),
        _own("cer", "character error rate"),
        _own("entity_accuracy", "whether numbers, ids, addresses, dates and names are said right"),
        _own("loudness", "how loud a side is", "sound"),
        _own("level_difference", "how much louder one side is than the other", "sound"),
        _own("clipping", "how much of a side's sound has its tops cut off", "sound"),
        _own("noise", "how loud a side's background is", "sound"),
        _own("snr", "how far a side's voice stands above its background", "sound"),
        _own("dropouts", "how often a side's voice breaks up", "sound"),
        _own("echo", "how much of the assistant comes back through the user's microphone", "sound"),
        _own("said_versus_transcript", "whether the assistant says what its transcript says", "network"),
        _own("input_transcript", "whether the user's transcript is what the user said", "network"),
        _own("judge", "what a model that reads the call says of it", "network"),
        _own("audio_judge", "what a model that hears the call says of it", "network"),
        _ready("task_completion", "whether the user got what they called for"),
        _ready("faithfulness", "whether what the assistant states is founded on what it was told"),
        _ready("conciseness", "whether the answers are as short as speech should be"),
        _ready("instruction_following", "whether the assistant keeps to its instructions"),
        _ready("tone_audio_judge", "whether the assistant sounds as it should"),
        Entry("scenario_graders", "voxgate.evals.grading", "what a scenario's own graders say", "network"),
    )
}
ALIASES: Final = {
    "tool_call": "tool_called",
    "tool_call_args": "tool_arguments",
    "speech_fidelity": "said_versus_transcript",
}
"""Names that others have for the same (OpenAI's cookbook, EVA); their scores are called so too."""


def make_scorer(name: str, params: Mapping[str, Any] | None = None) -> Scorer:
    """Also of a metric, by its name (`v2v_p95`) or without its percentile (`v2v`). InvalidRequest for a name
    that there is not, or parameters that it does not take."""
    entry, make, given = _found(name, params)
    try:
        return make(**given)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"The scorer {entry.name!r} cannot be made: {error}", param=entry.name
        ) from error


def _found(
    name: str, params: Mapping[str, Any] | None
) -> tuple[Entry, Callable[..., Scorer], dict[str, Any]]:
    """What makes it, and of what, if that is what it takes."""
    entry, given = _entry(name), dict(params or {})
    if entry is None and find_measure(name) is not None:
        entry, given = ENTRIES["metric"], {"measure": name, **given}
    if entry is None:
        near = difflib.get_close_matches(name, [*ENTRIES, *ALIASES], 1)
        meant = f"Is {near[0]!r} meant?" if near else f"There are: {', '.join(ENTRIES)}."
        raise InvalidRequest(f"There is no scorer {name!r}. {meant}", param="scorers")
    if name in ALIASES:
        given.setdefault("name", name)
    make = entry.load()
    try:
        inspect.signature(make).bind(**given)
    except TypeError as error:
        takes = ", ".join(inspect.signature(make).parameters) or "nothing"
        raise InvalidRequest(
            f"The scorer {entry.name!r} cannot be made: {error}. It takes {takes}.", param=entry.name
        ) from error
    return entry, make, given


def _entry(name: str) -> Entry | None:
    return ENTRIES.get(ALIASES.get(name, name))


_ADDRESSES: Final = frozenset({"base_url", "api_key_env"})
_OF_THE_MACHINE: Final = {
    "judge": _ADDRESSES | {"prompt"},
    "audio_judge": _ADDRESSES | {"prompt"},
    "task_completion": _ADDRESSES | {"prompt"},
    "faithfulness": _ADDRESSES | {"prompt"},
    "conciseness": _ADDRESSES | {"prompt"},
    "instruction_following": _ADDRESSES | {"prompt"},
    "tone_audio_judge": _ADDRESSES | {"prompt"},
    "scenario_graders": _ADDRESSES | {"prompt"},
    "said_versus_transcript": _ADDRESSES,
    "input_transcript": _ADDRESSES,
}
"""Parameters that name files, secrets and addresses: for whoever runs a program here, not for the API."""


def make_rule_scorer(name: str, params: Mapping[str, Any] | None = None) -> Scorer:
    """As `make_scorer`, for what came over the API: whom a scorer asks is the settings' matter, so that no
    key of the API reads the machine's files or has its secrets sent anywhere. InvalidRequest also where the
    settings name nobody to ask."""
    _check_kept(name, params)
    try:
        return make_scorer(name, params)
    except SettingsError as error:
        raise InvalidRequest(f"The scorer {name!r} cannot be made: {error.message}", param=name) from error


def check_rule_scorer(name: str, params: Mapping[str, Any] | None = None) -> None:
    """InvalidRequest where no machine could make it for a rule, whatever its settings are."""
    _check_kept(name, params)
    _found(name, params)


def _check_kept(name: str, params: Mapping[str, Any] | None) -> None:
    kept = sorted(_OF_THE_MACHINE.get(ALIASES.get(name, name), frozenset()) & set(params or {}))
    if kept:
        raise InvalidRequest(
            f"A rule's {name!r} cannot have {', '.join(kept)}: that is for the server's settings to say.",
            param=kept[0],
        )


def read_scorer(written: Any) -> Scorer:
    """As YAML files and rules write it: `wer`, `{"wer": {"of": "user"}}`, or
    `{"name": "wer", "params": {"of": "user"}}`."""
    if isinstance(written, str):
        return make_scorer(written)
    if isinstance(written, Mapping) and "name" in written and set(written) <= {"name", "params"}:
        return make_scorer(str(written["name"]), _params(written.get("params"), written))
    if isinstance(written, Mapping) and len(written) == 1:
        ((name, params),) = written.items()
        return make_scorer(str(name), _params(params, written))
    raise InvalidRequest(
        f"A scorer is written as its name or as {{name: parameters}}, not as {written!r}.", param="scorers"
    )


def _params(given: Any, written: Any) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidRequest(
            f"The parameters of a scorer are {{parameter: value}}; in {written!r} they are not.",
            param="scorers",
        )
    return given


def implied(key: str) -> Scorer | None:
    """The scorer that a gate's line asks for where nobody gave it: `v2v.p95`, `tool_call`, `wer.max`. None if
    the line names no score that we know how to make."""
    measure = find_measure(key)
    if measure is not None:
        return make_scorer(measure.score)
    base = key.rpartition(".")[0] or key
    for name in (key, base):
        entry = _entry(name)
        if entry is not None and _needs_nothing(entry):
            return make_scorer(name)
    return None


def _needs_nothing(entry: Entry) -> bool:
    parameters = inspect.signature(entry.load()).parameters.values()
    return entry.needs == "log" and all(one.default is not one.empty for one in parameters)


def needs(name: str) -> Needs:
    """Of a scorer that comes along."""
    return ENTRIES[ALIASES.get(name, name)].needs


def online_safe() -> list[str]:
    """The scorers that a rule can have: they look at the trace alone, and ask nobody."""
    return [entry.name for entry in ENTRIES.values() if entry.needs == "log"]
