/**
 * Reads a trace: the server's spans in, what the pages show out (texts, conversation, tree, waits).
 * Span fields grow with the server, so every reading is tolerant and in this file.
 */
import type { Attachment, SessionDetail, Span, SpanType } from "../api/types";
import { ofSpan } from "./of-span";

export type Speaker = "user" | "assistant";

export interface Interruption {
  heardMs: number | null;
  generatedMs: number | null;
  estimated: boolean;
}

export interface ConversationEntry {
  span: Span;
  kind: "user" | "assistant" | "tool" | "error";
  text: string;
  /** Only for interrupted answers with a known cut: the part that was not heard. */
  unheardText: string;
  clip: Attachment | null;
  interruption: Interruption | null;
  turn: number | null;
}

export interface TreeRow {
  span: Span;
  depth: number;
}

export interface WaitPart {
  name: "endpointing" | "tools" | "commit" | "model" | "playback" | "lead";
  ms: number;
}

export interface Wait {
  span: Span;
  label: string;
  parts: WaitPart[];
  totalMs: number | null;
  interrupted: boolean;
}

type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return value && typeof value === "object" && !Array.isArray(value) ? (value as Fields) : {};
}

/** The session with every span placed: a span that never got a start (a pending one) stands where its parent does. */
export function normalised(session: SessionDetail): SessionDetail {
  const starts = new Map<string, number>();
  const spans = (session.spans ?? []).map((span) => {
    const start_ms = span.start_ms ?? (span.parent_id ? starts.get(span.parent_id) : undefined) ?? 0;
    starts.set(span.id, start_ms);
    // The same span where nothing was missing: what is drawn of it is known by it, while the call grows around it.
    return span.start_ms === start_ms ? span : { ...span, start_ms };
  });
  return { ...session, spans };
}

/** A metric as a number: the server gives a number, null, or `{value, reason}`. */
export function metric(source: unknown, ...names: string[]): number | null {
  for (const name of names) {
    const raw = fields(source)[name];
    const value = raw && typeof raw === "object" ? fields(raw).value : raw;
    if (typeof value === "number" && Number.isFinite(value)) return value;
  }
  return null;
}

/** Why a metric has no value, where the server says so. */
export function metricReason(session: unknown, name: string): string | null {
  const reason = fields(fields(session).metric_reasons)[name];
  return typeof reason === "string" ? reason : null;
}

/** The first number under one of the names: on the span, in its metrics, or in its output. */
function numberOf(span: Span, ...names: string[]): number | null {
  return metric(span, ...names) ?? metric(span.metrics, ...names) ?? metric(span.output, ...names);
}

const TEXT_KEYS = ["transcript", "text", "content", "output_text", "parts", "items", "message"];

/** The words in an input or an output, whatever their shape: a string, `{transcript}`, `{text}`, content parts. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join(" ");
  if (!value || typeof value !== "object") return "";
  const found = fields(value);
  for (const key of TEXT_KEYS) {
    const text = textOf(found[key]);
    if (text) return text;
  }
  return "";
}

export function spanText(span: Span): string {
  if (span.type === "user") return textOf(span.input) || textOf(span.output) || textOf(span.transcript);
  if (span.type === "response") return textOf(span.output) || textOf(span.transcript);
  return "";
}

/** The end of a span; one that is still running reaches to `nowMs`. */
export function spanEnd(span: Span, nowMs: number = span.start_ms): number {
  return Math.max(span.start_ms, span.end_ms ?? nowMs);
}

export function errorText(error: unknown): string {
  if (!error) return "";
  if (typeof error === "string") return error;
  const { message, code, type } = fields(error);
  return (
    [message, code ?? type].filter((part) => typeof part === "string").join(" · ") || JSON.stringify(error)
  );
}

export function errorCount(errors: unknown): number {
  if (typeof errors === "number") return errors;
  return Array.isArray(errors) ? errors.length : 0;
}

export function isFailed(span: Span): boolean {
  return Boolean(span.error) || ["failed", "error", "incomplete"].includes(span.status ?? "");
}

