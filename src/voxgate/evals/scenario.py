"""A scenario: who the user is that a model plays, what they want, and when the call is over. The shape is
that of the simulation files of OpenAI's cookbook (`realtime evals`), with a few fields more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from voxgate.core.errors import InvalidRequest
from voxgate.evals.mocks import Mock, read_mocks
from voxgate.evals.model import Json

END_TOKEN: Final = "END_CALL"
_MOST_TURNS: Final = 10
_TOKEN_IN_PROMPT: Final = re.compile(r"\btoken:?\s+[\"'`]?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)")
_PLAYED: Final = (
    "You are the user in a voice call. Stay in character and only say what the user would say. Never answer "
    "as the assistant."
)


@dataclass(frozen=True, slots=True)
class Grader:
    """`kind` is `tool_call`, `tool_call_args` or `llm_as_judge`, which has criteria."""

    id: str
    kind: str
    level: str
    """`turn` or `trace`."""
    criteria: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    id: str
    about: str
    instructions: str
    tools: tuple[Json, ...]
    model: str | None
    user_instructions: str
    user_model: str | None
    user_voice: str | None
    first_turn: str | None
    max_turns: int
    end_token: str
    mocks: tuple[Mock, ...]
    real_time: bool
    graders: tuple[Grader, ...] = ()

    def is_end(self, said: str) -> bool:
        """Whether the user hangs up with these words; a voice says `END_CALL` as "end call"."""
        return _letters(self.end_token) in _letters(said)


def read_scenario(body: Mapping[str, Any], folder: Path | None = None) -> Scenario:
    """`folder` is where the files lie that it names: the assistant's prompt and tools. InvalidRequest, naming
    the field, for what is none."""
    assistant, user, turns = (_part(body, name) for name in ("assistant", "simulator", "turns"))
    prompt = _prompt_of_user(user)
    most = turns.get("max_turns", _MOST_TURNS)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise InvalidRequest(f"turns.max_turns must be 1 or more, not {most!r}.", param="turns.max_turns")
    end = turns.get("end_token") or user.get("end_token") or _token_in(prompt)
    return Scenario(
        id=str(body.get("simulation_id") or body.get("id") or "simulation"),
        about=str(body.get("scenario") or ""),
        instructions=_text(assistant, "system_prompt", folder),
        tools=tuple(_tools(assistant, folder)),
        model=assistant.get("model"),
        user_instructions=prompt if end in prompt else f"{prompt}\n\n{_rule_of_end(end)}",
        user_model=user.get("model"),
        user_voice=user.get("voice"),
        first_turn=turns.get("fixed_first_user_turn") or turns.get("first_turn") or None,
        max_turns=most,
        end_token=end,
        mocks=read_mocks(list(body.get("tool_mocks") or ())),
        real_time=bool(_part(body, "audio").get("real_time")),
        graders=tuple(_graders(_part(body, "graders"))),
    )


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name) or {}
    if not isinstance(found, Mapping):
        raise InvalidRequest(f"{name} of the scenario must be an object.", param=name)
    return found


def _prompt_of_user(user: Mapping[str, Any]) -> str:
    if user.get("system_prompt"):
        return str(user["system_prompt"])
    persona, goal = user.get("persona"), user.get("goal")
    if not persona and not goal:
        raise InvalidRequest(
            "The scenario's simulator needs a system_prompt, or a persona and a goal.", param="simulator"
        )
    facts = persona if isinstance(persona, Mapping) else {"Who": persona} if persona else {}
    lines = [f"- {name}: {value}" for name, value in {**facts, **({"Goal": goal} if goal else {})}.items()]
    return "\n".join([_PLAYED, "", "User persona:", *lines])


def _rule_of_end(token: str) -> str:
    return f"When the goal is satisfied, reply with exactly the single token: {token} (no other words)."


def _token_in(prompt: str) -> str:
    found = _TOKEN_IN_PROMPT.search(prompt)
    return found[1] if found else END_TOKEN


def _text(part: Mapping[str, Any], name: str, folder: Path | None) -> str:
    if part.get(name) is not None:
        return str(part[name])
    file = part.get(f"{name}_file")
    if not file or folder is None:
        return ""
    return _read(folder / str(file), f"assistant.{name}_file")


def _tools(assistant: Mapping[str, Any], folder: Path | None) -> list[Json]:
    if assistant.get("tools") is not None:
        found = assistant["tools"]
    elif assistant.get("tools_file") and folder is not None:
        found = orjson.loads(_read(folder / str(assistant["tools_file"]), "assistant.tools_file"))
    else:
        return []
    if not isinstance(found, list | tuple):
        raise InvalidRequest("assistant.tools must be a list.", param="assistant.tools")
    return [dict(tool) for tool in found]


def _read(path: Path, param: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}", param=param) from error


def _graders(graders: Mapping[str, Any]) -> list[Grader]:
    found: list[Grader] = []
    for level in ("turn", "trace"):
        for one in graders.get(f"{level}_level") or ():
            kind = str(one.get("type"))
            found.append(Grader(str(one.get("id") or kind), kind, level, one.get("criteria")))
    return found


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
