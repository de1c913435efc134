"""The pages of data sets, experiments, comparisons and rules in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browsers import settled
from tests.clients.conftest import Voice
from tests.e2e.axe import violations, violations_of_both
from tests.e2e.calls import support_call
from tests.e2e.conftest import OpenPage
from tests.e2e.evaluating import SCRIPT, Evaluated, evaluate, evaluate_long_names
from tests.e2e.pictures import picture
from tests.e2e.test_session_page import imported
from tests.running import Voxgate, start_voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]
SLOW_MS = 60_000
PLACE = "() => window.__sounds.at(-1)?.currentTime"


@pytest.fixture(scope="module")
def voxgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    """Whose lists of data sets, experiments and rules are those of this module."""
    running = start_voxgate(tmp_path_factory.mktemp("voxgate"), local=False)
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture(scope="module")
def log(voice: Voice) -> bytes:
    return support_call(voice)


def another(log: bytes, name: bytes) -> bytes:
    """The same log again would be the same session."""
    return log.replace(b"Be brief.", b"Be brief, " + name + b".")


_made: list[tuple[Evaluated, dict[str, Any]]] = []


async def evaluated(voxgate: Voxgate, log: bytes) -> tuple[Evaluated, dict[str, Any]]:
    """Once for the module; with the trace of the call that the second experiment made."""
    if not _made:
        before, after = [await imported(voxgate, another(log, name)) for name in (b"before", b"after")]
        _made.append((await evaluate(voxgate, before, after), after))
    return _made[0]


async def open_at(page: Page, voxgate: Voxgate, address: str) -> None:
    await page.goto(f"{voxgate.url}{address}#key={voxgate.key}")


async def test_a_case_is_heard_changed_and_kept_in_the_version_before(
    voxgate: Voxgate, open_page: OpenPage, log: bytes
) -> None:
    made, _ = await evaluated(voxgate, log)
    async with open_page(width=1280) as page:
        await open_at(page, voxgate, "/datasets")
        await expect(page.get_by_test_id("dataset-row").first).to_be_visible(timeout=SLOW_MS)
        assert await violations(page) == []
        await picture(page, "datasets")
        await page.get_by_role("link", name="refunds").first.click()
        rows = page.get_by_test_id("case-row")
        await expect(rows).to_have_count(len(made.cases), timeout=SLOW_MS)
        await page.keyboard.press("j")
        detail = page.get_by_test_id("case-detail")
        await detail.get_by_role("button", name="Play what is said").click(timeout=SLOW_MS)
        await page.wait_for_function(f"() => ({PLACE})() > 0.3", timeout=SLOW_MS)
        await page.keyboard.press("j")
        await expect(detail.get_by_test_id("expected-calls")).to_have_value(
            '[\n  {\n    "name": "refund_order",\n    "arguments": null\n  }\n]', timeout=SLOW_MS
        )
        await detail.get_by_test_id("expected-calls").fill('[{"tool": 1}]')
        await expect(detail.get_by_test_id("save-case")).to_be_disabled()
        await expect(detail.get_by_role("alert")).to_contain_text("name")
        await detail.get_by_test_id("expected-calls").fill('[{"name": "refund", "arguments": {"id": 7}}]')
        assert await violations(page) == []
        await picture(page, "dataset")
        await detail.get_by_test_id("save-case").click()
        await expect(page.get_by_test_id("shown-version")).to_contain_text("3", timeout=SLOW_MS)
        await expect(rows.nth(1)).to_contain_text('refund({"id":7})')
        await page.get_by_test_id("version").nth(1).click()
        await expect(rows.nth(1)).to_contain_text("refund_order(…)", timeout=SLOW_MS)
        await expect(detail.get_by_test_id("save-case")).to_have_count(0)
        await expect(page.get_by_test_id("case-row").nth(6)).to_contain_text(SCRIPT)
        assert await page.title() != "owned"
    stored = await voxgate.request("GET", f"/api/datasets/{made.dataset}/cases/case_1")
    assert stored["expected"]["tool_calls"] == [{"name": "refund", "arguments": {"id": 7}}]


async def test_a_turn_becomes_a_case_with_what_a_person_expected_and_outlives_its_call(
    voxgate: Voxgate, open_page: OpenPage, log: bytes
) -> None:
    trace = await imported(voxgate, another(log, b"a turn"))
    user = [span for span in trace["spans"] if span["type"] == "user"][1]
    path = f"/api/sessions/{trace['id']}"
    score = {"name": "expected", "span_id": user["id"], "details": {"expected": "Your refund is on its way."}}
    await voxgate.request("POST", f"{path}/scores", json=score)
    async with open_page(width=1440, expected="404 (Not Found)") as page:
        await open_at(page, voxgate, f"/sessions/{trace['id']}")
        await page.get_by_test_id("span-user").nth(1).click(timeout=SLOW_MS)
        await page.get_by_test_id("span-detail").get_by_test_id("save-as-case").click()
        await expect(page.get_by_test_id("expected-corrected")).to_be_checked(timeout=SLOW_MS)
        await page.get_by_test_id("pick-dataset").select_option("")
        await page.get_by_test_id("dataset-name").fill(f"heard {trace['id'][-6:]}")
        assert await violations(page) == []
        await picture(page, "save-as-case")
        await page.get_by_test_id("add-cases").click()
        await page.get_by_test_id("open-dataset").click(timeout=SLOW_MS)
        row = page.get_by_test_id("case-row")
        await expect(row).to_contain_text("Your refund is on its way.", timeout=SLOW_MS)
        await row.click()
        detail = page.get_by_test_id("case-detail")
        await expect(detail.get_by_test_id("sound").first).to_be_visible(timeout=SLOW_MS)
        await voxgate.request("DELETE", path)
        await page.reload()
        await detail.get_by_test_id("sound").get_by_role("button").first.click(timeout=SLOW_MS)
        await page.wait_for_function(f"() => ({PLACE})() > 0.2", timeout=SLOW_MS)
        loud = "() => { const one = window.__sounds.at(-1); return !one.error && one.duration > 0.5; }"
        assert await page.evaluate(loud)


# The newest sound, wherever it has got to meanwhile.
PLAYS_FROM = """(from) => {
  const { played } = window.__sounds.at(-1) ?? {};
  return played?.length > 0 && Math.abs(played.start(played.length - 1) - from) < 0.3;
}"""
PLAYS_BUT = """(session) => {
  const sounds = window.__sounds.filter((one) => !one.paused);
  return sounds.length === 1 && sounds[0].currentTime > 0 && !sounds[0].src.includes(session);
}"""


async def test_two_experiments_are_compared_by_number_and_by_ear(
    voxgate: Voxgate, open_page: OpenPage, log: bytes
) -> None:
    made, trace = await evaluated(voxgate, log)
    turn = next(span for span in trace["spans"] if span["type"] == "turn")
    async with open_page(width=1440) as page:
        await open_at(page, voxgate, f"/experiments?dataset={made.dataset}")
        boxes = page.get_by_test_id("experiment-row").get_by_role("checkbox")
        for at in range(2):
            await boxes.nth(at).check(timeout=SLOW_MS)
        assert await violations(page) == []
        await picture(page, "experiments")
        await page.get_by_test_id("compare").click()
        await expect(page.get_by_test_id("change-wer")).to_contain_text("regressed", timeout=SLOW_MS)
        await expect(page.get_by_test_id("change-v2v_p95")).to_contain_text("no change shown")
        rows = page.get_by_test_id("result-row")
        await expect(rows.first).to_have_attribute("data-id", "case_0")
        await page.get_by_test_id("case-show").select_option("regressed")
        await expect(rows).to_have_count(len(made.cases), timeout=SLOW_MS)
        await page.keyboard.press("j")
        await page.get_by_test_id("evidence").first.click(timeout=SLOW_MS)
        at = (turn["start_ms"] + 400) / 1000
        await page.wait_for_function(PLAYS_FROM, arg=at, timeout=SLOW_MS)
        await page.get_by_test_id("switch-ear").click()
        await page.wait_for_function(PLAYS_BUT, arg=trace["id"], timeout=SLOW_MS)
        await page.evaluate("window.__sounds.forEach((one) => one.pause())")
        await page.evaluate("window.scrollTo(0, 0)")
        assert await violations(page) == []
        await picture(page, "compare")
        assert await page.title() != "owned"


async def test_an_experiment_shows_its_worst_cases_its_errors_and_what_is_missing(
    voxgate: Voxgate, open_page: OpenPage, log: bytes
) -> None:
    made, _ = await evaluated(voxgate, log)
    async with open_page(width=1280, scheme="light") as page:
        await open_at(page, voxgate, f"/experiments/{made.after}")
        await page.get_by_test_id("score-resolved").click(timeout=SLOW_MS)
        rows = page.get_by_test_id("result-row")
        await expect(page.get_by_test_id("score-resolved")).to_contain_text("missing")
        await expect(page.get_by_test_id("score-wer")).to_contain_text("regressed", timeout=SLOW_MS)
        await page.get_by_test_id("case-show").select_option("missing")
        await expect(rows).to_have_count(1)
        await page.get_by_test_id("case-show").select_option("errors")
        await expect(rows).to_contain_text(["1 failed"])
        await page.get_by_test_id("case-show").select_option("")
        await page.get_by_test_id("case-words").fill("INVOICE look")
        await expect(rows).to_have_count(1)
        await page.get_by_test_id("case-words").fill("")
        await page.keyboard.press("Escape")
        await rows.first.get_by_role("button").click()
        await expect(page.get_by_test_id("result-scores")).to_contain_text("2 of 9 words differ")
        assert await violations(page) == []
        await picture(page, "experiment")


async def test_a_rule_is_made_changed_and_switched_off(voxgate: Voxgate, open_page: OpenPage) -> None:
    async with open_page(width=1280, expected="400 (Bad Request)") as page:
        await open_at(page, voxgate, "/rules")
        await expect(page.get_by_test_id("empty")).to_contain_text("A rule is", timeout=SLOW_MS)
        await page.get_by_test_id("new-rule").click()
        await page.get_by_test_id("rule-name").fill("Refunds")
        await page.get_by_test_id("rule-filter").fill("tag:")
        await page.get_by_test_id("scorer-name").fill("v2v_p95")
        await page.get_by_test_id("rule-alerts").check()
        await page.get_by_test_id("rule-threshold").fill("0.3")
        await page.get_by_test_id("rule-webhook").fill("https://hooks.example/voxgate")
        assert await violations(page) == []
        await picture(page, "rule")
        await page.get_by_test_id("save-rule").click()
        await expect(page.get_by_role("alert")).to_be_visible(timeout=SLOW_MS)
        await page.get_by_test_id("rule-filter").fill("tag:refund")
        await page.get_by_test_id("save-rule").click()
        await expect(page.get_by_test_id("rule-row")).to_contain_text("tag:refund", timeout=SLOW_MS)
        await page.get_by_test_id("run-rule").click()
        await page.get_by_test_id("run-filter").fill("last:1d")
        await page.get_by_test_id("start-run").click()
        await expect(page.get_by_test_id("rule-run")).to_contain_text("complete", timeout=SLOW_MS)
        assert await violations(page) == []
        await picture(page, "rule-run")
        await page.keyboard.press("Escape")
        await page.get_by_test_id("rule-enabled").click()
        await expect(page.get_by_test_id("rule-enabled")).not_to_be_checked()
        assert await violations(page) == []
        await picture(page, "rules")
    rules = (await voxgate.request("GET", "/api/rules"))["items"]
    assert [(one["filter"], one["enabled"], one["alert"]["threshold"]) for one in rules] == [
        ("tag:refund", False, 0.3)
    ]


async def test_a_judge_is_agreed_with_and_its_scores_are_columns_filters_and_charts(
    voxgate: Voxgate, open_page: OpenPage, log: bytes
) -> None:
    trace = await imported(voxgate, another(log, b"judged"))
    score = {"name": "polite", "value": 0.75, "source": "judge", "author": "judge-1"}
    await voxgate.request("POST", f"/api/sessions/{trace['id']}/scores", json=score)
    async with open_page(width=1440) as page:
        await open_at(page, voxgate, f"/sessions/{trace['id']}?tab=scores")
        await page.get_by_test_id("agree-polite").click(timeout=SLOW_MS)
        await expect(page.get_by_test_id("agree-polite")).to_have_attribute(
            "aria-pressed", "true", timeout=SLOW_MS
        )
        assert await violations(page) == []
        await page.goto(f"{voxgate.url}/rules")
        row = page.get_by_test_id("agreement-row")
        await expect(row).to_contain_text("100 %", timeout=SLOW_MS)
        await page.goto(f"{voxgate.url}/?q=has:score.polite")
        await expect(page.get_by_test_id("session-row")).to_have_count(1, timeout=SLOW_MS)
        await page.get_by_role("button", name="Columns").click()
        await page.get_by_role("menuitemcheckbox", name="polite").click()
        await page.keyboard.press("Escape")
        await expect(page.locator("td[class*='cell-score.polite']")).to_have_text("0.75")
        await page.get_by_role("columnheader", name="polite").get_by_role("button").click()
        await expect(page.locator("th[aria-sort=descending]")).to_contain_text("polite", timeout=SLOW_MS)
        await page.goto(f"{voxgate.url}/overview?range=90d")
        await page.get_by_test_id("overview-score").select_option("polite", timeout=SLOW_MS)
        await expect(page.get_by_test_id("total-score")).to_have_text("0.75", timeout=SLOW_MS)
        assert await violations(page) == []


# The page and its tables, where they would have to be scrolled sideways, and what in them is too wide.
WIDER = """() => [document.documentElement, ...document.querySelectorAll(".scroll-x, .case-table")]
  .filter((one) => one.scrollWidth > one.clientWidth).map((one) => {
    const edge = one.getBoundingClientRect().left + one.clientLeft + one.clientWidth;
    const isOver = (each) => each.getBoundingClientRect().right > edge + 0.5 ||
      (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX === "visible");
    const over = [...one.querySelectorAll("*")].filter((each) => !each.closest("nav, thead") && isOver(each));
    return [one.ariaLabel ?? one.tagName, ...over.slice(-3).map((each) => each.outerHTML.slice(0, 200))];
  })"""


async def _wider(page: Page) -> list[list[str]]:
    await expect(page.locator("h1")).to_be_visible()
    await settled(page)
    found: list[list[str]] = await page.evaluate(WIDER)
    return found


async def test_pages_of_evaluations_fit_a_phone(voxgate: Voxgate, open_page: OpenPage, log: bytes) -> None:
    made, trace = await evaluated(voxgate, log)
    addresses = {
        "datasets": "/datasets",
        "dataset": f"/datasets/{made.dataset}?case=case_0",
        "experiments": "/experiments",
        "experiment": f"/experiments/{made.after}?score=wer&case=case_0",
        "compare": f"/compare?before={made.before}&after={made.after}&case=case_0",
        "rules": "/rules",
        "metrics": f"/sessions/{trace['id']}?tab=metrics",
        "usage": f"/sessions/{trace['id']}?tab=usage",
    }
    # Of the others the tests above have looked at the dark.
    both = ("experiment", "metrics", "usage")
    async with open_page(width=390, height=844, scheme="light") as page:
        for name, address in addresses.items():
            await open_at(page, voxgate, address)
            assert await _wider(page) == [], name
            await picture(page, f"{name}-phone")
            assert await (violations_of_both if name in both else violations)(page) == [], name


async def test_names_of_any_length_fit_a_phone(voxgate: Voxgate, open_page: OpenPage) -> None:
    dataset, experiment = await evaluate_long_names(voxgate)
    addresses = (
        "/datasets",
        f"/datasets/{dataset}?case=case_0",
        "/experiments",
        f"/experiments/{experiment}?case=case_0",
        f"/compare?before={experiment}&after={experiment}&case=case_0",
        "/rules",
    )
    async with open_page(width=390, height=844) as page:
        found = {}
        for address in addresses:
            await open_at(page, voxgate, address)
            found[address] = await _wider(page)
        assert not any(found.values()), json.dumps(found, indent=1)
