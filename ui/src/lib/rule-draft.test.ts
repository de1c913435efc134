import { expect, test } from "vitest";
import type { Rule } from "../api/schema";
import { draftOfRule, EMPTY, readRule } from "./rule-draft";

const RULE: Rule = {
  id: "rule_1",
  name: "Refunds",
  project: "shop",
  enabled: true,
  filter: "tag:refund",
  sampling_rate: 0.25,
  scorers: [
    { name: "tool_called", params: { name: "refund" } },
    { name: "wer", params: {} },
  ],
  alert: { score: "wer", window: 20, threshold: 0.3, direction: "min", webhook: "https://hooks.test/x" },
  activity: { scored: 0, scored_at: null, missing: 0, last_missing: null, alert: null },
  created_by: "admin",
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
};

test("a rule comes back as it was", () => {
  const { id, enabled, activity, created_by, created_at, updated_at, ...sent } = RULE;
  expect(readRule(draftOfRule(RULE))).toEqual({ rule: sent, wrong: "" });
});

test("what is missing or wrong is said", () => {
  const good = { ...EMPTY, name: "x", scorers: [{ name: "wer", params: "" }] };
  const wrong = (more: object) => readRule({ ...good, ...more }).wrong;
  expect(wrong({})).toBe("");
  expect(wrong({ name: " " })).toContain("name");
  expect(wrong({ percent: "101" })).toContain("100 %");
  expect(wrong({ scorers: [{ name: "", params: "" }] })).toContain("scorer");
  expect(wrong({ scorers: [{ name: "wer", params: "[1]" }] })).toContain("“wer”");
  expect(wrong({ alerts: true, threshold: "", webhook: "https://a.b" })).toContain("threshold");
  expect(wrong({ alerts: true, threshold: "1", webhook: "ftp://a" })).toContain("webhook");
});
