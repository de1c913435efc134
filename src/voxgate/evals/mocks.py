"""What tools answer where nobody runs them: by name, and by arguments where those matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from voxgate.core.errors import InvalidRequest
from voxgate.evals.model import Json


@dataclass(frozen=True, slots=True)
class Mock:
    """`arguments` None: whatever they are; else those that the call's must contain."""

    name: str
    output: Any
    arguments: Json | None = None

    def to_json(self) -> Json:
        return {"name": self.name, "output": self.output, "arguments": self.arguments}


def read_mocks(source: Any) -> tuple[Mock, ...]:
    """A JSON or YAML file, or what would be in it: `[{"name", "output", "arguments"?}]`, or results by name.
    InvalidRequest for anything else."""
    if source is None:
        return ()
    if isinstance(source, str | Path):
        source = _read(Path(source))
    if isinstance(source, Mapping):
        return tuple(Mock(str(name), output) for name, output in source.items())
    if not isinstance(source, list | tuple):
        raise InvalidRequest("mocks must be a list of tools with their outputs.", param="mocks")
    return tuple(_mock(one) for one in source)


def _mock(one: Any) -> Mock:
    if isinstance(one, Mock):
        return one
    if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or "output" not in one:
        raise InvalidRequest(f"A mock has a name and an output, not {one!r}.", param="mocks")
    arguments = one.get("arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise InvalidRequest(f"The arguments of the mock {one['name']!r} are no object.", param="mocks")
    return Mock(one["name"], one["output"], None if arguments is None else dict(arguments))


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return orjson.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidRequest(f"The mocks in {path} cannot be read: {error}", param="mocks") from error
