/** Shapes of the control plane's answers, as docs and `/api/openapi.json` give them; unknown fields are ignored. */

export type SessionStatus = "live" | "complete" | "interrupted" | "failed";
export type SpanType = "session" | "turn" | "user" | "response" | "tool";
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Me {
  name: string;
  role: string;
  project: string | null;
}

export interface Project {
  name: string;
  sessions: number;
  last_session_at: string | null;
}

export interface SessionSummary {
  id: string;
  project: string;
  model: string | null;
  provider: string | null;
  status: SessionStatus;
  started_at: string | number;
  duration_ms: number | null;
  turns: number | null;
  interruptions: number | null;
  cost_usd: number | null;
  tags?: string[] | null;
  metadata?: Record<string, unknown> | null;
  title?: string | null;
  metrics?: Record<string, unknown> | null;
  errors?: number | unknown[] | null;
}

export interface Attachment {
  id: string;
  name: string;
  content_type: string;
  duration_ms: number | null;
  url: string;
  track?: string | null;
}

export interface Span {
  id: string;
  parent_id: string | null;
  type: SpanType;
  name: string;
  start_ms: number;
  end_ms: number | null;
  status: string | null;
  error: unknown;
  input: unknown;
  output: unknown;
  usage?: Record<string, unknown> | null;
  cost_usd?: number | null;
  metrics?: Record<string, unknown> | null;
  attachments?: Attachment[] | null;
  [extra: string]: unknown;
}

export interface SessionDetail extends SessionSummary {
  spans: Span[];
  usage?: Record<string, unknown> | null;
  tracks?: unknown;
  close?: unknown;
  lost?: { records: number; bytes: number } | null;
  /** False where the credential wanted it not recorded. */
  recorded?: { audio?: boolean; text?: boolean } | null;
  delete_after?: string | null;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export interface Peaks {
  per_second: number;
  user: number[];
  assistant: number[];
  heard: number[];
}

export interface Model {
  id: string;
  provider: string;
  owned_by?: string;
}

export interface Credential {
  key: string;
  id: string;
  expires_at: string | number;
}
