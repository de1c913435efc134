"""The session settings of a credential: the gateway opens the session with them, keeps the client from
changing those that are locked, and does not show it instructions that are.

    opening     session.update with the settings                 → provider
    to_provider waits until the provider has taken over settings of which some are locked;
                whatever names a locked field is refused whole   → client
    to_client   sessions and responses, without what is hidden   → client
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from voxgate.core.errors import FieldLocked, SettingsRefused, VoxgateError
from voxgate.core.ids import new_id
from voxgate.gateway.policies.judging import Body, a_list, an_object, decoded, read_event, refusal, shown
from voxgate.gateway.policies.ruling import NOTHING, UNCHANGED, Foreseen, Ruling
from voxgate.realtime.dialects.table import FIELDS, SAMPLING_RATE
from voxgate.realtime.peek import kind_of

Path = tuple[str, ...]

_HOLDERS: Final[frozenset[Path]] = frozenset({("audio",), ("audio", "input"), ("audio", "output")})
"""Objects whose fields are settings of their own; any other object is one setting."""
_OTHER_NAMES: Final = {field.beta: field.ga for field in (*FIELDS["session"], SAMPLING_RATE)}
"""Flat names that some providers take as well."""
_INSTRUCTIONS: Final = ("instructions",)
_PROMPT: Final = ("prompt",)
_TOOLS: Final = ("tools",)
_SPEAKERS: Final = (None, "user", "assistant")
_HIDDEN: Final[Path] = ("instructions", "prompt")
_SECRETS: Final[Path] = ("authorization", "headers")
_MOST_HELD_BYTES: Final = 4 << 20


class SessionLock:
    sound_to_client = foresee_to_client = None

    def __init__(self, settings: Body, locked: Iterable[str]) -> None:
        """`settings` as in session.update, `locked` the fields as `audio.output.voice`."""
        self._settings = settings
        self._locked = frozenset(tuple(path.split(".")) for path in locked)
        self._hides = bool(self._locked & {_INSTRUCTIONS, _PROMPT})
        if self._hides:
            self._locked |= {_INSTRUCTIONS}
        if self._locked:
            self._locked |= {_PROMPT}  # a stored prompt can hold any of them
        self._hides_secrets = any(tool.get("type") == "mcp" for tool in settings.get("tools") or ())
        self._needles = self._words_of_hidden()
        self._event_id = new_id("event_vg")
        self._pending = False
        """Whether the provider has still to answer the opening."""
        self._client_spoke = False
        self._held: list[bytes] = []
        """The client's messages that wait until locked settings are in force."""
        self._held_bytes = 0

    def opening(self) -> Ruling:
        if not self._settings:
            return NOTHING
        self._pending = True
        session = {"type": "realtime", **_without_none(self._settings, "type")}
        event = {"type": "session.update", "event_id": self._event_id, "session": session}
        return Ruling((orjson.dumps(event),), overdue=self._overdue if self._locked else None)

    def _overdue(self) -> SettingsRefused | None:
        """With defaults only a provider that does not answer does no harm."""
        return _not_confirmed("in time") if self._pending else None

    # From the client

    def to_provider(self, text: bytes) -> Ruling:
        if self._locked and not kind_of(text):
            try:
                event = read_event(text)
            except VoxgateError as error:
                return refusal(error)
            try:
                self._check(event)
            except VoxgateError as error:
                return refusal(error, event)
        if self._pending and self._locked:
            return self._hold(text)
        self._client_spoke = True
        return Ruling((text,))

    def sound_to_provider(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        if self._pending and self._locked:
            return None
        self._client_spoke = True
        return text

    def foresee_to_provider(self) -> Foreseen | None:
        """From the first message on that did not have to wait: settings are in force for good."""
        waits = self._pending and self._locked
        return Foreseen(UNCHANGED) if self._client_spoke and not waits else None

    def _hold(self, text: bytes) -> Ruling:
        self._held.append(text)
        self._held_bytes += len(text)
        if self._held_bytes > _MOST_HELD_BYTES:
            return Ruling(end=_not_confirmed(f"before the client had sent {_MOST_HELD_BYTES:,} bytes"))
        return NOTHING

    def _check(self, event: Body) -> None:
        """Whatever the event's type: what carries a session changes it."""
        if "session" in event:
            self._check_fields(event["session"], "session")
        if event.get("response") is not None:
            self._check_fields(event["response"], "response")
            for index, item in enumerate(a_list(event["response"].get("input"), "response.input")):
                self._check_item(item, f"response.input.{index}")
        if "item" in event:
            self._check_item(event["item"], "item")

    def _check_fields(self, body: Any, at: str) -> None:
        for path, written, value in _settings_in(an_object(body, at), at):
            if self._is_locked(path) and not self._is_same(path, value):
                raise _locked(written)

    def _is_locked(self, path: Path) -> bool:
        """Whether a value at this path would replace one that is locked, in whole or in part."""
        return any(path[: len(field)] == field[: len(path)] for field in self._locked)

    def _is_same(self, path: Path, value: Any) -> bool:
        """Saying a locked field as it is changes nothing; of those that are hidden nobody is told."""
        if path == _PROMPT and value is None and "prompt" not in self._settings:
            return True  # there is none
        if path in (_INSTRUCTIONS, _PROMPT):
            return False
        given: Any = self._settings
        for name in path:
            if not isinstance(given, dict) or name not in given:
                return False
            given = given[name]
        return _canonical(given) == _canonical(value)

    def _check_item(self, item: Any, at: str) -> None:
        """A system message is instructions by another name; a list of an MCP server's tools brings tools."""
        an_object(item, at)
        if _INSTRUCTIONS in self._locked and item.get("role") not in _SPEAKERS:
            raise _locked(f"{at}.role")
        if _TOOLS in self._locked and "tools" in item:
            raise _locked(f"{at}.tools")

    # From the provider

    def to_client(self, text: bytes) -> Ruling:
        if kind_of(text):
            return Ruling((text,))
        if self._pending and (error := self._failure(text)) is not None:
            return Ruling(end=error)
        hides = any(needle in text for needle in self._needles)
        return Ruling(self._hide(text) if hides else (text,), back=self._released())

    def _released(self) -> tuple[bytes, ...]:
        """What was held, once the settings are in force."""
        if self._pending or not self._held:
            return ()
        released, self._held = tuple(self._held), []
        self._client_spoke = True
        return released

    def _failure(self, text: bytes) -> SettingsRefused | None:
        """Why the opening was refused, if this says so: a call whose settings are not in force must end."""
        if b"session.updated" not in text and b"error" not in text:
            return None
        event = decoded(text)
        if event.get("type") == "session.updated":
            self._pending = False
        error = event.get("error")
        if event.get("type") != "error" or not isinstance(error, dict) or not self._is_about_us(error):
            return None
        return SettingsRefused(
            "The provider did not take over the session settings of this credential (code "
            f"{shown(error.get('code'))}, param {shown(error.get('param'))}); the call cannot go on."
        )

    def _is_about_us(self, error: Body) -> bool:
        if error.get("event_id") is not None:
            return bool(error["event_id"] == self._event_id)
        return not self._client_spoke or str(error.get("param")).startswith("session")

    def _words_of_hidden(self) -> tuple[bytes, ...]:
        words = (_HIDDEN if self._hides else ()) + (_SECRETS if self._hides_secrets else ())
        # Or the name is written with escapes.
        return tuple(f'"{word}"'.encode() for word in words) + ((b"\\u00",) if words else ())

    def _hide(self, text: bytes) -> tuple[bytes, ...]:
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:  # no client could read it either, and what it shows is not known
            return ()
        bodies = [event.get("session"), event.get("response")] if isinstance(event, dict) else []
        changed = [self._hide_in(body) for body in bodies if isinstance(body, dict)]
        return (orjson.dumps(event) if any(changed) else text,)

    def _hide_in(self, body: Body) -> bool:
        names = [name for name in _HIDDEN if name in body] if self._hides else []
        for name in names:
            del body[name]
        tools = body.get("tools") if self._hides_secrets else None
        secrets = [
            (tool, name)
            for tool in (tools if isinstance(tools, list) else ())
            for name in _SECRETS
            if isinstance(tool, dict) and name in tool
        ]
        for tool, name in secrets:
            del tool[name]
        return bool(names or secrets)


def _settings_in(body: Body, written: str, at: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """The settings in a session or a response: GA's path, the path as it is written, the value."""
    for name, value in body.items():
        path = _OTHER_NAMES.get(name, (name,)) if not at else (*at, name)
        if path in _HOLDERS and isinstance(value, dict) and value:
            yield from _settings_in(an_object(value, f"{written}.{name}"), f"{written}.{name}", path)
        else:
            yield path, f"{written}.{name}", value


def _locked(field: str) -> FieldLocked:
    return FieldLocked(f"This session's credential does not allow to change '{field}'.", param=field)


def _not_confirmed(when: str) -> SettingsRefused:
    return SettingsRefused(
        f"The provider did not confirm the session settings of this credential {when}; the call cannot go on."
    )


def _canonical(value: Any) -> bytes | None:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # nested deeper than a setting is, or no text: like no other
        return None


def _without_none(body: Body, name: str) -> Body:
    return {key: value for key, value in body.items() if key != name or value is not None}
