"""Mediation: calls whose dialect or credential asks for it are relayed message by message, through stages.

    client ──> decoded ──> stage → stage → … ──> encoded ──> provider        and the other way around

What the log gets is what the provider saw and said. What a stage answers by itself, to the client, stands in
it as a fact. A client that does not say in its handshake what it speaks is watched until it has.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import orjson

from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.core.ids import new_id
from voxgate.gateway.policies import stages_before_translation, stages_for
from voxgate.gateway.policies.ruling import NOTHING, Ruling, Stage
from voxgate.gateway.relay import Call
from voxgate.providers.routes import Upstream
from voxgate.realtime.dialects import Dialect, Translator, detect, detect_from_update
from voxgate.realtime.frames import BINARY, BROKEN, PING, PONG, TEXT, FrameDecoder, Message, encode_frame
from voxgate.realtime.handshake import Request
from voxgate.realtime.peek import kind_of
from voxgate.recording.wirelog import CLIENT, SERVER

_MOST_UNDECIDED: Final = 20
"""After so many messages a client that has not shown its dialect speaks the provider's."""
_MOST_HELD_BYTES: Final = 256 << 10


def mediate(
    call: Call, request: Request, model: str, upstream: Upstream, end: Callable[[Call, VoxgateError], None]
) -> None:
    """Before the call starts: puts it through the stages that it needs, if any. `model` is the name that the
    client asked for."""
    dialect, before, policies = detect(request), stages_before_translation(call.grant), stages_for(call.grant)

    def begin(dialect: Dialect | None) -> Mediation | None:
        translator = Translator(
            dialect, upstream.dialect, requested_model=model, upstream_model=upstream.model
        )
        stages = [] if translator.transparent else [Translation(translator)]
        if not (before or stages or policies):
            return None
        mediation = Mediation(call, [*before, *stages, *policies], functools.partial(end, call))
        mediation.begin()
        return mediation

    if dialect is None and not (before or policies):
        Undecided(call, upstream.dialect, begin).begin()
    else:
        begin(dialect)


class Translation:
    """The stage that translates between the client's dialect and another."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    def opening(self) -> Ruling:
        return NOTHING

    def to_provider(self, text: bytes) -> Ruling:
        return Ruling(*self._translator.to_provider(text))

    def to_client(self, text: bytes) -> Ruling:
        return Ruling(*self._translator.to_client(text))


class Undecided:
    """A call whose client has not shown its dialect yet. Its bytes go on unchanged, message by message, until
    the client says something of its session, or enough else."""

    def __init__(self, call: Call, provider: Dialect, begin: Callable[[Dialect], Mediation | None]) -> None:
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
        sound = message.opcode != TEXT or kind_of(message.payload)
        return self._provider if sound or self._messages >= _MOST_UNDECIDED else None

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
        mediation = self._begin(dialect)
        from_client, from_provider = bytes(self._held[CLIENT]), bytes(self._held[SERVER])
        if mediation is None:
            call.client.relay()
            call.upstream.relay()
            call.client.pass_on(from_client)
            call.upstream.pass_on(from_provider)
        else:
            mediation.from_client(from_client)
            mediation.from_provider(from_provider)


class Mediation:
    """The stages of one call at work. `end` ends the call for a stage's reason."""

    def __init__(self, call: Call, stages: Sequence[Stage], end: Callable[[VoxgateError], None]) -> None:
        self._call = call
        self._stages = stages
        self._end = end
        self._judges = not all(isinstance(stage, Translation) for stage in stages)
        self._decoders = FrameDecoder(), FrameDecoder()
        self._to_provider: list[bytes] = []
        self._to_client: list[bytes] = []
        self._ending: VoxgateError | None = None

    def begin(self) -> None:
        """Before the call starts. What the stages open it with goes out first."""
        self._call.client.mediate(self.from_client)
        self._call.upstream.mediate(self.from_provider)
        for index, stage in enumerate(self._stages):
            self._apply(index, stage.opening(), up=True)
        self._deliver()

    def from_client(self, data: bytes) -> None:
        for message in self._decoders[CLIENT].feed(data):
            if self._ending is None:
                self._take_from_client(message)
                self._deliver()

    def from_provider(self, data: bytes) -> None:
        for message in self._decoders[SERVER].feed(data):
            if self._ending is None:
                self._take_from_provider(message)
                self._deliver()

    def _take_from_client(self, message: Message) -> None:
        if message.opcode == TEXT:
            self._up(0, (message.payload,))
        elif self._judges and message.opcode in (BINARY, BROKEN):
            error = InvalidRequest("With this credential a session takes text messages only.")
            self._answer(orjson.dumps(error.event(new_id("event"))))
        else:
            self._pass_to_provider(message)

    def _take_from_provider(self, message: Message) -> None:
        if message.opcode == BROKEN:
            self._call.log.append(SERVER, message.payload)
            self._call.client.transport.write(message.payload)
            return
        self._call.log.append(SERVER, encode_frame(message.opcode, message.payload))
        if message.opcode == TEXT:
            self._down(len(self._stages) - 1, (message.payload,))
        else:
            self._call.client.transport.write(encode_frame(message.opcode, message.payload))

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
        upwards, downwards = (ruling.forward, ruling.back) if up else (ruling.back, ruling.forward)
        if up:
            for text in ruling.back:
                self._tell_log(text)
        self._up(index + 1, upwards)
        self._down(index - 1, downwards)
        self._ending = self._ending or ruling.end

    def _answer(self, text: bytes) -> None:
        self._tell_log(text)
        self._down(len(self._stages) - 1, (text,))

    def _tell_log(self, text: bytes) -> None:
        """What the gateway answered in the provider's stead."""
        self._call.log.fact({"type": "gateway.answered", "message": orjson.Fragment(text)})

    # Out

    def _deliver(self) -> None:
        call = self._call
        for text in self._to_provider:
            self._pass_to_provider(Message(TEXT, text))
        for text in self._to_client:
            call.client.transport.write(encode_frame(TEXT, text))
        self._to_provider.clear()
        self._to_client.clear()
        if self._ending is not None:
            self._end(self._ending)

    def _pass_to_provider(self, message: Message) -> None:
        if message.opcode == BROKEN:
            frame = message.payload
        else:
            frame = encode_frame(message.opcode, message.payload, masked=True)
        self._call.upstream.transport.write(frame)
        self._call.log.append(CLIENT, frame)
