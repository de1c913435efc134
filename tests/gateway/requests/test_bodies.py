"""What is read of a request's body, and that nothing of it changes but the model's name."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.core.errors import InvalidRequest
from voxgate.gateway.requests.bodies import check_unambiguous, read_form, read_json, with_model

TYPE = 'multipart/form-data; boundary="x-1"'
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(), values, max_size=6)


def form(*parts: tuple[str, bytes]) -> bytes:
    made = [
        b'--x-1\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (head.encode(), value)
        for head, value in parts
    ]
    return b"".join(made) + b"--x-1--\r\n"


@given(bodies, st.text(min_size=1), st.text(min_size=1))
def test_only_the_models_name_changes(fields: dict[str, Any], before: str, after: str) -> None:
    fields["model"] = before
    body = orjson.dumps(fields, option=orjson.OPT_INDENT_2)
    changed = with_model(body, read_json(body), after)
    assert orjson.loads(changed) == {**orjson.loads(body), "model": after}
    assert with_model(changed, read_json(changed), before) == body


@given(bodies)
def test_a_body_without_a_model_gets_one(fields: dict[str, Any]) -> None:
    fields.pop("model", None)
    body = orjson.dumps(fields)
    assert orjson.loads(with_model(body, read_json(body), "m")) == {**orjson.loads(body), "model": "m"}


@pytest.mark.parametrize(
    "body",
    [b'{"model":"a","model":"b"}', b'{"mod\\u0065l":"a","model":"b"}', b'{"model":"a","x":{},"model":"a"}'],
)
def test_a_model_that_is_named_twice_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        check_unambiguous(body, read_json(body))


def test_a_model_further_down_does_not_count() -> None:
    body = b'{"tools":[{"model":"x"}],"model":"a","metadata":{"model":"y"}}'
    wanted = read_json(body)
    check_unambiguous(body, wanted)
    assert with_model(body, wanted, "b") == body.replace(b'"a"', b'"b"')


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"model":1}', b'{"model":""}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_json(body)


def test_a_form_keeps_its_file_byte_for_byte() -> None:
    sound = b"RIFF\r\n--x\r\n\r\nmodel" * 500
    body = form(('file"; filename="a.wav', sound), ("model", b"whisper-1"), ("language", b"en"))
    wanted = read_form(body, TYPE)
    assert (wanted.model, wanted.fields["language"], "file" in wanted.fields) == ("whisper-1", "en", False)
    assert with_model(body, wanted, "other") == body.replace(b"whisper-1", b"other")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(("model", b"a"), ("model", b"b")), TYPE),
        (form(("model", b"a"))[:-20], TYPE),
        (form(("model", b"a")), "application/json"),
        (form(("model", b"a")), "multipart/form-data"),
    ],
)
def test_a_form_that_is_wrong_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        read_form(body, content_type)
