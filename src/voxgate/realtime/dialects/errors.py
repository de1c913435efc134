"""Errors in the words of the client's dialect: the field that a provider's `error` names, and the refusal of
what cannot be said to the provider at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxgate.core.errors import InvalidRequest
from voxgate.core.ids import new_id
from voxgate.realtime.dialects.bodies import Body, leaf
from voxgate.realtime.dialects.table import FIELDS, SAMPLING_RATE, Dialect, Field
from voxgate.realtime.dialects.words import BETA_FORMATS, GA_FORMATS

_SUPPORTED: Final = {Dialect.BETA: BETA_FORMATS, Dialect.GA: GA_FORMATS}


def translate_error(error: Body, to: Dialect) -> bool:
    """The field's name in `param` and in the message; whether that changed anything."""
    named = error.get("param")
    if not isinstance(named, str) or (param := _translate_param(named, to)) == named:
        return False
    error["param"] = param
    if isinstance(error.get("message"), str):
        error["message"] = error["message"].replace(named, param)
    return True


def refusal(event: Body, key: str, to: Dialect) -> Body | None:
    """The `error` event for a client whose translated event holds an audio format that the provider's dialect
    `to` has no word for. As with the live service, the client's event is then discarded whole."""
    body = event[key]
    for field in FIELDS["session"]:
        if field.is_format and (value := _wordless(body, field, to)) is not None:
            client = Dialect.GA if to is Dialect.BETA else Dialect.BETA
            return _refuse(_param(key, field, client), value, client, event.get("event_id"))
    return None


def _wordless(body: Body, field: Field, to: Dialect) -> Any:
    """The value if it is still in the form of the other dialect: a name in beta, an object in GA."""
    if to is Dialect.BETA:
        value = body.get(field.beta)
        return value if isinstance(value, dict) else None
    value = leaf(body, field.ga)
    return value if isinstance(value, str) else None


def _refuse(param: str, value: Any, client: Dialect, client_event_id: Any) -> Body:
    *names, last = (f"'{name}'" for name in _SUPPORTED[client])
    message = f"Invalid value: {value!r}. Supported values are: {', '.join(names)}, and {last}."
    event = InvalidRequest(message, param=param).event(new_id("event"))
    event["error"]["event_id"] = client_event_id if isinstance(client_event_id, str) else None
    return event


def _param(key: str, field: Field, dialect: Dialect) -> str:
    """How the dialect names the field, for example `session.audio.output.voice`."""
    return ".".join((key, *field.ga) if dialect is Dialect.GA else (key, field.beta))


def _params() -> Iterator[tuple[str, str, bool]]:
    """Beta name, GA name, whether what is inside has the same names in both; the longest GA name first."""
    yield _param("session", SAMPLING_RATE, Dialect.BETA), _param("session", SAMPLING_RATE, Dialect.GA), True
    for key, fields in (("session", FIELDS["session"]), ("response", FIELDS["request"])):
        for field in fields:
            names = _param(key, field, Dialect.BETA), _param(key, field, Dialect.GA)
            yield *names, not field.is_format


_PARAMS: Final = tuple(_params())


def _translate_param(param: str, to: Dialect) -> str:
    for beta, ga, alike_inside in _PARAMS:
        theirs, ours = (ga, beta) if to is Dialect.BETA else (beta, ga)
        if param == theirs:
            return ours
        if param.startswith((f"{theirs}.", f"{theirs}[")):
            return ours + param[len(theirs) :] if alike_inside else ours
    return param
