/** What stands on the lanes of a call beside its sound: turns, tools, cuts, the provider's marks, events, evidence. */
import type { Score, SessionDetail, Span } from "../api/types";
import { clock, duration } from "./format";
import { ofSpan } from "./of-span";
import {
  errorText,
  fields,
  interruptionOf,
  isFailed,
  metric,
  soundOf,
  spanEnd,
  spanName,
  toolFailed,
} from "./trace";

export type Tone = "" | "warn" | "bad" | "good";

export interface Block {
  id: string;
  spanId: string | null;
  fromMs: number;
  toMs: number;
  label: string;
  /** Where the lane does not make it of the rest: a long call has thousands, of which few are shown. */
  title?: string;
  tone: Tone;
}

export interface Mark {
  id: string;
  ms: number;
  label: string;
  title: string;
  tone: Tone;
}

export interface CallMarks {
  turns: Block[];
  tools: Block[];
  /** What was generated and not heard. */
  cuts: Block[];
  /** Where the user spoke into the assistant's speech. */
  overlaps: Block[];
  /** The provider's begin and end of speech, as one block each. */
  vad: Block[];
  events: Mark[];
  evidence: Block[];
}

/** Of a turn or a tool. */
export const spanTitle = ({ label, fromMs, toMs }: Block) =>
  `${label} ${duration(toMs - fromMs)} · from ${clock(fromMs)}`;

/** Of the provider's marks. */
export const speechTitle = ({ label, fromMs, toMs }: Block) =>
  `${label}: speech from ${clock(fromMs, 2)} to ${clock(toMs, 2)}`;

/** Only what still runs changes with the time. */
const nowOf = (span: Span, nowMs: number) => (span.end_ms == null ? nowMs : 0);

const blockOf = ofSpan((span: Span, nowMs: number): Block => {
  const toMs = spanEnd(span, nowMs);
  const failed = span.type === "tool" ? toolFailed(span) : isFailed(span);
  const label = span.type === "tool" ? span.name : spanName(span);
  return { id: span.id, spanId: span.id, fromMs: span.start_ms, toMs, label, tone: failed ? "bad" : "" };
});

function cutOf(span: Span): Block[] {
  const cut = interruptionOf(span);
  if (!cut) return [];
  const { endMs } = soundOf(span);
  const lost = cut.heardMs === null || cut.generatedMs === null ? 0 : cut.generatedMs - cut.heardMs;
  const about = cut.estimated ? "about " : "";
  const label = lost > 0 ? `not heard ${about}${(lost / 1000).toFixed(2)} s` : "interrupted";
  const title = `${label}, from ${clock(endMs, 2)} on`;
  return [
    {
      id: `cut-${span.id}`,
      spanId: span.id,
      fromMs: endMs,
      toMs: endMs + Math.max(0, lost),
      label,
      title,
      tone: "warn",
    },
  ];
}

/** From the beginning of the user's speech to where the assistant was silent. */
function overlapsOf(spans: Span[]): Block[] {
  const answers = spans.filter((span) => span.type === "response").map(soundOf);
  return spans.flatMap((span) => {
    if (span.type !== "user" || fields(span.metrics).barge_in !== true) return [];
    const fromMs = metric(span.metrics, "true_speech_start_ms") ?? span.start_ms;
    const spoken = answers.find((sound) => sound.startMs <= fromMs && sound.endMs > fromMs);
    if (!spoken) return [];
    const title = `Both speak: ${duration(spoken.endMs - fromMs)}, from ${clock(fromMs, 2)} on`;
    return [
      {
        id: `overlap-${span.id}`,
        spanId: span.id,
        fromMs,
        toMs: spoken.endMs,
        label: "",
        title,
        tone: "bad" as const,
      },
    ];
  });
}

const isDetected = (span: Span) =>
  fields(span.input).kind !== "text" && typeof fields(span.input).vad === "string";

const vadOf = ofSpan((span: Span, nowMs: number): Block => {
  const label = String(fields(span.input).vad);
  const toMs = spanEnd(span, nowMs);
  return { id: `vad-${span.id}`, spanId: span.id, fromMs: span.start_ms, toMs, label, tone: "" };
});

const EVENT_WORDS: Record<string, string> = {
  config: "settings",
  rate_limits: "rate limits",
  "gateway.lost": "recording incomplete",
  dtmf: "key",
};

function limitsText(limits: unknown): string {
  if (!Array.isArray(limits)) return "";
  return limits
    .map(fields)
    .map((one) => `${one.name} ${one.remaining} of ${one.limit} left`)
    .join(", ");
}

