"""`python -m tests.e2e.report_pictures`: runs the demonstration of evaluations and takes the pictures of its
report for docs/evaluate.md (`make screenshots`).
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import async_playwright

from tests.conftest import REPOSITORY

IMAGES: Final = REPOSITORY / "docs/images"


async def pictures(report: Path) -> None:
    """The top of the report, and the case that got worst."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("There is no chromium to take pictures with.")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1180, "height": 760}, color_scheme="light")
        await page.goto(report.as_uri())
        await page.screenshot(path=IMAGES / "evaluate-report.png")
        await page.emulate_media(color_scheme="dark")
        await page.locator("details.case").first.screenshot(path=IMAGES / "evaluate-case.png")
        await browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        demo = REPOSITORY / "examples/evals/demo.py"
        subprocess.run([sys.executable, str(demo), "--output", str(report)], check=True)
        asyncio.run(pictures(report))


if __name__ == "__main__":
    main()
