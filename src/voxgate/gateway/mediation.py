"""Mediation: calls whose dialect or credential asks for it are relayed message by message, through stages.

    client ──> decoded ──> stage → stage → … ──> encoded ──> provider        and the other way around

What the log gets is what the provider saw and said. What a stage answers by itself, to the client, stands in
it as a fact. A client that does not say in its handshake what it speaks is watched until it has.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

import orjson

from voxgate.core.errors import InvalidEvent, InvalidRequest, VoxgateError
from voxgate.core.ids import new_id
from voxgate.gateway.glance import Glance, judges_down, judges_up
from voxgate.gateway.policies import stages_before_translation, stages_for
from voxgate.gateway.policies.judging import lacks
from voxgate.gateway.policies.ruling import NOTHING, Foreseen, Ruling, Stage
from voxgate.gateway.relay import Call
from voxgate.providers.openai import TRANSCRIPTION
from voxgate.providers.routes import Upstream
from voxgate.realtime.dialects import (
    Dialect,
    MessageTranslator,
    Translated,
    Translator,
    detect,
    detect_from_update,
)
from voxgate.realtime.dialects.detection import AZURE_PATH
from voxgate.realtime.frames import BINARY, BROKEN, PING, PONG, TEXT, FrameDecoder, Message, encode_frame
from voxgate.realtime.handshake import Request
from voxgate.realtime.peek import SOUND, kind_of
from voxgate.recording.masks import apply_mask
from voxgate.recording.wirelog import CLIENT, SERVER

logger = logging.getLogger(__name__)

_MOST_UNDECIDED: Final = 20
"""After so many messages a client that has not shown its dialect speaks the provider's."""
_MOST_HELD_BYTES: Final = 256 << 10
_MOST_WAITING_BYTES: Final = 1 << 20
_NO_MESSAGE: Final = Message(TEXT, b"")
ANSWER_SECONDS: Final = 10.0
"""How long a provider may take to confirm what a credential opens the session with."""


def mediate(
    call: Call,
    request: Request,
    model: str,
    upstream: Upstream,
    end: Callable[[Call, VoxgateError], None],
    budget: Stage | None = None,
) -> None:
    """Before the call starts: puts it through the stages that it needs, if any. `model` is the name that the
    client asked for."""
    transcribes = TRANSCRIPTION in (request.parameter("intent"), call.grant.session.get("type"))
    before = stages_before_translation(call.grant, transcribes=transcribes)
    dialect, policies = detect(request), stages_for(call.grant, budget)
    presumed = _presumed(request, upstream.dialect)

    def begin(dialect: Dialect | None) -> Between | None:
        outer, inner = _translations(dialect, presumed, model, upstream, is_judged=bool(policies))
        between: Between
        if outer or policies or inner:
            stages = [*before, *outer, *policies, *inner]
            between = Mediation(call, stages, functools.partial(end, call))
        elif before:
            between = Watch(call, before[0], functools.partial(end, call))
        else:
            return None
        between.begin()
        return between

    waits = dialect is None and presumed is upstream.dialect and model == upstream.model
    if waits and not policies and upstream.translator is None:
        Undecided(call, upstream.dialect, begin).begin()
    else:
        begin(dialect)


def mediate_by(call: Call, stages: Sequence[Stage], end: Callable[[Call, VoxgateError], None]) -> None:
    """Before the call starts: puts it through these stages, whatever it speaks."""
    Mediation(call, stages, functools.partial(end, call)).begin()


def _presumed(request: Request, provider: Dialect) -> Dialect:
    """What a client speaks that has not shown it. Clients of the beta say so in their handshake, but for some
    that use Azure's older path; and what speaks GA can be told from what it says of its session."""
    return provider if request.path == AZURE_PATH else Dialect.GA


def _translations(
    client: Dialect | None, presumed: Dialect, model: str, upstream: Upstream, *, is_judged: bool
) -> tuple[list[Translation], list[Translation]]:
    """What stands on the client's and on the provider's side of the policies, which read GA."""
    meeting = Dialect.GA if is_judged or upstream.translator else upstream.dialect
    outer = Translator(
        client,
        meeting,
        requested_model=model,
        upstream_model=upstream.model,
        refused=upstream.refused if meeting is upstream.dialect else None,
        presumed=presumed,
        is_waypoint=meeting is not upstream.dialect,
    )
    inner = Translator(
        meeting,
        upstream.dialect,
        requested_model=upstream.model,
        upstream_model=upstream.model,
        refused=upstream.refused,
    )
    last = [Translation(upstream.translator())] if upstream.translator else []
    return (
        [] if outer.transparent else [Translation(outer)],
        [*([] if inner.transparent else [Translation(inner)]), *last],
    )


