/** An experiment with its cases and results, as rows; results come while it runs. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { experimentCasesQuery, experimentQuery, resultsQuery } from "../api/evaluations";
import { rowsOf } from "./experiment";

export function useResults(id: string | undefined) {
  const known = { enabled: !!id };
  const experiment = useQuery({ ...experimentQuery(id ?? ""), ...known });
  const running = experiment.data?.status === "running";
  const results = useQuery({ ...resultsQuery(id ?? "", running), ...known });
  // Of a data set that is gone there are none: the results are there all the same.
  const cases = useQuery({ ...experimentCasesQuery(id ?? ""), ...known, retry: false });
  const rows = useMemo(
    () => (results.data && !cases.isPending ? rowsOf(cases.data ?? [], results.data) : null),
    [results.data, cases.data, cases.isPending],
  );
  return { experiment, rows, state: together(experiment, results, cases.isPending ? cases : results) };
}

interface Asked {
  error: Error | null;
  isPending: boolean;
  refetch: () => unknown;
}

/** Several queries as one: what failed first, and to try again those that failed. */
export function together(...all: Asked[]): Asked {
  const failed = all.filter((one) => one.error);
  return {
    error: failed[0]?.error ?? null,
    isPending: all.some((one) => one.isPending),
    refetch: () => {
      for (const one of failed) one.refetch();
    },
  };
}
