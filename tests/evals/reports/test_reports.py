"""The same two experiments in every form of report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO, StringIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from rich.console import Console

from tests.evals.house import KeptExperiments
from voxgate.evals.gates import parse_gate
from voxgate.evals.model import Case, Evidence, Expected, Input, Json, Output, Result, Score, missing
from voxgate.evals.outcome import outcome_of
from voxgate.evals.reports import html, jsonl, junit
from voxgate.evals.reports.clips import encoded
from voxgate.evals.reports.markdown import MOST_CHARACTERS, markdown, plain
from voxgate.evals.reports.report import Report, figure, signed
from voxgate.evals.reports.terminal import render
from voxgate.evals.session import Session
from voxgate.evals.sound import Sound

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>|`**@octocat** \x1b[31m"


class Calls:
    """Sessions with a second of sound each, made when asked for."""

    def audio(self, session_id: str, track: str) -> Iterator[bytes]:
        file = BytesIO()
        sound = np.stack([np.sin(np.arange(24_000) / 20) * 0.3] * 2, axis=1)
        soundfile.write(file, sound, 24_000, format="WAV", subtype="PCM_16")
        yield file.getvalue()

    def events(self, session_id: str) -> Any:
        return iter(())

    def session(self, session_id: str) -> Session | None:
        if session_id == "sess_gone":
            return None
        user: Json = {"id": "u", "type": "user", "start_ms": 100.0, "end_ms": 400.0, "parent_id": None}
        user |= {"input": {"kind": "speech", "transcript": NASTY}, "metrics": {}}
        return Session({"id": session_id, "status": "complete", "duration_ms": 1000.0, "spans": [user]}, self)


def experiments(cases: int = 8) -> tuple[KeptExperiments, Json, Json]:
    kept = KeptExperiments()
    rows = []
    for good in (1.0, 0.0):
        body: Json = {"name": f"refunds {NASTY}", "seed": 0, "trials": 1, "cases": cases, "metadata": {}}
        row = kept.create(body | {"git": {"branch": "main", "commit": "a" * 40, "dirty": False}, "task": {}})
        made = [Case(f"c{n}", Input("text", text=NASTY), Expected(transcript="Yes.")) for n in range(cases)]
        kept.add_cases(row["id"], made)
        kept.add_results(row["id"], [_result(n, good) for n in range(cases)])
        rows.append(kept.edit(row["id"], status="complete"))
    return kept, rows[0], rows[1]


def _result(number: int, good: float) -> Result:
    scores = (
        Score("tool_called", good, evidence=(Evidence(200.0, 300.0),), explanation=NASTY),
        Score("v2v", 800.0 + 100 * (1 - good) + number, unit="ms", direction="min"),
        missing("wer", "nobody wrote it down"),
    )
    session_id = "sess_gone" if number == 1 else f"sess_{number}"
    return Result(f"c{number}", 0, Output(text=NASTY, session_id=session_id), scores, duration_ms=1500.0)


def report(cases: int = 8, gate: dict[str, Any] | None = None) -> Report:
    kept, before, after = experiments(cases)
    if cases > 2:
        failed = Result("broken", 0, None, error=f"TaskError: {NASTY}")
        kept.kept[after["id"]]["broken", 0] = failed
    outcome = outcome_of(kept, kept.get(after["id"]), parse_gate(gate or {"tool_called": ">=0.9"}), before)
    return Report(outcome, kept, Calls().session, "http://voxgate.test")


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_holds_words_sound_and_evidence_and_nothing_of_them_is_markup() -> None:
    page = Page("".join(html.lines(report())))
    assert [attrs for tag, attrs in page.tags if tag in {"img", "link", "iframe"}] == []
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert any(NASTY.replace("\x1b", "�") in words for words in page.words)
    sounds = [attrs["src"] or "" for tag, attrs in page.tags if tag == "audio"]
    assert len(sounds) == 14  # seven cases before and after; the call of the eighth is gone
    assert all(source.startswith("data:audio/ogg;base64,T2dn") for source in sounds)
    seeks = [attrs for tag, attrs in page.tags if "data-seek" in attrs]
    assert {"data-seek": "0.200", "data-until": "0.900", "type": "button", "title": "play"} in seeks


def test_the_page_asks_no_other_host() -> None:
    source = "".join(html.lines(report()))
    policy = next(attrs for tag, attrs in Page(source).tags if attrs.get("http-equiv"))["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    loaded = re.findall(r"(?:src|url\()\s*=?\s*[\"']?((?:https?:)?//[^\"')]+)", source)
    assert loaded == []


def test_failed_and_worse_cases_come_first_and_the_rest_is_counted() -> None:
    source = "".join(html.lines(report(), most_cases=3, with_sound=False))
    shown = re.findall(r"<summary><b>([^<]+)</b>", source)
    assert shown[0] == "broken"
    assert len(shown) == 3
    assert "The 3 worst of 9" in source
    assert "<audio" not in source


def test_sound_that_is_no_rate_of_opus_is_wav() -> None:
    data, kind = encoded(Sound(np.zeros(4410, np.float32), 44_100))
    assert (kind, data[:4]) == ("audio/wav", b"RIFF")
    assert encoded(Sound(np.zeros((800, 2), np.float32), 8_000))[1] == "audio/ogg"


def test_junit_has_gates_as_tests_and_scores_as_properties() -> None:
    root = ElementTree.fromstring("".join(junit.lines(report())))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("10", "1", "1")
    gates, cases = root.findall("testsuite")
    assert gates.find("testcase/failure") is not None
    names = [one.get("name") for one in cases.findall("testcase/properties/property")]
    assert names[:3] == ["tool_called", "v2v", "wer"]
    error = cases.find("testcase/error")
    assert error is not None
    assert error.get("type") == "TaskError"


def test_json_lines_have_everything() -> None:
    rows = [json.loads(line) for line in jsonl.lines(report())]
    assert [row["type"] for row in rows] == ["experiment", *["result"] * 9, "comparison", "check", "outcome"]
    assert rows[-1]["exit_code"] == 3


def test_markdown_shows_what_regressed_and_obeys_nothing() -> None:
    text = markdown(report())
    assert "| tool\\_called | 1 | 0 |" in text
    assert "🔴 regressed" in text
    assert "the 8 worst of 8" in text
    assert "<script" not in text
    assert "@octocat" not in text
    assert "[exp_" in text


def test_markdown_fits_a_comment() -> None:
    long = report()
    name = long.experiment["name"] * 800
    long.experiment["name"] = name
    assert MOST_CHARACTERS // 2 < len(markdown(long)) <= MOST_CHARACTERS + 20


def test_words_of_others_are_plain_in_markdown() -> None:
    assert plain("a|b\n<b> @me #1") == "a\\|b &lt;b&gt; @\u200bme #\u200b1"


def test_the_terminal_shows_scores_gates_and_what_got_worse() -> None:
    console = Console(width=160, record=True, file=StringIO())
    console.print(render(report()))
    text = console.export_text()
    for words in (
        "regressed",
        "FAIL  tool_called >=0.9",
        "worse in c0 -1",
        "8 (8 missing)"[3:],
        "TaskError: 1",
    ):
        assert words in text, text
    assert "\x1b" not in text
    assert "wer missing: nobody wrote it down (8)" in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (812.4, "ms", "812 ms"),
        (0.93456, None, "0.935"),
        (0.0123, "usd", "$0.0123"),
        (None, "ms", "–"),
        (0.00001234, None, "1e-05"),
        (0.5, "share", "0.5"),
        (0.0, None, "0"),
    ],
)
def test_figures_are_written_as_people_write_them(value: float | None, unit: str | None, text: str) -> None:
    assert figure(value, unit) == text


def test_differences_have_their_sign() -> None:
    assert (signed(12.0, "ms"), signed(-0.25, None), signed(0.0, None)) == ("+12 ms", "-0.25", "0")
