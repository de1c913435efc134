"""What is taken for sound is sound, for every way of writing JSON."""

from __future__ import annotations

import base64
import binascii
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.realtime.peek import kind_of, lift_sound

APPEND = "input_audio_buffer.append"
DELTA = "response.output_audio.delta"
SOUND = "UklGRg+/=="
NAMES = st.sampled_from(["type", "audio", "delta", "event_id", "session", "item_id"])
VALUES = st.sampled_from([APPEND, DELTA, "session.update", SOUND, "", 'a"b', "\\", "é", 7, None, {"a": 1}])


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"input_audio_buffer.append","audio":"%s"}',
        '{"event_id":"evt_1","type":"input_audio_buffer.append","audio":"%s"}',
        '{"audio": "%s", "type": "input_audio_buffer.append"}\n',
        ' { "type" : "input_audio_buffer.append" , "audio" : "%s" , "event_id" : "e" } ',
    ],
)
@pytest.mark.parametrize("size", [0, 4, 300, 20_000])
def test_an_append_is_recognised_however_it_is_laid_out(text: str, size: int) -> None:
    assert kind_of((text % ("A" * size)).encode()) == APPEND.encode()


def test_a_delta_is_recognised_with_all_its_members() -> None:
    message = {"type": DELTA, "event_id": "event_1", "response_id": "r", "output_index": 0, "delta": SOUND}
    assert kind_of(json.dumps(message).encode()) == DELTA.encode()


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"input_audio_buffer.append","audio":"AAAA","type":"session.update","session":{}}',
        b'{"type":"input_audio_buffer.append","audio":"AAAA","type":"session.update"}',
        b'{"type":"session.update","audio":"AAAA","type":"input_audio_buffer.append"}',
        b'{"event_id":"input_audio_buffer.append","type":"session.update","audio":"AAAA"}',
        b'{"type":"input_audio_buffer.append","audio":"AA\\"","type":"session.update","x":"A"}',
        b'{"type":"input_audio_buffer.append","audio":"AAAA","audio":"BBBB"}',
        b'{"type":"input_audio_buffer.append","audio":"AAAA"} {"type":"session.update"}',
        b'{"ty\\u0070e":"session.update","type":"input_audio_buffer.append","audio":"AAAA"}',
        b'{"type":"input_audio_buffer.append","delta":"AAAA"}',
        b'{"type":"input_audio_buffer.append","audio":"AAAA"',
        b'[{"type":"input_audio_buffer.append","audio":"AAAA"}]',
        b'{"n":00,"type":"input_audio_buffer.append","audio":"AAAA"}',
        b'\x0c{"type":"input_audio_buffer.append","audio":"AAAA"}',
        b'{"type":\x0b"input_audio_buffer.append","audio":"AAAA"}',
        b"",
    ],
)
def test_what_only_looks_like_sound_has_to_be_decoded(text: bytes) -> None:
    assert kind_of(text) is None


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from(["", " ", "\n"]))
def test_whatever_is_recognised_decodes_to_just_that(members: list[tuple[str, object]], space: str) -> None:
    """JSON lets a name come twice: no reading of it may be another event."""
    inner = f",{space}".join(f"{json.dumps(name)}:{space}{json.dumps(value)}" for name, value in members)
    text = f"{{{inner}}}".encode()
    kind = kind_of(text)
    if kind is not None:
        assert [value for name, value in members if name == "type"] == [kind.decode()]
        sound = "audio" if kind.decode() == APPEND else "delta"
        assert len([name for name, _ in members if name == sound]) == 1
        assert all(not isinstance(value, dict) for _, value in members)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    kind_of(text)
    kind_of(b'{"type":"input_audio_buffer.append","audio":"' + text)


@pytest.mark.parametrize("layout", [(",", ":"), (", ", ": "), (" ,\n", " : ")])
@pytest.mark.parametrize("size", [0, 3, 2_400, 60_000])
def test_the_sound_is_lifted_out_of_a_message(layout: tuple[str, str], size: int) -> None:
    sound = bytes(range(256)) * (size // 256) + b"s" * (size % 256)
    for kind, member in ((APPEND, "audio"), (DELTA, "delta"), ("response.audio.delta", "delta")):
        around = {"event_id": "é", "type": kind, "n": {"a": [1.5, None]}}
        whole = {**around, member: base64.b64encode(sound).decode()}
        for message in (whole, dict(reversed(whole.items()))):
            text = json.dumps(message, separators=layout, ensure_ascii=False).encode()
            assert lift_sound(text) == ({**around, member: ""}, sound)


@pytest.mark.parametrize("event_id", [None, "", "event_1-2.3", "é", 'a"b', "x" * 200])
@pytest.mark.parametrize("encoded", ["", "QUJD", "QUI=", "QUI", "QU%D", "QUJD\\"])
def test_what_clients_say_most_is_lifted_as_any_other_message(event_id: str | None, encoded: str) -> None:
    around = {"type": APPEND} if event_id is None else {"type": APPEND, "event_id": event_id}
    text = json.dumps({**around, "audio": encoded}, separators=(",", ":"), ensure_ascii=False).encode()
    is_usual = event_id != 'a"b' and encoded in ("", "QUJD", "QUI=")
    expected = ({**around, "audio": ""}, base64.b64decode(encoded)) if is_usual else None
    assert lift_sound(text) == expected


ODD = st.sampled_from(
    [
        b'"type":"response.output_audio.delta"',
        b'"audio":"QUJD"',
        b'"delta":"QUJD"',
        b'"audio":""',
        b'"audio":7',
        b'"\\u0061udio":"QUI="',
        b'"type":"x"',
        b'"a":{',
        b"}",
        b'"b":[{',
        b"}]",
        b'"audio',
        b'"',
        b"\\",
        b'"s":"\\"audio\\":\\""',
        b'"s":"audio"',
        b",",
        b"\xff",
    ]
)
PIECES = st.lists(ODD, max_size=3).flatmap(
    lambda odd: st.permutations([b'"type":"input_audio_buffer.append"', b'"audio":"QUJDREVG"', *odd])
)


@given(PIECES, st.sampled_from([b",", b"", b" , "]))
def test_what_is_lifted_is_what_the_whole_message_says(pieces: list[bytes], between: bytes) -> None:
    text = b"{" + between.join(pieces) + b"}"
    lifted = lift_sound(text)
    if lifted is None:
        return
    message, sound = lifted
    member = "audio" if message["type"] == APPEND else "delta"
    whole = json.loads(text)
    assert message == {**whole, member: ""}
    assert base64.b64decode(whole[member], validate=True) == sound


@pytest.mark.parametrize("encoded", ["%", "QUI", "QUJD\\n", "QU JD", "QUJDé"])
def test_what_is_no_base64_is_not_lifted(encoded: str) -> None:
    text = f'{{"type":"{APPEND}","audio":"{encoded}"}}'.encode()
    with pytest.raises((binascii.Error, ValueError)):
        base64.b64decode(json.loads(text)["audio"], validate=True)
    assert lift_sound(text) is None
