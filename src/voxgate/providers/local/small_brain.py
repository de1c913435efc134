"""The brain in the box: a few rules, honest about being that. It calls a tool that fits, or uses words."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import orjson

from voxgate.providers.local.arguments import fill_arguments
from voxgate.providers.local.brain import Call, Prompt, Say, Thought, Turn
from voxgate.providers.local.script import Script, read_script
from voxgate.providers.local.tool_choice import chosen_tool
from voxgate.providers.local.tool_results import sentence_of

Chooser = Callable[[list[str]], str]

WHO = (
    "I am the small model that comes in the box with Voxgate. I hear, I speak and I can call your functions, "
    "but I am no language model."
)
HELP = (
    "I can hold a call, hear what you say, call a function of yours that fits and tell you its result. "
    "Ask me to count, to repeat something or to tell a story. For real answers, connect a provider."
)
STORY = (
    "A small model lived in a box. One day somebody opened the lid and said hello. "
    "The model had waited a long time, so it answered at once. "
    "They talked about the weather, about numbers, and about the names of cities. "
    "When the night came, the visitor had to leave. "
    "The model kept every word of the call, and each time it listened again, it found something new. "
    "In the morning the lid opened once more, and there were two visitors. "
    "That is the whole story."
)
_RULES: list[tuple[str, str | list[str]]] = [
    (r"\b(who|what) are you\b|\bare you (a|an|real|human)\b|\byour name\b", WHO),
    (r"\bwhat can you do\b|\bhelp me\b|^help\b", HELP),
    (r"\bstory\b", STORY),
    (r"\bhow are you\b", ["I am well, thank you. How can I help?", "All parts are running. How can I help?"]),
    (r"\b(thanks|thank you)\b", ["You are welcome.", "With pleasure."]),
    (r"\b(bye|goodbye|see you)\b", ["Goodbye.", "Goodbye. It was good to talk."]),
]
_GREETINGS = ["Hello! How can I help?", "Hi there! What can I do for you?", "Hello, good to hear you."]
_GREETING = re.compile(
    r"^\W*(hello|hi|hey|good (morning|afternoon|evening))\b|\bgreet(ing)?\b", re.IGNORECASE
)
_NAME = re.compile(r"\b(?:my name is|my name's|call me)\s+([A-Z][\w'-]+)")
_REPEAT = re.compile(
    r"\b(?:repeat(?: after me)?|say(?: exactly| the words)?)\s*[:,]?\s+(?!a\b|something|hello)(.+)",
    re.IGNORECASE | re.DOTALL,
)
_COUNT = re.compile(r"\bcount(?:\s+\w+)*?\s+(?:to|up to)\s+(\d+|[a-z]+)", re.IGNORECASE)
_MOST = 100


class SmallBrain:
    """Deterministic: the seed and the number of turns decide among phrases of equal worth."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def think(self, prompt: Prompt) -> AsyncIterator[Thought]:
        for thought in self.thoughts(prompt):
            yield thought

    async def close(self) -> None:
        """Nothing is held."""

    def thoughts(self, prompt: Prompt) -> list[Thought]:
        asked, results = _last_request(prompt)
        if results:
            return [Say(" ".join(sentence_of(turn.text) for turn in results))]
        said = asked.text if asked else ""
        script = Script() if prompt.own_instructions else read_script(prompt.instructions)
        prompt = replace(prompt, tools=script.allowed(prompt.tools))
        if script.persona is not None:
            return [Say(script.persona.says(said))]
        if said and (thought := _scripted(script, said, prompt)):
            return [thought]
        if said and (tool := chosen_tool(said, prompt.tools, prompt.tool_choice)):
            return [_call(tool, said)]
        if not said and (tool := _forced_tool(prompt)):
            return [_call(tool, "")]
        choose = random.Random(f"{self._seed}:{len(prompt.turns)}").choice  # noqa: S311
        return [Say(self._words(prompt, asked, choose))]

    def _words(self, prompt: Prompt, asked: Turn | None, choose: Chooser) -> str:
        if prompt.own_instructions and (told := _told(prompt.instructions, choose)):
            return told
        if asked is None:
            return choose(_GREETINGS)
        if not asked.text:
            return _wordless(asked)
        return _answer(asked.text, choose)


def _scripted(script: Script, said: str, prompt: Prompt) -> Thought | None:
    cue = script.cue_for(said)
    if cue is None or cue.words is not None:
        return Say(cue.words) if cue is not None and cue.words else None
    tool = next((tool for tool in prompt.tools if tool.get("name") == cue.tool), None)
    return _call(tool, said) if tool is not None and prompt.tool_choice != "none" else None


def _last_request(prompt: Prompt) -> tuple[Turn | None, list[Turn]]:
    """The last thing the user said, and the tool results that came after it."""
    results: list[Turn] = []
    for turn in reversed(prompt.turns):
        if turn.role == "user":
            return turn, results
        if turn.role == "result":
            results.insert(0, turn)
    return None, results


def _forced_tool(prompt: Prompt) -> dict[str, Any] | None:
    choice = prompt.tool_choice
    return None if choice == "auto" else chosen_tool("", prompt.tools, choice)


def _call(tool: dict[str, Any], said: str) -> Call:
    return Call(tool["name"], orjson.dumps(fill_arguments(said, tool.get("parameters"))).decode())


def _told(instructions: str, choose: Chooser) -> str | None:
    """Instructions for one response, such as frameworks send to have something said or the user greeted."""
    if repeated := _REPEAT.search(instructions):
        return repeated[1].strip().strip("\"'“”")
    return choose(_GREETINGS) if _GREETING.search(instructions) else None


def _wordless(asked: Turn) -> str:
    if asked.has_image:
        return "I cannot see images. Connect a provider for that."
    return "I did not catch any words. Could you say that again?"


def _answer(said: str, choose: Chooser) -> str:
    if name := _NAME.search(said):
        return f"Hello, {name[1]}! Good to meet you. How can I help?"
    if (counted := _COUNT.search(said)) and (last := fill_arguments(counted[1], _ONE_NUMBER).get("n")):
        return ", ".join(str(number) for number in range(1, min(last, _MOST) + 1)) + "."
    if repeated := _REPEAT.search(said):
        return repeated[1].strip().strip("\"'“”")
    for pattern, answer in _RULES:
        if re.search(pattern, said, re.IGNORECASE):
            return answer if isinstance(answer, str) else choose(answer)
    if _GREETING.search(said):
        return choose(_GREETINGS)
    heard = said.strip().rstrip(".?!")
    return f"I heard you say: {heard}. I am the small model in the box; connect a provider for real answers."


_ONE_NUMBER = {"properties": {"n": {"type": "integer"}}}
