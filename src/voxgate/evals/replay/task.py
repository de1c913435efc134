"""`replay(...)`: the task that runs a case again, against any route of a running Voxgate. A case in, what the
assistant said and did out; each run is a recorded session of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace as changed
from typing import Any, Final

from voxgate.audio.perturb import perturbations
from voxgate.client.realtime import RealtimeError, realtime_session
from voxgate.core.errors import InvalidRequest
from voxgate.core.ids import new_id
from voxgate.evals.mocks import read_mocks
from voxgate.evals.model import Case, Json, Output
from voxgate.evals.protocols import TaskError, Trial
from voxgate.evals.replay.estimating import estimate_usd
from voxgate.evals.replay.exchange import Exchange, exchanging
from voxgate.evals.replay.inputs import Inputs
from voxgate.evals.replay.outcome import trace_of, turn_span
from voxgate.evals.replay.plan import History, LiveTool, Miss, Mode, Pace, Plan, ToolSource
from voxgate.evals.replay.recorded import RecordedCall, Spoken, read_call
from voxgate.evals.replay.session import replay_session
from voxgate.evals.replay.settings import ga_config, merged, session_settings, turn_detection_of
from voxgate.evals.replay.simulation import simulate
from voxgate.evals.replay.taking import Mouth, Speech, take_turn
from voxgate.evals.replay.timing import replay_timing
from voxgate.evals.replay.tools import Known, ToolBox
from voxgate.evals.replay.turn import replay_each_turn, replay_turn
from voxgate.evals.scenario import Scenario, read_scenario
from voxgate.evals.session import Session

TAG: Final = "replay"
_LONGEST_TEXT: Final = 512
"""Of a value in a credential's metadata."""


def replay(
    *,
    model: str | None = None,
    mode: Mode = "turn",
    instructions: str | None = None,
    voice: str | None = None,
    turn_detection: Json | str | None = None,
    session: Mapping[str, Any] | None = None,
    tools: ToolSource = "recorded",
    miss: Miss = "error",
    mocks: Any = None,
    live: Mapping[str, LiveTool] | None = None,
    live_url: str | None = None,
    perturb: Sequence[Json] | Json = (),
    pace: Pace = "fast",
    history: History = "text",
    simulator_model: str | None = None,
    timeout: float = 120.0,
    project: str | None = None,
) -> Replay:
    """Everything that is not given stays as it was recorded. docs/replay.md says what each one does.
    InvalidRequest, naming the argument, for what is wrong."""
    worse = (perturb,) if isinstance(perturb, Mapping) else tuple(perturb)
    for spec in worse:
        perturbations(spec)
    plan = Plan(
        model=model,
        mode=mode,
        instructions=instructions,
        voice=voice,
        turn_detection=turn_detection,  # type: ignore[arg-type]  # the plan checks it
        session=dict(session or {}),
        tools=tools,
        miss=miss,
        mocks=read_mocks(mocks),
        live=dict(live or {}),
        live_url=live_url,
        perturb=tuple(dict(spec) for spec in worse),
        pace=pace,
        history=history,
        simulator_model=simulator_model,
        timeout_seconds=timeout,
        project=project,
    )
    return Replay(plan)


