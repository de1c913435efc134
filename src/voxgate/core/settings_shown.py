"""The settings that are in force as a table for people: each key, its value without secrets, and where the
value comes from. Settings and sources in, rows out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from voxgate.core.settings import Settings

_SECRET_NAME: Final = re.compile(r"(^|_)(key|secret|password|token)$")
_USER_INFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY: Final = re.compile(r"\?.*$")
_FILES: Final = frozenset({"tls_key", "client_key"})
"""Names of files with keys, which are no secrets themselves."""
_SET: Final = "(set)"
_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """`key` as it is written in the file, with dots: `limits.idle_seconds`. `source` is a flag, a variable,
    `voxgate.toml, line 3`, or `default`."""

    key: str
    value: Any
    source: str
    secret: bool = False


def shown_settings(settings: Settings, sources: Mapping[str, str]) -> list[ShownSetting]:
    plain = settings.model_dump(mode="json")
    plain["providers"] = {**plain["providers"], **({"local": local} if (local := plain.pop("local")) else {})}
    return [_shown(path, value, sources) for path, value in _leaves(plain, ())]


def _shown(path: tuple[str, ...], value: Any, sources: Mapping[str, str]) -> ShownSetting:
    key = ".".join(path)
    source = _source(path, sources)
    secret = bool(_SECRET_NAME.search(path[-1])) and path[-1] not in _FILES
    if secret:  # the admin key is not among what a worker is told of the settings
        return ShownSetting(key, _SET if value or source != _DEFAULT else None, source, secret)
    return ShownSetting(key, without_secrets(value), source)


def _source(path: tuple[str, ...], sources: Mapping[str, str]) -> str:
    """That of the key, or of the list or table that it stands in."""
    for length in range(len(path), 0, -1):
        if found := sources.get(".".join(path[:length])):
            return found
    return _DEFAULT


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Tables are taken apart, lists are not."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, (*path, str(name)))
    elif value != {}:
        yield path, value


def without_secrets(value: Any) -> Any:
    """Users and passwords in URLs, and what stands in their queries."""
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if isinstance(value, str) and "://" in value:
        return _QUERY.sub("?…", _USER_INFO.sub("…@", value))
    return value
