"""Prompts of judges, which are files: a file and what belongs in its places in, messages out.

A file has the parts `=== system` and `=== user`, and places such as `{{rubric}}`. What is put in them is
never looked through for places again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from voxgate.core.errors import InvalidRequest

PLACES: Final = ("rubric", "choices", "fence", "call", "expected")
_NEEDED: Final = ("rubric", "choices", "call", "fence")
_PLACE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PART: Final = re.compile(r"^=== *(\w+) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    version: str
    """The beginning of the file's SHA-256: other words, another version."""
    system: str
    user: str

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """The system's and the user's message."""
        return _filled(self.system, values), _filled(self.user, values)

    def around_the_call(self, values: Mapping[str, str]) -> tuple[str, str, str]:
        """The system's message, and what stands before and after the call in the user's."""
        before, after = _PLACE_OF_CALL.split(self.user, maxsplit=1)
        return tuple(_filled(text, values) for text in (self.system, before, after))  # type: ignore[return-value]


_PLACE_OF_CALL: Final = re.compile(r"\{\{\s*call\s*\}\}")


def shipped_prompt(name: str) -> Prompt:
    file = resources.files("voxgate.evals") / "prompts" / f"{name}.md"
    return _parsed(f"{name}.md", file.read_text(encoding="utf-8"))


def prompt_of(path: str | Path) -> Prompt:
    """A file of the user's. InvalidRequest where it cannot be one."""
    try:
        return _parsed(Path(path).name, Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The prompt {path} cannot be read: {error}", param="prompt") from error


def _parsed(name: str, text: str) -> Prompt:
    before, *parts = _PART.split(text)
    found = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    if before.strip() or set(found) != {"system", "user"}:
        raise InvalidRequest(
            f"The prompt {name} must have two parts, and nothing else: one begins with the line '=== "
            "system', the other with '=== user'.",
            param="prompt",
        )
    places = set(_PLACE.findall(text))
    if wrong := places - set(PLACES):
        raise InvalidRequest(
            f"The prompt {name} has {{{{{min(wrong)}}}}}; there are {', '.join(PLACES)}.", param="prompt"
        )
    if missing := [place for place in _NEEDED if place not in places]:
        raise InvalidRequest(f"The prompt {name} lacks {{{{{missing[0]}}}}}.", param="prompt")
    if len(_PLACE_OF_CALL.findall(found["user"])) != 1 or _PLACE_OF_CALL.search(found["system"]):
        raise InvalidRequest(
            f"The prompt {name} must have {{{{call}}}} once, in its user part.", param="prompt"
        )
    return Prompt(name, hashlib.sha256(text.encode()).hexdigest()[:12], found["system"], found["user"])


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], text)
