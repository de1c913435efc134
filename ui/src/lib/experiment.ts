/** The results of an experiment, case by case: trials together, scores as means over them, sorted and filtered. */
import type { Case, CasePair, Comparison, Experiment, Result, ScoreCompared } from "../api/schema";
import type { ShownCases } from "../router";
import { expectedText, inputText } from "./cases";
import { millis } from "./format";

export interface CaseRow {
  id: string;
  /** Null where the data set is gone. */
  one: Case | null;
  /** In the order of the trials. */
  results: Result[];
  means: ReadonlyMap<string, number>;
  /** Scores that have no value in any trial, and why. */
  missing: ReadonlyMap<string, string>;
  errors: number;
}

export function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, one) => sum + one, 0) / values.length : null;
}

function rowOf(id: string, one: Case | null, results: Result[]): CaseRow {
  const values = new Map<string, number[]>();
  const missing = new Map<string, string>();
  for (const score of results.flatMap((result) => result.scores ?? [])) {
    if (score.value !== null) values.set(score.name, [...(values.get(score.name) ?? []), score.value]);
    else missing.set(score.name, score.reason_missing ?? "no value");
  }
  for (const name of values.keys()) missing.delete(name);
  const means = new Map([...values].map(([name, all]) => [name, mean(all) ?? 0]));
  return { id, one, results, means, missing, errors: results.filter((result) => result.error).length };
}

/** In the order of the cases; those without a result come too, while it runs. */
export function rowsOf(cases: readonly Case[], results: readonly Result[]): CaseRow[] {
  const byCase = new Map<string, Result[]>(cases.map((one) => [one.id, []]));
  for (const result of results) byCase.set(result.case_id, [...(byCase.get(result.case_id) ?? []), result]);
  const known = new Map(cases.map((one) => [one.id, one]));
  return [...byCase].map(([id, all]) =>
    rowOf(
      id,
      known.get(id) ?? null,
      all.sort((a, b) => a.trial - b.trial),
    ),
  );
}

export function scoreNames(experiment: Experiment): string[] {
  return Object.keys(experiment.scores);
}

export const pairsOf = (comparison: Comparison | undefined, name: string | undefined) =>
  new Map<string, CasePair>(
    comparison?.scores.find((one) => one.name === name)?.pairs.map((pair) => [pair.case_id, pair]) ?? [],
  );

interface Wanted {
  /** By which score; undefined: in the order of the data set. */
  score: string | undefined;
  direction: "max" | "min";
  show: ShownCases | undefined;
  words: string;
  pairs: ReadonlyMap<string, CasePair>;
}

/** For the better: negative is worse. */
export const gainOf = (pair: CasePair | undefined, direction: "max" | "min") =>
  pair ? (direction === "max" ? pair.delta : -pair.delta) : null;

function isShown(row: CaseRow, { show, pairs, score }: Wanted): boolean {
  if (show === "errors") return row.errors > 0;
  if (show === "missing") return score ? row.missing.has(score) : row.missing.size > 0;
  return !show || pairs.get(row.id)?.change === show;
}

function has(row: CaseRow, words: string): boolean {
  const text = [row.id, row.one && inputText(row.one), row.one && expectedText(row.one)]
    .concat(row.results.map((result) => result.output?.text ?? result.error ?? ""))
    .join("\n")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The most regressed first where there is something to compare with, else the worst; without a value last. */
export function shownRows(rows: readonly CaseRow[], wanted: Wanted): CaseRow[] {
  const { score, direction, words, pairs } = wanted;
  const found = rows.filter((row) => isShown(row, wanted) && (!words.trim() || has(row, words.trim())));
  if (!score) return found;
  const worth = (row: CaseRow) => {
    const value = row.means.get(score);
    if (pairs.size > 0) return gainOf(pairs.get(row.id), direction) ?? Number.POSITIVE_INFINITY;
    if (value === undefined) return Number.POSITIVE_INFINITY;
    return direction === "max" ? value : -value;
  };
  return found
    .map((row) => [row, worth(row)] as const)
    .sort(([, a], [, b]) => (a === b ? 0 : a - b))
    .map(([row]) => row);
}

/** A score with its unit: `0.93`, `1,080 ms`, `0.12 USD`. */
export function scoreValue(value: number | null | undefined, unit: string | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return "–";
  if (unit === "ms") return millis(value);
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) < 0.1 ? 3 : 2;
  const text =
    value === 0 ? "0" : Number(value.toFixed(digits)).toLocaleString("en", { maximumFractionDigits: 4 });
  return unit && unit !== "ratio" ? `${text} ${unit}` : text;
}

/** With its sign. */
export function change(delta: number, unit: string | null | undefined): string {
  return `${delta > 0 ? "+" : delta < 0 ? "−" : "±"}${scoreValue(Math.abs(delta), unit)}`;
}

export interface Bin {
  from: number;
  to: number;
  count: number;
}

const BINS = 12;

/** How values are spread, in bins of the same width. */
export function bins(values: readonly number[]): Bin[] {
  if (values.length === 0) return [];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  if (low === high) return [{ from: low, to: high, count: values.length }];
  const width = (high - low) / BINS;
  const made = Array.from({ length: BINS }, (_, at) => ({
    from: low + at * width,
    to: low + (at + 1) * width,
    count: 0,
  }));
  for (const value of values) {
    const bin = made[Math.min(BINS - 1, Math.floor((value - low) / width))];
    if (bin) bin.count += 1;
  }
  return made;
}

/** Results that are to come altogether; null where nobody said how many. */
export function planned({ cases, trials }: Experiment): number | null {
  return cases === null ? null : cases * trials;
}

export const VERDICTS: Record<ScoreCompared["verdict"], string> = {
  regressed: "regressed",
  improved: "improved",
  same: "no change shown",
};
