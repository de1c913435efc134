"""Scorers: made of plain functions and of others' scorers, and run on what came of a case. Whatever goes
wrong in one is a score without a value that says so; it never stops an evaluation.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast, overload

from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.evals.model import Direction, Json, Score
from voxgate.evals.protocols import Scorer, Subject
from voxgate.evals.returned import Manner, scores_from

TIMEOUT_SECONDS: Final = 120.0
_BLOCKING_AT_ONCE: Final = 2
"""Of one case: each may hold the sound of a whole call, which of an hour is hundreds of MB."""
_NO_SESSION: Final = "the task made no recorded call to look at"
_FOREIGN_ARGUMENTS: Final = ("input", "output", "expected")


def _input(subject: Subject) -> Any:
    """The plain value or the words of a case's input, where it has them; else the input itself."""
    given = subject.case.input
    if given.kind == "value":
        return given.value
    return given if given.text is None else given.text


def _output(subject: Subject) -> Any:
    output = subject.output
    return output.text if output.value is None else output.value


def _expected(subject: Subject) -> Any:
    """The free value, else the transcript, else the tool calls."""
    expected = subject.case.expected
    if expected.value is not None:
        return expected.value
    if expected.transcript is not None or expected.tool_calls is None:
        return expected.transcript
    return [call.to_json() for call in expected.tool_calls]


NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""Of a score, as the API takes it."""
ARGUMENTS: Final[dict[str, Callable[[Subject], Any]]] = {
    "session": lambda subject: subject.session,
    "input": _input,
    "output": _output,
    "expected": _expected,
    "metadata": lambda subject: subject.case.metadata,
    "case": lambda subject: subject.case,
    "subject": lambda subject: subject,
}
"""What a scorer can ask for, by the names of its arguments."""


@dataclass(frozen=True)
class FunctionScorer:
    """A scorer made of a function; calling it calls the function."""

    function: Callable[..., Any]
    manner: Manner
    timeout_seconds: float | None = None
    foreign: bool = False
    """Called as autoevals' scorers are: with input, output and expected, whatever its signature."""

    def __post_init__(self) -> None:
        if not self.foreign:
            _check_arguments(self.function, self.manner.name)

    @property
    def name(self) -> str:
        return self.manner.name

    @property
    def is_blocking(self) -> bool:
        """Whether it keeps a thread while it runs."""
        return not inspect.iscoroutinefunction(self.function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def describe(self) -> Json:
        manner = self.manner
        return {
            "name": manner.name,
            "version": manner.version,
            "unit": manner.unit,
            "direction": manner.direction,
            "params": manner.params,
        }

    async def score(self, subject: Subject) -> list[Score]:
        arguments = self._arguments(subject)
        if "session" in arguments and arguments["session"] is None:
            return [self.manner.missing(_NO_SESSION)]
        if self.is_blocking:
            returned = await _in_thread(lambda: self.function(**arguments))
            if inspect.isawaitable(returned):
                returned = await returned
        else:
            returned = await self.function(**arguments)
        return scores_from(returned, self.manner)

    def _arguments(self, subject: Subject) -> dict[str, Any]:
        if self.foreign:
            return {name: ARGUMENTS[name](subject) for name in _FOREIGN_ARGUMENTS}
        parameters = inspect.signature(self.function).parameters.values()
        named = [one for one in parameters if one.name in ARGUMENTS and one.kind is not one.VAR_KEYWORD]
        found = {one.name: ARGUMENTS[one.name](subject) for one in named}
        if any(one.kind is one.VAR_KEYWORD for one in parameters):
            found |= {name: ARGUMENTS[name](subject) for name in (*_FOREIGN_ARGUMENTS, "metadata")}
        optional = {one.name for one in named if one.default is not one.empty}
        return {name: value for name, value in found.items() if value is not None or name not in optional}


def _check_arguments(function: Callable[..., Any], name: str) -> None:
    for one in inspect.signature(function).parameters.values():
        is_open = one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL) or one.default is not one.empty
        if one.kind is one.POSITIONAL_ONLY or (one.name not in ARGUMENTS and not is_open):
            raise InvalidRequest(
                f"The scorer {name!r} asks for {one.name!r}. What a scorer can have, by name, is "
                f"{', '.join(ARGUMENTS)}.",
                param=one.name,
            )


