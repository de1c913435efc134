"""A row with named columns becomes a case: of a CSV file, of JSON lines, of an audio folder's metadata. The
names are those that people use, among them those of OpenAI's cookbook.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final

from voxgate.evals.loading.places import Place
from voxgate.evals.loading.sounds import clip_of
from voxgate.evals.model import Case, Expected, ExpectedCall, Input, Json
from voxgate.evals.plain import content_id

ID: Final = ("id", "case_id", "example_id")
TEXT: Final = ("text", "user_text", "input", "transcript", "prompt")
AUDIO: Final = ("audio", "audio_path", "file_name", "path")
SAID: Final = ("expected", "expected_transcript", "expected_text", "answer")
TOOL: Final = ("tool_call", "gt_tool_call", "expected_tool_call")
ARGUMENTS: Final = ("tool_arguments", "gt_tool_call_arg", "tool_call_arg", "expected_tool_arguments")
CALLS: Final = ("tool_calls", "expected_tool_calls")
VALUE: Final = ("expected_value", "value")
TAGS: Final = ("tags",)
METADATA: Final = ("metadata",)
_KNOWN: Final = frozenset(
    name for names in (ID, TEXT, AUDIO, SAID, TOOL, ARGUMENTS, CALLS, VALUE, TAGS, METADATA) for name in names
)


def check_columns(columns: Iterable[str], place: Place) -> None:
    """There has to be one with what goes in."""
    known = {column.strip().lower() for column in columns}
    if not known & {*TEXT, *AUDIO}:
        raise place.error(
            f"there is no column with what goes in. Name one {' or '.join((TEXT[0], AUDIO[1]))}; there are:"
            f" {', '.join(map(str, columns)) or 'none'}."
        )


def case_of_row(row: Mapping[str, Any], place: Place) -> Case:
    """Columns that are not known go into the metadata. LoadError names the column."""
    cells = _Cells(row, place)
    text = cells.text(TEXT)
    sound = cells.text(AUDIO)
    if sound is not None:
        clips = (clip_of(sound, place, cells.column(AUDIO)),)
        made = Input("audio", text=text, clips=clips)
    elif text is not None:
        made = Input("text", text=text)
    else:
        raise place.error("nothing goes in: there is neither a text nor a sound.", cells.column(TEXT + AUDIO))
    return Case(
        id=cells.text(ID) or (content_id(made) if sound is None else id_of_file(PurePath(sound))),
        input=made,
        expected=Expected(cells.text(SAID), _calls(cells), cells.value(VALUE)),
        metadata=cells.metadata(),
        tags=cells.tags(),
    )


def id_of_file(relative: PurePath) -> str:
    return ".".join(part for part in relative.with_suffix("").parts if part not in ("/", "..", "."))


class _Cells:
    """A cell with nothing in it is as if it were not there."""

    def __init__(self, row: Mapping[str, Any], place: Place) -> None:
        self._row = {name.strip(): cell for name, cell in row.items()}
        self._names = {name.lower(): name for name in self._row}
        self.place = place

    def column(self, names: tuple[str, ...]) -> str | None:
        return next((self._names[name] for name in names if name in self._names), None)

    def has(self, names: tuple[str, ...]) -> bool:
        return self.column(names) is not None

    def cell(self, names: tuple[str, ...]) -> Any:
        cells = (self._row[self._names[name]] for name in names if name in self._names)
        return next((cell for cell in cells if not _is_empty(cell)), None)

    def text(self, names: tuple[str, ...]) -> str | None:
        cell = self.cell(names)
        if cell is None or isinstance(cell, str):
            return cell if cell is None else cell.strip()
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return str(cell)
        raise self.place.error(f"{_short(cell)} is no text.", self.column(names))

    def json(self, names: tuple[str, ...], kind: type, what: str) -> Any:
        """A value of this kind, or the JSON of one."""
        cell = self.cell(names)
        if isinstance(cell, str):
            try:
                cell = json.loads(cell)
            except ValueError as error:
                raise self.place.error(f"{_short(cell)} is not JSON: {error}.", self.column(names)) from error
        if cell is not None and not isinstance(cell, kind):
            raise self.place.error(f"{_short(cell)} is not {what}.", self.column(names))
        return cell

    def value(self, names: tuple[str, ...]) -> Any:
        """Anything: JSON where it is that, else the text."""
        cell = self.cell(names)
        if not isinstance(cell, str):
            return cell
        try:
            return json.loads(cell)
        except ValueError:
            return cell

    def tags(self) -> tuple[str, ...]:
        cell = self.cell(TAGS)
        if isinstance(cell, str):
            cell = [tag.strip() for tag in re.split("[,;]", cell)]
        if cell is not None and not (isinstance(cell, list) and all(isinstance(tag, str) for tag in cell)):
            raise self.place.error(f"{_short(cell)} are no tags: write one,two.", self.column(TAGS))
        return tuple(tag for tag in cell or () if tag)

    def metadata(self) -> Json:
        own = self.json(METADATA, dict, "a JSON object") or {}
        others = {name: cell for name, cell in self._row.items() if name.lower() not in _KNOWN}
        named = {name.removeprefix("metadata."): cell for name, cell in others.items() if not _is_empty(cell)}
        return {**own, **named}


def _calls(cells: _Cells) -> tuple[ExpectedCall, ...] | None:
    """A column for tool calls that has nothing in it says that none is to be made."""
    if cells.has(CALLS):
        return tuple(_call(one, cells) for one in cells.json(CALLS, list, "a list of tool calls") or ())
    name = cells.text(TOOL)
    arguments = cells.json(ARGUMENTS, dict, "a JSON object with the tool's arguments")
    if name is None:
        if arguments is not None:
            raise cells.place.error("there are arguments, but no tool that they are for.", cells.column(TOOL))
        return () if cells.has(TOOL) else None
    return (ExpectedCall(name, arguments),)


def _call(one: Any, cells: _Cells) -> ExpectedCall:
    if isinstance(one, dict) and isinstance(one.get("name"), str):
        arguments = one.get("arguments")
        if arguments is None or isinstance(arguments, dict):
            return ExpectedCall(one["name"], arguments)
    raise cells.place.error(
        f'{_short(one)} is no tool call: write {{"name": ..., "arguments": {{...}}}}.', cells.column(CALLS)
    )


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 80 else f"{text[:77]}..."
