import { expect, test } from "vitest";
import type { Case, CasePair, Result } from "../api/schema";
import { bins, change, rowsOf, scoreValue, shownRows } from "./experiment";

const one = (id: string): Case => ({ id, input: { kind: "text", text: `says ${id}` } });
const score = (name: string, value: number | null) => ({
  name,
  value,
  reason_missing: value === null ? "silent" : null,
});
const result = (case_id: string, trial: number, ...scores: ReturnType<typeof score>[]): Result => ({
  case_id,
  trial,
  scores,
  output: { text: `answer to ${case_id}` },
});
const cases = ["a", "b", "c"].map(one);
const results = [
  result("b", 1, score("wer", 0.2)),
  result("b", 0, score("wer", 0.4)),
  result("a", 0, score("wer", 0.1)),
  { case_id: "c", trial: 0, error: "gone", scores: [score("wer", null)] },
  result("lost", 0, score("wer", 0.9)),
];
const rows = rowsOf(cases, results);
const all = { score: "wer", direction: "min" as const, show: undefined, words: "", pairs: new Map() };
const ids = (found: readonly { id: string }[]) => found.map((row) => row.id).join(" ");

test("trials of a case are one row with their mean, and what is missing says why", () => {
  expect(ids(rows)).toBe("a b c lost");
  expect(rows[1]?.results.map((each) => each.trial)).toEqual([0, 1]);
  expect(rows[1]?.means.get("wer")).toBeCloseTo(0.3);
  expect(rows[2]?.missing.get("wer")).toBe("silent");
  expect(rows[3]?.one).toBeNull();
});

test("the worst comes first, by a score that is to be small too, and what has no value last", () => {
  expect(ids(shownRows(rows, all))).toBe("lost b a c");
  expect(ids(shownRows(rows, { ...all, direction: "max" }))).toBe("a b lost c");
  expect(ids(shownRows(rows, { ...all, score: undefined }))).toBe("a b c lost");
});

test("beside another run the most regressed comes first", () => {
  const pair = (case_id: string, delta: number): [string, CasePair] => [
    case_id,
    { case_id, before: 0, after: delta, delta, change: delta > 0 ? "regressed" : "improved" },
  ];
  const pairs = new Map([pair("a", 0.05), pair("b", -0.1)]);
  expect(ids(shownRows(rows, { ...all, pairs }))).toBe("a b c lost");
  expect(ids(shownRows(rows, { ...all, pairs, show: "improved" }))).toBe("b");
});

test("rows are found by words of the case and of the answer, by errors and by missing scores", () => {
  expect(ids(shownRows(rows, { ...all, words: "ANSWER b" }))).toBe("b");
  expect(ids(shownRows(rows, { ...all, show: "errors" }))).toBe("c");
  expect(ids(shownRows(rows, { ...all, show: "missing" }))).toBe("c");
});

test("values have the digits that they need", () => {
  expect(scoreValue(0.9333, null)).toBe("0.93");
  expect(scoreValue(1234.5, "ms")).toBe("1,235 ms");
  expect(scoreValue(0.012, "USD")).toBe("0.012 USD");
  expect(scoreValue(null, null)).toBe("–");
  expect(change(-0.25, null)).toBe("−0.25");
  expect(change(120, "ms")).toBe("+120 ms");
});

test("every value is in one bin", () => {
  const values = [0, 0.1, 0.5, 1, 1];
  const made = bins(values);
  expect(made.reduce((sum, bin) => sum + bin.count, 0)).toBe(values.length);
  expect(made.at(-1)?.count).toBe(2);
  expect(bins([2, 2])).toEqual([{ from: 2, to: 2, count: 2 }]);
});
