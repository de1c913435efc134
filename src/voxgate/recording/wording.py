"""Takes what rules find out of JSON values: messages of the protocol, spans of a trace. Names, ids and
settings of the protocol are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from voxgate.core.patterns import Found, Rules, mark_of, merged, replaced
from voxgate.realtime.screening import is_name

_DEEPEST: Final = 60
_SHORTEST_PIECE: Final = 4
"""A shorter one is only looked for as a whole text: it would be found in innocent ones."""
_TOGETHER: Final = "together"


class Words:
    """`pieces` are texts that the rules found only together with others."""

    def __init__(self, rules: Rules, pieces: Iterable[str] = ()) -> None:
        self._rules = rules
        self._pieces = sorted(pieces, key=len, reverse=True)
        self.counts: dict[str, int] = {}
        """How often each rule has found something."""

    def find(self, text: str) -> tuple[Found, ...]:
        found = self._rules.find(text)
        if not self._pieces:
            return found
        return merged([*found, *self._known(text)])

    def clean(self, text: str) -> str:
        found = self.find(text)
        for one in found:
            self.counts[one.rule] = self.counts.get(one.rule, 0) + 1
        return replaced(text, found) if found else text

    def cleaned(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """The value itself if there is nothing to take out."""
        if isinstance(value, str):
            return value if is_name("id" if name in _IDS else name, value) else self.clean(value)
        if name in _FREE and isinstance(value, dict | list):
            name = _FREE_NAME  # what stands under it has names of its own
        elif name in _COUNTS and isinstance(value, dict | list):
            name = _COUNT_NAME
        if depth >= _DEEPEST:
            return None if isinstance(value, dict | list) else value
        if isinstance(value, dict):
            return _changed_dict(
                value, lambda key, one: self.cleaned(one, name if name in _INHERITED else key, depth + 1)
            )
        if isinstance(value, list):
            made = [self.cleaned(one, name, depth + 1) for one in value]
            return value if all(new is old for new, old in zip(made, value, strict=True)) else made
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, name)
        return value

    def _number(self, value: float, name: str) -> Any:
        """Arguments of tools hold numbers too; those of the protocol and of traces are no words."""
        text = str(value)
        if len(text) < 6 or name in _NUMBERS or name.endswith(_UNITS) or not self.find(text):
            return value
        return self.clean(text)

    def _known(self, text: str) -> Iterable[Found]:
        bare = text.strip(" .,;:!?")
        for piece in self._pieces:
            if len(piece) < _SHORTEST_PIECE:
                if bare and bare == piece.strip(" .,;:!?"):
                    yield Found(0, len(text), _TOGETHER)
                continue
            at = text.find(piece)
            while at >= 0:
                yield Found(at, at + len(piece), _TOGETHER)
                at = text.find(piece, at + len(piece))


_FREE_NAME: Final = "result"
_FREE: Final = frozenset(("arguments", _FREE_NAME))
"""Of tools, once they are parsed."""
_IDS: Final = frozenset(("item_ids", "context_item_ids", "config_hash", "hash", "digest", "answer_of"))
"""Of traces, beside those of the protocol."""
_COUNT_NAME: Final = "usage"
_COUNTS: Final = frozenset((_COUNT_NAME, "cost", "price", "rate_limits", "limits"))
"""What stands under these are counts and amounts, whatever their names."""
_INHERITED: Final = frozenset((_FREE_NAME, _COUNT_NAME))
_NUMBERS: Final = frozenset((
    "t", "ms", "bytes", "chars", "records", "rate", "duration", "seconds", "created", "start_byte",
    "end_byte", "logprob", "embedding", "temperature", "top_p", "threshold", "speed", "seed", _COUNT_NAME,
))  # fmt: skip
_UNITS: Final = ("_ms", "_ns", "_at", "_seconds", "_tokens", "_usd", "_index", "_length")
"""How names of numbers end that a long call makes as long as a telephone number."""


def _changed_dict(value: dict[str, Any], change: Callable[[str, Any], Any]) -> dict[str, Any]:
    made = {key: change(key, one) for key, one in value.items()}
    return value if all(made[key] is value[key] for key in value) else made


def clean_pieces(pieces: list[str], found: Iterable[Found]) -> list[str]:
    """A text that came in pieces: what was found is gone from each, and the mark stands where it began."""
    cleaned, at = [], 0
    places = list(found)
    for piece in pieces:
        end = at + len(piece)
        here = [
            (max(one.start - at, 0), min(one.end, end) - at, mark_of(one.rule) if one.start >= at else "")
            for one in places
            if one.start < end and one.end > at
        ]
        text, last = "", 0
        for start, stop, mark in here:
            text += piece[last:start] + mark
            last = stop
        cleaned.append(text + piece[last:])
        at = end
    return cleaned
