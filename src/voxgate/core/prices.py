"""What models cost: the table that is shipped (`prices.toml`, with its date and sources) and what the
settings say instead. A model's name in, its price out; what is not known is None and never 0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_DATE: Final = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|20\d{6})$")
"""As OpenAI and as Anthropic write it."""


class Price(BaseModel):
    """Of one model in US dollars: per million tokens, `minute` per minute of audio."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text_input: Dollars | None = None
    text_cached_input: Dollars | None = None
    text_cache_write: Dollars | None = None
    """Of input that is put into the provider's cache for five minutes, Anthropic's; next for an hour."""
    text_cache_write_hour: Dollars | None = None
    text_output: Dollars | None = None
    audio_input: Dollars | None = None
    audio_cached_input: Dollars | None = None
    audio_output: Dollars | None = None
    image_input: Dollars | None = None
    image_cached_input: Dollars | None = None
    minute: Dollars | None = None
    source: str | None = None
    """Where the numbers are from; for people."""

    @property
    def is_known(self) -> bool:
        """Whether the usual usage of a call or of a transcription can be priced."""
        needed = [self.text_input, self.text_output, self.audio_input]
        if self.audio_output is not None:  # it answers, so it has been told everything before
            needed += [self.text_cached_input, self.audio_cached_input]
        return self.minute is not None or None not in needed

    @property
    def may_transcribe(self) -> bool:
        """It hears and does not speak."""
        hears = self.audio_input is not None or self.minute is not None
        return self.audio_output is None and hears

    def rates(self) -> dict[str, float]:
        """What is known of it, in numbers."""
        return self.model_dump(exclude_none=True, exclude={"source"})


class PriceSettings(Price):
    """As `[prices]` says it: the fields that are given replace those of the model `like`, or of the shipped
    price of the same name."""

    like: str | None = None


class PriceTable:
    def __init__(self, own: Mapping[str, PriceSettings] | None = None) -> None:
        self._own = own or {}
        shipped = _shipped()
        self._prices = {
            **shipped,
            **{name: _merged(name, given, shipped) for name, given in self._own.items()},
        }
        self._silent = {name: price.rates() for name, price in self._prices.items() if price.may_transcribe}

    def of(self, model: str) -> Price | None:
        """By the exact name, else by the name without its date; None if neither is listed."""
        return listed_as(self._prices, model)

    def listed(self, names: Sequence[str]) -> str:
        """The first of a model's names that has a price; the last if none has."""
        return next((name for name in names if self.of(name) is not None), names[-1])

    def quote(self, names: Sequence[str]) -> dict[str, Any]:
        """What a call with this model is priced by, for its record. Who transcribes is only said during the
        call, and may change: so all that may."""
        name = self.listed(names)
        price = self.of(name)
        return {"model": name, "price": price.rates() if price else None, "transcription": self._silent}


def listed_as(prices: Mapping[str, T], model: str) -> T | None:
    """By the exact name, else by the name without its date; None if neither is listed."""
    found = prices.get(model)
    return prices.get(_DATE.sub("", model)) if found is None else found


def _merged(name: str, given: PriceSettings, shipped: Mapping[str, Price]) -> Price:
    base = shipped.get(given.like or name) or shipped.get(_DATE.sub("", given.like or name)) or Price()
    return base.model_copy(update=given.model_dump(exclude_unset=True, exclude={"like"}))


@cache
def _shipped() -> dict[str, Price]:
    text = (resources.files("voxgate.core") / "prices.toml").read_text(encoding="utf-8")
    return {name: Price.model_validate(fields) for name, fields in tomllib.loads(text).items()}
