/** The cases of an experiment or of a comparison: which are shown, in which order, and the keys that go through them. */
import { useMemo, useState } from "react";
import type { Comparison, Experiment } from "../api/schema";
import type { ExperimentSearch } from "../router";
import { type CaseRow, pairsOf, shownRows } from "./experiment";
import { useKeys } from "./keys";

/** A search with some of its parts changed; those that become undefined leave the address. */
export function changed<T extends object>(before: T, next: { [K in keyof T]?: T[K] | undefined }): T {
  const all = Object.entries({ ...before, ...next });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined)) as T;
}

interface Cases {
  page: string;
  rows: readonly CaseRow[];
  experiment: Experiment;
  comparison: Comparison | undefined;
  search: ExperimentSearch;
  onOpen: (id: string | undefined) => void;
}

export function useCases({ page, rows, experiment, comparison, search, onOpen }: Cases) {
  const [words, setWords] = useState("");
  const { score, show } = search;
  const pairs = useMemo(() => pairsOf(comparison, score), [comparison, score]);
  const direction = experiment.scores[score ?? ""]?.direction ?? "max";
  const found = shownRows(rows, { score, direction, show, words, pairs });
  const at = found.findIndex((one) => one.id === search.case);
  const move = (to: number) => {
    const next = found[Math.max(0, Math.min(found.length - 1, to))];
    if (next) onOpen(next.id);
  };
  useKeys(page, [
    { key: "j", what: "Next case", act: () => move(at + 1) },
    { key: "k", what: "Case before", act: () => move(at - 1) },
    { key: "Escape", what: "Close the case", act: () => onOpen(undefined) },
  ]);
  return {
    found,
    words,
    setWords,
    compared: pairs.size > 0,
    row: rows.find((one) => one.id === search.case),
  };
}
