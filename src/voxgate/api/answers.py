"""Failures of the control plane as JSON answers in OpenAI's shape, whatever raised them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from voxgate.core.errors import InvalidRequest, MethodNotAllowed, NotFound, RequestError, VoxgateError


class Conflict(RequestError):
    """The session is not in the state that the request needs."""

    status = 409
    code = "conflict"


class RangeNotSatisfiable(RequestError):
    """The range begins after the last byte."""

    status = 416
    code = "range_not_satisfiable"


_HEADERS: Final = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}
"""What answers with these statuses have."""


def answer_failures(app: FastAPI) -> None:
    app.add_exception_handler(VoxgateError, _voxgate_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _defect)


def failure(error: VoxgateError, headers: dict[str, str] | None = None) -> JSONResponse:
    usual = _HEADERS.get(error.status, {})
    return JSONResponse(error.body(), status_code=error.status, headers=usual | (headers or {}))


async def _voxgate_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, VoxgateError)
    return failure(error)


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return failure(_named(error.errors()[0]))


async def _http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return failure(NotFound(f"There is nothing at {where}; /api/openapi.json lists what there is."))
    if error.status_code == 405:
        allowed = dict(error.headers or {})
        return failure(MethodNotAllowed(f"{where}: this method is not allowed here."), allowed)
    body = RequestError(str(error.detail)).body()
    return JSONResponse(body, status_code=error.status_code, headers=dict(error.headers or {}))


async def _defect(_: Request, error: Exception) -> Response:
    # The server's log gets the traceback: Starlette raises the error again after this answer.
    return failure(VoxgateError("The server failed to answer; its log says why."))


def _named(problem: dict[str, Any]) -> InvalidRequest:
    """The first wrong field, as InvalidRequest naming it; `loc` starts with where the field is."""
    place, *path = problem["loc"]
    if problem["type"] != "json_invalid" and not path:
        return InvalidRequest(f"The {place} is not as expected: {problem['msg']}.")
    return invalid_field({**problem, "loc": path})


def invalid_field(problem: Mapping[str, Any]) -> InvalidRequest:
    """Of a model's own: `loc` is where the field is in it."""
    path = problem["loc"]
    if problem["type"] == "json_invalid":
        return InvalidRequest(f"The body is not valid JSON: {problem['ctx']['error']}.")
    if not path:
        return InvalidRequest(f"It is not as expected: {problem['msg']}.")
    name = ".".join(str(part) for part in path)
    if problem["type"] == "extra_forbidden":
        return InvalidRequest(f"Unknown field: {name!r}.", param=name)
    if problem["type"] == "missing":
        return InvalidRequest(f"Missing field: {name!r}.", param=name)
    return InvalidRequest(f"Invalid field {name!r}: {problem['msg']}.", param=name)
