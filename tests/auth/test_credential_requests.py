"""What is wrong with the body of a request for a temporary credential, in words."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.auth.credentials import parse_request
from voxgate.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"model": []}, "model", "List should have at least 1 item, not 0"),
        ({"model": ["a"] * 101}, "model", "List should have at most 100 items, not 101"),
        ({"model": ""}, "model", "String should have at least 1 character"),
        ({"model": ["a", ""]}, "model.1", "String should have at least 1 character"),
        ({"model": ["a", 5]}, "model.1", "Input should be a valid string"),
        ({"model": 5}, "model", "Input should be a valid string or a valid list"),
        ({"allowed_ips": ["x"]}, "allowed_ips.0", "'x' is neither an IP address nor a network"),
        ({"session": {"lock": ["colour"]}}, "session.lock.0", "'colour' is no field of a session"),
        ({"session": {"lock": "all"}}, "session.lock", "Input should be 'defaults' or 'locked'"),
    ],
)
def test_the_words_are_about_the_form_that_the_value_has(body: dict[str, Any], param: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_request(body)
    assert refused.value.param == param
    assert refused.value.message.startswith(f"Invalid field {param!r}: {said}")


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"Unknown field: 'session\.colour'\.") as refused:
        parse_request({"session": {"colour": 1}})
    assert refused.value.param == "session.colour"