/** How much of an answer was heard, when it was cut; null for an answer that was heard to its end. */
export function interruptionOf(span: Span): Interruption | null {
  if (span.type !== "response") return null;
  const told = fields(span.output).interrupted ?? span.interrupted;
  if (told === false) return null;
  const generatedMs = numberOf(span, "audio_generated_ms", "generated_ms", "audio_ms");
  const heardMs = numberOf(span, "audio_heard_ms", "heard_ms", "truncated_at_ms", "audio_end_ms");
  const cut = span.status === "interrupted" || span.status === "cancelled";
  const short = heardMs !== null && generatedMs !== null && heardMs < generatedMs - 60;
  if (told !== true && !cut && !short) return null;
  const estimated = span.cut_estimated === true || fields(span.metrics).heard_estimated === true;
  return { heardMs, generatedMs, estimated };
}

/**
 * Splits an interrupted answer's text where the sound was cut: after the words that the server counts as heard,
 * else in proportion to the sound, since words carry no times.
 */
export function splitHeard(
  text: string,
  cut: Interruption | null,
  heardText: unknown = null,
): [heard: string, unheard: string] {
  if (!cut) return [text, ""];
  const words = text.split(/(?<=\s)/);
  let kept = words.length;
  if (typeof heardText === "string") kept = heardText.split(/\s+/).filter(Boolean).length;
  else if (cut.heardMs !== null && cut.generatedMs)
    kept = Math.round(words.length * (cut.heardMs / cut.generatedMs));
  return [words.slice(0, kept).join(""), words.slice(kept).join("")];
}

/** When a span could be heard: an answer's sound starts and ends later than its generation. */
export function soundOf(span: Span): { startMs: number; endMs: number } {
  const startMs = metric(span.output, "play_start_ms");
  const heardMs = numberOf(span, "audio_heard_ms", "heard_ms");
  if (span.type !== "response" || startMs === null || !heardMs) {
    return { startMs: span.start_ms, endMs: spanEnd(span) };
  }
  return { startMs, endMs: startMs + heardMs };
}

export function toolArguments(span: Span): unknown {
  return fields(span.input).arguments ?? span.input;
}

/** What the tool answered; undefined while it did not. */
export function toolResult(span: Span): unknown {
  if (span.output == null) return undefined;
  return "result" in fields(span.output) ? fields(span.output).result : span.output;
}

/** As the server counts: the call failed, or its result is an object with an error. */
export function toolFailed(span: Span): boolean {
  return isFailed(span) || Boolean(fields(toolResult(span)).error);
}

const CLIP_TRACKS: Record<string, string[]> = { user: ["user"], response: ["heard", "assistant"] };

/** The clip to play for a span: what was heard before what was generated. */
export function clipOf(span: Span, track?: string): Attachment | null {
  const clips = (span.attachments ?? []).filter((one) => one.content_type.startsWith("audio/"));
  for (const wanted of track ? [track] : (CLIP_TRACKS[span.type] ?? [])) {
    const clip = clips.find((one) => one.track === wanted || one.name.includes(wanted));
    if (clip) return clip;
  }
  return track ? null : (clips[0] ?? null);
}

const RANKS: Record<string, number> = { session: 0, turn: 1, user: 2, response: 3, tool: 4 };

/** Of what begins at once the cause comes before its effect. */
function byStart(a: Span, b: Span): number {
  return a.start_ms - b.start_ms || (RANKS[a.type] ?? 5) - (RANKS[b.type] ?? 5) || spanEnd(b) - spanEnd(a);
}

/** Turn numbers by span id, for the turns and everything in them. */
export function turnNumbers(spans: Span[]): Map<string, number> {
  const numbers = new Map<string, number>();
  spans
    .filter((span) => span.type === "turn")
    .sort(byStart)
    .forEach((span, index) => {
      numbers.set(span.id, index + 1);
    });
  const parents = new Map(spans.map((span) => [span.id, span.parent_id]));
  for (const span of spans) {
    let id: string | null | undefined = span.id;
    for (let depth = 0; id && depth < 8 && !numbers.has(span.id); depth += 1) {
      id = parents.get(id);
      const number = id ? numbers.get(id) : undefined;
      if (number !== undefined) numbers.set(span.id, number);
    }
  }
  return numbers;
}

