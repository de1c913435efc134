/** What tells requests from calls, and the requests that work for a call: rows of the list in, spans of its tree out. */
import type { SessionDetail, SessionSummary, Span } from "../api/types";
import { parts, withoutPart, withPart } from "./filter-text";
import { fields, metric } from "./trace";

export type Kind = "all" | "calls" | "requests";

const REALTIME = "realtime";
const PARTS: Record<Exclude<Kind, "all">, string> = {
  calls: `endpoint:${REALTIME}`,
  requests: `not endpoint:${REALTIME}`,
};

/** The API's path behind `/v1/`, `realtime` of calls. */
export function endpointOf(session: SessionDetail | SessionSummary): string {
  if ("wave" in session && typeof session.endpoint === "string") return session.endpoint;
  const { transport, request } = fields(session);
  const { path } = fields(request);
  if (transport !== "http" || typeof path !== "string") return REALTIME;
  return path.replace(/^(\/openai)?\/v1\//, "");
}

export const isRequest = (session: SessionDetail | SessionSummary) => endpointOf(session) !== REALTIME;

/** Whether this part of a filter does nothing but to choose one of them. */
export const isKind = (part: string) => Object.values(PARTS).includes(part.toLowerCase());

/** Which of them a filter asks for. */
export function kindOf(q: string): Kind {
  const texts = parts(q).map((part) => part.text.toLowerCase());
  if (texts.includes(PARTS.requests)) return "requests";
  return texts.includes(PARTS.calls) ? "calls" : "all";
}

export function withKind(q: string, kind: Kind): string {
  let rest = q;
  for (const wanted of Object.values(PARTS)) {
    const part = parts(rest).find((one) => one.text.toLowerCase() === wanted);
    rest = part ? withoutPart(rest, part) : rest;
  }
  return kind === "all" ? rest : withPart(rest, PARTS[kind]);
}

/** The span that a request works under: the tool call or span that it names, else the root. */
export function spanFor(spans: Span[], ref: string | null | undefined): Span | undefined {
  const named = spans.find(
    (span) => span.id === ref || (span.type === "tool" && fields(span.input).call_id === ref),
  );
  return (ref ? named : undefined) ?? spans.find((span) => span.type === "session");
}

/** A request as a row of the call's tree. It may go on when the call is over. */
export interface RequestSpan extends Span {
  request: SessionSummary;
}

export const requestOf = (span: Span): SessionSummary | null =>
  (span as Partial<RequestSpan>).request ?? null;

export function requestSpans(session: SessionDetail, children: SessionSummary[]): RequestSpan[] {
  const began = Date.parse(session.started_at);
  return children.map((request) => {
    const start_ms = Math.max(0, Date.parse(request.started_at) - began) || 0;
    return {
      id: request.id,
      parent_id: spanFor(session.spans, request.parent?.ref)?.id ?? null,
      type: "response",
      name: [endpointOf(request), request.model].filter(Boolean).join(" · "),
      start_ms,
      end_ms: request.status === "live" ? null : start_ms + (request.duration_ms ?? 0),
      status: request.status,
      error: request.status === "failed" ? { message: "The request failed." } : null,
      cost_usd: request.cost_usd,
      input: null,
      output: null,
      request,
    };
  });
}

/** By the span that they work under. */
export function requestsBySpan(spans: RequestSpan[]): ReadonlyMap<string, SessionSummary[]> {
  const found = new Map<string, SessionSummary[]>();
  for (const { parent_id, request } of spans) {
    if (parent_id) found.set(parent_id, [...(found.get(parent_id) ?? []), request]);
  }
  return found;
}

/** Null where no price is known. */
export function costOf(children: SessionSummary[]): number | null {
  const known = children.flatMap(({ cost_usd }) => (cost_usd === null ? [] : [cost_usd]));
  return known.length > 0 ? known.reduce((sum, usd) => sum + usd, 0) : null;
}

export interface Try {
  provider: string;
  atMs: number;
  /** Empty: it answered. */
  failure: string;
}

/** Who was asked, one after the other. */
export function triesOf(session: SessionDetail): Try[] {
  const events = Array.isArray(session.events) ? session.events.map(fields) : [];
  return events.flatMap((event) => {
    const failed = event.type === "gateway.dial_failed";
    if (!failed && event.type !== "gateway.dialled") return [];
    const provider = typeof event.provider === "string" ? event.provider : "?";
    const { message } = fields(event.error);
    const failure = failed ? String(message ?? "failed") : "";
    return [{ provider, atMs: Number(event.t_ms) || 0, failure }];
  });
}

/** Its errors, but for those of providers after which another one was asked: they stand there. */
export function errorsOf(session: SessionDetail): unknown {
  const { errors } = session;
  if (!isRequest(session) || !Array.isArray(errors) || session.status === "failed") return errors;
  return errors.filter((error) => fields(error).source !== "gateway.dial_failed");
}

/** The status that the provider answered with. */
export function httpStatus(session: SessionDetail): number | null {
  const events = Array.isArray(session.events) ? session.events.map(fields) : [];
  const answered = events.findLast((event) => event.type === "gateway.answered_http");
  return metric(answered?.facts, "status");
}

export interface Said {
  role: string;
  text: string;
}

/** What the request brought along: its instructions, and the conversation before the user's last words. */
export function earlier(session: SessionDetail): Said[] {
  const { instructions, history } = fields(fields(session).config);
  const before = (Array.isArray(history) ? history.map(fields) : []).map(({ role, text }) => ({
    role: String(role ?? ""),
    text: String(text ?? ""),
  }));
  const system = typeof instructions === "string" ? [{ role: "system", text: instructions }] : [];
  return [...system, ...before.filter(({ role, text }) => text && role !== "system" && role !== "developer")];
}
