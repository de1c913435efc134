"""Files of cases: each kind loads as it is, and what is wrong is said with its file, line and column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from voxgate.api.wav import wav_header
from voxgate.core.errors import InvalidRequest
from voxgate.evals.data import as_data
from voxgate.evals.loading.opening import CaseFile, open_cases
from voxgate.evals.loading.places import LoadError
from voxgate.evals.model import Case, ExpectedCall

WAV = wav_header(8000, 1, 160) + bytes(160)


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(WAV)
    return path


def cases(path: Path, **options: Any) -> list[Case]:
    return list(open_cases(path, **options).cases())


def said_of(path: Path, **options: Any) -> str:
    with pytest.raises(LoadError) as refused:
        cases(path, **options)
    return refused.value.message


# CSV


def test_the_cookbooks_data_set_loads_as_it_is(shared: Path, tmp_path: Path) -> None:
    text = (shared / "fixtures/evals/customer_service_synthetic.csv").read_text()
    path = write(tmp_path / "cs.csv", text.rstrip("\n"))
    missing = said_of(path)
    assert "11 files that it names are missing" in missing
    assert f"{tmp_path}/audio/cs_001.wav (case cs_001)" in missing
    assert "--text-only" in missing
    written = cases(path, text_only=True)
    assert (written[0].input.kind, written[0].input.clips) == ("text", ())
    for case in written:
        write_sound(tmp_path / "audio" / f"{case.id}.wav")
    found = cases(path)
    assert [case.id for case in found] == [f"cs_{number:03}" for number in range(1, 12)]
    first = found[0]
    assert first.input.text == "Hi, can you check the status of my order A12345?"
    assert first.input.clips[0].path == f"{tmp_path}/audio/cs_001.wav"
    assert first.expected.tool_calls == (ExpectedCall("get_order_status", {"order_id": "A12345"}),)
    # Where the column is empty no tool is to be called, which is not the same as that nothing is expected.
    assert found[-1].expected.tool_calls == ()


def test_columns_by_other_names_and_all_else_as_metadata(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "\ufeffID,Text,expected,tags,tool_calls,expected_value,metadata,metadata.lang,room,empty",
        'a,"one, two",hi,"x; y","[{""name"": ""f""}]","{""n"": 1}","{""k"": 2}",en,5,',
        "b,three,,,,plain,,,,",
    )
    a, b = cases(path)
    assert (a.id, a.input.text, a.expected.transcript, a.tags) == ("a", "one, two", "hi", ("x", "y"))
    assert (a.expected.tool_calls, a.expected.value) == ((ExpectedCall("f"),), {"n": 1})
    assert a.metadata == {"k": 2, "lang": "en", "room": "5"}
    assert (b.expected.transcript, b.expected.tool_calls, b.expected.value) == (None, (), "plain")
    assert (b.metadata, b.tags) == ({}, ())


def test_without_ids_cases_keep_theirs_wherever_they_stand(tmp_path: Path) -> None:
    first = cases(write(tmp_path / "a.csv", "text", "one", "two"))
    second = cases(write(tmp_path / "b.csv", "text", "zero", "two", "one"))
    assert {case.id for case in first} < {case.id for case in second}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id,text", "a,one", "b,two,three"], "line 3: there are 3 cells, but 2 columns"),
        (["id,text", "a,one", "a,two"], "two cases have the id 'a'"),
        (["id,text", "a/b,one"], "'a/b' is no id"),
        (["id,text", "a,"], "line 2, column text: nothing goes in"),
        (["id,words", "a,b"], "line 1: there is no column with what goes in"),
        (["id,text,id", "a,b,c"], "the column 'id' is there twice"),
        (["text,gt_tool_call,gt_tool_call_arg", "x,f,{}", "y,f,{bad"], "line 3, column gt_tool_call_arg"),
        (["text,gt_tool_call,gt_tool_call_arg", "x,f,[1]"], "is not a JSON object with the tool's arguments"),
        (["text,gt_tool_call,gt_tool_call_arg", 'x,,"{}"'], "arguments, but no tool"),
        (["text,tool_calls", 'x,"[{""tool"": 1}]"'], "line 2, column tool_calls"),
        (["text,audio_path", "x,a.txt"], "line 2, column audio_path: 'a.txt' is no sound"),
        (["text", 'x,"y'], "it is no CSV"),
        (["id,text"], "has no cases"),
    ],
)
def test_a_wrong_csv_is_said_with_its_place(tmp_path: Path, lines: Sequence[str], said: str) -> None:
    path = write(tmp_path / "a.csv", *lines)
    assert said in said_of(path)
    assert str(path) in said_of(path)


def test_a_csv_that_is_empty_or_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"")
    assert "it is empty" in said_of(path)
    path.write_bytes("id,text\na,café\n".encode("latin-1"))
    assert "it is not UTF-8" in said_of(path)


def test_nothing_comes_out_of_a_file_whose_last_line_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,tool_calls", "one,", "two,nonsense")
    with pytest.raises(LoadError):
        next(open_cases(path).cases())


def test_a_sound_without_words_cannot_be_loaded_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,audio,text", "a,a.wav,")
    assert "the case 'a' has no words beside its sound" in said_of(path, text_only=True)


@pytest.mark.parametrize(("body", "said"), [(b"", "is empty"), (WAV[:30], "its header is not whole")])
def test_a_sound_that_nobody_could_play_is_named(tmp_path: Path, body: bytes, said: str) -> None:
    path = write(tmp_path / "a.csv", "id,audio", "a,a.wav")
    (tmp_path / "a.wav").write_bytes(body)
    assert said in said_of(path)
    assert f"{tmp_path}/a.wav" in said_of(path)


# JSON lines


def test_lines_of_json_in_every_shape(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav")
    clip = {"content_type": "audio/wav", "path": "a.wav"}
    rows: list[dict[str, Any]] = [
        {"id": "full", "input": {"kind": "audio", "clips": [clip]}, "expected": {"transcript": "x"}},
        {"input": "hello", "expected": "hi", "tags": ["t"]},
        {"id": "flat", "audio": "a.wav", "transcript": "hello", "tool_call": "f", "tool_arguments": {"x": 1}},
        {"id": "any", "input": {"question": 1}, "expected": {"answer": 2}},
    ]
    path = write(tmp_path / "a.jsonl", *map(json.dumps, rows), "")
    full, plain, flat, other = cases(path)
    assert full.input.clips[0].path == flat.input.clips[0].path == f"{tmp_path}/a.wav"
    assert (full.expected.transcript, plain.input.text, plain.expected.transcript) == ("x", "hello", "hi")
    assert (flat.input.text, flat.expected.tool_calls) == ("hello", (ExpectedCall("f", {"x": 1}),))
    assert (other.input.kind, other.input.value, other.expected.value) == (
        "value",
        {"question": 1},
        {"answer": 2},
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "b", "text" "x"}', "line 2, column 20: it is not JSON"),
        ("[1]", "line 2: it is no case"),
        (
            '{"input": {"kind": "turn"}}',
            "line 2, column input: an input of the kind 'turn' needs 'recording'",
        ),
        ('{"words": "x"}', "line 2: there is no column with what goes in"),
        ('{"text": ["x"]}', "line 2, column text: ['x'] is no text"),
        ('{"id": "c", "input": "x", "expected": {"tool_calls": [{}]}}', "line 2: Case 2 cannot be read"),
    ],
)
def test_a_wrong_line_of_json_is_said_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    assert said in said_of(write(tmp_path / "a.jsonl", '{"id": "a", "text": "x"}', line))


# Folders of sounds


def test_a_folder_of_sounds_with_words_beside_them(tmp_path: Path) -> None:
    write_sound(tmp_path / "b.wav")
    write_sound(tmp_path / "sub/a.flac")
    write(tmp_path / "b.txt", "what is said")
    write_sound(tmp_path / ".hidden.wav")
    first, second = cases(tmp_path)
    assert [first.id, second.id] == ["b", "sub.a"]
    assert (first.input.kind, first.input.text, second.input.text) == ("audio", "what is said", None)
    assert second.input.clips[0].content_type == "audio/flac"


def test_a_folder_with_metadata_has_the_cases_that_it_names(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_sound(tmp_path / name)
    write(tmp_path / "a.txt", "beside it")
    row = {"file_name": "a.wav", "expected": "hello", "speaker": "ann"}
    write(tmp_path / "metadata.jsonl", json.dumps(row))
    [case] = cases(tmp_path)
    assert (case.id, case.input.text, case.expected.transcript) == ("a", "beside it", "hello")
    assert case.metadata == {"speaker": "ann"}
    write(tmp_path / "metadata.jsonl", json.dumps({"file_name": "c.wav"}))
    assert f"{tmp_path}/c.wav" in said_of(tmp_path)


def test_two_sounds_of_one_name_are_said(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav")
    write_sound(tmp_path / "a.flac")
    assert "two cases have the id 'a'" in said_of(tmp_path)


# Simulations


def test_the_cookbooks_simulation_loads_as_it_is(shared: Path) -> None:
    file = open_cases(shared / "fixtures/evals/sim_cs_order_status.json")
    [case] = file.cases()
    assert (case.id, case.input.kind) == ("sim_cs_order_status", "simulation")
    assert case.expected.tool_calls == (ExpectedCall("get_order_status", {"order_id": "ORD-1001"}),)
    scenario = case.input.scenario or {}
    assert scenario["turns"]["max_turns"] == 6
    # The tools lie beside it; the prompt that it names does not.
    assert scenario["assistant"]["tools"][0]["name"] == "get_order_status"
    assert len(file.notes) == 1
    assert "shared/system_prompt.txt is not there" in file.notes[0]


def test_what_a_simulation_names_is_taken_in(shared: Path, tmp_path: Path) -> None:
    text = (shared / "fixtures/evals/sim_cs_order_status.json").read_text()
    path = write(tmp_path / "sims/sim_a.json", text)
    write(tmp_path / "shared/system_prompt.txt", "Be kind.")
    write(tmp_path / "shared/tools.json", '[{"name": "f"}]')
    file = open_cases(path.parent)
    [case] = file.cases()
    assistant = (case.input.scenario or {})["assistant"]
    assert (assistant["system_prompt"].strip(), assistant["tools"], file.notes) == (
        "Be kind.",
        [{"name": "f"}],
        [],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n oops", "line 2, column 2: it is not JSON"),
        ('{"hello": 1}', "no simulation"),
        ('{"simulation_id": "a", "simulator": {}}', "needs a system_prompt, or a persona"),
    ],
)
def test_a_file_that_is_no_simulation_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in said_of(write(tmp_path / "a.json", text))


# All of them


@pytest.mark.parametrize("name", ["none.csv", "a.pdf", "empty"])
def test_what_cannot_be_loaded_says_what_can(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.pdf").touch()
    with pytest.raises(LoadError, match=r"a CSV file with a header"):
        open_cases(tmp_path / name)


def test_a_file_is_data_of_an_evaluation(tmp_path: Path) -> None:
    data = as_data(str(write(tmp_path / "a.csv", "id,text", "a,one")))
    assert isinstance(data, CaseFile)
    assert data.describe() == {"kind": "file", "path": "a.csv", "text_only": False}
    with pytest.raises(InvalidRequest):
        as_data("none.csv")
