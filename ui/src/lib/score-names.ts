/** Which scores calls have, by name: those that a filter, a column or a chart can be made of. */
import { queryOptions } from "@tanstack/react-query";
import { get, withQuery } from "../api/client";
import type { SessionFilter } from "../api/queries";
import type { SessionPage } from "../api/schema";

const LOOKED_AT = 100;
/** Others could not be written in a filter. */
const WRITABLE = /^[\w.-]+$/;

export function scoreNamesOf(sessions: readonly { scores: Record<string, number> }[]): string[] {
  const names = new Set(sessions.flatMap((one) => Object.keys(one.scores)));
  return [...names].filter((name) => WRITABLE.test(name)).sort();
}

/** Of the newest calls of a filter that have any: a wrong filter has none. */
export const scoreNamesQuery = ({ project, q }: Pick<SessionFilter, "project" | "q">) =>
  queryOptions({
    queryKey: ["score-names", project, q],
    queryFn: async ({ signal }) => {
      const path = withQuery("/api/sessions", { project, q, limit: LOOKED_AT });
      return scoreNamesOf((await get<SessionPage>(path, signal)).items);
    },
    staleTime: 60_000,
    retry: false,
  });
