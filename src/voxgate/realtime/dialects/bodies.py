"""Sessions, responses and items from one dialect to the other, by the tables. A decoded body is changed in
place; every function answers whether it changed anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from voxgate.realtime.dialects.table import CONTENT, FIELDS, ITEM_LISTS, Dialect, Field, Shape
from voxgate.realtime.dialects.words import join_rate, split_rate

Body = dict[str, Any]
Kind = Literal["realtime", "transcription"]

_CONTENT: Final = {
    Dialect.GA: dict(CONTENT),
    Dialect.BETA: {ga: beta for beta, ga in CONTENT},
}


def kind_of(session: Body, event_name: str) -> Kind | None:
    """None for a session of another kind, such as a translation: beta has no words for it."""
    kind = session.get("type")
    transcribes = kind == "transcription" or session.get("object") == "realtime.transcription_session"
    if transcribes or event_name.startswith("transcription_"):
        return "transcription"
    return "realtime" if kind in (None, "realtime") else None


def translate_session(session: Body, kind: Kind, to: Dialect) -> bool:
    if to is Dialect.BETA:
        changed = session.pop("type", None) is not None
        changed |= flatten(session, FIELDS["session"])
        return split_rate(session) or changed
    changed = session.get("type") != kind
    session["type"] = kind
    changed |= join_rate(session)
    return nest(session, FIELDS["session"]) or changed


def translate_response(response: Body, shape: Shape, to: Dialect) -> bool:
    """The response of `response.create` (shape `request`) or of `response.created` and `response.done`."""
    changed = _move(response, FIELDS[shape], to)
    items = response.get(ITEM_LISTS[shape])
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            changed |= translate_item(item, to)
            changed |= shape == "response" and name_item(item, to)
    return changed


def translate_item(item: Body, to: Dialect) -> bool:
    changed = False
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        name = part.get("type") if isinstance(part, dict) else None
        if isinstance(name, str) and name in _CONTENT[to]:
            part["type"], changed = _CONTENT[to][name], True
    return changed


def name_item(item: Body, to: Dialect) -> bool:
    """In beta every item that a server shows says what it is; GA leaves that out."""
    if to is Dialect.GA or "object" in item:
        return False
    item["object"] = "realtime.item"
    return True


def leaf(body: Body, path: Sequence[str]) -> Any:
    """The value at a path of names; None if there is none."""
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _move(body: Body, fields: Sequence[Field], to: Dialect) -> bool:
    return nest(body, fields) if to is Dialect.GA else flatten(body, fields)


def nest(body: Body, fields: Sequence[Field]) -> bool:
    changed = False
    for field in fields:
        if field.beta in body:
            changed |= _put(body, field, field.words.to_ga(body[field.beta]))
    return changed


def _put(body: Body, field: Field, value: Any) -> bool:
    """Puts the value where GA has it, unless something else is there that is no object."""
    holder = body
    for name in field.ga[:-1]:
        inner = holder.get(name)
        if inner is not None and not isinstance(inner, dict):
            return False
        if inner is None:
            inner = holder[name] = {}
        holder = inner
    del body[field.beta]
    holder.setdefault(field.ga[-1], value)
    return True


def flatten(body: Body, fields: Sequence[Field]) -> bool:
    changed = False
    for field in fields:
        changed |= _take(body, field)
    return changed


def _take(body: Body, field: Field) -> bool:
    """Takes the value from where GA has it, and the objects around it that are empty then."""
    *around, last = field.ga
    holders: list[Body] = [body]
    for name in around:
        inner = holders[-1].get(name)
        if not isinstance(inner, dict):
            return False
        holders.append(inner)
    if last not in holders[-1]:
        return False
    body[field.beta] = field.words.to_beta(holders[-1].pop(last))
    for name in reversed(around):
        if not holders.pop():
            del holders[-1][name]
    return True
