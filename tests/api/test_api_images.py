"""Pictures of a call over HTTP: out of the event log, by what they are and not by what they are called."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_from_bytes

from fastapi.testclient import TestClient

from tests.api.test_api_archive import finish, put_away
from tests.api.world import World
from tests.recording.logs import FORMATS, RecordedCall, message
from voxgate.realtime.frames import BINARY, encode_frame
from voxgate.recording.wirelog import CLIENT, SERVER

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
GIF = b"GIF89a" + bytes(64)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def as_base64(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


URLS: tuple[Any, ...] = (
    as_base64("image/png", PNG),
    "data:image/gif," + quote_from_bytes(GIF),
    {"url": as_base64("text/html", PNG[:100])},  # as chat completions write it, and called what it is not
    as_base64("image/svg+xml", SVG),
    as_base64("image/png", SVG),
    "https://pictures.test/cat.png",
)


def show(world: World) -> list[dict[str, Any]]:
    """What the trace says of the pictures of a call."""
    call = RecordedCall(world.blobs.root)
    audio = {"input": {"format": FORMATS[0]}, "output": {"format": FORMATS[0]}}
    call.text(SERVER, message(type="session.created", session={"audio": audio}))
    content = [{"type": "input_image", "image_url": url} for url in URLS]
    item = {"type": "message", "role": "user", "content": content}
    call.text(CLIENT, message(type="conversation.item.create", item=item))
    finish(world, call)
    trace = world.client().get("/api/sessions/sess_1").json()
    return next(span["input"]["images"] for span in trace["spans"] if span["type"] == "user")


def test_pictures_are_shown_by_their_bytes_and_nothing_else_is(world: World, client: TestClient) -> None:
    shown = show(world)
    answers = [client.get(f"/api/sessions/sess_1/images/{image['digest']}") for image in shown]
    assert [(one.status_code, one.headers["content-type"]) for one in answers] == [
        (200, "image/png"),
        (200, "image/gif"),
        (200, "image/png"),
        *[(404, "application/json")] * 3,
    ]
    assert [one.content for one in answers[:3]] == [PNG, GIF, PNG[:100]]
    headers = answers[0].headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    again = client.get(answers[0].request.url, headers={"if-none-match": headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_picture_outlives_its_recording_being_put_away(world: World, client: TestClient) -> None:
    first, *_ = show(world)
    put_away(world)
    assert client.get(f"/api/sessions/sess_1/images/{first['digest']}").content == PNG


def test_a_picture_that_the_log_has_no_more_is_not_found_and_those_of_others_neither(world: World) -> None:
    first, *_ = show(world)
    path = f"/api/sessions/sess_1/images/{first['digest']}"
    assert world.client(world.key("read", "lab")).get(path).status_code == 404
    assert world.client().get("/api/sessions/sess_1/images/abc").status_code == 404
    world.blobs.put("sessions/sess_1/events.jsonl", b'{"t":1,"dir":"client","msg":{"type":"redacted"}}\n')
    assert world.client().get(path).status_code == 404


def test_a_picture_that_a_form_has_brought_is_shown(world: World, client: TestClient) -> None:
    call = RecordedCall(world.blobs.root, transport="http", endpoint="images/edits")
    call.text(CLIENT, message(model="m", prompt="A cat.", files=[{"name": "image"}, {"name": "mask"}]))
    for file in (PNG, SVG):
        call.record(CLIENT, encode_frame(BINARY, file, masked=True))
    call.fact({"type": "gateway.answered_http", "status": 200, "content_type": "application/json"})
    call.text(SERVER, message(data=[]))
    call.fact({"type": "gateway.closed", "code": 1000, "reason": "", "side": "provider"})
    finish(world, call)
    trace = client.get("/api/sessions/sess_1").json()
    [image] = next(span["input"]["images"] for span in trace["spans"] if span["type"] == "user")
    answer = client.get(f"/api/sessions/sess_1/images/{image['digest']}")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", PNG)
