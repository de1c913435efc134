"""Screenshots for the documents, taken by the tests that are there anyway (`make screenshots`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from playwright.async_api import Page

IMAGES = os.environ.get("VOXGATE_SCREENSHOTS")
"""A folder to keep screenshots in."""


_LIGHT_TOO: Final = frozenset((
    "datasets", "dataset", "experiments", "experiment", "compare", "rules", "playground", "credentials",
    "keys", "providers", "settings", "request",
))  # fmt: skip
"""Taken in the dark and in the light, the latter as `NAME-light`."""


async def picture(page: Page, name: str) -> None:
    if not IMAGES:
        return
    if name in _LIGHT_TOO:
        await page.emulate_media(color_scheme="dark")
    await page.screenshot(path=Path(IMAGES) / f"{name}.png")
    if name in _LIGHT_TOO:
        await page.emulate_media(color_scheme="light")
        await page.screenshot(path=Path(IMAGES) / f"{name}-light.png")
        await page.emulate_media(color_scheme="dark")
