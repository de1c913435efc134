/** The control plane's shapes under the names that the pages use; `schema.ts` is made from its OpenAPI document. */
import type { Span as AnySpan, Trace } from "./schema";

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
  Project,
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
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** What a waveform is drawn from: of each 20 ms the largest amplitude, 0 to 1. */
export interface Peaks {
  per_second: number;
  user: number[];
  assistant: number[];
  heard: number[];
}

/** What `POST /v1/credentials` answers. */
export interface Credential {
  key: string;
  id: string;
  expires_at: string | number;
}
