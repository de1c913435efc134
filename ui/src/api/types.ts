/** The control plane's shapes under the names that the pages use; `schema.ts` is made from its OpenAPI document. */
import type { Span as AnySpan, NewScore, Trace } from "./schema";

export type {
  Attachment,
  Excerpt,
  Facets,
  FacetValue,
  FilterField,
  FilterFields,
  Key,
  ListedSession as SessionSummary,
  Me,
  Model,
  NewScore,
  Project,
  Score,
} from "./schema";

export type SessionStatus = Trace["status"];
export type SpanType = AnySpan["type"];
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A span that has its place (`normalised`): one that never got a start stands where its parent does. */
export interface Span
  extends Pick<AnySpan, "id" | "parent_id" | "type" | "name" | "end_ms" | "status" | "error">,
    Partial<Pick<AnySpan, "usage" | "cost_usd" | "metrics" | "attachments">> {
  start_ms: number;
  input: unknown;
  output: unknown;
  [more: string]: unknown;
}

export interface SessionDetail extends Omit<Trace, "spans"> {
  spans: Span[];
  lost?: { records: number; bytes: number } | null;
  /** Moments of the time line. */
  events?: unknown;
}

/** What a person says of a call; what is left out has its default. */
export type ScoreDraft = Partial<NewScore> & { name: string };

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** What `POST /v1/credentials` answers. */
export interface Credential {
  key: string;
  id: string;
  expires_at: string | number;
}
