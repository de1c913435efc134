"""The tree of errors, and what clients see of it."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.core import errors
from voxgate.core.errors import InvalidKey, RequestError, VoxgateError


def all_errors(base: type[VoxgateError] = VoxgateError) -> Iterator[type[VoxgateError]]:
    for child in base.__subclasses__():
        yield child
        yield from all_errors(child)


def test_every_error_of_the_module_is_drawn_in_its_tree_with_its_status() -> None:
    tree = errors.__doc__ or ""
    for error in all_errors():
        if error.__module__ != errors.__name__:
            continue
        line = next(line for line in tree.splitlines() if f" {error.__name__} " in f"{line} ")
        if error is not RequestError and "HTTP" not in line and "exit" not in line:
            assert str(error.status) in line, line


def test_every_close_reason_fits_a_close_frame_and_every_code_may_be_sent() -> None:
    for error in all_errors():
        assert len(error.__new__(error).close_reason.encode()) <= 123
        assert error.close_code in {1001, 1009, 1011, 1013} or 3000 <= error.close_code < 5000


def test_an_error_looks_as_openais_on_both_roads() -> None:
    error = InvalidKey("no", param="key")
    body = {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key", "param": "key"}
    assert error.body() == {"error": body}
    assert error.event("event_1") == {
        "type": "error",
        "event_id": "event_1",
        "error": {**body, "event_id": None},
    }