async def _in_thread(call: Callable[[], Any]) -> Any:
    """In a thread that nobody waits for at the end: a scorer that hangs does not keep the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(returned: Any, error: Exception | None) -> None:
        if not done.done():  # the time was up
            done.set_result(returned) if error is None else done.set_exception(error)

    def work() -> None:
        returned: Any = None
        failure: Exception | None = None
        try:
            returned = context.run(call)
        except Exception as error:  # noqa: BLE001 - it goes on to whoever waits
            failure = error if not isinstance(error, StopIteration) else RuntimeError("StopIteration")
        except SystemExit as error:
            failure = RuntimeError(f"it wanted to end the program: {error}")
        try:
            loop.call_soon_threadsafe(settle, returned, failure)
        except RuntimeError:  # the loop has ended meanwhile: nobody waits
            return

    threading.Thread(target=work, daemon=True, name="scorer").start()
    return await done


# Making scorers


@overload
def scorer(function: Callable[..., Any], /) -> FunctionScorer: ...


@overload
def scorer(
    *,
    name: str | None = None,
    direction: Direction = "max",
    unit: str | None = None,
    version: str | None = None,
    params: Json | None = None,
    timeout_seconds: float | None = None,
) -> Callable[[Callable[..., Any]], FunctionScorer]: ...


def scorer(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    direction: Direction = "max",
    unit: str | None = None,
    version: str | None = None,
    params: Json | None = None,
    timeout_seconds: float | None = None,
) -> FunctionScorer | Callable[[Callable[..., Any]], FunctionScorer]:
    """Makes a scorer of a function, as `@scorer` or `@scorer(direction="min", unit="ms", version="1")`.

    The function says by the names of its arguments what it wants of `ARGUMENTS`. It gives a number, True or
    False, None (not measured), a mapping (`value`, `explanation`, `evidence` and so on, or several numbers by
    name), a Score or a list of them, and may be async. Without a session in the case's outcome a scorer that
    wants one is not called, unless its argument has a default.
    """

    def make(function: Callable[..., Any]) -> FunctionScorer:
        own = name or str(getattr(function, "__name__", type(function).__name__))
        return FunctionScorer(function, Manner(own, direction, unit, version, params or {}), timeout_seconds)

    return make if function is None else make(function)


def as_scorer(given: Any) -> Scorer:
    """A scorer as it is; a function; or a scorer of autoevals, its class or an instance of it."""
    if isinstance(given, type):
        given = given()
    if callable(getattr(given, "eval_async", None)) or callable(getattr(given, "eval", None)):
        return _foreign(given)
    if callable(getattr(given, "score", None)) and callable(getattr(given, "describe", None)):
        return cast("Scorer", given)
    if callable(given):
        return scorer(given)
    raise InvalidRequest(f"{given!r} is no scorer: neither a function nor an object with `score`.")


def _foreign(given: Any) -> FunctionScorer:
    """One as autoevals has them, called as its makers do. `eval` goes into a thread, so that those that ask a
    model keep nobody waiting either; with an asynchronous client only `eval_async` works."""
    named = getattr(given, "_name", None)
    name: Any = named() if callable(named) else getattr(given, "name", None)

    async def call(**arguments: Any) -> Any:
        if not callable(getattr(given, "eval", None)) or _has_async_client(given):
            return await given.eval_async(**arguments)
        return await _in_thread(lambda: given.eval(**arguments))

    return FunctionScorer(call, Manner(str(name or type(given).__name__)), foreign=True)


def _has_async_client(given: Any) -> bool:
    """Its own, or the one of `autoevals.init`, which autoevals keeps to itself."""
    shared = getattr(sys.modules.get("autoevals.oai"), "_client_var", None)
    client = getattr(given, "client", None) or (shared.get(None) if shared is not None else None)
    return type(getattr(client, "openai", client)).__name__.startswith("Async")


def collect(given: Iterable[Any]) -> list[Scorer]:
    """Scorers of whatever was written down for them. Two of one name are an error: their scores would be
    mixed."""
    found = [as_scorer(one) for one in given]
    for one in found:
        if not NAME.fullmatch(one.name):
            raise InvalidRequest(
                f"A scorer cannot be called {one.name!r}: a name has letters, digits, '_', '.' and '-', "
                "begins with a letter and is at most 64 long. Give it one: name=...",
                param="scores",
            )
    for name, times in Counter(one.name for one in found).items():
        if times > 1:
            raise InvalidRequest(
                f"{times} scorers are called {name!r}. Give them names of their own: name=...", param="scores"
            )
    return found


# Running them


async def score_subject(
    scorers: Sequence[Scorer], subject: Subject, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> list[Score]:
    """All scores of all scorers, in their order. Where the output is one turn of its session, the scorers
    see that turn."""
    try:
        subject = _narrowed(subject)
    except NotFound as error:
        return [_failed(one, error.message) for one in scorers]
    room = asyncio.Semaphore(_BLOCKING_AT_ONCE)

    async def run(one: Scorer) -> list[Score]:
        async with room if getattr(one, "is_blocking", False) else contextlib.nullcontext():
            return await run_scorer(one, subject, timeout_seconds)

    return _distinct(zip(scorers, await asyncio.gather(*map(run, scorers)), strict=True))


async def run_scorer(one: Scorer, subject: Subject, timeout_seconds: float = TIMEOUT_SECONDS) -> list[Score]:
    """What goes wrong is a score without a value, with the reason."""
    own = getattr(one, "timeout_seconds", None)
    seconds = timeout_seconds if own is None else own
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await one.score(subject)
    except Exception as error:  # noqa: BLE001 - a scorer is others' code: the score says what happened
        if limit.expired():
            return [_failed(one, f"the scorer took longer than {seconds:g} s")]
        return [_failed(one, f"{type(error).__name__}: {error}")]


def spent_on(scores: Iterable[Score]) -> float:
    """US dollars that models were paid for scores, as far as that is known: `cost_usd` in `params`."""
    costs = (score.params.get("cost_usd") for score in scores)
    return sum(cost for cost in costs if isinstance(cost, int | float) and not isinstance(cost, bool))


def _failed(one: Scorer, reason: str) -> Score:
    said = one.describe()
    return Score(
        one.name,
        None,
        n=0,
        unit=said.get("unit"),
        direction=said.get("direction") or "max",
        params=said.get("params") or {},
        scorer_version=said.get("version"),
        reason_missing=reason,
    )


def _narrowed(subject: Subject) -> Subject:
    turn = subject.output.turn_span_id
    if turn is None or subject.session is None:
        return subject
    return replace(subject, session=subject.session.turn(turn))


def _distinct(found: Iterable[tuple[Scorer, list[Score]]]) -> list[Score]:
    """Two scores of one name of the same thing cannot be told apart later: the second says so instead."""
    seen: set[tuple[str, str | None]] = set()
    kept: list[Score] = []
    for one, scores in found:
        for score in scores:
            key = (score.name, score.span_id)
            if key in seen:
                reason = f"there is another score {score.name!r} already"
                score = replace(  # noqa: PLW2901
                    score, name=f"{one.name}.{score.name}", value=None, n=0, reason_missing=reason
                )
            seen.add(key)
            kept.append(score)
    return kept
