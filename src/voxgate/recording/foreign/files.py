"""The records of a log file, each with its place: JSON lines, a JSON array or object with a list in it, or
the YAML of recorded test cassettes. Files in, parsed values out; lines are read one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
import yaml

from voxgate.core.errors import InvalidRequest

_LISTS: Final = ("events", "interactions", "messages", "log", "logs", "entries", "records", "data")
"""Where the list is in a file that is one JSON or YAML object."""
_WHOLE_BYTES: Final = 256 << 20
"""A file that is no JSON lines is read as a whole."""
_YAML_BYTES: Final = 64 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """`place` for people: `line 17`, or `entry 3` where lines say nothing. `error` instead of a value."""

    place: str
    value: Any = None
    error: str | None = None


def records(path: Path, name: str) -> Iterator[Record]:
    """`name` as people know the file. InvalidRequest for a file that is none of these."""
    with path.open("rb") as file:
        first = _first_bytes(file)
        if not first:
            raise InvalidRequest(f"{name} is empty.", param="file")
        if _is_lines(first):
            yield from _lines(file)
            return
    if name.endswith((".yaml", ".yml")) or first[:1] not in (b"{", b"["):
        yield from _yaml(path, name)
    else:
        yield from _whole(path, name)


def _first_bytes(file: BinaryIO) -> bytes:
    """The first line that is not blank; the file is at its beginning again."""
    first = b""
    while not first and (line := file.readline(_WHOLE_BYTES)):
        first = line.removeprefix(_BOM).strip()
    file.seek(0)
    return first


def _is_lines(first: bytes) -> bool:
    return first.startswith(b"{") and isinstance(_parsed(first), dict) and not _list_in(_parsed(first))


def _lines(file: BinaryIO) -> Iterator[Record]:
    for number, line in enumerate(file, 1):
        text = line.removeprefix(_BOM).strip()
        if not text:
            continue
        try:
            yield Record(f"line {number}", parse(text))
        except ValueError as error:
            yield Record(f"line {number}", error=f"is not valid JSON: {error}")


def _whole(path: Path, name: str) -> Iterator[Record]:
    if path.stat().st_size > _WHOLE_BYTES:
        raise InvalidRequest(
            f"{name} is one JSON value and too large; write one event on each line.", param="file"
        )
    try:
        value = parse(path.read_bytes().removeprefix(_BOM))
    except ValueError as error:
        raise InvalidRequest(f"{name} is neither JSON lines nor valid JSON: {error}", param="file") from error
    yield from _numbered(_oldest_first(_entries(value, name)))


def _yaml(path: Path, name: str) -> Iterator[Record]:
    if path.stat().st_size > _YAML_BYTES:
        raise InvalidRequest(f"{name} is no JSON, and too large for YAML.", param="file")
    text = path.read_bytes()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # An alias inside an alias, a few times over, is a file of kilobytes that becomes gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, loader)):
            raise InvalidRequest(f"{name} uses YAML aliases, which are not read.", param="file")
        value = yaml.load(text, loader)  # noqa: S506 - a safe loader
        lines = _lines_of(yaml.compose(text, loader))
    except (yaml.YAMLError, ValueError) as error:
        shown = " ".join(str(error).split())
        raise InvalidRequest(f"{name} is neither JSON nor valid YAML: {shown}", param="file") from error
    entries = _entries(value, name)
    for number, entry in enumerate(entries):
        place = f"line {lines[number]}" if len(lines) == len(entries) else f"entry {number + 1}"
        yield Record(place, entry)


def _lines_of(node: yaml.Node | None) -> list[int]:
    """Where the entries of the list begin, by the keys that `_list_in` looks for."""
    if isinstance(node, yaml.SequenceNode):
        return [one.start_mark.line + 1 for one in node.value]
    if isinstance(node, yaml.MappingNode):
        values = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        found = (values[key] for key in _LISTS if isinstance(values.get(key), yaml.SequenceNode))
        return next((_lines_of(one) for one in found), [])
    return []


def _numbered(entries: list[Any]) -> Iterator[Record]:
    for number, value in enumerate(entries, 1):
        yield Record(f"entry {number}", value)


def _entries(value: Any, name: str) -> list[Any]:
    found = value if isinstance(value, list) else _list_in(value)
    if not found:
        raise InvalidRequest(f"{name} has no list of events in it.", param="file")
    return found


def _list_in(value: Any) -> list[Any] | None:
    if not isinstance(value, dict) or "type" in value:
        return None
    lists = (value[key] for key in _LISTS if isinstance(value.get(key), list))
    return next((found for found in lists if found and isinstance(found[0], dict)), None)


def _oldest_first(entries: list[Any]) -> list[Any]:
    """Some tools keep the newest event first: then the session begins at the end."""
    begun = [number for number, one in enumerate(entries) if "session.created" in _types(one)]
    return entries[::-1] if begun and begun[0] > len(entries) // 2 else entries


def _types(entry: Any) -> list[Any]:
    if not isinstance(entry, dict):
        return []
    return [one.get("type") for one in (entry, *entry.values()) if isinstance(one, dict)]


def parse(text: bytes | str) -> Any:
    """JSON as people write it: also what orjson does not take, such as halves of surrogate pairs."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def _parsed(text: bytes) -> Any:
    try:
        return parse(text)
    except ValueError:
        return None
