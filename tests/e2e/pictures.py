"""Screenshots for the documents, taken by the tests that are there anyway (`make screenshots`)."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Page

IMAGES = os.environ.get("VOXGATE_SCREENSHOTS")
"""A folder to keep screenshots in."""


async def picture(page: Page, name: str) -> None:
    if IMAGES:
        await page.screenshot(path=Path(IMAGES) / f"{name}.png")
