"""Whether a page can be used by everybody, as axe-core of the web app's node_modules judges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.browsers import settled

_AXE: Final = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"


async def violations_of_both(page: Page) -> list[str]:
    """Those in the dark, then those in the light, which it stays in."""
    found: list[str] = []
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {one}" for one in await violations(page)]
    return found


async def violations(page: Page) -> list[str]:
    """What is wrong and where, in words. The page as it is now, dialogs and menus included."""
    if not _AXE.is_file():
        pytest.skip("needs axe-core in ui/node_modules (npm ci)")
    await settled(page)
    # As the browser's own tools do it: no script of the page, so that its policy stays as it is.
    await page.evaluate(_AXE.read_text() + "; undefined")
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']} at {', '.join(str(node['target']) for node in one['nodes'][:3])}"
        for one in found["violations"]
    ]