function eventTitle(event: Record<string, unknown>): string {
  const { type, changed, error, facts, limits } = event;
  const said = [
    Array.isArray(changed) && changed.length > 0 ? changed.join(", ") : "",
    errorText(error),
    limitsText(limits),
    facts ? JSON.stringify(facts) : "",
  ].filter(Boolean);
  const name = EVENT_WORDS[String(type)] ?? String(type);
  return [`${name} · ${clock(Number(event.t_ms) || 0, 2)}`, ...said].join("\n");
}

export function eventMarks(events: unknown): Mark[] {
  if (!Array.isArray(events)) return [];
  return events.map(fields).flatMap((event, n) => {
    if (typeof event.t_ms !== "number") return [];
    const tone: Tone = event.level === "error" ? "bad" : event.level === "warning" ? "warn" : "";
    const label = EVENT_WORDS[String(event.type)] ?? String(event.type);
    return [{ id: `event-${n}`, ms: event.t_ms, label, title: eventTitle(event), tone }];
  });
}

export function scoreText(score: Score): string {
  const value = score.value === null ? "" : String(Math.round(score.value * 1000) / 1000);
  return [value, score.label].filter(Boolean).join(" · ") || (score.comment ?? "").slice(0, 60);
}

function evidenceOf(score: Score): Block[] {
  const { value, label } = score;
  const tone: Tone = label === "fail" || value === 0 ? "bad" : label === "pass" ? "good" : "";
  return score.evidence.map((one, n) => ({
    id: `${score.id}-${n}`,
    spanId: one.span_id ?? score.span_id,
    fromMs: one.start_ms,
    toMs: Math.max(one.start_ms, one.end_ms),
    label: score.name,
    title: `${score.name} ${scoreText(score)} · ${clock(one.start_ms)}`,
    tone,
  }));
}

export function callMarks(session: SessionDetail, nowMs: number): CallMarks {
  const { spans } = session;
  const of = (type: Span["type"]) => spans.filter((span) => span.type === type);
  return {
    turns: of("turn").map((span) => blockOf(span, nowOf(span, nowMs))),
    tools: of("tool").map((span) => blockOf(span, nowOf(span, nowMs))),
    cuts: of("response").flatMap(cutOf),
    overlaps: overlapsOf(spans),
    vad: of("user")
      .filter(isDetected)
      .map((span) => vadOf(span, nowOf(span, nowMs))),
    events: eventMarks(fields(session).events),
    evidence: (session.scores ?? []).flatMap(evidenceOf),
  };
}

const MERGED_PX = 6;

/**
 * Blocks that would lie on each other become one, as wide as a pointer can hit, which leads to the first of them: of
 * half an hour on a screen all turns are narrower than that.
 */
export function merged(blocks: Block[], pxPerMs: number, titleOf: (block: Block) => string): Block[] {
  const out: (Block & { more: number })[] = [];
  for (const block of blocks) {
    const last = out.at(-1);
    const toMs = Math.max(last?.toMs ?? 0, block.toMs);
    if (!last || (toMs - last.fromMs) * pxPerMs > MERGED_PX)
      out.push({ ...block, title: titleOf(block), more: 0 });
    else Object.assign(last, { toMs, more: last.more + 1, label: "", tone: last.tone || block.tone });
  }
  return out.map(({ more, ...block }) =>
    more ? { ...block, title: `${block.title}, and ${more} more` } : block,
  );
}

/** Labels that fit: each block's only where there is room before the next one. */
export function roomFor(blocks: Block[], n: number, pxPerMs: number, endMs: number): number {
  const block = blocks[n];
  if (!block) return 0;
  return ((blocks[n + 1]?.fromMs ?? endMs) - block.toMs) * pxPerMs;
}

/** Whether so many letters fit between the beginning of a block and that of the next one. */
export function fits(blocks: Block[], n: number, pxPerMs: number, letters: number, endMs: number): boolean {
  const block = blocks[n];
  return !!block && ((blocks[n + 1]?.fromMs ?? endMs) - block.fromMs) * pxPerMs > letters * 6.8 + 8;
}

/** Marks that would lie on each other become one, with all their titles; the worst tone counts. */
export function gathered(marks: Mark[], pxPerMs: number, nearPx = 9): Mark[] {
  const out: (Mark & { many: number })[] = [];
  const rank = (tone: Tone) => ["", "good", "warn", "bad"].indexOf(tone);
  for (const mark of marks) {
    const last = out.at(-1);
    if (!last || (mark.ms - last.ms) * pxPerMs > nearPx) {
      out.push({ ...mark, many: 1 });
      continue;
    }
    last.many += 1;
    if (rank(mark.tone) > rank(last.tone)) Object.assign(last, { tone: mark.tone, label: mark.label });
    if (last.many <= 12) last.title += `\n\n${mark.title}`;
  }
  return out;
}