class Replay:
    name = "replay"

    def __init__(self, plan: Plan, inputs: Inputs | None = None) -> None:
        self.plan = plan
        self._inputs = inputs or Inputs()

    def describe(self) -> Json:
        return {"kind": "replay", "name": self.name, **self.plan.describe()}

    def estimate_usd(self, case: Case) -> float | None:
        return estimate_usd(case, self.plan, self._inputs)

    async def run(self, case: Case, trial: Trial) -> Output:
        """Cancelled, it leaves nothing running."""
        try:
            return await self._run(case, trial)
        except RealtimeError as error:
            raise TaskError(error.message, retryable=error.retryable) from error
        except InvalidRequest as error:
            raise TaskError(f"The case {case.id}: {error.message}", retryable=False) from error

    async def _run(self, case: Case, trial: Trial) -> Output:
        match case.input.kind:
            case "simulation":
                return await self._simulate(case, trial)
            case "turn" | "session":
                return await self._recorded(case, trial)
            case "text" | "audio":
                return await self._single(case, trial)
        raise TaskError(f"A case of the kind {case.input.kind!r} cannot be replayed.", retryable=False)

    # Recorded calls

    async def _recorded(self, case: Case, trial: Trial) -> Output:
        call = await self._inputs.call(case)
        mode = "turn" if case.input.kind == "turn" else self.plan.mode
        if mode == "simulate" or (case.input.kind == "turn" and self.plan.mode != "turn"):
            raise TaskError(
                f"A case of the kind {case.input.kind!r} cannot be replayed in the mode {self.plan.mode!r}.",
                retryable=False,
            )
        config = merged(ga_config(call.config), ga_config(case.input.config or {}))
        async with self._exchange(case, trial, self._model(call.model), _known(call)) as exchange:
            mouth = await self._configured(exchange, config, trial)
            found = await self._play(mouth, call, case, mode)
        return await self._output(exchange, found, of_turn=case.input.kind == "turn")

    async def _play(self, mouth: Mouth, call: RecordedCall, case: Case, mode: str) -> Json:
        """What the mode has to say beside."""
        if mode == "session":
            diverged = await replay_session(mouth, call)
            return {"diverged": diverged, "diverged_at": diverged[0]["turn"] if diverged else None}
        if mode == "timing":
            return await replay_timing(mouth, call)
        if case.input.kind == "turn":
            known = await replay_turn(mouth, call, case.input.turn or 0)
        else:
            known = await replay_each_turn(mouth, call)
        return {"context_items": len(known.items), "context_left_out": known.left_out}

    # Single turns without a recording

    async def _single(self, case: Case, trial: Trial) -> Output:
        config = case.input.config or {}
        async with self._exchange(case, trial, self._model(config.get("model")), ()) as exchange:
            mouth = await self._configured(exchange, config, trial)
            if case.input.kind == "text":
                await take_turn(mouth, read_call(()), [Spoken(None, "text", case.input.text or "")])
            else:
                await self._say_clip(mouth, case)
            await mouth.hear_out()
        return await self._output(exchange, {}, of_turn=True)

    async def _say_clip(self, mouth: Mouth, case: Case) -> None:
        if not case.input.clips:
            raise TaskError(f"The case {case.id} has no sound.", retryable=False)
        samples, rate = await self._inputs.clip(case, case.input.clips[0])
        if await mouth.speak(Speech(samples, rate)):
            await mouth.answered()
        else:
            await mouth.exchange.ask()
            await mouth.exchange.settle()

    # Scenarios

    async def _simulate(self, case: Case, trial: Trial) -> Output:
        scenario = read_scenario(case.input.scenario or {})
        link = {"simulation_id": new_id("sim"), "scenario": scenario.id}
        plan = self.plan if self.plan.tools != "recorded" else changed(self.plan, tools="mock")
        model = self._model(scenario.model)
        tools = ToolBox(plan, (), (*plan.mocks, *scenario.mocks))
        config = {"instructions": scenario.instructions, "tools": list(scenario.tools)}
        async with self._exchange(case, trial, model, tools, {**link, "role": "assistant"}) as assistant:
            peer = {**link, "role": "user", "peer_session_id": assistant.session_id or ""}
            user_model = plan.simulator_model or scenario.user_model or model
            async with self._exchange(case, trial, user_model, ToolBox(plan, (), ()), peer) as user:
                hearing = await self._configured(
                    assistant, merged(config, ga_config(case.input.config or {})), trial
                )
                playing = await self._playing(user, scenario, plan)
                found = await simulate(scenario, hearing, playing)
        beside = {
            **link,
            "ended": found.ended,
            "dialogue": found.dialogue,
            "user_session_id": user.session_id,
        }
        output = await self._output(assistant, beside, of_turn=False)
        return await self._with_user(output, user)

    async def _playing(self, user: Exchange, scenario: Scenario, plan: Plan) -> Mouth:
        """The one who plays the user: always the scenario's own, whatever the experiment changes."""
        own = Plan(instructions=scenario.user_instructions, voice=scenario.user_voice, pace=plan.pace)
        await user.configure(session_settings({}, own, detects_turns=False))
        return Mouth(user, own, 0, detects=False)

    async def _with_user(self, output: Output, user: Exchange) -> Output:
        if user.session_id is None:
            return output
        trace = await trace_of(self._inputs.client, user.session_id, self.plan.timeout_seconds)
        costs = output.cost_usd, trace.get("cost_usd")
        known = None if None in costs else sum(cost for cost in costs if cost is not None)
        return changed(output, cost_usd=known)

    # What all have in common

    def _model(self, recorded: str | None) -> str:
        if (model := self.plan.model or recorded) is None:
            raise TaskError("No model: neither the replay nor the case names one.", retryable=False)
        return model

    @asynccontextmanager
    async def _exchange(
        self,
        case: Case,
        trial: Trial,
        model: str,
        tools: ToolBox | Sequence[Known],
        more: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Exchange]:
        box = tools if isinstance(tools, ToolBox) else ToolBox(self.plan, tools, self.plan.mocks)
        metadata = _metadata(case, trial, self.plan) | dict(more or {})
        tags = [TAG, trial.experiment_id] if trial.experiment_id else [TAG]
        project = self.plan.project or await self._inputs.project()
        opened = realtime_session(self._inputs.client, model, tags=tags, metadata=metadata, project=project)
        async with opened as session, exchanging(session, box, self.plan.timeout_seconds) as exchange:
            yield exchange

    async def _configured(self, exchange: Exchange, config: Json, trial: Trial) -> Mouth:
        detects = self.plan.detects_turns
        settings = session_settings(config, self.plan, detects_turns=detects)
        await exchange.configure(settings)
        detection = turn_detection_of(settings)
        answers = detection is not None and detection.get("create_response") is not False
        return Mouth(exchange, self.plan, trial.seed, detects=detection is not None, answers=answers)

    async def _output(self, exchange: Exchange, found: Json, *, of_turn: bool) -> Output:
        if exchange.session_id is None:
            trace: Mapping[str, Any] = exchange.heard.snapshot(live=False).to_json()
        else:
            trace = await trace_of(self._inputs.client, exchange.session_id, self.plan.timeout_seconds)
        said = " ".join(words for one in exchange.responses if (words := one.transcript or one.text))
        item_id = exchange.committed[0] if exchange.committed else None
        misses = exchange.tools.misses
        beside = {"mode": self.plan.mode, "misses": misses, "notes": exchange.notes, **found}
        return Output(
            text=said,
            tool_calls=tuple(Session(trace).tool_calls),
            session_id=exchange.session_id,
            turn_span_id=turn_span(trace, item_id) if of_turn else None,
            metadata=beside,
            cost_usd=trace.get("cost_usd"),
        )


def _metadata(case: Case, trial: Trial, plan: Plan) -> Json:
    found: Json = {
        "experiment_id": trial.experiment_id,
        "case_id": case.id,
        "trial": trial.number,
        "mode": plan.mode,
        "replay_of": case.session_id,
        "turn": case.input.turn,
    }
    kept = {name: value for name, value in found.items() if value not in (None, "")}
    return {name: value[:_LONGEST_TEXT] if isinstance(value, str) else value for name, value in kept.items()}


def _known(call: RecordedCall) -> list[Known]:
    """The calls whose results are in the recording."""
    return [Known(one.name, one.arguments, one.result) for one in call.calls if one.result is not None]
