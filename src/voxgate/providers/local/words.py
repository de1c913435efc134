"""Words of English: tokens, light stems and the small words that carry no meaning."""

from __future__ import annotations

import re

WORD = re.compile(r"[A-Za-z0-9]+(?:['’][A-Za-z]+)?")
_STOPS = """
a about all am an and any are as at be been but by can could did do does for from get give had has
have he her here him his how i i'd i'll i'm if in into is isn't it it's its just kindly let let's
like look make may me might my need no not of on or our out please shall she should show so some
tell than that that's the their them then there these they this those to too up us use used user
using want was we were what what's when where which who who's why will with would you you're your
"""
STOP_WORDS = frozenset(_STOPS.split())
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ies", "ed", "es", "ly", "s")


def tokens(text: str) -> list[str]:
    """Lower-case words; `get_weather`, `getWeather` and `get-weather` are two words each."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text.replace("_", " "))
    return [word.lower().replace("’", "'") for word in WORD.findall(spaced)]


def stem(word: str) -> str:
    """Light: `bookings`, `booked` and `book` meet, at the price of some odd stems."""
    word = word.removesuffix("'s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)] + ("y" if suffix == "ies" else "")
    return word.removesuffix("e") if len(word) > 4 else word


def stems(text: str) -> list[str]:
    """The stems of the words that mean something, in order."""
    return [stem(word) for word in tokens(text) if word not in STOP_WORDS]
