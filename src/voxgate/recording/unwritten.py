"""What a user said in a call and nobody wrote down: a session's row with its spans in, the places of such
utterances in its sound out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Utterance(NamedTuple):
    """Bytes `[start:end]` of the user's track, at so many samples per second."""

    item_id: str
    start: int
    end: int
    rate: int


def unwritten(row: Mapping[str, Any]) -> list[Utterance]:
    """In their order. None of a call whose sound or whose words are not to be recorded."""
    data = row["data"]
    recorded, track = data.get("recorded") or {}, (data.get("tracks") or {}).get("user")
    if data.get("transport") == "http":  # what a request sends to be heard is what it asks for words of
        return []
    if track is None or False in (recorded.get("audio"), recorded.get("text")):
        return []
    return list(_utterances(row["spans"], int(track["rate"])))


def _utterances(spans: list[dict[str, Any]], rate: int) -> Iterator[Utterance]:
    for span in spans:
        said = span["input"] or {}
        if span["type"] != "user" or said.get("kind") != "speech" or not said.get("item_id"):
            continue
        is_wordless = span["metrics"].get("transcript_lag") is not None  # so the provider said
        if said.get("transcript") or said.get("transcribed_by") or is_wordless:
            continue
        clip = next((one for one in span["attachments"] if one["track"] == "user"), None)
        if clip is not None:
            yield Utterance(said["item_id"], clip["start_byte"], clip["end_byte"], rate)
