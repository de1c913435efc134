"""The list of sessions and the overview in a real Chromium, over hundreds of sessions and one real call."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, Request, expect
from websockets.asyncio.client import connect

from tests.browsers import settled
from tests.e2e.axe import violations, violations_of_both
from tests.e2e.conftest import OpenPage
from tests.e2e.seeding import SCRIPT, seed, seed_long
from tests.running import Voxgate, start_voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(180)]
IMAGES = os.environ.get("VOXGATE_SCREENSHOTS")
"""A folder to keep screenshots in (`make screenshots`)."""
SLOW_MS = 60_000


@pytest.fixture(scope="module")
def voxgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    running = start_voxgate(tmp_path_factory.mktemp("voxgate"))
    seed(running.data_dir)
    yield running
    assert running.stop() == 0


async def picture(page: Page, name: str) -> None:
    if IMAGES:
        await page.screenshot(path=Path(IMAGES) / f"{name}.png")


async def open_list(page: Page, voxgate: Voxgate, address: str = "/") -> None:
    """Signed in, with the list drawn."""
    await page.goto(f"{voxgate.url}/#key={voxgate.key}")
    await expect(page.get_by_test_id("session-row").first).to_be_visible(timeout=SLOW_MS)
    if address != "/":
        await page.goto(voxgate.url + address)


def filter_of(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0].strip('"')


MOST_SCRIPT_BYTES = 250_000
# Of what was loaded until now, as it came over the wire.
SCRIPT_BYTES = """() => performance.getEntriesByType("resource")
  .filter((one) => one.name.endsWith(".js")).reduce((sum, one) => sum + one.encodedBodySize, 0)"""


async def test_a_new_call_appears_by_itself_and_nothing_leaves_the_origin(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    elsewhere: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((voxgate.url, "data:", "blob:")):
            elsewhere.append(request.url)

    async with open_page() as page:
        page.on("request", note)
        await open_list(page, voxgate)
        assert 50_000 < await page.evaluate(SCRIPT_BYTES) < MOST_SCRIPT_BYTES
        url = f"{voxgate.ws_url}?model=local"
        async with connect(url, additional_headers=voxgate.auth) as call:
            assert call.response is not None
            session_id = call.response.headers["x-voxgate-session-id"]
            row = page.locator(f"tr[data-id='{session_id}']")
            await expect(row.get_by_test_id("status")).to_contain_text("live", timeout=SLOW_MS)
            await expect(page.get_by_test_id("session-row").first).to_have_attribute("data-id", session_id)
        await expect(row.get_by_test_id("status")).to_contain_text("complete", timeout=SLOW_MS)
    assert elsewhere == []


async def test_the_browser_is_told_to_take_nothing_from_elsewhere(voxgate: Voxgate) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(voxgate.url) as page:
            text = await page.text()
        script = re.search(r'src="(/assets/[^"]+\.js)"', text)
        assert script is not None
        async with http.get(voxgate.url + script[1]) as asset:
            assert asset.headers["content-security-policy"] == page.headers["content-security-policy"]
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    words = {word for rule in policy.values() for word in rule.split()}
    assert words <= {"'self'", "'none'", "blob:", "data:"}
    assert "<script>" not in text


async def test_a_script_in_a_title_a_tag_or_a_transcript_is_shown_and_not_run(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    async with open_page() as page:
        await open_list(page, voxgate, "/?q=onerror")
        row = page.get_by_test_id("session-row").first
        await expect(row.locator("a")).to_have_text(SCRIPT, timeout=SLOW_MS)
        await expect(row.locator(".tag", has_text="<b>bold</b>")).to_be_visible()
        await expect(row.get_by_test_id("excerpt").locator("mark")).to_have_text("onerror")
        assert await page.title() == "Sessions · Voxgate"
        assert await page.locator("img[src='x'], tbody b").count() == 0


# Of the words, in the box that scrolls.
LAST_IN_SIGHT = """() => {
  const box = document.querySelector("[data-testid=conversation]").getBoundingClientRect();
  const last = [...document.querySelectorAll("[data-testid^=entry-]")].at(-1).getBoundingClientRect();
  return last.top >= box.top && last.bottom <= box.bottom + 1;
}"""


async def test_of_a_long_call_what_is_in_sight_is_drawn_and_the_keys_reach_the_rest(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    session_id = seed_long(voxgate.data_dir, turns=400)
    async with open_page() as page:
        await page.goto(f"{voxgate.url}/sessions/{session_id}#key={voxgate.key}")
        entries, rows = page.locator("[data-testid^=entry-]"), page.get_by_role("treeitem")
        await expect(entries.first.get_by_test_id("transcribed-by")).to_have_text(
            "words by voxgate · tiny", timeout=SLOW_MS
        )
        assert await entries.count() < 100
        assert await rows.count() < 100
        await page.get_by_test_id("span-tree").locator("[tabindex='0']").focus()
        await page.keyboard.press("End")
        focused = page.locator("[role=treeitem]:focus")
        await expect(focused).to_have_attribute("data-span", "span_response_399", timeout=SLOW_MS)
        await expect(focused).to_have_attribute("aria-posinset", "1201")
        await page.keyboard.press("Enter")
        await expect(entries.last).to_contain_text("Heard 399", timeout=SLOW_MS)
        await page.wait_for_function(LAST_IN_SIGHT, timeout=SLOW_MS)
        assert await entries.count() < 100
        assert await violations_of_both(page) == []
        await focused.press("Home")
        await expect(focused).to_have_attribute("data-span", "span_session", timeout=SLOW_MS)


async def test_chips_and_the_text_of_the_filter_are_the_same(voxgate: Voxgate, open_page: OpenPage) -> None:
    async with open_page() as page:
        await open_list(page, voxgate)
        text, chips = page.get_by_test_id("filter"), page.get_by_test_id("chip")
        await page.get_by_test_id("add-filter").click()
        await page.get_by_role("menuitem", name=re.compile("gpt-realtime-mini")).click()
        await expect(text).to_have_value("model:gpt-realtime-mini", timeout=SLOW_MS)
        await page.keyboard.press("/")
        await page.keyboard.type(" refu")
        await expect(chips).to_have_text(["model:gpt-realtime-mini", "refu"], timeout=SLOW_MS)
        await text.fill("model:gpt-realtime-mini refund tag:v")
        await page.get_by_role("option", name=re.compile("vip")).click()
        await expect(chips).to_have_text(["model:gpt-realtime-mini", "refund", "tag:vip"], timeout=SLOW_MS)
        hit = page.get_by_test_id("session-row").first.locator("mark").first
        await expect(hit).to_have_text(re.compile("refund", re.IGNORECASE), timeout=SLOW_MS)
        await picture(page, "sessions-search")
        await chips.nth(0).get_by_role("button").click()
        await expect(text).to_have_value("refund tag:vip", timeout=SLOW_MS)
        await chips.nth(0).get_by_role("button").click()
        await expect(page.get_by_test_id("session-row").first.locator(".tag", has_text="vip")).to_be_visible()


async def test_a_wrong_filter_is_marked_where_it_is_wrong_and_the_list_stays(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    async with open_page(expected="400 (Bad Request)") as page:
        await open_list(page, voxgate)
        await page.get_by_test_id("filter").fill("refund duration>30")
        wrong = page.get_by_test_id("filter-error")
        await expect(wrong.locator("mark")).to_have_text("30", timeout=SLOW_MS)
        await expect(wrong).to_contain_text("500ms, 30s")
        await expect(page.get_by_test_id("session-row").first).to_be_visible()


async def test_a_view_is_saved_and_opened_again(voxgate: Voxgate, open_page: OpenPage) -> None:
    async with open_page() as page:
        await open_list(page, voxgate, "/?q=status%3Afailed&sort=duration")
        await page.get_by_test_id("views").click()
        await page.get_by_role("menuitem", name=re.compile("Save this list")).click()
        await page.get_by_test_id("view-name").fill("Failed, longest first")
        assert await violations(page) == []
        await page.get_by_test_id("save-view").click()
        await expect(page.get_by_test_id("toast")).to_contain_text("is saved", timeout=SLOW_MS)
        await page.goto(voxgate.url)
        await page.get_by_test_id("views").click()
        await page.get_by_role("menuitem", name="Failed, longest first").click()
        await expect(page.get_by_test_id("filter")).to_have_value("status:failed", timeout=SLOW_MS)
        await expect(page.locator("th[aria-sort=descending]")).to_contain_text("Duration")


async def test_many_are_tagged_and_deleted_at_once_with_the_keyboard(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    async with open_page() as page:
        await open_list(page, voxgate, "/?q=project%3Ashop")
        rows = page.get_by_test_id("session-row")
        await expect(rows.first.locator(".cell-project")).to_have_text("shop", timeout=SLOW_MS)
        for key in ("j", "x", "j", "j", "X"):
            await page.keyboard.press(key)
        await expect(page.get_by_test_id("bulk")).to_contain_text("3 sessions selected")
        await picture(page, "sessions")
        assert await violations(page) == []
        chosen = [await rows.nth(at).get_attribute("data-id") for at in range(3)]
        await page.get_by_test_id("bulk-tags").click()
        await page.get_by_test_id("tags-input").fill("checked, by hand")
        await page.get_by_test_id("save-tags").click()
        await expect(rows.nth(2).locator(".tag", has_text="by hand")).to_be_visible(timeout=SLOW_MS)
        await page.get_by_test_id("bulk-delete").click()
        await page.get_by_test_id("confirm-delete").click()
        for session_id in chosen:
            await expect(page.locator(f"tr[data-id='{session_id}']")).to_have_count(0, timeout=SLOW_MS)
    left = await voxgate.request("GET", "/api/sessions?q=tag:checked")
    assert left["items"] == []


async def test_all_that_a_filter_finds_are_tagged_exported_and_deleted(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    wanted = {"q": "tag:german", "project": "lab"}
    before = (await voxgate.request("GET", "/api/sessions/count", params=wanted))["sessions"]
    everything = (await voxgate.request("GET", "/api/sessions/count"))["sessions"]
    async with open_page() as page:
        await open_list(page, voxgate)
        await page.get_by_label("Select all that are loaded").check()
        await page.get_by_test_id("bulk-all").click()
        await expect(page.get_by_test_id("bulk")).to_contain_text(f"All {everything} that", timeout=SLOW_MS)
        await page.get_by_test_id("bulk-tags").click()
        await page.get_by_test_id("tags-input").fill("every one")
        await page.get_by_test_id("save-tags").click()
        await expect(page.get_by_test_id("toast")).to_contain_text(f"{everything} sessions", timeout=SLOW_MS)
        await page.goto(f"{voxgate.url}/?q=tag%3Agerman&project=lab")
        await expect(page.get_by_test_id("session-row")).to_have_count(before, timeout=SLOW_MS)
        await page.get_by_label("Select all that are loaded").check()
        await page.get_by_test_id("bulk-all").click()
        await page.get_by_test_id("export").click()
        link = page.get_by_role("menuitem", name="CSV")
        rows = await page.request.get(voxgate.url + str(await link.get_attribute("href")))
        assert len((await rows.text()).splitlines()) == before + 1
        await page.keyboard.press("Escape")
        await page.get_by_test_id("bulk-delete").click()
        await expect(page.get_by_test_id("confirm-delete")).to_be_disabled()
        await page.get_by_test_id("delete-count").fill(str(before))
        assert await violations(page) == []
        await page.get_by_test_id("confirm-delete").click()
        await expect(page.get_by_test_id("nothing-found")).to_be_visible(timeout=SLOW_MS)
    assert (await voxgate.request("GET", "/api/sessions/count"))["sessions"] == everything - before
    assert (await voxgate.request("GET", '/api/sessions/count?q=tag:"every one"'))[
        "sessions"
    ] == everything - before


async def test_a_chart_leads_to_the_calls_behind_it(voxgate: Voxgate, open_page: OpenPage) -> None:
    async with open_page() as page:
        await open_list(page, voxgate)
        await page.keyboard.press("g")
        await page.keyboard.press("o")
        total = page.get_by_test_id("total-interruptions")
        await expect(total).to_have_text(re.compile(r"\d+"), timeout=SLOW_MS)
        assert await violations(page) == []
        await picture(page, "overview")
        chart = page.get_by_test_id("chart-interruptions")
        await chart.focus()
        await chart.press("ArrowLeft")
        await chart.press("ArrowLeft")
        said = await chart.get_attribute("aria-valuetext")
        await chart.press("Enter")
        rows = page.get_by_test_id("session-row")
        await expect(rows.first).to_be_visible(timeout=SLOW_MS)
        assert filter_of(page).startswith("interruptions>0 started>=")
        found = await voxgate.request("GET", "/api/sessions", params={"q": filter_of(page), "limit": "500"})
        assert said is not None
        assert sum(item["interruptions"] for item in found["items"]) == int(said.rpartition(" ")[2])


@pytest.mark.parametrize(
    ("width", "scheme", "path", "name"),
    [
        (390, "light", "/", "sessions-phone"),
        (1280, "light", "/", "sessions-light"),
        (1920, "dark", "/", "sessions-wide"),
        (390, "dark", "/overview", "overview-phone"),
        (1280, "light", "/overview?by=tag", "overview-light"),
    ],
)
async def test_pages_fit_and_can_be_used_by_everybody(
    voxgate: Voxgate, open_page: OpenPage, width: int, scheme: str, path: str, name: str
) -> None:
    async with open_page(width=width, height=844, scheme=scheme) as page:
        await open_list(page, voxgate, path)
        await expect(
            page.locator("[data-testid=session-row], [data-testid=total-calls]").first
        ).to_be_visible(timeout=SLOW_MS)
        await settled(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await violations(page) == []
        await picture(page, name)


async def test_a_key_that_only_reads_is_not_offered_what_it_may_not_do(
    voxgate: Voxgate, open_page: OpenPage
) -> None:
    made = await voxgate.request("POST", "/api/keys", json={"name": "looks", "role": "read"})
    async with open_page() as page:
        await page.goto(f"{voxgate.url}/#key={made['key']}")
        await page.get_by_test_id("session-row").first.locator("input").click(timeout=SLOW_MS)
        await expect(page.get_by_test_id("bulk")).to_contain_text("1 session selected")
        assert await page.get_by_test_id("bulk-delete").count() == 0
        assert await page.get_by_role("link", name="Playground").count() == 0
        await page.get_by_test_id("export").click()
        link = page.get_by_role("menuitem", name="JSON lines")
        lines = await page.request.get(voxgate.url + str(await link.get_attribute("href")))
        assert json.loads(await lines.text())["id"]
