"""The budget of a credential in one of its calls: counts the sound that passes and the usage that the
provider says, and lets no response begin when there is nothing left, whoever asked for it.

    to_provider   sound                                 → account
                  response.create                       → refused when nothing is left, and the call ends
    to_client     sound, response.done, transcriptions  → account
                  response.created                      → cancelled when nothing is left, and the call ends

Until a response says what it used, it counts as what it is known to be: with the input of the one before, and
by the length of its sound. So nobody escapes the bill by hanging up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from voxgate.core.errors import PriceUnknown, UsageUnknown, VoxgateError
from voxgate.core.ids import new_id
from voxgate.core.prices import Price, PriceTable
from voxgate.gateway.account import Account
from voxgate.gateway.policies.judging import Body, decoded, read_event, refusal
from voxgate.gateway.policies.reserve import Reserve, Use
from voxgate.gateway.policies.ruling import NOTHING, UNCHANGED, Foreseen, Ruling
from voxgate.providers.openai import TRANSCRIPTION
from voxgate.realtime.peek import base64_bytes, sound_bytes
from voxgate.traces.costs import cost_of
from voxgate.traces.events import name_of, obj, objects
from voxgate.traces.formats import PCM_24K, AudioFormat, format_in
from voxgate.traces.usage import flat_usage

_TELLING: Final = re.compile(
    rb'"(?:session\.created|session\.updated|response\.created|response\.done|error'
    rb'|conversation\.item\.input_audio_transcription\.completed)"'
)
_WORD: Final = re.compile(rb'"response\.(?:output_)?(?:text|audio_transcript)\.delta"')
_RESPONSE_ID: Final = re.compile(rb'"response_id"\s*:\s*"([^"]+)"')
_MS_PER_TOKEN: Final = 50
"""Of generated speech, by OpenAI's guide on costs."""
_NANO: Final = 1e9
_UNSAID: Final = ("completed", "incomplete")
"""Responses that must say what they used."""


@dataclass(slots=True)
class _Response(Use):
    """One that runs, and what it counts as so far."""

    bytes_per_ms: float


