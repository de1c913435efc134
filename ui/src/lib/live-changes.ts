/** What became of a running call since it was last told (docs/api.md, Live): a session and a change in, the session out. */
import type { SessionDetail, Span } from "../api/types";

export interface LiveChange {
  id: string;
  /** Fields that are others now. */
  session: Record<string, unknown>;
  /** What came to the ends of lists. */
  added: Record<string, unknown[]>;
  /** New ones, and of others their id and the fields that changed. */
  spans: (Partial<Span> & { id: string })[];
  removed: string[];
}

const START = (span: Span) => span.start_ms ?? Number.POSITIVE_INFINITY;
/** Among spans that start together. */
const PLACE = (span: Span) => (span as { position?: number }).position ?? 0;

export function applied(session: SessionDetail, change: LiveChange): SessionDetail {
  const spans = new Map(session.spans.map((span) => [span.id, span]));
  for (const span of change.spans) spans.set(span.id, { ...spans.get(span.id), ...span } as Span);
  for (const id of change.removed) spans.delete(id);
  const told = session as unknown as Record<string, unknown>;
  const lists = Object.entries(change.added).map(([name, added]) => {
    const before = told[name];
    return [name, [...(Array.isArray(before) ? before : []), ...added]];
  });
  return {
    ...session,
    ...change.session,
    ...Object.fromEntries(lists),
    spans: [...spans.values()].sort((a, b) => START(a) - START(b) || PLACE(a) - PLACE(b)),
  };
}
