/**
 * What something is done with many sessions at once: those that are ticked, or all that a filter finds. Requests
 * take a part of them each, so that it is seen how far it is, and can be stopped.
 */
import { post } from "../api/client";
import type { SessionFilter } from "../api/queries";

export interface Target {
  count: number;
  /** Null: all that the filter finds. */
  ids: readonly string[] | null;
  filter: Pick<SessionFilter, "q" | "project">;
}

/** As many ids as go with one request. */
const PART = 200;

/** A filter that finds no call that began later: what was counted and agreed to, and nothing more. */
export function until(q: string | undefined, moment: Date): string {
  const bound = `started<=${moment.toISOString()}`;
  return q?.trim() ? `(${q}) ${bound}` : bound;
}

export function partsOf(target: Target): Record<string, unknown>[] {
  if (!target.ids) return [{ q: target.filter.q ?? "", project: target.filter.project || null }];
  const parts = [];
  for (let at = 0; at < target.ids.length; at += PART) parts.push({ ids: target.ids.slice(at, at + PART) });
  return parts;
}

/** One request after the other, until all are done or `signal` says stop. */
export async function overAll<Answer extends { next_cursor: string | null }>(
  path: string,
  target: Target,
  body: object,
  onAnswer: (answer: Answer) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const part of partsOf(target)) {
    let cursor: string | null = null;
    do {
      if (signal.aborted) return;
      const answer: Answer = await post<Answer>(path, { ...body, ...part, ...(cursor && { cursor }) });
      onAnswer(answer);
      cursor = answer.next_cursor;
    } while (cursor);
  }
}
