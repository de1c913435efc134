"""Screenshots for the documents, taken by the tests that are there anyway (`make screenshots`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from playwright.async_api import Page

IMAGES = os.environ.get("VOXGATE_SCREENSHOTS")
"""A folder to keep screenshots in."""


_LIGHT_TOO: Final = frozenset(
    ("dataset", "experiments", "compare", "rules", "playground", "credentials", "providers")
)
"""Taken in the light as well, as `NAME-light`."""


async def picture(page: Page, name: str) -> None:
    if not IMAGES:
        return
    await page.screenshot(path=Path(IMAGES) / f"{name}.png")
    if name in _LIGHT_TOO:
        await page.emulate_media(color_scheme="light")
        await page.screenshot(path=Path(IMAGES) / f"{name}-light.png")
        await page.emulate_media(color_scheme="dark")
