"""What routing has to know of a request's body, and the one change that it may need: the provider's own name
of the model. Everything else goes on byte for byte.

A body is read strictly where a credential allows certain models only: what two readers could take for two
different models is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from voxgate.core.errors import InvalidRequest

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)
_BOUNDARY: Final = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_NAME: Final = re.compile(rb'content-disposition:[^\r\n]*?[ ;]name="([^"\r\n]*)"', re.IGNORECASE)
_FILENAME: Final = re.compile(rb"content-disposition:[^\r\n]*?[ ;]filename\*?=", re.IGNORECASE)
_TYPE: Final = re.compile(rb"content-type:[ \t]*([^\r\n]+)", re.IGNORECASE)
_LONGEST_FIELD: Final = 4096
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`fields` are the top-level fields of a JSON body, or the short text fields of a form."""

    model: str | None
    fields: dict[str, Any]
    model_at: _Span | None = None
    """Where the model's name stands in a form's body."""
    is_json: bool = True

    @property
    def streams(self) -> bool:
        return self.fields.get("stream") in (True, "true")


def read_json(body: bytes) -> Wanted:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("The body must be a JSON object.")
    model = fields.get("model")
    if model is not None and (not isinstance(model, str) or not model):
        raise InvalidRequest("'model' must be the name of a model.", param="model")
    return Wanted(model, fields)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form, and where its data stand in the body."""

    name: str
    data: bytes
    at: _Span
    content_type: str | None
    """Of a file; None for a text field."""


def read_form(body: bytes, content_type: str) -> Wanted:
    """`multipart/form-data` (RFC 7578): the short text fields; files are passed over."""
    fields: dict[str, Any] = {}
    model_at: _Span | None = None
    for part in _parts(body, content_type):
        if part.content_type is not None or len(part.data) > _LONGEST_FIELD:
            continue
        if part.name == "model":
            if model_at is not None:
                raise InvalidRequest("The form names several models.", param="model")
            model_at = part.at
        fields[part.name] = part.data.decode("utf-8", "replace")
    return Wanted(fields.get("model") or None, fields, model_at, is_json=False)


def files_of(body: bytes, content_type: str) -> Iterator[Part]:
    return (part for part in _parts(body, content_type) if part.content_type is not None)


def _parts(body: bytes, content_type: str) -> Iterator[Part]:
    """InvalidRequest where the body is no whole form."""
    found = _BOUNDARY.search(content_type)
    if found is None or "multipart/form-data" not in content_type.lower():
        raise InvalidRequest("The body must be multipart/form-data, with its boundary in Content-Type.")
    delimiter = b"--" + found[1].encode()
    at = body.find(delimiter)
    while at >= 0:
        head = at + len(delimiter)
        if body[head : head + 2] == b"--":
            return
        blank, end = body.find(b"\r\n\r\n", head), body.find(b"\r\n" + delimiter, head)
        if blank < 0 or end < blank:
            break
        header = body[head:blank]
        if (named := _NAME.search(header)) is not None:
            yield Part(
                named[1].decode("utf-8", "replace"),
                body[blank + 4 : end],
                (blank + 4, end),
                _file_type(header),
            )
        at = end + 2
    raise InvalidRequest("The form in the body is cut off.")


def _file_type(header: bytes) -> str | None:
    if _FILENAME.search(header) is None:
        return None
    found = _TYPE.search(header)
    return found[1].decode("latin-1").strip() if found else "application/octet-stream"


def check_unambiguous(body: bytes, wanted: Wanted) -> None:
    """InvalidRequest where a JSON body names the model twice: readers differ in which one counts."""
    if wanted.model_at is None and len(_top_level(body, "model")) > 1:
        raise InvalidRequest("The body names the model twice.", param="model")


def with_model(body: bytes, wanted: Wanted, model: str) -> bytes:
    """The same body with another name of the model; with none in it, it gets one."""
    if wanted.model_at is not None:
        start, end = wanted.model_at
        return body[:start] + model.encode() + body[end:]
    places = _top_level(body, "model")
    if not places:
        first = body.index(b"{") + 1
        comma = b"" if body[first:].lstrip().startswith(b"}") else b","
        return body[:first] + b'"model":' + orjson.dumps(model) + comma + body[first:]
    start, end = places[-1]
    return body[:start] + orjson.dumps(model) + body[end:]


def _top_level(body: bytes, name: str) -> list[_Span]:
    """Where the string values of this field of a JSON object stand; `body` is known to be JSON."""
    depth, is_key, key, found = 0, False, "", list[_Span]()
    for token in _TOKEN.finditer(body):
        sign = token[0]
        if sign in (b"{", b"["):
            depth += 1
            is_key = sign == b"{" and depth == 1
        elif sign in (b"}", b"]"):
            depth -= 1
        elif depth != 1:
            continue
        elif sign == b",":
            is_key, key = True, ""
        elif sign == b":":
            is_key = False
        elif is_key:
            key = orjson.loads(sign)
        elif key == name:
            found.append(token.span())
    return found