class Between(Protocol):
    """What stands between the two sides of a call."""

    def begin(self) -> None: ...

    def from_client(self, data: bytes) -> None: ...

    def from_provider(self, data: bytes) -> None: ...


class Translation:
    """The stage that translates between a dialect and another."""

    def __init__(self, translator: MessageTranslator) -> None:
        self._translator = translator

    def opening(self) -> Ruling:
        return NOTHING

    def to_provider(self, text: bytes) -> Ruling:
        return Ruling(*self._translator.to_provider(text))

    def to_client(self, text: bytes) -> Ruling:
        return Ruling(*self._translator.to_client(text))

    def sound_to_provider(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        """Of sound nothing but the type's name is translated, and nothing remembered."""
        return _one_of(self._translator.to_provider(text))

    def sound_to_client(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        return _one_of(self._translator.to_client(text))

    def foresee_to_provider(self) -> Foreseen:
        return _foreseen(self._translator.name_to_provider)

    def foresee_to_client(self) -> Foreseen:
        return _foreseen(self._translator.name_to_client)


def _foreseen(name_of: Callable[[bytes], bytes | None]) -> Foreseen:
    return Foreseen({kind: name for kind in SOUND if (name := name_of(kind)) is not None})


def _one_of(translated: Translated) -> bytes | None:
    forward, back = translated
    return forward[0] if len(forward) == 1 and not back else None


class Undecided:
    """A call whose client has not shown its dialect yet. Its bytes go on unchanged, message by message, until
    the client says something of its session or names a model, or has said enough else."""

    def __init__(self, call: Call, provider: Dialect, begin: Callable[[Dialect], Between | None]) -> None:
        self._call = call
        self._provider = provider
        self._begin = begin
        self._decoders = FrameDecoder(), FrameDecoder()
        self._held = bytearray(), bytearray()
        self._messages = 0

    def begin(self) -> None:
        self._call.client.mediate(self._from_client)
        self._call.upstream.mediate(self._from_provider)

    def _from_client(self, data: bytes) -> None:
        self._held[CLIENT].extend(data)
        for message in self._decoders[CLIENT].feed(data):
            dialect = self._dialect_of(message) if message.opcode not in (PING, PONG) else None
            if dialect is not None:
                self._decided(dialect)
                return
        self._pass_whole(CLIENT)

    def _dialect_of(self, message: Message) -> Dialect | None:
        self._messages += 1
        if message.opcode == TEXT and (dialect := detect_from_update(message.payload)) is not None:
            return dialect
        # A client that sends sound takes the session as it is.
        tells = message.opcode != TEXT or kind_of(message.payload) or not lacks(message.payload, b"model")
        return self._provider if tells or self._messages >= _MOST_UNDECIDED else None

    def _from_provider(self, data: bytes) -> None:
        self._held[SERVER].extend(data)
        self._decoders[SERVER].feed(data)
        self._pass_whole(SERVER)

    def _pass_whole(self, kind: int) -> None:
        """What is held, if it ends with a whole message. One that is too large for settings decides too."""
        held = self._held[kind]
        if self._decoders[kind].idle:
            (self._call.upstream if kind else self._call.client).pass_on(bytes(held))
            held.clear()
        elif len(held) > _MOST_HELD_BYTES:
            self._decided(self._provider)

    def _decided(self, dialect: Dialect) -> None:
        call = self._call
        call.client.relay()
        call.upstream.relay()
        between: Between | Relayed = self._begin(dialect) or Relayed(call)
        between.from_client(bytes(self._held[CLIENT]))
        between.from_provider(bytes(self._held[SERVER]))


class Relayed:
    """Nothing between."""

    def __init__(self, call: Call) -> None:
        self.from_client, self.from_provider = call.client.pass_on, call.upstream.pass_on


class Watch:
    """Of a call whose credential only names models: the client's messages go on as they are, whole ones, and
    one that the stage refuses does not. The provider's are not looked at."""

    def __init__(self, call: Call, stage: Stage, end: Callable[[VoxgateError], None]) -> None:
        self._call = call
        self._stage = stage
        self._end = end
        self._ended = False
        self._decoder = FrameDecoder()
        self._held = bytearray()
        self._messages: list[Message] = []
        self._whole = True
        """Whether what is held begins with a message."""
        self.from_provider = call.upstream.pass_on
        leg = call.client
        self._glance = Glance(judges_up([stage]), self._decoder, leg.follower, leg.peer.write, masked=True)

    def begin(self) -> None:
        self._call.client.mediate(self.from_client, self._glance)

    def from_client(self, data: bytes) -> None:
        if self._ended:
            return
        self._glance.forget()
        self._held += data
        self._messages += self._decoder.feed(data)
        if self._messages and self._messages[-1].opcode == BROKEN:
            self._ended = self._glance.stopped = True
            self._pass_others(self._messages[:-1])
            self._end(_no_frames())
            return
        if self._decoder.idle or len(self._held) > _MOST_WAITING_BYTES:
            self._pass()

    def _pass(self) -> None:
        """What is held; of a client that never stops between two messages those that are whole."""
        answers = [answer for message in self._messages if (answer := self._judge(message)) is not None]
        if self._whole and self._decoder.idle and not answers:
            self._call.client.pass_on(bytes(self._held))
        else:
            self._pass_others(self._messages)
        self._held.clear()
        self._messages, self._whole = [], self._decoder.idle
        for answer in answers:
            self._call.answer(answer)

    def _judge(self, message: Message) -> bytes | None:
        """The answer to a message that may not go on."""
        if message.opcode == BINARY:
            return _text_only()
        if message.opcode != TEXT or lacks(message.payload, b"model"):
            return None
        return next(iter(self._stage.to_provider(message.payload).back), None)

    def _pass_others(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if self._judge(message) is None:
                frame = encode_frame(message.opcode, message.payload, masked=True, mask_with=apply_mask)
                self._call.client.pass_on(frame)


def _text_only() -> bytes:
    error = InvalidRequest("With this credential a session takes text messages only.")
    return orjson.dumps(error.event(new_id("event")))


def _at_fault() -> VoxgateError:
    return VoxgateError("The gateway failed at a message of this call; its log says why.")


def _no_frames() -> VoxgateError:
    """Nothing can be judged any more: what follows could be anything."""
    return InvalidEvent("What the client sent is no WebSocket message; the call cannot go on.")


class Mediation:
    """The stages of one call at work. `end` ends the call for a stage's reason."""

    def __init__(self, call: Call, stages: Sequence[Stage], end: Callable[[VoxgateError], None]) -> None:
        self._call = call
        self._stages = stages
        self._end = end
        self._judges = not all(isinstance(stage, Translation) for stage in stages)
        self._decoders = (
            FrameDecoder(unmask=apply_mask, keep_frames=True),
            FrameDecoder(unmask=apply_mask, keep_frames=True),
        )
        self._judged = CLIENT, _NO_MESSAGE
        """Where the message being judged came from. One that the stages leave as it is keeps its frame."""
        self._glances = self._glance_up(), self._glance_down()
        self._to_provider: list[bytes] = []
        self._to_client: list[bytes] = []
        self._ending: VoxgateError | None = None
        self._later: asyncio.Task[None] | None = None
        """Finds out what a stage says of a client's message."""
        self._behind: list[Message] = []
        """What the client sent behind that."""

    def begin(self) -> None:
        """Before the call starts. What the stages open it with goes out first."""
        self._call.client.mediate(self.from_client, self._glances[CLIENT])
        self._call.upstream.mediate(self.from_provider, self._glances[SERVER])
        for index, stage in enumerate(self._stages):
            opening = stage.opening()
            self._apply(index, opening, up=True)
            if opening.overdue is not None:
                asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._check, opening.overdue)
        self._deliver()

    def _glance_up(self) -> Glance:
        leg, judges = self._call.client, judges_up(self._stages)
        return Glance(judges, self._decoders[CLIENT], leg.follower, leg.peer.write, masked=True)

    def _glance_down(self) -> Glance:
        leg, judges = self._call.upstream, judges_down(self._stages)
        return Glance(judges, self._decoders[SERVER], leg.follower, leg.peer.write, masked=False)

    def _check(self, overdue: Callable[[], VoxgateError | None]) -> None:
        self._ending = self._ending or overdue()
        self._deliver()

    def from_client(self, data: bytes) -> None:
        for message in self._decoders[CLIENT].feed(data):
            self._from_client(message)

    def _from_client(self, message: Message) -> None:
        if self._later is not None:
            self._behind.append(message)
        elif self._ending is None:
            self._judged = CLIENT, message
            self._judge(self._take_from_client, message)

    def from_provider(self, data: bytes) -> None:
        for message in self._decoders[SERVER].feed(data):
            if self._ending is None:
                self._judged = SERVER, message
                self._judge(self._take_from_provider, message)

    def _judge(self, take: Callable[[Message], None], message: Message) -> None:
        try:
            take(message)
        except Exception:  # a fault of ours: what was not judged does not pass, and the call ends instead
            logger.exception("session %s: a message could not be judged", self._call.session_id)
            self._to_provider.clear()
            self._to_client.clear()
            self._ending = _at_fault()
        self._deliver()

    def _take_from_client(self, message: Message) -> None:
        if message.opcode == TEXT:
            self._up(0, (message.payload,))
        elif self._judges and message.opcode == BINARY:
            self._answer(_text_only())
        elif self._judges and message.opcode == BROKEN:
            self._ending = _no_frames()
        else:
            self._pass_to_provider(message)

    def _take_from_provider(self, message: Message) -> None:
        if message.opcode == BROKEN:
            self._call.upstream.record(message.payload)
            self._call.client.transport.write(message.payload)
            return
        frame = message.frame or encode_frame(message.opcode, message.payload)
        self._call.upstream.record(frame)
        if message.opcode == TEXT:
            self._down(len(self._stages) - 1, (message.payload,))
        else:
            self._call.client.transport.write(frame)

    # Through the stages

    def _up(self, index: int, texts: Iterable[bytes]) -> None:
        """Towards the provider, from this stage on."""
        for text in texts:
            if index == len(self._stages):
                self._to_provider.append(text)
            else:
                self._apply(index, self._stages[index].to_provider(text), up=True)

    def _down(self, index: int, texts: Iterable[bytes]) -> None:
        """Towards the client, from this stage on."""
        for text in texts:
            if index < 0:
                self._to_client.append(text)
            else:
                self._apply(index, self._stages[index].to_client(text), up=False)

    def _apply(self, index: int, ruling: Ruling, *, up: bool) -> None:
        if ruling.later is not None:
            self._call.client.transport.pause_reading()
            self._stop_glances(stopped=True)
            self._later = asyncio.ensure_future(self._told_later(index, ruling.later, self._judged))
            return
        upwards, downwards = (ruling.forward, ruling.back) if up else (ruling.back, ruling.forward)
        if up:
            for text in ruling.back:
                self._call.note_answer(text)
        self._up(index + 1, upwards)
        self._down(index - 1, downwards)
        self._ending = self._ending or ruling.end

    def _answer(self, text: bytes) -> None:
        self._call.note_answer(text)
        self._down(len(self._stages) - 1, (text,))

    async def _told_later(self, index: int, later: Awaitable[Ruling], judged: tuple[int, Message]) -> None:
        try:
            ruling = await later
        except Exception:  # a fault of ours, as in `_judge`
            logger.exception("session %s: a message could not be judged", self._call.session_id)
            ruling = Ruling(end=_at_fault())
        self._later = None
        if self._call.is_over or self._ending is not None:
            return
        self._judged = judged
        self._stop_glances(stopped=False)
        self._apply(index, ruling, up=True)
        self._deliver()
        behind, self._behind = self._behind, []
        for message in behind:
            self._from_client(message)
        if self._later is None and self._call.upstream.stalled_since is None:
            self._call.client.transport.resume_reading()

    # Out

    def _deliver(self) -> None:
        for glance in self._glances:
            glance.forget()  # something was read, whatever came of it
        for text in self._to_provider:
            self._pass_to_provider(Message(TEXT, text, self._frame_of(text, CLIENT)))
        for text in self._to_client:
            frame = self._frame_of(text, SERVER) or encode_frame(TEXT, text)
            self._call.client.transport.write(frame)
        self._to_provider.clear()
        self._to_client.clear()
        if self._ending is not None:
            self._stop_glances(stopped=True)
            self._end(self._ending)

    def _stop_glances(self, *, stopped: bool) -> None:
        for glance in self._glances:
            glance.stopped = stopped

    def _frame_of(self, text: bytes, side: int) -> bytes:
        """The frame in which this very text came from that side; empty if it did not, or came in several."""
        came_from, message = self._judged
        return message.frame if text is message.payload and came_from == side else b""

    def _pass_to_provider(self, message: Message) -> None:
        if message.opcode == BROKEN:
            frame = message.payload
        else:
            frame = message.frame or encode_frame(
                message.opcode, message.payload, masked=True, mask_with=apply_mask
            )
        self._call.upstream.transport.write(frame)
        self._call.client.record(frame)