class Budget:
    def __init__(self, account: Account, model: str, prices: PriceTable) -> None:
        self._account = account
        self._prices = prices
        self._price = prices.of(model)
        self._nano_per_audio_token = _nano_per_token(self._price, "audio_output")
        self._input_rate = self._agreed_rate = self._output_rate = _bytes_per_ms(PCM_24K)
        """The first is of what the client asked for, until the provider says what is agreed."""
        self._transcriber: str | None = None
        self._running: dict[str, _Response] = {}
        self._reserve = Reserve(account)
        self._last_input = 0.0, 0.0
        """Tokens and billionths of a dollar."""
        self._on: dict[str, Callable[[bytes, Body], Ruling]] = {
            "error": self._on_error,
            "session.created": self._on_session,
            "session.updated": self._on_session,
            "response.created": self._on_created,
            "response.done": self._on_done,
            "conversation.item.input_audio_transcription.completed": self._on_transcript,
        }

    def opening(self) -> Ruling:
        return NOTHING

    # From the client

    def to_provider(self, text: bytes) -> Ruling:
        size = sound_bytes(text)
        if size is None:
            try:
                event = read_event(text)
            except VoxgateError as error:
                return refusal(error)
            if event["type"] == "response.create":
                if (spent := self._account.spent()) is not None:
                    return Ruling(self._cancels(), end=spent)
                if (reserved := self._reserve.ask(self._running.values())) is not None:
                    return refusal(reserved, event)
            size = sum(map(_size, _sounds(event)))
            asked = _rate_in(obj(event, "session"), "input") or self._input_rate
            self._input_rate = min(self._input_rate, asked)
        if size:
            self._account.add(audio_ms=size / self._input_rate)
            if (spent := self._account.sound_spent()) is not None:
                return Ruling(self._cancels(), end=spent)
        return Ruling((text,))

    def sound_to_provider(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        return text if self._count_input(size) else None

    def foresee_to_provider(self) -> Foreseen:
        return Foreseen(UNCHANGED, self._count_input)

    def _count_input(self, size: int) -> bool:
        return self._account.take_sound(size / self._input_rate)

    # From the provider

    def sound_to_client(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        """While there is sound left."""
        return text if self._take_output(self._response_of(text), size) else None

    def foresee_to_client(self) -> Foreseen:
        return Foreseen(UNCHANGED, self._count_output)

    def _count_output(self, size: int) -> bool:
        """Of several responses each message has to say which it belongs to."""
        return len(self._running) <= 1 and self._take_output(next(iter(self._running.values()), None), size)

    def _take_output(self, response: _Response | None, size: int) -> bool:
        if response is None:
            return self._account.take_sound(size / self._output_rate)
        audio_ms = size / response.bytes_per_ms
        tokens = audio_ms / _MS_PER_TOKEN
        nano_usd = tokens * self._nano_per_audio_token
        if not self._account.take_sound(audio_ms, tokens, nano_usd):
            return False
        response.tokens += tokens
        response.nano_usd += nano_usd
        return True

    def to_client(self, text: bytes) -> Ruling:
        size = sound_bytes(text)
        if size is not None:
            return self._on_sound(text, size)
        # A message may hold both words, one of them only as something that the client has called so.
        event = decoded(text) if _TELLING.search(text) else {}
        if (take := self._on.get(str(event.get("type")))) is not None:
            return take(text, event)
        if _WORD.search(text):
            self._count_word(text)
        return Ruling((text,))

    def _on_session(self, text: bytes, event: Body) -> Ruling:
        session = obj(event, "session")
        self._input_rate = self._agreed_rate = _rate_in(session, "input") or self._agreed_rate
        self._output_rate = _rate_in(session, "output") or self._output_rate
        new = obj(session, "audio", "input", "transcription") or obj(session, "input_audio_transcription")
        self._transcriber = name_of(new, "model")
        if self._account.max_cost_usd is not None and self._transcriber is not None:
            try:
                check_prices(self._prices, [self._transcriber])
            except PriceUnknown as error:
                return self._stop(error, (text,))
        return Ruling((text,))

    def _on_error(self, text: bytes, event: Body) -> Ruling:
        """It may be the answer to what the client asked for."""
        self._input_rate = self._agreed_rate
        return Ruling((text,))

    def _on_created(self, text: bytes, event: Body) -> Ruling:
        response = obj(event, "response")
        self._reserve.begun()
        tokens, nano_usd = self._last_input
        rate = _rate_in(response, "output") or self._output_rate
        running = self._running[name_of(response, "id") or ""] = _Response(0, 0, rate)
        if (error := self._account.spent()) is not None:
            return self._stop(error, (text,))
        self._count(running, tokens, nano_usd)
        self._account.add(unpriced=int(self._price is None))
        return Ruling((text,))

    def _on_done(self, text: bytes, event: Body) -> Ruling:
        response = obj(event, "response")
        counted = self._running.pop(name_of(response, "id") or "", None)
        usage = obj(response, "usage") or obj(event, "usage")  # xAI has it beside the response
        if (flat := flat_usage(usage)) is None:
            return self._unsaid(text, response)
        usd = cost_of(usage, self._price).usd or 0
        self._reserve.ended(Use(flat.get("total_tokens", 0), usd * _NANO))
        if counted is not None:
            self._account.add(tokens=-counted.tokens, nano_usd=-counted.nano_usd)
        self._last_input = _input_of(usage, self._price)
        return self._use(text, usage, self._price)

    def _unsaid(self, text: bytes, response: Body) -> Ruling:
        """What it counted as so far stays."""
        account = self._account
        bounded = account.max_tokens is not None or account.max_cost_usd is not None
        if bounded and response.get("status") in _UNSAID:
            said = (
                "The provider does not say what a response used, so this credential's budget cannot be kept."
            )
            return self._stop(UsageUnknown(said), (text,))
        return Ruling((text,))

    def _on_transcript(self, text: bytes, event: Body) -> Ruling:
        """It may be all that a call does, so it is a place to check."""
        price = self._prices.of(self._transcriber) if self._transcriber else None
        ruling = self._use(text, obj(event, "usage"), price)
        if ruling.end is None and not self._running and (error := self._account.spent()) is not None:
            return self._stop(error, (text,))
        return ruling

    def _use(self, text: bytes, usage: Body, price: Price | None) -> Ruling:
        """A response that goes beyond the budget has ended; the next one does not begin."""
        flat = flat_usage(usage)
        if flat is None:
            return Ruling((text,))
        usd = cost_of(usage, price).usd
        tokens = flat.get("total_tokens", 0)
        self._account.add(tokens=tokens, nano_usd=(usd or 0) * _NANO, unpriced=int(usd is None))
        if usd is None and self._account.max_cost_usd is not None:
            said = "The price of what was used is not known, so the budget of this credential cannot be kept."
            return self._stop(PriceUnknown(said, param="max_cost_usd"), (text,))
        return Ruling((text,))

    # What a response counts as until it says what it used

    def _on_sound(self, text: bytes, size: int) -> Ruling:
        response = self._response_of(text)
        audio_ms = size / (response.bytes_per_ms if response else self._output_rate)
        self._account.add(audio_ms=audio_ms)
        if response is not None:
            tokens = audio_ms / _MS_PER_TOKEN
            self._count(response, tokens, tokens * self._nano_per_audio_token)
        if (error := self._account.sound_spent()) is not None:
            return self._stop(error, (text,))
        return Ruling((text,))

    def _count_word(self, text: bytes) -> None:
        """A delta of text is a token, mostly."""
        if (response := self._response_of(text)) is not None:
            self._count(response, 1, _nano_per_token(self._price, "text_output"))

    def _response_of(self, text: bytes) -> _Response | None:
        if len(self._running) == 1:
            return next(iter(self._running.values()))
        found = _RESPONSE_ID.search(text) if self._running else None
        return self._running.get(found[1].decode(errors="replace")) if found else None

    def _count(self, response: _Response, tokens: float, nano_usd: float) -> None:
        response.tokens += tokens
        response.nano_usd += nano_usd
        self._account.add(tokens=tokens, nano_usd=nano_usd)

    # The end

    def _stop(self, error: VoxgateError, to_client: tuple[bytes, ...]) -> Ruling:
        """From the provider's side: the client still gets this, and every response that runs is cancelled."""
        return Ruling(to_client, self._cancels(), error)

    def _cancels(self) -> tuple[bytes, ...]:
        return tuple(_cancel(response_id) for response_id in self._running)


def _cancel(response_id: str) -> bytes:
    named = {"response_id": response_id} if response_id else {}
    return orjson.dumps({"type": "response.cancel", "event_id": new_id("event_vg"), **named})


def check_prices(prices: PriceTable, models: Iterable[str]) -> None:
    """PriceUnknown for a model that no budget in dollars could be kept with. Sessions that only transcribe
    say later which model does."""
    for model in models:
        price = prices.of(model)
        if model != TRANSCRIPTION and (price is None or not price.is_known):
            raise PriceUnknown(
                f"The price of the model {model[:200]!a} is not known, so no budget in dollars can be kept. "
                "Set it in [prices] of voxgate.toml, or use max_tokens or max_audio_seconds.",
                param="max_cost_usd",
            )


def _sounds(event: Body) -> Iterator[Any]:
    """Everything in a client's event that is sound, in base64."""
    yield event.get("audio")
    for item in (obj(event, "item"), *objects(obj(event, "response"), "input")):
        for part in objects(item, "content"):
            yield part.get("audio")


def _size(sound: Any) -> int:
    text = sound.encode(errors="replace") if isinstance(sound, str) else b""
    return base64_bytes(text, 0, len(text))


def _rate_in(body: Body, direction: Any) -> float | None:
    form = format_in(body, direction)
    return _bytes_per_ms(form) if form else None


def _bytes_per_ms(form: AudioFormat) -> float:
    return form.sample_bytes * form.rate / 1000


def _nano_per_token(price: Price | None, field: str) -> float:
    dollars = getattr(price, field) if price else None
    return (dollars or 0) * 1e3


def _input_of(usage: Body, price: Price | None) -> tuple[float, float]:
    """Tokens and billionths of a dollar."""
    parts = cost_of(usage, price).parts
    dollars = sum(parts[name] or 0 for name in parts if name.endswith("input"))
    return (flat_usage(usage) or {}).get("input_tokens", 0), dollars * _NANO