const entryOf = ofSpan((span: Span, turn: number | null): ConversationEntry => {
  const interruption = interruptionOf(span);
  const heardText = fields(span.output).heard_transcript;
  const [text, unheardText] = splitHeard(spanText(span), interruption, heardText);
  const kind = span.type === "response" ? "assistant" : span.type === "tool" ? "tool" : "user";
  return { span, kind, text, unheardText, clip: clipOf(span), interruption, turn };
});

/** An answer that only called tools has nothing to show in the conversation: its tool spans are there. */
function isSilent(span: Span, parents: Set<string | null>): boolean {
  return (
    span.type === "response" && !spanText(span) && !clipOf(span) && !isFailed(span) && parents.has(span.id)
  );
}

/** Errors of the session that belong to no response, as entries at their time. */
function errorEntries(errors: unknown): ConversationEntry[] {
  const list = Array.isArray(errors) ? errors.map(fields) : [];
  return list.flatMap((error, i) => {
    if (error.source === "response" || error.response_id) return [];
    const at = typeof error.t_ms === "number" ? error.t_ms : 0;
    const span: Span = {
      id: `error-${i}`,
      parent_id: null,
      type: "session",
      name: typeof error.source === "string" ? error.source : "error",
      start_ms: at,
      end_ms: at,
      status: "failed",
      error,
      input: null,
      output: null,
    };
    return [{ span, kind: "error", text: "", unheardText: "", clip: null, interruption: null, turn: null }];
  });
}

const entryStart = (entry: ConversationEntry) => soundOf(entry.span).startMs;

/** The call as a conversation: what was said, which tools ran and what failed, in the order of its beginning. */
export function conversation(spans: Span[], errors: unknown = null): ConversationEntry[] {
  const turns = turnNumbers(spans);
  const parents = new Set(spans.filter((span) => span.type === "tool").map((span) => span.parent_id));
  const said = spans
    .filter((span) => ["user", "response", "tool"].includes(span.type) && !isSilent(span, parents))
    .sort(byStart)
    .map((span) => entryOf(span, turns.get(span.id) ?? null));
  return [...said, ...errorEntries(errors)].sort((a, b) => entryStart(a) - entryStart(b));
}

