"""Who answers the assistant's tool calls in a replay: the recording, mocks, or live functions. A call in, its
result as the text of a `function_call_output` out.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from voxgate.evals.arguments import canonical, is_same, parsed
from voxgate.evals.mocks import Mock
from voxgate.evals.model import Json
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay.plan import LiveTool, Plan

_ERROR_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Known:
    """A call of the recording with its result."""

    name: str
    arguments: str
    result: str


class ToolBox:
    """`misses` are the calls that the recording or the mocks had no result for, as they were answered
    instead."""

    def __init__(self, plan: Plan, recorded: Sequence[Known], mocks: Sequence[Mock]) -> None:
        self._plan = plan
        self._mocks = mocks
        self._unused = list(recorded)
        self._all = tuple(recorded)
        self.misses: list[Json] = []

    async def answer(self, name: str, arguments: str) -> str:
        """TaskError where a live tool's endpoint cannot be reached; what a tool itself says is a result."""
        if self._plan.tools == "live":
            return await self._live(name, arguments)
        found = (
            self._mocked(name, arguments) if self._plan.tools == "mock" else self._recorded(name, arguments)
        )
        return found if found is not None else await self._missed(name, arguments)

    # Recorded

    def _recorded(self, name: str, arguments: str) -> str | None:
        """The result of the same call; where it was made more than once, in the recorded order."""
        wanted = canonical(arguments)
        for pool in (self._unused, self._all):
            for one in pool:
                if one.name == name and canonical(one.arguments) == wanted:
                    self._use(one)
                    return one.result
        return None

    def _use(self, one: Known) -> None:
        if one in self._unused:
            self._unused.remove(one)

    def _nearest(self, name: str, arguments: str) -> str | None:
        """The recorded call of this tool whose arguments have most in common; the first of equals."""
        if self._plan.tools == "mock":
            same = [one for one in self._mocks if one.name == name]
            return (
                _text(max(same, key=lambda one: likeness(one.arguments, arguments)).output) if same else None
            )
        known = [one for one in self._all if one.name == name]
        if not known:
            return None
        best = max(known, key=lambda one: likeness(one.arguments, arguments))
        self._use(best)
        return best.result

    # Mocks

    def _mocked(self, name: str, arguments: str) -> str | None:
        """The first whose arguments are among the call's; one without arguments fits every call."""
        given = parsed(arguments)
        for one in self._mocks:
            if one.name == name and _contains(given, one.arguments):
                return _text(one.output)
        return None

    async def _missed(self, name: str, arguments: str) -> str:
        policy = self._plan.miss
        result: str | None = None
        if policy == "nearest":
            result = self._nearest(name, arguments)
        elif policy == "live":
            result = await self._live(name, arguments)
        answered = policy if result is not None else "error"
        self.misses.append({"name": name, "arguments": parsed(arguments), "answered": answered})
        if result is not None:
            return result
        source = "mocks have" if self._plan.tools == "mock" else "recording has"
        return _error(f"The {source} no result for this call of {name}.")

    # Live

    async def _live(self, name: str, arguments: str) -> str:
        given = parsed(arguments)
        if (function := self._plan.live.get(name)) is not None:
            return await _call(function, given)
        if self._plan.live_url is not None:
            return await _post(self._plan.live_url, name, given, self._plan.timeout_seconds)
        return _error(f"There is no live tool {name!r}.")


async def _call(function: LiveTool, given: Any) -> str:
    """What the function raises is what the assistant is told: tools fail in calls, too."""
    if not isinstance(given, dict):
        return _error("The arguments are no JSON object.")
    try:
        if inspect.iscoroutinefunction(function):
            return _text(await function(**given))
        result = await asyncio.to_thread(function, **given)
        return _text(await result if inspect.isawaitable(result) else result)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        return _error(f"{type(error).__name__}: {error}")


async def _post(url: str, name: str, given: Any, seconds: float) -> str:
    body = {"name": name, "arguments": given}
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.post(url, json=body) as answer:
            text = await answer.text(errors="replace")
            status = answer.status
    except (OSError, aiohttp.ClientError) as error:
        raise TaskError(f"The live tools at {url} do not answer: {error or type(error).__name__}") from error
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TaskError(f"The live tools at {url} answered {status}: {text[:_ERROR_CHARS]}")
    return text if status < HTTPStatus.BAD_REQUEST else _error(text[:_ERROR_CHARS] or str(status))


def likeness(known: Any, arguments: Any) -> float:
    """The share of the fields of both that are the same, 0 to 1."""
    one, other = parsed(known), parsed(arguments)
    if not isinstance(one, dict) or not isinstance(other, dict):
        return float(canonical(one) == canonical(other))
    names = one.keys() | other.keys()
    same = sum(1 for name in names if name in one and name in other and _same(one[name], other[name]))
    return same / len(names) if names else 1.0


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip().casefold() == other.strip().casefold()
    return is_same(one, other)


def _contains(given: Any, wanted: Json | None) -> bool:
    if wanted is None:
        return True
    return isinstance(given, dict) and all(
        name in given and _same(given[name], value) for name, value in wanted.items()
    )


def _text(result: Any) -> str:
    if isinstance(result, str):
        return result
    try:
        return orjson.dumps(result, default=str).decode()
    except TypeError:
        return str(result)


def _error(message: str) -> str:
    return orjson.dumps({"error": message}).decode()
