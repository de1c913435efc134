"""The kinds of columns, the same in every database: what goes in is made clean, what is there sorts alike."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import JSON, BigInteger, Dialect, String, TypeDecorator
from sqlalchemy.types import TypeEngine

from voxgate.core.clock import iso_utc


def _plain_text(dialect: Dialect) -> TypeEngine[str]:
    """Sorted and compared byte by byte, as SQLite does: PostgreSQL would do it by the rules of a language."""
    return dialect.type_descriptor(String(collation="C" if dialect.name == "postgresql" else None))


class Text(TypeDecorator[str]):
    """Text as anybody may send it: lone surrogates and NUL, which no database takes, are replaced."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return _plain_text(dialect)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (type(value) is str and value.isascii() and "\0" not in value):
            return value
        return str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", "�")


class Moment(TypeDecorator[str]):
    """A moment as RFC 3339 text in UTC with milliseconds: the order of the texts is the order in time."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return _plain_text(dialect)

    def process_bind_param(self, value: str | datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return iso_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class Seconds(TypeDecorator[int]):
    """A moment as Unix seconds, as in the claims of a token; datetimes and RFC 3339 text are converted."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | str | datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        return int(value)


def to_json(value: Any) -> str:
    """JSON that every reader takes: a number that is not finite becomes null (it was not measured), half of a
    surrogate pair, which is no character, a question mark."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # such a half, an integer of more than 64 bits, a key that is no text
        return _to_json_slowly(value)


def _to_json_slowly(value: Any) -> str:
    try:
        text = _dump(value)
    except ValueError:
        text = _dump(_finite(value))
    return text.encode("utf-8", "replace").decode("utf-8")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(text: str | bytes) -> Any:
    """What `to_json` has written, or an earlier Voxgate. The fast reader would make a float of a long
    integer."""
    if isinstance(text, bytes):
        text = text.decode()
    if _LONG_NUMBER.search(text):
        return json.loads(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # NaN, or half of a surrogate pair
        return json.loads(text)


_LONG_NUMBER: Final = re.compile(r"[0-9]{19}")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def json_value() -> JSON:
    return JSON(none_as_null=True)