/** The spans as a tree, parents before children, in time order; a span whose parent is missing is a root. */
export function tree(spans: Span[]): TreeRow[] {
  const ids = new Set(spans.map((span) => span.id));
  const children = new Map<string | null, Span[]>();
  for (const span of [...spans].sort(byStart)) {
    const parent = span.parent_id && ids.has(span.parent_id) ? span.parent_id : null;
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const rows: TreeRow[] = [];
  const walk = (parent: string | null, depth: number) => {
    for (const span of children.get(parent) ?? []) {
      rows.push({ span, depth });
      walk(span.id, depth + 1);
    }
  };
  walk(null, 0);
  return rows;
}

export function laneOf(type: SpanType): "user" | "assistant" | "tool" | "neutral" {
  if (type === "user") return "user";
  if (type === "response") return "assistant";
  return type === "tool" ? "tool" : "neutral";
}

export function spanName(span: Span): string {
  return span.name.charAt(0).toUpperCase() + span.name.slice(1);
}

export function spanLabel(span: Span): string {
  if (span.request) return span.name;
  const text = spanText(span);
  if (span.type === "user" && !text) return fields(span.input).kind === "text" ? "user text" : "user audio";
  if (span.type === "user") return `“${text}”`;
  if (span.type === "response") return text ? `“${text}”` : "response";
  return span.type === "tool" ? span.name : spanName(span);
}

const WAIT_PARTS: [WaitPart["name"], string[]][] = [
  ["endpointing", ["endpointing_delay", "endpointing_delay_ms", "endpointing_ms"]],
  ["tools", ["tool_time"]],
  ["commit", ["commit_to_response", "commit_to_response_ms"]],
  ["model", ["model_ttfa", "model_ttfa_ms"]],
  ["playback", ["playback_queue", "playback_queue_ms"]],
  ["lead", ["lead_silence", "lead_silence_ms"]],
];

/** Voice to voice of a span: from the end of the user's speech to the answer's first sound. */
export function voiceToVoice(span: Span): number | null {
  return metric(span.metrics, "v2v_heard", "tool_turn_v2v");
}

/** Null for an answer that nobody waited for by voice: without a first sound it called a tool, or wrote. */
const waitOf = ofSpan((span: Span, label: string): Wait | null => {
  const parts = WAIT_PARTS.flatMap(([name, keys]) => {
    const ms = metric(span.metrics, ...keys);
    return ms !== null && ms > 0 ? [{ name, ms }] : [];
  });
  if (!parts.some((part) => part.name === "model")) return null;
  const sum = parts.reduce((total, part) => total + part.ms, 0);
  return { span, label, parts, totalMs: voiceToVoice(span) ?? sum, interrupted: !!interruptionOf(span) };
});

/** Where the wait before each answer went. */
export function waits(spans: Span[]): Wait[] {
  const turns = turnNumbers(spans);
  const seen = new Map<number, number>();
  const found: Wait[] = [];
  for (const span of spans.filter((one) => one.type === "response").sort(byStart)) {
    const turn = turns.get(span.id) ?? 0;
    const nth = (seen.get(turn) ?? 0) + 1;
    const wait = waitOf(span, `Turn ${turn || "–"}${nth > 1 ? " · follow-up" : ""}`);
    if (!wait) continue;
    seen.set(turn, nth);
    found.push(wait);
  }
  return found;
}

/** The length of a call: the summary's, or as far as its spans reach while it runs. */
export function sessionLength(session: Pick<SessionDetail, "spans" | "duration_ms">): number {
  const reach = session.spans.reduce((latest, span) => Math.max(latest, spanEnd(span)), 0);
  return Math.max(session.duration_ms ?? 0, reach);
}

export function sessionTitle(session: {
  title?: string | null | undefined;
  spans?: Span[] | undefined;
  transport?: unknown;
  endpoint?: string | null;
  id: string;
}): string {
  if (session.title) return session.title;
  const first = session.spans?.find((span) => span.type === "user" && spanText(span));
  if (first) return spanText(first);
  const request = session.transport === "http" || (session.endpoint ?? "realtime") !== "realtime";
  return request ? "Untitled request" : "Untitled call";
}

/** Whether the whole call can be played: it is mixed when the call has ended, from the tracks that there are. */
export type SoundState = "live" | "making" | "ready" | "none" | "unrecorded";

export function soundState(session: SessionDetail): SoundState {
  if (session.recorded?.audio === false) return "unrecorded";
  if (session.status === "live") return "live";
  const tracks = fields(session.tracks);
  if (tracks.mix) return "ready";
  return Object.keys(tracks).length > 0 ? "making" : "none";
}

/** What of the call its credential wanted not recorded, in words; empty if nothing. */
export function unrecordedText(session: SessionDetail): string {
  const { audio, text } = session.recorded ?? {};
  const missing = [audio === false && "sound", text === false && "words"].filter(Boolean);
  return missing.length > 0 ? `${missing.join(" and ")} not recorded` : "";
}

/** The close of a connection in words, where the server told it. */
/** What the cache had to do with a request: `hit` and how old, `miss`, or why it was passed by. */
export function cacheOf(spans: Span[]): { result: string; ageMs: number | null; reason: string } | null {
  for (const span of spans) {
    const { result, age_seconds, reason } = fields(fields(span.output).cache);
    if (typeof result === "string") {
      const ageMs = typeof age_seconds === "number" ? age_seconds * 1000 : null;
      return { result, ageMs, reason: typeof reason === "string" ? reason : "" };
    }
  }
  return null;
}

export function closeText(close: unknown): string {
  const { code, reason, side } = fields(close);
  const said = [code, reason].filter((part) => part !== undefined && part !== null && part !== "").join(" ");
  return said ? `${said}${side ? ` (by ${side})` : ""}` : "";
}
