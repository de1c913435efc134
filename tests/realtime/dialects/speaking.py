"""Events through a translator, decoded again."""

from __future__ import annotations

from typing import Any

import orjson

from voxgate.realtime.dialects import Dialect, Translated, Translator

Event = dict[str, Any]
BETA, GA = Dialect.BETA, Dialect.GA


def beta_client(**settings: Any) -> Translator:
    return Translator(BETA, GA, **settings)


def ga_client(**settings: Any) -> Translator:
    return Translator(GA, BETA, **settings)


def update(**session: Any) -> Event:
    return {"type": "session.update", "session": session}


def to_provider(translator: Translator, event: Event) -> list[Event]:
    return _forwarded(translator.to_provider(orjson.dumps(event)))


def to_client(translator: Translator, event: Event) -> list[Event]:
    return _forwarded(translator.to_client(orjson.dumps(event)))


def refusals(translator: Translator, event: Event) -> list[Event]:
    """The error events that go back to a client for an event that then does not go on."""
    translated = translator.to_provider(orjson.dumps(event))
    assert not translated.forward
    return [orjson.loads(text) for text in translated.back]


def _forwarded(translated: Translated) -> list[Event]:
    assert not translated.back
    return [orjson.loads(text) for text in translated.forward]
